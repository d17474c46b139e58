import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type Koa from 'koa';
import { parseHostPort } from '../lib/address.ts';
import type { Clock } from '../lib/clock.ts';
import { HANDSHAKE_MS, limitConnections, type ConnectionLimits, type Connections } from './connections.ts';

/** A server that is listening. */
export interface Serving {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Stops listening, waits at most one second for answers that are under way, then closes all connections. */
  close(): Promise<void>;
}

/** A certificate chain and its key, PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A TLS server whose certificate can be replaced while it is listening. */
export interface TlsServing extends Serving {
  /** Open connections keep the old certificate; new ones get this one. */
  present(certificate: ServerCertificate): void;
}

/** The server cannot listen. The message says why, and what to do. */
export class ServeError extends Error {
  override readonly name = 'ServeError';
}

const LIMITS = {
  requestTimeout: 30_000,
  headersTimeout: 20_000,
  /** Longer than the usual scrape interval of 60 s, so that a scraper keeps its connection. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
} as const;
/** Probes and scrapes have a few; pages at the end of kubectl port-forward are all of one address. */
const FEW: ConnectionLimits = { perAddress: 64, inAll: 256 };
const HANDSHAKES = 8;
/**
 * An API server calls webhooks over HTTP/1.1, each call over a connection of its own, and is at up to 200 mutating
 * requests at once (kube-apiserver --max-mutating-requests-inflight).
 */
const MANY: ConnectionLimits = { perAddress: 256, inAll: 768 };
const GRACE_MS = 1_000;
/**
 * How many connections the system keeps until they are accepted; it has a limit of its own (net.core.somaxconn). Node's
 * 511 were too few for a flood: who comes then is not refused, but tries again after 1, 3, 7, 15 and 31 s.
 */
const BACKLOG = 4_096;

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there already',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not listen on that port',
  ENOTFOUND: 'there is no host of that name',
};

/** `host:port`, and the configuration key that it comes from. */
interface ListenAddress {
  readonly address: string;
  readonly key: string;
}

interface TlsOptions {
  /** A function makes it when the first connection comes, unless another one was presented before; it says why not. */
  readonly certificate: ServerCertificate | (() => Promise<ServerCertificate>);
  /** PEM of the authorities of clients: whoever shows no certificate of theirs is not answered. */
  readonly clientCA?: string | undefined;
  /** @default few */
  readonly connections?: 'few' | 'many' | undefined;
}

/**
 * Serves HTTP/1.1 on `address`, which is `host:port`; port 0 takes a free one.
 * @throws {ServeError} that names the address and the configuration key `key`
 */
export const serve = async (app: Koa, address: string, clock: Clock, key = 'http.address'): Promise<Serving> => {
  const handle = app.callback();
  const server = createServer(LIMITS, (request, response) => void handle(request, response));
  const connections = limitConnections(server, FEW, clock);
  return listen({ server, connections, scheme: 'http' }, { address, key }, clock);
};

/** The same over TLS 1.2 or 1.3, HTTP/1.1 only. */
export const serveTls = async (
  app: Koa,
  where: ListenAddress,
  { certificate, clientCA, connections = 'few' }: TlsOptions,
  clock: Clock,
): Promise<TlsServing> => {
  const handle = app.callback();
  const trusted = clientCA === undefined ? {} : { ca: clientCA };
  const make = typeof certificate === 'function' ? certificate : undefined;
  const server = createTlsServer(
    {
      ...LIMITS,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_MS,
      ...trusted,
      ...(clientCA !== undefined && { requestCert: true, rejectUnauthorized: true }),
      ...(typeof certificate !== 'function' && certificate),
    },
    (request, response) => void handle(request, response),
  );
  let isPresented = !make;
  const present = (next: ServerCertificate) => {
    isPresented = true;
    server.setSecureContext({ minVersion: 'TLSv1.2', ...trusted, ...next });
  };
  const prepare = async (making: () => Promise<ServerCertificate>) => {
    const made = await making();
    if (!isPresented) present(made);
  };
  if (make) holdConnections(server, { isReady: () => isPresented, prepare: () => prepare(make) });
  const limits = { ...(connections === 'many' ? MANY : FEW), handshakesPerAddress: HANDSHAKES };
  const limited = { server, connections: limitConnections(server, limits, clock), scheme: 'https' } as const;
  const serving = await listen(limited, where, clock);
  return { ...serving, present };
};

/**
 * Connections wait until `prepare` has ended, which begins with the first of them; where it rejects they are closed,
 * and it begins anew with the next one.
 */
const holdConnections = (
  server: Server,
  { isReady, prepare }: { readonly isReady: () => boolean; readonly prepare: () => Promise<void> },
): void => {
  const takers = server.listeners('connection') as ((socket: Socket) => void)[];
  let prepared: Promise<void> | undefined;
  const hold = async (socket: Socket): Promise<void> => {
    try {
      if (!isReady()) await (prepared ??= prepare());
    } catch {
      prepared = undefined;
      socket.destroy();
      return;
    }
    if (!socket.destroyed) for (const take of takers) take.call(server, socket);
  };
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => void hold(socket));
};

interface Limited {
  readonly server: Server;
  readonly connections: Connections;
  readonly scheme: 'http' | 'https';
}

const listen = async (
  { server, connections, scheme }: Limited,
  { address, key }: ListenAddress,
  clock: Clock,
): Promise<Serving> => {
  const where = parseHostPort(address);
  if (!where) throw new ServeError(`cannot serve HTTP on ${address}: ${key} must be host:port`);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = REASONS[error.code ?? ''] ?? error.code ?? 'unknown error';
      reject(new ServeError(`cannot serve HTTP on ${address}: ${reason}; change ${key}`, { cause: error }));
    });
    server.listen({ host: where.host, port: where.port, backlog: BACKLOG }, resolve);
  });
  const { port, family, address: host } = server.address() as AddressInfo;
  return {
    url: `${scheme}://${family === 'IPv6' ? `[${host}]` : host}:${port}`,
    close: async () => {
      const cancel = clock.timer(GRACE_MS, () => connections.closeAll());
      await new Promise<void>((resolve) => {
        // The only possible error is that the server is already closed.
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      cancel();
    },
  };
};
