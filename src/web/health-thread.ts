import type * as NodeHttp from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { sleepUnlessAborted, systemClock as clock } from '../lib/clock.ts';
import { limitConnections } from './connections.ts';
import { answerToProbe } from './health-answer.ts';
import type { HealthReport } from './health.ts';
import { FEW, listenOn, LIMITS, ServeError, type Serving } from './listen.ts';

/*
 * The thread that has the port of health; see serve-health.ts. It answers while the main thread computes, and shares
 * nothing with it but messages.
 */

/** How patient the thread is with the main thread, milliseconds. */
export interface Patience {
  /** How long a probe waits for its answer; then what the checks said last has to do. */
  readonly answerMs: number;
  /** It is stuck when it has not answered for so long. */
  readonly stuckMs: number;
}

/** What the thread is started with. */
export interface HealthThreadData {
  /** `host:port`. */
  readonly address: string;
  readonly patience: Patience;
}

/** From the thread: that it listens, or cannot; or the question how the checks are. */
export type FromHealthThread =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'look' };

/** To the thread: what the checks say, which answers its question, or that it is to end. */
export type ToHealthThread = { readonly kind: 'report'; readonly report: HealthReport } | { readonly kind: 'close' };

/** By `import`, Node loads its WebSocket client for the names that the module has: 4 MiB of memory more. */
const { createServer } = createRequire(import.meta.url)('node:http') as typeof NodeHttp;

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, and no window
const say = (message: FromHealthThread): void => parentPort?.postMessage(message);

/** How it stands with the main thread: what it said last, and since when it has been asked. */
const createMainThread = ({ answerMs, stuckMs }: Patience) => {
  let report: HealthReport = { live: [], ready: [['started', false]] };
  let asked: { readonly at: number; readonly answered: PromiseWithResolvers<void> } | undefined;
  return {
    said: (next: HealthReport): void => {
      report = next;
      asked?.answered.resolve();
      asked = undefined;
    },
    /** Resolves to what it says, or has said last. One question at a time, however many probes there are. */
    look: async (): Promise<HealthReport> => {
      if (!asked) {
        asked = { at: clock.mono(), answered: Promise.withResolvers() };
        say({ kind: 'look' });
      }
      const { answered } = asked;
      const enough = new AbortController();
      await Promise.race([answered.promise, sleepUnlessAborted(clock, answerMs, enough.signal)]);
      enough.abort();
      return report;
    },
    turns: (): boolean => !asked || clock.mono() - asked.at < stuckMs,
  };
};

/** Octets that the parser gets at once; a probe has some 150. */
const PIECE = 512;

/**
 * Node's parser takes up the whole of what was read, thousands of requests, before a connection can end at the second
 * one, which fills the memory here. In pieces it has a few.
 */
const readInPieces = (socket: Socket): void => {
  const takers = socket.listeners('data') as ((chunk: Buffer) => void)[];
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && !socket.destroyed; at += PIECE)
      for (const take of takers) take.call(socket, chunk.subarray(at, at + PIECE));
  });
};

const run = async ({ address, patience }: HealthThreadData): Promise<void> => {
  const main = createMainThread(patience);
  const unanswered = new WeakSet<Socket>();
  // Each request, also one that Node would answer itself (without a host, with an expectation), comes to the listener.
  const server = createServer({ ...LIMITS, requireHostHeader: false }, (request, response) => {
    const { socket } = request;
    if (unanswered.has(socket)) {
      // No probe asks again before it has its answer.
      socket.destroy();
      return;
    }
    unanswered.add(socket);
    response.once('close', () => unanswered.delete(socket));
    request.resume();
    void main.look().then((report) => {
      const { method = '', url: target = '' } = request;
      const { status, body, headers } = answerToProbe({ method, target }, report, main.turns());
      response.writeHead(status, {
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Length': Buffer.byteLength(body),
        'X-Content-Type-Options': 'nosniff',
        'Cache-Control': 'no-store',
        ...headers,
      });
      response.end(method === 'HEAD' ? undefined : body);
    });
  });
  for (const event of ['checkContinue', 'checkExpectation'] as const)
    server.on(event, (request, response) => void server.emit('request', request, response));
  server.on('connection', readInPieces);
  const connections = limitConnections(server, FEW, clock);
  let serving: Serving | undefined;
  parentPort?.on('message', (message: ToHealthThread) => {
    if (message.kind === 'report') main.said(message.report);
    // Without its port the thread has nothing more to do, and ends.
    else void serving?.close().finally(() => parentPort?.close());
  });
  try {
    serving = await listenOn({ server, connections, scheme: 'http' }, { address, key: 'health.address' }, clock);
    say({ kind: 'listening', url: serving.url });
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    say({ kind: 'failed', message: error.message });
    parentPort?.close();
  }
};

await run(workerData as HealthThreadData);
