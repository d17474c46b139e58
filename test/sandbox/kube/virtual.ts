import type { ApiResponse } from '../../../src/sandbox/kube/exchange.ts';
import { createApiServer, type ApiServer, type ApiServerOptions } from '../../../src/sandbox/kube/kube-server.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../harness/random.ts';

export interface Sandbox {
  readonly server: ApiServer;
  readonly clock: ManualClock;
  readonly send: (
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
  ) => Promise<{ status: number; body: Answered }>;
  readonly raw: (method: string, path: string, body?: unknown, signal?: AbortSignal) => Promise<ApiResponse>;
}

export interface Answered {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly [field: string]: unknown;
  };
  readonly items: readonly Answered[];
  readonly [field: string]: unknown;
}

/** A server in virtual time. */
export const sandbox = (options: Partial<ApiServerOptions> = {}): Sandbox => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const server = createApiServer({ clock, random: seeded(1), ...options });
  const raw: Sandbox['raw'] = (method, path, body, signal) =>
    server.handle({ method, path, headers: {}, body: body === undefined ? undefined : JSON.stringify(body), signal });
  return {
    server,
    clock,
    raw,
    send: async (method, path, body, contentType = 'application/json') => {
      const headers = { 'content-type': contentType };
      const response = await server.handle({
        method,
        path,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = typeof response.body === 'string' ? response.body : '{}';
      return { status: response.status, body: JSON.parse(text) as Answered };
    },
  };
};

export const MERGE = 'application/merge-patch+json';
export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

/** Reads a watch in the background. */
export const follow = (response: ApiResponse): { readonly lines: Answered[]; readonly over: () => boolean } => {
  const lines: Answered[] = [];
  let over = false;
  const read = async (): Promise<void> => {
    for await (const line of response.body as AsyncIterable<string>) lines.push(JSON.parse(line) as Answered);
    over = true;
  };
  void read();
  return { lines, over: () => over };
};
