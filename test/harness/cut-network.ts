import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** A network between a process and a server, which can lose everything. */
export interface CutNetwork {
  /** Where the server is reached through it. */
  readonly url: string;
  /** From now on nothing is forwarded, and no connection is closed: as where packets are dropped. */
  readonly cut: () => void;
  readonly close: () => void;
}

/** @param server its URL; what is sent is forwarded as it is, TLS too */
export const networkTo = async (server: string): Promise<CutNetwork> => {
  const { protocol, hostname, port } = new URL(server);
  let isCut = false;
  const sockets = new Set<Socket>();
  const forwarder = createServer((inside) => {
    const outside = createConnection({ host: hostname, port: Number(port) });
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => {
        if (!isCut) to.write(data);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        if (!isCut) to.destroy();
      });
    }
  });
  forwarder.listen(0, '127.0.0.1');
  await once(forwarder, 'listening');
  return {
    url: `${protocol}//127.0.0.1:${(forwarder.address() as AddressInfo).port}`,
    cut: () => void (isCut = true),
    close: () => {
      for (const socket of sockets) socket.destroy();
      forwarder.close();
    },
  };
};
