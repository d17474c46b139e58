import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Where ports are looked for: below those that systems give to outgoing connections (from 32768 on Linux, 49152
 * elsewhere). A port from up there may be taken by any request of this machine before a test gets to use it.
 */
const PORTS = { first: 15_000, last: 31_999 };

/** Listens at the port of 127.0.0.1; undefined where somebody else does. */
const listenAt = async (port: number): Promise<Server | undefined> => {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
};

/** Ports of 127.0.0.1 that are free now, no two the same. */
export const freePorts = async (count: number): Promise<number[]> => {
  const held = new Map<number, Server>();
  while (held.size < count) {
    const port = randomInt(PORTS.first, PORTS.last + 1);
    const server = await listenAt(port);
    if (server) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => once(server.close(), 'close')));
  return [...held.keys()];
};

/** A port of 127.0.0.1 that is free now. */
export const freePort = async (): Promise<number> => {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('asked for one port, got none');
  return port;
};
