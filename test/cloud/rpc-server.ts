import type { ServerResponse } from 'node:http';
import { scriptedServer, type Exchange } from '../harness/scripted-server.ts';

/** A call of the RPC API as it came over the wire. */
export interface RpcRequest extends Omit<Exchange, 'query' | 'response'> {
  readonly action: string;
  readonly version: string;
  readonly query: Readonly<Record<string, string>>;
}

/** Answers a call; a plain object is sent as JSON with status 200. */
export type Script = (request: RpcRequest, response: ServerResponse) => object | undefined;

/** A scripted server that speaks as much of the RPC protocol as a canned answer needs. */
export const rpcServer = async (script: Script, tls?: { key: string; cert: string }) => {
  const requests: RpcRequest[] = [];
  let arrived = Promise.withResolvers<void>();
  let current = script;
  const { host, close } = await scriptedServer(({ query, response, ...exchange }) => {
    const request: RpcRequest = {
      ...exchange,
      action: String(exchange.headers['x-acs-action'] ?? ''),
      version: String(exchange.headers['x-acs-version'] ?? ''),
      query: Object.fromEntries(query),
    };
    requests.push(request);
    arrived.resolve();
    const answer = current(request, response);
    if (answer !== undefined) exchange.json(200, answer);
  }, tls);
  return {
    host,
    requests,
    /** Resolves once there is a request. */
    isAsked: () => arrived.promise,
    /** Forgets what came before and answers by `next` from now on. */
    play: (next: Script) => {
      requests.length = 0;
      arrived = Promise.withResolvers<void>();
      current = next;
    },
    close,
  };
};

/** An error answer of the API. */
export const refusal =
  (status: number, code: string, more: object = {}, headers: Record<string, string> = {}): Script =>
  ({ json }) => {
    json(status, { Code: code, Message: 'What the API says.', RequestId: 'REQ-1', ...more }, headers);
    return undefined;
  };
