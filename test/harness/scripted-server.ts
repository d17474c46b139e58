import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A request that has come in to its end, and how to answer it. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly response: ServerResponse;
  /** Answers with JSON, or with text that claims to be it, and ends. */
  readonly json: (status: number, body: unknown, headers?: Readonly<Record<string, string>>) => void;
  /** Breaks the connection off. */
  readonly hangUp: () => void;
}

/** What becomes of a request: an answer, half of one, none, or the end of the connection. */
export type Answering = (exchange: Exchange) => void | Promise<void>;

export type ScriptedServer = Awaited<ReturnType<typeof scriptedServer>>;

/** Longer than what any test sends. */
const MAX_HEADER_BYTES = 1 << 20;

/** An HTTP server on this machine, or with `tls` an HTTPS server, that answers as the test says. */
export const scriptedServer = async (answer: Answering, tls?: { readonly key: string; readonly cert: string }) => {
  let sockets = 0;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://server');
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk as string;
    await answer({
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
      response,
      json(status, content, headers = {}) {
        response.writeHead(status, { 'content-type': 'application/json;charset=utf-8', ...headers });
        response.end(typeof content === 'string' ? content : JSON.stringify(content));
      },
      hangUp: () => void request.socket.destroy(),
    });
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    serve(request, response).catch((error: unknown) => {
      // A stream that the client has cut is part of many scripts.
      if (!response.destroyed) response.destroy(error as Error);
    });
  };
  const options = { maxHeaderSize: MAX_HEADER_BYTES };
  const server = tls ? createTlsServer({ ...options, ...tls }, listener) : createServer(options, listener);
  server.on('connection', () => (sockets += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `${tls ? 'https' : 'http'}://${host}`,
    /** How many TCP connections were opened to it. */
    sockets: () => sockets,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};
