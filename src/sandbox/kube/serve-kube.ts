import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decodeProtobuf } from './protobuf.ts';
import { ConnectionReset, type ApiServer } from './kube-server.ts';
import { ApiError } from './failure-status.ts';

/** Bodies are read up to this; what is longer is refused by the server itself. */
const READ_AT_MOST = 4 * 1024 * 1024;

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (size <= READ_AT_MOST) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks);
};

const headersOf = (request: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );

const respond = async (server: ApiServer, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const gone = new AbortController();
  response.on('close', () => gone.abort(new ConnectionReset('the client closed the connection')));
  const headers = headersOf(request);
  const bytes = await bodyOf(request);
  let body = bytes.toString();
  if (headers['content-type']?.startsWith(PROTOBUF))
    try {
      body = JSON.stringify(decodeProtobuf(bytes));
      headers['content-type'] = 'application/json';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const status = new ApiError(415, 'UnsupportedMediaType', `the body of the request cannot be decoded: ${message}`);
      response.writeHead(status.code, { 'content-type': 'application/json' }).end(JSON.stringify(status.toStatus()));
      return;
    }
  const answer = await server.handle({
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers,
    body,
    signal: gone.signal,
  });
  // Go writes headers in UTF-8 and Node in latin1.
  for (const line of answer.warnings ?? []) response.appendHeader('Warning', Buffer.from(line).toString('latin1'));
  response.writeHead(answer.status, answer.headers);
  if (typeof answer.body === 'string') {
    response.end(answer.body);
    return;
  }
  // A watch has to be known as begun before its first event.
  response.flushHeaders();
  await pipeline(Readable.from(answer.body), response);
};

interface Served {
  /** For example `http://127.0.0.1:8001`. */
  readonly url: string;
  /** Ends all connections, watches among them. */
  readonly close: () => Promise<void>;
}

/** Serves the API over plain HTTP. Port 0 takes a free one. There is no authentication: listen on loopback only. */
export const serveKube = async (
  server: ApiServer,
  { host = '127.0.0.1', port = 0 }: { readonly host?: string | undefined; readonly port?: number | undefined } = {},
): Promise<Served> => {
  const http = createServer((request, response) => {
    // Whatever fails here, a connection that broke or a fault that was asked for, ends with the connection.
    respond(server, request, response).catch(() => response.destroy());
  });
  http.listen(port, host);
  await once(http, 'listening');
  const { port: actual } = http.address() as AddressInfo;
  return {
    url: `http://${host}:${actual}`,
    close: async () => {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    },
  };
};
