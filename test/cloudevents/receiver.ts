import type { IncomingHttpHeaders } from 'node:http';
import { HTTP, type CloudEvent } from 'cloudevents';
import type { ChangeData } from '../../src/cloudevents/change.ts';
import { scriptedServer } from '../harness/scripted-server.ts';

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
  const server = await scriptedServer(({ headers, body, response, hangUp }) => {
    requests += 1;
    let event: Received;
    try {
      event = HTTP.toEvent<ChangeData>({ headers, body }) as Received;
      event.validate();
    } catch (error) {
      unreadable.push(error);
      response.writeHead(400).end();
      return;
    }
    const { status, headers: more = {}, isTaken = status >= 200 && status < 300 } = answer(event, headers);
    if (isTaken) taken.push(event);
    if (status === 0) hangUp();
    else response.writeHead(status, more).end();
  });
  return {
    url: `${server.url}/default/broker`,
    /** What was taken, in the order of arrival, repeats included. */
    taken,
    unreadable,
    requests: () => requests,
    close: server.close,
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
