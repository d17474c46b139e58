import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A request as it came over the wire. */
export interface WireRequest {
  readonly action: string;
  readonly version: string;
  readonly query: Readonly<Record<string, string>>;
  readonly request: IncomingMessage;
}

/** Answers a request; a plain object is sent as JSON with status 200. */
export type Script = (request: WireRequest, response: ServerResponse) => object | undefined;

/** An HTTP server, or with `tls` an HTTPS server, that speaks as much of the RPC protocol as a canned answer needs. */
export const scriptedServer = async (script: Script, tls?: { key: string; cert: string }) => {
  const requests: WireRequest[] = [];
  let current = script;
  const answerTo: RequestListener = (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const wire: WireRequest = {
      action: String(request.headers['x-acs-action'] ?? ''),
      version: String(request.headers['x-acs-version'] ?? ''),
      query: Object.fromEntries(url.searchParams),
      request,
    };
    requests.push(wire);
    const answer = current(wire, response);
    if (answer === undefined) return;
    response.setHeader('content-type', 'application/json;charset=utf-8');
    response.end(JSON.stringify(answer));
  };
  const server = tls ? createTlsServer(tls, answerTo) : createServer({ maxHeaderSize: 1 << 20 }, answerTo);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    requests,
    /** Forgets what came before and answers by `next` from now on. */
    play: (next: Script) => {
      requests.length = 0;
      current = next;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** An error answer of the API. */
export const refusal =
  (status: number, code: string, more: object = {}, headers: Record<string, string> = {}): Script =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json;charset=utf-8', ...headers });
    response.end(JSON.stringify({ Code: code, Message: 'What the API says.', RequestId: 'REQ-1', ...more }));
    return undefined;
  };
