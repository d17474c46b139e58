import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runCommands } from './run-commands.ts';
import type { EmbeddedCloud } from './sandbox-cloud.ts';
import { ConnectionDropped } from './rpc-wire.ts';

/** The SDKs put every parameter into the URL, which then outgrows Node's own limit of 16 KiB. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** An embedded cloud that listens. */
export interface CloudServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Ends all connections and stops listening. Calls that are on their way still take effect. */
  close(): Promise<void>;
}

/**
 * Serves VPC, ECS and ECI on one port; the SDKs' headers say which. Point their `endpoint` at `127.0.0.1:<port>` and
 * their `protocol` to `HTTP`.
 */
export const serveCloud = async (
  cloud: EmbeddedCloud,
  {
    host = '127.0.0.1',
    port = 0,
    commandsIn,
  }: {
    host?: string;
    port?: number;
    /** A folder, in which commands are really run. @default ExecContainerCommand is refused */
    commandsIn?: string;
  } = {},
): Promise<CloudServer> => {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    answer(cloud, request, response).catch((error: unknown) => {
      // A mistake in the embedded cloud, or a client that went away while it was sending.
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ Code: 'InternalError', Message: String(error) }));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  if (commandsIn !== undefined) {
    runCommands(server, { cloud, folder: commandsIn });
    cloud.world.runCommandsAt(`ws://${host}:${actual}`);
  }
  return {
    url: `http://${host}:${actual}`,
    port: actual,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
};

const answer = async (cloud: EmbeddedCloud, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    const { status, headers, body } = await cloud.handle({
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: oneValueEach(request),
      body: Buffer.concat(chunks).toString(),
    });
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
  } catch (error) {
    if (!(error instanceof ConnectionDropped)) throw error;
    response.destroy();
  }
};

const oneValueEach = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(',') : value]],
    ),
  );
