import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { anyOf, type CoreService, type Services } from './services.ts';

/**
 * Resets a connection, except one that is being shut down: libuv does not reset that (uv_tcp_close_reset), Node takes
 * it for closed all the same, and spins at its end until it is.
 */
const refuse = (socket: Socket): void => {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
};

/**
 * Stand-in for kube-proxy: listens at each port of each cluster IP and passes connections on to a ready endpoint.
 * Without one it refuses, as kube-proxy's rules do.
 */
export const runKubeProxy = (
  services: Services['services'],
  backends: Services['backends'],
  failed: (error: unknown) => void,
  signal: AbortSignal,
): void => {
  const servers = new Map<string, Server>();
  const sockets = new Set<Socket>();

  const pass = (client: Socket, { namespace = '', name }: CoreService['metadata'], port: number): void => {
    sockets.add(client);
    client.on('close', () => sockets.delete(client));
    // A side that hangs up shows as the end of the other side.
    client.on('error', () => undefined);
    const backend = anyOf(backends(namespace, name, port));
    if (!backend) {
      refuse(client);
      return;
    }
    const upstream = connect(backend);
    upstream.on('error', () => refuse(client));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
  };

  const open = async (service: CoreService): Promise<void> => {
    const { clusterIP } = service.spec;
    if (!clusterIP || clusterIP === 'None') return;
    for (const { port } of service.spec.ports ?? []) {
      const key = `${clusterIP}:${port}`;
      if (servers.has(key)) continue;
      const server = createServer((client) => pass(client, service.metadata, port));
      servers.set(key, server);
      server.listen(port, clusterIP);
      await once(server, 'listening');
    }
  };

  const close = ({ spec: { clusterIP, ports = [] } }: CoreService): void => {
    for (const { port } of ports) {
      const key = `${clusterIP}:${port}`;
      servers.get(key)?.close();
      servers.delete(key);
    }
  };

  services.subscribe(({ type, object }) => {
    if (signal.aborted) return;
    if (type === 'deleted') close(object);
    else open(object).catch(failed);
  });
  signal.addEventListener('abort', () => {
    for (const server of servers.values()) server.close();
    for (const socket of sockets) socket.destroy();
  });
};
