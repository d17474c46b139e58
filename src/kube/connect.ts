import { isDeepStrictEqual } from 'node:util';
import type { KubeConfig, RequestContext } from '@kubernetes/client-node';
import { importClientNode, type ClientNode } from './client-node.ts';
import { raceAbort } from './deadline.ts';
import { UNAUTHORIZED } from './fault.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import type { KubeconfigOptions } from './kubeconfig.ts';
import type { KubeRequest, KubeResponse, KubeTransport } from './port.ts';
import type { SignIn } from './sign-in.ts';

export { KubeconfigError } from './sign-in.ts';

type Pool = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

interface ConnectOptions extends KubeconfigOptions {
  /** What the API server's audit log shows. Default `knative-eip`. */
  readonly userAgent?: string | undefined;
}

export interface Connection {
  /** URL of the API server. */
  readonly server: string;
  /** Namespace of the context, or of the pod. */
  readonly namespace: string | undefined;
  /**
   * For single calls. Its connections are not those of `watches`: a long list must not stand before a lease renewal.
   */
  readonly calls: KubeTransport;
  /** For lists and watches of reflectors. */
  readonly watches: KubeTransport;
  /**
   * The same API server as somebody else: whose client certificate this is at the time of each request. A request
   * rejects with what it throws.
   */
  readonly as: (certificate: () => ClientCertificate) => Pick<Connection, 'calls' | 'watches' | 'close'>;
  /** Breaks what is still open and frees the connections. */
  readonly close: () => Promise<void>;
}

/** PEM. */
interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads the kubeconfig, or the pod's service account where no path is given, and checks it; nothing is sent yet.
 * Rejects with KubeconfigError. The transports reject with whatever the network or the credential plug-in threw.
 */
export const connect = async (options: ConnectOptions = {}): Promise<Connection> => {
  // Not before it is wanted: `--help` must not wait for it.
  const library = await importClientNode();
  const Pooled = pooledKubeConfig(library);
  const calls = new Pooled();
  const watches = new Pooled();
  const signIns = [loadKubeconfig(calls, options), loadKubeconfig(watches, options)];
  const server = calls.getCurrentCluster()?.server ?? '';
  const userAgent = options.userAgent ?? 'knative-eip';
  const connectAs = (certificate: () => ClientCertificate): KubeTransport & { close: () => Promise<void> } => {
    const config = new Pooled();
    loadKubeconfig(config, options);
    const { name } = config.getCurrentUser() ?? { name: '' };
    const send = transport(library, { config, server, userAgent });
    const request = async (asked: KubeRequest) => {
      const { cert, key } = certificate();
      config.users = [{ name, certData: base64(cert), keyData: base64(key) }];
      return send(asked);
    };
    return Object.assign(request, { close: () => config.close() });
  };
  return {
    server,
    namespace: calls.getContextObject(calls.getCurrentContext())?.namespace,
    calls: transport(library, { config: calls, server, userAgent, signIn: signIns[0] }),
    watches: transport(library, { config: watches, server, userAgent, signIn: signIns[1] }),
    as: (certificate) => {
      const [calls, watches] = [connectAs(certificate), connectAs(certificate)];
      return { calls, watches, close: async () => void (await Promise.all([calls.close(), watches.close()])) };
    },
    close: async () => {
      await Promise.all([calls.close(), watches.close()]);
    },
  };
};

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/**
 * KubeConfig whose requests share one pool of connections. The library (2.0.1) makes an Agent for each request as soon
 * as there is a CA, so each call would be a new TLS handshake. Here its options are compared with those of the pool at
 * hand: where they are the same, the library is told to make none; where CA or client certificate have changed, the new
 * Agent takes the place of the old one, which ends with its last request.
 */
const pooledKubeConfig = ({ KubeConfig }: ClientNode) =>
  class PooledKubeConfig extends KubeConfig {
    #pool: Pool | undefined;
    #material: unknown;
    #closed = false;

    override createDispatcherOptions(
      ...[cluster, material]: Parameters<KubeConfig['createDispatcherOptions']>
    ): ReturnType<KubeConfig['createDispatcherOptions']> {
      if (this.#material !== undefined && isDeepStrictEqual(material, this.#material)) return { type: 'none' };
      this.#material = { ...material };
      const plain = cluster?.server.startsWith('http:') === true && !cluster.proxyUrl;
      // The library refuses plain HTTP unless certificates go unchecked, and has no pool for servers
      // without TLS options.
      const options = plain ? ({ type: 'none' } as const) : super.createDispatcherOptions(cluster, material);
      return options.type === 'none' ? { type: 'agent', connect: KEEP_ALIVE } : overHttp1(options);
    }

    override async applySecurityAuthentication(context: RequestContext): Promise<void> {
      if (this.#closed) throw new Error('The connection has been closed.');
      await super.applySecurityAuthentication(context);
      const fresh = context.getDispatcher();
      if (fresh !== undefined) {
        const old = this.#pool;
        this.#pool = fresh;
        old?.close().catch(() => undefined);
      }
      if (this.#pool !== undefined) context.setDispatcher(this.#pool);
    }

    async close(): Promise<void> {
      this.#closed = true;
      await this.#pool?.destroy();
    }
  };

type DispatcherOptions = ReturnType<KubeConfig['createDispatcherOptions']>;

/**
 * HTTP/1.1, although API servers offer HTTP/2 and undici takes it: Node (26.10) can fall into an endless loop where
 * streams of a session end while data goes out (Http2Session::SendPendingData). It answers nothing any more, no signal
 * either, and takes all memory: a controller that was told to stop, whose watches end all at once, has taken 19 GiB.
 */
const overHttp1 = (options: DispatcherOptions): DispatcherOptions => {
  switch (options.type) {
    case 'agent':
      return { ...options, connect: { ...options.connect, ...HTTP1 } };
    case 'proxy':
      return { ...options, requestTls: { ...options.requestTls, ...HTTP1 } };
    case 'socks':
    case 'none':
      return options;
  }
};

/** An option of undici's connector: it offers the server nothing else (ALPN). */
const HTTP1 = { allowH2: false };

/** As in client-go and the library's own Agents: cloud load balancers drop what is idle for 60 s. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000 };

interface Way {
  readonly config: KubeConfig;
  readonly server: string;
  readonly userAgent: string;
  readonly signIn?: SignIn | undefined;
}

const transport = (
  { RequestContext, IsomorphicFetchHttpLibrary }: ClientNode,
  { config, server, userAgent, signIn }: Way,
): KubeTransport => {
  const http = new IsomorphicFetchHttpLibrary();
  return async ({ method, path, contentType, accept, body, signal }: KubeRequest): Promise<KubeResponse> => {
    const context = new RequestContext(server + path, method);
    context.setHeaderParam('User-Agent', userAgent);
    context.setHeaderParam('Accept', accept ?? 'application/json');
    if (contentType !== undefined) context.setHeaderParam('Content-Type', contentType);
    if (body !== undefined) context.setBody(body);
    if (signal !== undefined) context.setSignal(signal);
    // Credential plug-ins are processes and know no signal.
    const authenticated = config.applySecurityAuthentication(context);
    await (signal === undefined ? authenticated : raceAbort(authenticated, signal));
    const response = await http.send(context).toPromise();
    if (response.httpStatusCode === UNAUTHORIZED) signIn?.refused();
    return {
      status: response.httpStatusCode,
      header: (name) => response.headers[name.toLowerCase()],
      text: () => response.body.text(),
      lines: () => lines(response.body.stream()),
    };
  };
};

/** Splits a stream into lines. What stands behind the last line feed is a line too. */
async function* lines(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<string, void> {
  if (stream === null) return;
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    // What came before is not looked through again: a line may be megabytes, in thousands of pieces.
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    rest += first;
    for (const begun of others) {
      yield rest;
      rest = begun;
    }
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
