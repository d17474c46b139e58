import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { connect } from '../../src/kube/connect.ts';
import type { Connection } from '../../src/kube/connect.ts';
import type { Log } from '../../src/lib/log.ts';

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly response: ServerResponse;
  /** Answers with JSON and ends. */
  readonly json: (status: number, body: unknown, headers?: Record<string, string>) => void;
  /** Sends a watch event and leaves the stream open. */
  readonly event: (type: string, object: unknown) => void;
}

export interface ScriptedServer {
  readonly url: string;
  readonly connection: Connection;
  /** How many TCP connections were opened to it. */
  readonly sockets: () => number;
}

/** An HTTP server that answers as the test says, and a connection to it. Both end with the test. */
export const scriptedServer = async (
  t: ExecutionContext,
  answer: (exchange: Exchange) => void | Promise<void>,
): Promise<ScriptedServer> => {
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
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(typeof content === 'string' ? content : JSON.stringify(content));
      },
      event(type, object) {
        response.write(`${JSON.stringify({ type, object })}\n`);
      },
    });
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // A stream that the client has cut is part of many scripts.
      if (!response.destroyed) response.destroy(error as Error);
    });
  });
  server.on('connection', () => (sockets += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = await connect({ server: url });
  t.teardown(async () => {
    await connection.close();
    server.closeAllConnections();
    server.close();
  });
  return { url, connection, sockets: () => sockets };
};

/** Remembers what was logged, level first. */
export const recordingLog = (): Log & { readonly lines: string[] } => {
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const log = {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => log,
  };
  return log;
};
