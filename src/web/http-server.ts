import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import { parseHostPort } from '../lib/address.ts';
import type { Clock } from '../lib/clock.ts';

/** A server that listens. */
export interface Serving {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Stops listening, lets answers that are under way end for at most a second, then cuts what is left. */
  close(): Promise<void>;
}

/** A certificate chain and its key, PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A server that speaks TLS, and can be given another certificate while it listens. */
export interface TlsServing extends Serving {
  /** Connections that are open keep the old one; new ones see the new one. */
  present(certificate: ServerCertificate): void;
}

/** Why the server cannot listen, with what to do about it. */
export class ServeError extends Error {
  override readonly name = 'ServeError';
}

/** Probes and scrapes are small and few: a connection that needs more than this is not one of them. */
const LIMITS = {
  requestTimeout: 10_000,
  headersTimeout: 5_000,
  /** Longer than the usual scrape interval of 60 s, so that a scraper keeps its connection. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
} as const;
const MOST_CONNECTIONS = 256;
const GRACE_MS = 1_000;

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there already',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not listen on that port',
  ENOTFOUND: 'there is no host of that name',
};

/** `host:port`, and where it is configured. */
interface ListenAddress {
  readonly address: string;
  readonly key: string;
}

/**
 * Serves HTTP/1.1 on `address`, which is `host:port`; port 0 takes a free one.
 * @throws {ServeError} that names the address and, as `key`, where it is configured.
 */
export const serve = async (app: Koa, address: string, clock: Clock, key = 'http.address'): Promise<Serving> => {
  const handle = app.callback();
  const server = createServer(LIMITS, (request, response) => void handle(request, response));
  return listen(server, 'http', { address, key }, clock);
};

/** The same over TLS 1.2 or 1.3, HTTP/1.1 only. */
export const serveTls = async (
  app: Koa,
  where: ListenAddress,
  certificate: ServerCertificate,
  clock: Clock,
): Promise<TlsServing> => {
  const handle = app.callback();
  const server = createTlsServer(
    { ...LIMITS, minVersion: 'TLSv1.2', handshakeTimeout: LIMITS.headersTimeout, ...certificate },
    (request, response) => void handle(request, response),
  );
  const serving = await listen(server, 'https', where, clock);
  return { ...serving, present: (next) => server.setSecureContext({ minVersion: 'TLSv1.2', ...next }) };
};

const listen = async (
  server: Server,
  scheme: 'http' | 'https',
  { address, key }: ListenAddress,
  clock: Clock,
): Promise<Serving> => {
  const where = parseHostPort(address);
  if (!where) throw new ServeError(`cannot serve HTTP on ${address}: ${key} must be host:port`);
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = REASONS[error.code ?? ''] ?? error.code ?? 'unknown error';
      reject(new ServeError(`cannot serve HTTP on ${address}: ${reason}; change ${key}`, { cause: error }));
    });
    server.listen({ host: where.host, port: where.port }, resolve);
  });
  const { port, family, address: host } = server.address() as AddressInfo;
  return {
    url: `${scheme}://${family === 'IPv6' ? `[${host}]` : host}:${port}`,
    close: async () => {
      const cancel = clock.timer(GRACE_MS, () => server.closeAllConnections());
      await new Promise<void>((resolve) => {
        // The only error is that the server is closed already, which is what is wanted.
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      cancel();
    },
  };
};
