import type { KubeResponse, KubeTransport } from '../../kube/port.ts';
import type { ApiServer } from './kube-server.ts';

async function* linesOf(body: string | AsyncIterable<string>, signal: AbortSignal | undefined): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of typeof body === 'string' ? [body] : body) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
  signal?.throwIfAborted();
  if (rest !== '') yield rest;
}

/** The API server as the production code's seam, without HTTP. */
export const transport =
  (server: ApiServer): KubeTransport =>
  async ({ method, path, contentType, accept, body, signal }): Promise<KubeResponse> => {
    const response = await server.handle({
      method,
      path,
      headers: {
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(accept === undefined ? {} : { accept }),
      },
      body,
      signal,
    });
    return {
      status: response.status,
      header: (name) =>
        name.toLowerCase() === 'warning' ? response.warnings?.join(', ') : response.headers[name.toLowerCase()],
      text: async () => {
        if (typeof response.body === 'string') return response.body;
        let whole = '';
        for await (const chunk of response.body) whole += chunk;
        signal?.throwIfAborted();
        return whole;
      },
      lines: () => linesOf(response.body, signal),
    };
  };
