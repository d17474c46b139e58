import { request as httpsRequest } from 'node:https';
import type { Random } from '../../lib/random.ts';
import type { Admission, AdmissionRequest } from './admission.ts';
import { arrayOf, isObject, objectOf, stringOf, type ApiObject, type JsonObject } from './json.ts';
import { jsonPatch } from './patch.ts';
import { ApiError } from './status.ts';

/** Reads objects of the API itself. */
export interface WebhookWorld {
  /** All objects of a plural of admissionregistration.k8s.io/v1, by name. */
  readonly configurations: (plural: string) => readonly ApiObject[];
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>>;
  readonly random: Random;
  /** Where a Service of the cluster is reached: it has no network of its own here. Undefined: nowhere. */
  readonly serviceUrl?: ((namespace: string, name: string) => string | undefined) | undefined;
}

interface Answer {
  readonly allowed: boolean;
  readonly patch: unknown;
  readonly status: JsonObject;
}

/**
 * The admission plugins MutatingAdmissionWebhook and ValidatingAdmissionWebhook. Source: kubernetes/kubernetes
 * staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook. There are no matchConditions (CEL), no reinvocation, and
 * warnings go nowhere.
 */
export const callWebhooks =
  (world: WebhookWorld): Admission =>
  async (request) => {
    let { object } = request;
    // What an API server never asks about, so that nobody locks themselves out.
    if (request.kind.group === 'admissionregistration.k8s.io') return object;
    for (const webhook of matching(world, 'mutatingwebhookconfigurations', request)) {
      const answer = await call(world, webhook, { ...request, object });
      if (!answer) continue;
      refuse(webhook, answer);
      if (answer.patch !== undefined && object) object = jsonPatch(object, answer.patch) as ApiObject;
    }
    for (const webhook of matching(world, 'validatingwebhookconfigurations', request)) {
      const answer = await call(world, webhook, { ...request, object });
      if (answer) refuse(webhook, answer);
    }
    return object;
  };

const refuse = (webhook: JsonObject, { allowed, status }: Answer): void => {
  if (allowed) return;
  const said = stringOf(status['message']) || 'denied the request without explanation';
  const code = typeof status['code'] === 'number' ? status['code'] : 400;
  const reason = stringOf(status['reason']) || 'BadRequest';
  throw new ApiError(code, reason, `admission webhook "${stringOf(webhook['name'])}" denied the request: ${said}`);
};

const matching = (world: WebhookWorld, plural: string, request: AdmissionRequest): JsonObject[] =>
  world
    .configurations(plural)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap((configuration) => arrayOf(configuration['webhooks']).map(objectOf))
    .filter((webhook) => applies(world, webhook, request));

const has = (list: unknown, value: string): boolean => arrayOf(list).some((each) => each === '*' || each === value);

const applies = (world: WebhookWorld, webhook: JsonObject, request: AdmissionRequest): boolean => {
  const { kind, operation, namespace, subresource } = request;
  const resource = subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`;
  const isRule = arrayOf(webhook['rules'])
    .map(objectOf)
    .some(
      (rule) =>
        has(rule['apiGroups'], kind.group) &&
        has(rule['apiVersions'], kind.version) &&
        has(rule['operations'], operation) &&
        (arrayOf(rule['resources']).includes(resource) ||
          (subresource === undefined && has(rule['resources'], resource))),
    );
  const labels = request.object?.metadata.labels ?? request.oldObject?.metadata.labels ?? {};
  return (
    isRule &&
    selects(webhook['objectSelector'], labels) &&
    (namespace === undefined || selects(webhook['namespaceSelector'], world.namespaceLabels(namespace)))
  );
};

/** meta/v1 LabelSelector; one that is absent or empty selects everything. */
const selects = (selector: unknown, labels: Readonly<Record<string, string>>): boolean => {
  const { matchLabels, matchExpressions } = objectOf(selector);
  return (
    Object.entries(objectOf(matchLabels)).every(([key, value]) => labels[key] === value) &&
    arrayOf(matchExpressions)
      .map(objectOf)
      .every(({ key, operator, values }) => {
        const value = labels[stringOf(key)];
        if (operator === 'Exists') return value !== undefined;
        if (operator === 'DoesNotExist') return value === undefined;
        const isIn = value !== undefined && arrayOf(values).includes(value);
        return operator === 'In' ? isIn : !isIn;
      })
  );
};

/** Undefined where the webhook could not be asked and its failure policy lets that pass. */
const call = async (
  world: WebhookWorld,
  webhook: JsonObject,
  request: AdmissionRequest,
): Promise<Answer | undefined> => {
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
    };
  } catch (error) {
    if (webhook['failurePolicy'] === 'Ignore') return undefined;
    const why = error instanceof Error ? error.message : String(error);
    throw new ApiError(
      500,
      'InternalError',
      `Internal error occurred: failed calling webhook "${stringOf(webhook['name'])}": ${why}`,
    );
  }
};

const urlOf = ({ serviceUrl }: WebhookWorld, { url, service }: JsonObject): string | undefined => {
  if (typeof url === 'string') return url;
  if (!isObject(service)) return undefined;
  const base = serviceUrl?.(stringOf(service['namespace']), stringOf(service['name']));
  return base === undefined ? undefined : new URL(stringOf(service['path']) || '/', base).href;
};

const review = (
  uid: string,
  { kind, operation, namespace, name, subresource, object, oldObject, dryRun }: AdmissionRequest,
) => {
  const { group, version } = kind;
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      kind: { group, version, kind: kind.kind },
      resource: { group, version, resource: kind.plural },
      ...(subresource !== undefined && { subResource: subresource }),
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
