import { request as httpsRequest } from 'node:https';
import type { Random } from '../../lib/random.ts';
import type { AdmissionCall } from './admission.ts';
import { arrayOf, isObject, objectOf, stringOf, type JsonObject } from './json-values.ts';
import { ApiError } from './failure-status.ts';

/** How webhooks are reached. */
export interface Reached {
  readonly random: Random;
  /** Where a Service of the cluster is reached: it has no network of its own here. Undefined: nowhere. */
  readonly serviceUrl?: ((namespace: string, name: string) => string | undefined) | undefined;
}

/** What a webhook says. */
export interface WebhookAnswer {
  readonly allowed: boolean;
  /** A JSON patch (RFC 6902), decoded. */
  readonly patch: unknown;
  readonly status: JsonObject;
  readonly warnings: readonly string[];
}

/** Undefined where the webhook could not be asked and its failure policy lets that pass. */
export const call = async (
  world: Reached,
  webhook: JsonObject,
  request: AdmissionCall,
): Promise<WebhookAnswer | undefined> => {
  const uid = world.random.uuid();
  const timeoutMs = (typeof webhook['timeoutSeconds'] === 'number' ? webhook['timeoutSeconds'] : 10) * 1_000;
  const config = objectOf(webhook['clientConfig']);
  try {
    const url = urlOf(world, config);
    if (url === undefined) throw new Error('no endpoints available for the service');
    const ca = Buffer.from(stringOf(config['caBundle']), 'base64').toString('utf8');
    const text = await post(url, JSON.stringify(review(uid, request)), ca, timeoutMs);
    const response = objectOf(objectOf(JSON.parse(text))['response']);
    if (response['uid'] !== uid) throw new Error('the answer is to another request');
    const patch = response['patch'];
    return {
      allowed: response['allowed'] === true,
      patch: typeof patch === 'string' ? JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) : undefined,
      status: objectOf(response['status']),
      warnings: arrayOf(response['warnings']).map(stringOf),
    };
  } catch (error) {
    if (webhook['failurePolicy'] === 'Ignore') return undefined;
    const why = error instanceof Error ? error.message : String(error);
    const message = `failed calling webhook "${stringOf(webhook['name'])}": ${why}`;
    throw new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
  }
};

const urlOf = ({ serviceUrl }: Reached, { url, service }: JsonObject): string | undefined => {
  if (typeof url === 'string') return url;
  if (!isObject(service)) return undefined;
  const base = serviceUrl?.(stringOf(service['namespace']), stringOf(service['name']));
  return base === undefined ? undefined : new URL(stringOf(service['path']) || '/', base).href;
};

const review = (
  uid: string,
  { kind, form = kind, operation, namespace, name, subresource, object, oldObject, dryRun }: AdmissionCall,
) => {
  const asKind = { group: form.group, version: form.version, kind: form.kind };
  const resource = { group: kind.group, version: kind.version, resource: kind.plural };
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      kind: asKind,
      resource,
      ...(subresource !== undefined && { subResource: subresource }),
      requestKind: asKind,
      requestResource: resource,
      ...(subresource !== undefined && { requestSubResource: subresource }),
      name,
      namespace,
      operation,
      userInfo: { username: 'sandbox' },
      object: object ?? null,
      oldObject: oldObject ?? null,
      dryRun,
    },
  };
};

const post = (url: string, body: string, ca: string, timeoutMs: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = httpsRequest(
      url,
      {
        method: 'POST',
        ca,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        signal: AbortSignal.timeout(timeoutMs),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          response.statusCode === 200
            ? resolve(text)
            : reject(new Error(`the webhook answered ${response.statusCode}: ${text.slice(0, 200)}`)),
        );
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
