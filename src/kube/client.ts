import type { Clock } from '../lib/clock.ts';
import { withDeadline } from './deadline.ts';
import { KubeFault } from './fault.ts';
import { listPages, wholeOf } from './pages.ts';
import { collectionPath, objectPath } from './path.ts';
import type { Kube, KubeObject, KubeRequest, KubeTransport, Patch, Resource } from './port.ts';
import { createRateLimit } from './ratelimit.ts';
import type { RateLimit } from './ratelimit.ts';
import { faultOfAnswer, faultOfError, isAboutObject } from './api-status.ts';

/** One call, after it ended; for metrics. */
export interface KubeCall {
  readonly verb: 'get' | 'list' | 'create' | 'replace' | 'patch' | 'delete';
  readonly resource: string;
  /** `ok`, or the kind of the fault, or `aborted`. */
  readonly outcome: string;
  readonly durationMs: number;
}

interface KubeOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  /**
   * Calls per second that are kept up; zero or less for no limit. Default 20, as controller-runtime; the configuration
   * has another.
   */
  readonly qps?: number | undefined;
  /** Calls at once after a pause. Default 30, as controller-runtime. */
  readonly burst?: number | undefined;
  /** How long one call may take, the wait for its turn not counted. Default 10 s. */
  readonly timeoutMs?: number | undefined;
  /** How long one page of a list may take. Default 60 s, the API server's own limit for requests. */
  readonly listTimeoutMs?: number | undefined;
  /** Called after each call (a list of several pages is one call). Must not throw. */
  readonly observe?: ((call: KubeCall) => void) | undefined;
}

/** How often a list starts anew because its page token expired, before it gives up. */
const LIST_ATTEMPTS = 4;

const PATCH_TYPES: Readonly<Record<Patch['type'], string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};

const managedBy = ({ fieldManager }: Patch): string =>
  fieldManager === undefined ? '' : `?fieldManager=${encodeURIComponent(fieldManager)}`;

/**
 * The Kubernetes API over a transport. Nothing is retried: retries belong to the work queue, and a second layer of them
 * would multiply the calls.
 *
 * `get` gives undefined only where the API server says that this object is not there. A 404 about the kind (its CRD is
 * not installed or not served yet) rejects with a fault of kind `notFound`, so that it is never taken for absence.
 */
export const createKube = (options: KubeOptions): Kube => {
  const { transport, clock, qps = 20, burst = 30, timeoutMs = 10_000, listTimeoutMs = 60_000, observe } = options;
  const limit = createRateLimit(clock, { qps, burst });

  const observed = async <T>(
    verb: KubeCall['verb'],
    resource: Resource<KubeObject>,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    const start = clock.mono();
    let outcome = 'ok';
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted === true) {
        outcome = 'aborted';
        throw signal.reason;
      }
      const fault = named(faultOfError(error), resource);
      outcome = fault.kind;
      throw fault;
    } finally {
      observe?.({ verb, resource: resource.plural, outcome, durationMs: clock.mono() - start });
    }
  };

  /** One exchange. Resolves with the object of a 2xx answer, or undefined where `absent` allows a 404 to mean that. */
  const exchange = async <T extends KubeObject>(
    request: KubeRequest,
    signal: AbortSignal | undefined,
    absent = false,
  ): Promise<T | undefined> => {
    await limit.take(signal);
    return withDeadline(clock, timeoutMs, signal, async (signal) => {
      const response = await transport({ accept: 'application/json', ...request, signal });
      const body = await response.text();
      if (response.status >= 200 && response.status < 300) return parseObject(body) as T;
      if (absent && response.status === 404 && isAboutObject(body)) return undefined;
      throw faultOfAnswer(response, body, clock.now());
    });
  };

  const read = async <T extends KubeObject>(
    resource: Resource<T>,
    request: KubeRequest,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> => {
    const object = await exchange<T>(request, signal, true);
    return object && wholeOf(resource, object);
  };

  const write = async <T extends KubeObject>(
    resource: Resource<T>,
    request: KubeRequest,
    signal: AbortSignal | undefined,
  ): Promise<T> => wholeOf(resource, (await exchange<T>(request, signal)) as T);

  return {
    get: (resource, ref, signal) =>
      observed('get', resource, signal, async () =>
        read(resource, { method: 'GET', path: objectPath(resource, ref) }, signal),
      ),
    list: (resource, list = {}, signal) =>
      observed('list', resource, signal, async () => {
        for (let attempt = 1; ; attempt += 1) {
          const items = [];
          try {
            const pages = listPages(
              { transport: limited(transport, limit), clock, timeoutMs: listTimeoutMs },
              resource,
              list,
              signal,
            );
            for await (const page of pages) for (const item of page.items) items.push(item);
            return items;
          } catch (error) {
            if (!(error instanceof KubeFault) || error.kind !== 'expired' || attempt === LIST_ATTEMPTS) throw error;
          }
        }
      }),
    create: (resource, object, signal) =>
      observed('create', resource, signal, async () => {
        const namespace = (object as { metadata?: { namespace?: string } }).metadata?.namespace;
        if (resource.namespaced && namespace === undefined)
          throw new KubeFault({
            kind: 'invalid',
            message: `A ${resource.kind} needs a metadata.namespace to be created.`,
          });
        return write(
          resource,
          {
            method: 'POST',
            path: collectionPath(resource, { namespace }),
            contentType: 'application/json',
            body: JSON.stringify(object),
          },
          signal,
        );
      }),
    replace: (resource, ref, object, signal) =>
      observed('replace', resource, signal, async () =>
        write(
          resource,
          {
            method: 'PUT',
            path: objectPath(resource, ref),
            contentType: 'application/json',
            body: JSON.stringify(object),
          },
          signal,
        ),
      ),
    patch: (resource, ref, patch, signal) =>
      observed('patch', resource, signal, async () =>
        write(
          resource,
          {
            method: 'PATCH',
            path: `${objectPath(resource, { ...ref, subresource: patch.subresource })}${managedBy(patch)}`,
            contentType: PATCH_TYPES[patch.type],
            body: JSON.stringify(patch.body),
          },
          signal,
        ),
      ),
    delete: (resource, ref, preconditions, signal) =>
      observed('delete', resource, signal, async () => {
        // The answer is a Status or the object, whichever: neither says more than the 2xx.
        await exchange(
          {
            method: 'DELETE',
            path: objectPath(resource, ref),
            contentType: 'application/json',
            body: JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions }),
          },
          signal,
        );
      }),
  };
};

/** What the API server says of a kind that it does not serve: of a group that it knows, and of one that it does not. */
const ABOUT_KIND = ['could not find the requested resource', '404 page not found'] as const;

/** An answer about a kind says only that it was not found, and not what. */
const named = (fault: KubeFault, { plural, group, version }: Resource<KubeObject>): KubeFault => {
  if (!ABOUT_KIND.some((text) => fault.message.includes(text))) return fault;
  const { kind, status, reason, retryAfterMs } = fault;
  const asked = group === '' ? `${plural} (${version})` : `${plural}.${group} (${version})`;
  const message = `${fault.message}: ${asked}`;
  return new KubeFault({ kind, message, status, reason, retryAfterMs });
};

const limited =
  (transport: KubeTransport, limit: RateLimit): KubeTransport =>
  async (request) => {
    await limit.take(request.signal);
    return transport(request);
  };

const parseObject = (body: string): KubeObject => {
  let object: unknown;
  try {
    object = JSON.parse(body);
  } catch {
    object = undefined;
  }
  if (typeof object !== 'object' || object === null || typeof (object as { metadata?: unknown }).metadata !== 'object')
    throw new KubeFault({
      kind: 'unavailable',
      message: 'The answer is not a Kubernetes object. Is there a proxy between here and the API server?',
    });
  return object as KubeObject;
};
