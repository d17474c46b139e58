import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';

/**
 * Time limit for a TLS handshake, and before it for waiting for its turn, milliseconds. Who is slow is waited for, on a
 * machine that is busy too: a connection that nothing happens on gives way to the next one in any case.
 */
export const HANDSHAKE_MS = 30_000;

/** How many connections a server keeps open at once. */
export interface ConnectionLimits {
  /** Of one remote address. */
  readonly perAddress: number;
  readonly inAll: number;
  /**
   * TLS handshakes of one remote address that go on at once; the others wait for their turn. A handshake takes
   * milliseconds of the processor, so that those of a flood would be all that is done. Undefined where there are none.
   */
  readonly handshakesPerAddress?: number | undefined;
}

/** A connection as the limits see it. */
interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** Requests that have arrived completely and are not answered yet. */
  readonly answering: Set<IncomingMessage>;
  /** `waiting` and `handshake` are of TLS only; `upgraded` is of streams, for which whoever serves them has a limit. */
  state: 'waiting' | 'handshake' | 'open' | 'upgraded';
}

/** All connections of a server; Node's own list lacks those whose handshake has not ended. */
export interface Connections {
  /** Closes them at once. */
  closeAll(): void;
}

/** One address has two spellings where a server listens on IPv4 and IPv6. */
const addressOf = ({ remoteAddress = '' }: Socket): string => remoteAddress.replace(/^::ffff:/, '');

const keyOf = (socket: Socket): string => `${socket.remoteAddress ?? ''} ${socket.remotePort ?? ''}`;

/**
 * Keeps a server within `limits`. Where one connection would be too many, the one gives way on which nothing has
 * happened for longest: of the same address if that has its share, and of all otherwise. A connection whose request the
 * server is working on never gives way; one that waits for its sender does, be it a handshake, a header or a body. Only
 * where all are worked on, the new one is closed. So whoever holds connections open, or floods the port, takes their
 * own share and keeps nobody else out.
 */
export const limitConnections = (server: Server, limits: ConnectionLimits, clock: Clock): Connections => {
  const { handshakesPerAddress } = limits;
  /** By remote address and port; where something happened last comes last. */
  const open = new Map<string, Connection>();

  const countOf = (address: string, state?: Connection['state']): number => {
    let count = 0;
    for (const connection of open.values())
      if (connection.address === address && (state === undefined || connection.state === state)) count += 1;
    return count;
  };
  /** Closes the one that has been idle for longest; false if there is none. */
  const makeRoom = (isCandidate: (connection: Connection) => boolean): boolean => {
    for (const [key, connection] of open) {
      const isAnswering = [...connection.answering].some((request) => request.complete);
      if (isAnswering || connection.state === 'upgraded' || !isCandidate(connection)) continue;
      open.delete(key);
      connection.socket.destroy();
      return true;
    }
    return false;
  };
  const admit = (socket: Socket): boolean => {
    const address = addressOf(socket);
    if (countOf(address) >= limits.perAddress && !makeRoom((it) => it.address === address)) return false;
    if (open.size >= limits.inAll && !makeRoom(() => true)) return false;
    const key = keyOf(socket);
    const connection: Connection = { socket, address, answering: new Set(), state: 'waiting' };
    open.set(key, connection);
    socket.once('close', () => {
      if (open.get(key) === connection) open.delete(key);
      takeWaiting(address);
    });
    return true;
  };

  // Whoever is not admitted is not worth a TLS handshake either, so that what usually takes connections comes second.
  const takers = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    // Until a taker listens, a reset would be an uncaught exception, which ends the process. `close` follows it.
    socket.on('error', () => undefined);
    const address = addressOf(socket);
    if (!admit(socket)) socket.destroy();
    else if (handshakesPerAddress === undefined) takeWaiting(address);
    else {
      // Who has not begun its handshake takes no turn in it.
      socket.once('readable', () => takeWaiting(address));
      const cancel = clock.timer(HANDSHAKE_MS, () => {
        // From its turn on, the server's own time limits count.
        if (open.get(keyOf(socket))?.state === 'waiting') socket.destroy();
      });
      socket.once('close', cancel);
    }
  });
  const takeWaiting = (address: string): void => {
    for (const connection of open.values()) {
      if (connection.address !== address || connection.state !== 'waiting' || connection.socket.destroyed) continue;
      if (handshakesPerAddress !== undefined && connection.socket.readableLength === 0) continue;
      if (handshakesPerAddress === undefined) connection.state = 'open';
      else if (countOf(address, 'handshake') < handshakesPerAddress) connection.state = 'handshake';
      else return;
      for (const take of takers) take.call(server, connection.socket);
    }
  };
  server.on('secureConnection', (socket: Socket) => {
    const connection = open.get(keyOf(socket));
    if (!connection) return;
    connection.state = 'open';
    takeWaiting(connection.address);
  });
  // Nobody looks after what happens on it any more: it neither gives way nor is it idle.
  server.prependListener('upgrade', (request: IncomingMessage) => {
    const connection = open.get(keyOf(request.socket));
    if (connection) connection.state = 'upgraded';
  });
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const key = keyOf(request.socket);
    const connection = open.get(key);
    if (!connection) return;
    connection.answering.add(request);
    const touch = () => {
      if (open.get(key) !== connection) return;
      open.delete(key);
      open.set(key, connection);
    };
    touch();
    response.once('close', () => {
      connection.answering.delete(request);
      touch();
    });
  });
  return {
    closeAll: () => {
      const all = [...open.values()];
      // First, so that none of them takes the turn of another.
      open.clear();
      for (const { socket } of all) socket.destroy();
      server.closeAllConnections();
    },
  };
};
