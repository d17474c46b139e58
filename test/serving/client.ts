import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADDRESS } from './cluster/network.ts';
import type { Answer } from './cluster/queue-proxy.ts';

/** One request and what came of it. Times are wall-clock milliseconds. */
export interface Exchange {
  readonly sentAt: number;
  readonly endedAt: number;
  /** 0 where the connection ended without an answer. */
  readonly status: number;
  /** What the application said; undefined where it was not the application that answered. */
  readonly answer?: Answer | undefined;
  /** The body where it was not, or the error. */
  readonly said?: string | undefined;
}

const agent = new Agent({ keepAlive: true });

/** Longer than any Revision of the scenarios may take. */
const TIMEOUT_MS = 330_000;

/** Sends one request to a host through the ingress. Never rejects. */
export const ask = (host: string, path = '/'): Promise<Exchange> =>
  new Promise((resolve) => {
    const sentAt = Date.now();
    const end = (status: number, rest: Pick<Exchange, 'answer' | 'said'>) =>
      resolve({ sentAt, endedAt: Date.now(), status, ...rest });
    const sent = request({
      host: ADDRESS.ingress,
      port: 80,
      path,
      agent,
      headers: { host },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    sent.on('error', ({ message }) => end(0, { said: message }));
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', ({ message }) => end(0, { said: message }));
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const { statusCode = 0 } = response;
        if (statusCode === 200) end(statusCode, { answer: JSON.parse(body) as Answer });
        else end(statusCode, { said: body.trim() });
      });
    });
    sent.end();
  });

export const hasFailed = ({ status }: Exchange): boolean => status !== 200;

/** Sends requests at a steady rate until it is told to stop; they do not wait for each other. */
export const sendSteadily = (host: string, perSecond = 5) => {
  const pending: Promise<Exchange>[] = [];
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      pending.push(ask(host));
      await sleep(1_000 / perSecond);
    }
  })();
  return {
    /** Waits for the last answer too. */
    stop: async (): Promise<readonly Exchange[]> => {
      stop.abort();
      await running;
      return Promise.all(pending);
    },
  };
};
