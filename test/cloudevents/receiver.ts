import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HTTP, type CloudEvent } from 'cloudevents';
import type { ChangeData } from '../../src/cloudevents/change.ts';

/** An event as the SDK of CloudEvents reads it. */
export type Received = CloudEvent<ChangeData> & { readonly sequence: string };

export interface Answer {
  /** 0 breaks the connection off. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The event counts as received although the answer does not say so. */
  readonly isTaken?: boolean;
}

/** A sink on a real HTTP server. `answer` says what becomes of each request. */
export const receive = async (answer: (event: Received, headers: IncomingHttpHeaders) => Answer) => {
  const taken: Received[] = [];
  const unreadable: unknown[] = [];
  let requests = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests += 1;
      let event: Received;
      try {
        const message = { headers: request.headers, body: Buffer.concat(chunks).toString() };
        event = HTTP.toEvent<ChangeData>(message) as Received;
        event.validate();
      } catch (error) {
        unreadable.push(error);
        response.writeHead(400).end();
        return;
      }
      const { status, headers = {}, isTaken = status >= 200 && status < 300 } = answer(event, request.headers);
      if (isTaken) taken.push(event);
      if (status === 0) request.socket.destroy();
      else response.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/default/broker`,
    /** What was taken, in the order of arrival, repeats included. */
    taken,
    unreadable,
    requests: () => requests,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** The first time that each event was received. */
export const distinct = (events: readonly Received[]): readonly Received[] => {
  const seen = new Set<string>();
  return events.filter(({ source, id }) => {
    const key = `${source} ${id}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
};

/** What was told, `kind` by `kind`, of each key. */
export const kindsBy = (
  events: readonly Received[],
  keyOf: (event: Received) => string | undefined,
): ReadonlyMap<string, readonly string[]> => {
  const by = new Map<string, string[]>();
  for (const event of events) {
    const key = keyOf(event);
    if (key === undefined) continue;
    const kinds = by.get(key) ?? [];
    kinds.push(event.type.split('.').at(-2) ?? '');
    by.set(key, kinds);
  }
  return by;
};
