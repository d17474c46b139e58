import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { Admission } from './admission.ts';
import type { Backend } from './backend.ts';
import { builtInKinds } from './builtin.ts';
import { CRD_STORE, kindsOf } from './crd.ts';
import { runGarbageCollector } from './garbage.ts';
import type { ApiRequest, ApiResponse } from './exchange.ts';
import type { ApiObject } from './json-values.ts';
import { Registry } from './served-kinds.ts';
import { route } from './routes.ts';
import { ApiError } from './failure-status.ts';
import { Storage, type StoredChange } from './storage.ts';
import { continueDeletions } from './terminating.ts';
import { Warnings } from './api-warnings.ts';
import { mutatingWebhooks, validatingWebhooks, type WebhookWorld } from './call-webhooks.ts';

/** What to do with a request other than to answer it. All parts are optional and combine. */
interface Interception {
  /** Wait this long before anything happens, milliseconds. */
  readonly delayMs?: number | undefined;
  /** Answer this and do nothing; `reset` breaks the connection. */
  readonly instead?: ApiResponse | 'reset' | undefined;
  /** Wait this long after the effect, before the answer, milliseconds. */
  readonly lagMs?: number | undefined;
  /**
   * After the effect: answer something else, for example the lines of a watch in disorder; `reset`
   * breaks the connection.
   */
  readonly afterwards?: ((response: ApiResponse) => ApiResponse) | 'reset' | undefined;
}

type Interceptor = (request: ApiRequest) => Interception | undefined;

/**
 * A connection that broke before the answer was complete. The only error that `handle` rejects with, besides aborts.
 */
export class ConnectionReset extends Error {
  override readonly name = 'ConnectionReset';
  readonly code = 'ECONNRESET';
}

export interface ApiServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** How many changes are kept for watches and pages. */
  readonly historyLimit?: number | undefined;
  readonly admission?: Admission | undefined;
  /** Webhooks are called where this is there, after `admission`. */
  readonly webhooks?: Pick<WebhookWorld, 'serviceUrl'> | undefined;
}

export interface ApiServer {
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Calls the listener with every change of any object, within the write. Returns the way to stop it. */
  onWrite(listener: (change: StoredChange) => void): () => void;
  /** Lets faults in: asked before every request, the one added last first. Returns the way to remove it. */
  intercept(interceptor: Interceptor): () => void;
  /** Forgets the history, as etcd's compaction does: watches and pages from before get 410. */
  compact(): void;
  /** Starts to remove objects whose owners are gone, `delayMs` after the write. Returns the way to stop it. */
  startGarbageCollector(options?: { readonly delayMs?: number | undefined }): () => void;
  /** The resourceVersion of the last write. */
  readonly resourceVersion: string;
}

/** What webhooks are chosen by. */
const configurationsIn = (storage: Storage): Pick<WebhookWorld, 'configurations' | 'namespaceLabels'> => ({
  configurations: (plural) => [...storage.list(`admissionregistration.k8s.io/${plural}`)],
  namespaceLabels: (name) => storage.get('/namespaces', undefined, name)?.metadata.labels ?? {},
});

const inTurn = (first: Admission | undefined, second: Admission | undefined): Admission | undefined =>
  first && second ? async (request) => second({ ...request, object: await first(request) }) : (first ?? second);

const HISTORY_LIMIT = 10_000;
const GARBAGE_DELAY_MS = 100;
const INITIAL_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Addresses of Services, one after the other, in the range that kubeadm takes by default. */
const clusterIPs = (): (() => string) => {
  let last = 1;
  return () => {
    last += 1;
    return `10.96.${Math.floor(last / 256) % 256}.${last % 256}`;
  };
};

const json = (error: ApiError): ApiResponse => ({
  status: error.code,
  headers: { 'content-type': 'application/json' },
  body: `${JSON.stringify(error.toStatus())}\n`,
});

/**
 * A Kubernetes API server without sockets: the same requests and answers as over HTTP. Everything it does follows from
 * the requests, the clock and chance, so that a simulation can run it in virtual time and repeat a run.
 */
export const createApiServer = ({
  clock,
  random,
  historyLimit = HISTORY_LIMIT,
  admission,
  webhooks,
}: ApiServerOptions): ApiServer => {
  const storage = new Storage(historyLimit);
  const registry = new Registry(builtInKinds(clusterIPs()));
  const world = webhooks && { ...webhooks, ...configurationsIn(storage), random };
  const backend: Backend = {
    storage,
    registry,
    clock,
    random,
    admission: inTurn(admission, world && mutatingWebhooks(world)),
    validation: world && validatingWebhooks(world),
    warn: () => undefined,
  };
  const interceptors: Interceptor[] = [];

  storage.subscribe(({ store, type, object }) => {
    if (store !== CRD_STORE) return;
    const [first] = kindsOf(object);
    if (first !== undefined) registry.remove(first.group, first.plural);
    if (type !== 'DELETED') for (const kind of kindsOf(object)) registry.add(kind);
  });

  const answer = async (request: ApiRequest): Promise<ApiResponse> => {
    const warnings = new Warnings();
    const response = await answerOf(request, (text) => warnings.add(text));
    return warnings.lines.length === 0 ? response : { ...response, warnings: warnings.lines };
  };

  const answerOf = async (request: ApiRequest, warn: Backend['warn']): Promise<ApiResponse> => {
    try {
      const before = storage.revision;
      const response = await route({ ...backend, warn }, request);
      if (storage.revision !== before) continueDeletions(backend);
      return response;
    } catch (error) {
      if (error instanceof ApiError) return json(error);
      const why = error instanceof Error ? error.message : String(error);
      return json(new ApiError(500, 'InternalError', `Internal error occurred: ${why}`));
    }
  };

  const handle = async (request: ApiRequest): Promise<ApiResponse> => {
    let fault: Interception | undefined;
    for (const interceptor of interceptors.toReversed()) fault ??= interceptor(request);
    if (fault?.delayMs !== undefined) await clock.sleep(fault.delayMs, request.signal);
    request.signal?.throwIfAborted();
    if (fault?.instead === 'reset') throw new ConnectionReset('the connection was reset before the request was read');
    if (fault?.instead !== undefined) return fault.instead;
    const { headers, ...rest } = await answer(request);
    // As Go's net/http does it.
    const response: ApiResponse = { ...rest, headers: { ...headers, date: new Date(clock.now()).toUTCString() } };
    if (fault?.lagMs !== undefined) await clock.sleep(fault.lagMs, request.signal);
    if (fault?.afterwards === 'reset') throw new ConnectionReset('the connection was reset before the answer was sent');
    return fault?.afterwards?.(response) ?? response;
  };

  for (const name of INITIAL_NAMESPACES) {
    const creationTimestamp = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
    const namespace: ApiObject = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, uid: random.uuid(), resourceVersion: '', creationTimestamp },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    };
    storage.put('/namespaces', namespace);
  }

  return {
    handle,
    onWrite: (listener) => storage.subscribe(listener),
    intercept: (interceptor) => {
      interceptors.push(interceptor);
      return () => {
        const index = interceptors.indexOf(interceptor);
        if (index >= 0) interceptors.splice(index, 1);
      };
    },
    compact: () => storage.compact(),
    startGarbageCollector: ({ delayMs = GARBAGE_DELAY_MS } = {}) =>
      runGarbageCollector(backend, clock, delayMs, () => continueDeletions(backend)),
    get resourceVersion() {
      return String(storage.revision);
    },
  };
};
