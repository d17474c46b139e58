import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseHostPort } from '../lib/address.ts';
import type { Clock } from '../lib/clock.ts';
import type { ConnectionLimits, Connections } from './connections.ts';

/** A server that is listening. */
export interface Serving {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Stops listening, waits at most one second for answers that are under way, then closes all connections. */
  close(): Promise<void>;
}

/** The server cannot listen. The message says why, and what to do. */
export class ServeError extends Error {
  override readonly name = 'ServeError';
}

/** Of every server. */
export const LIMITS = {
  requestTimeout: 30_000,
  headersTimeout: 20_000,
  /** Longer than the usual scrape interval of 60 s, so that a scraper keeps its connection. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
} as const;
/** Probes and scrapes have a few; pages at the end of kubectl port-forward are all of one address. */
export const FEW: ConnectionLimits = { perAddress: 64, inAll: 256 };
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
export interface ListenAddress {
  readonly address: string;
  readonly key: string;
}

/** A server, and the limits of its connections. */
interface Limited {
  readonly server: Server;
  readonly connections: Connections;
  readonly scheme: 'http' | 'https';
}

/**
 * Listens on the address; port 0 takes a free one.
 *
 * @throws {ServeError} that names the address and its key
 */
export const listenOn = async (
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
