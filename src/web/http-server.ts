import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type Koa from 'koa';
import type { Clock } from '../lib/clock.ts';
import { HANDSHAKE_MS, limitConnections, type ConnectionLimits } from './connections.ts';
import { FEW, LIMITS, listenOn, type ListenAddress, type Serving } from './listen.ts';

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

const HANDSHAKES = 8;
/**
 * An API server calls webhooks over HTTP/1.1, each call over a connection of its own, and is at up to 200 mutating
 * requests at once (kube-apiserver --max-mutating-requests-inflight).
 */
const MANY: ConnectionLimits = { perAddress: 256, inAll: 768 };
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
  return listenOn({ server, connections, scheme: 'http' }, { address, key }, clock);
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
    // Throws where the key is not that of the certificate; then the own one is still wanted.
    server.setSecureContext({ minVersion: 'TLSv1.2', ...trusted, ...next });
    isPresented = true;
  };
  const prepare = async (making: () => Promise<ServerCertificate>) => {
    const made = await making();
    if (!isPresented) present(made);
  };
  if (make) holdConnections(server, { isReady: () => isPresented, prepare: () => prepare(make) });
  const limits = { ...(connections === 'many' ? MANY : FEW), handshakesPerAddress: HANDSHAKES };
  const limited = { server, connections: limitConnections(server, limits, clock), scheme: 'https' } as const;
  const serving = await listenOn(limited, where, clock);
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
