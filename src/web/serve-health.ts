import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { sleepUnlessAborted, systemClock, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { FromHealthThread, HealthThreadData, Patience, ToHealthThread } from './health-thread.ts';
import type { Health } from './health.ts';
import { ServeError, type Serving } from './listen.ts';

/**
 * An answer comes long before the kubelet's five seconds are over. A process that has done nothing for a minute is
 * restarted: a machine with twenty times as much to do as it has processors lets one turn of the event loop take almost
 * as long under a flood, and a restart would only add to its troubles; another replica leads long before.
 */
const PATIENCE: Patience = { answerMs: 2_000, stuckMs: 60_000 };

/** The thread answers probes and no more. Its memory beside the heap is 6 MiB, which no limit changes. */
const RESOURCES = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 };

/** Built, the program is JavaScript; nothing rewrites the names of files that are no imports. */
const THREAD = new URL(`health-thread${extname(import.meta.url)}`, import.meta.url);

/** How long the next thread waits after one that ended, by how many ended one soon after the other, milliseconds. */
const PAUSES_MS = [0, 1_000, 2_000, 4_000, 8_000] as const;
/** What has listened for so long is no thread that keeps ending, milliseconds. */
const LASTING_MS = 300_000;

/** What tests have their own of. */
interface HealthServingOptions {
  readonly patience?: Patience | undefined;
  readonly clock?: Clock | undefined;
  /** The file of the thread. */
  readonly file?: URL | undefined;
}

/** The server of health, whose thread is started anew when it ends. */
interface HealthServing extends Serving {
  /** Resolves where thread after thread ends: then nobody answers the kubelet any more, and the process has to end. */
  readonly failed: Promise<{ readonly error: ServeError }>;
}

/** A thread that listens. */
interface HealthThread {
  readonly url: string;
  /** Resolves to why it ended. */
  readonly ended: Promise<Error>;
  close(): void;
}

/** @throws {ServeError} if it cannot listen, or ends before it does */
const startThread = async (health: Health, workerData: HealthThreadData, file: URL): Promise<HealthThread> => {
  const thread = new Worker(file, { name: 'health', workerData, resourceLimits: RESOURCES, execArgv: [] });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, and no window
  const tell = (message: ToHealthThread) => thread.postMessage(message);
  const listening = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<Error>();
  thread.on('message', (message: FromHealthThread) => {
    if (message.kind === 'look') tell({ kind: 'report', report: health.report() });
    else if (message.kind === 'listening') listening.resolve(message.url);
    else listening.reject(new ServeError(message.message));
  });
  // `exit` follows it.
  thread.on('error', (error) => ended.resolve(error as Error));
  thread.on('exit', (code) => ended.resolve(new Error(`it ended with the exit code ${code}`)));
  void ended.promise.then((cause) =>
    listening.reject(
      new ServeError(
        `cannot serve HTTP on ${workerData.address}: the thread that answers /healthz and /readyz ended before it listened: ${cause.message}`,
        { cause },
      ),
    ),
  );
  return { url: await listening.promise, ended: ended.promise, close: () => tell({ kind: 'close' }) };
};

/**
 * Serves `/healthz` and `/readyz` at `address` from a thread of their own. So the kubelet has its answer while the
 * event loop of this thread is busy, and a flood, or a machine with too much to do, restarts nothing. For each probe
 * the thread asks this one for the results of the checks; where there is no answer in time, the last ones count,
 * and when it is stuck both fail by the check `event-loop`. A thread that ends is started anew.
 *
 * @throws {ServeError} if it cannot listen
 */
export const serveHealth = async (
  health: Health,
  address: string,
  log: Log,
  { patience = PATIENCE, clock = systemClock, file = THREAD }: HealthServingOptions = {},
): Promise<HealthServing> => {
  const closing = new AbortController();
  const failed = Promise.withResolvers<{ readonly error: ServeError }>();
  let thread = await startThread(health, { address, patience }, file);
  const { url } = thread;
  // Where the system chose the port, it is the same one again.
  const again = address.endsWith(':0') ? url.slice('http://'.length) : address;
  const keep = async (): Promise<void> => {
    let endings = 0;
    let since = clock.mono();
    let why = await thread.ended;
    while (!closing.signal.aborted) {
      endings = clock.mono() - since < LASTING_MS ? endings + 1 : 1;
      const waitMs = PAUSES_MS[endings - 1];
      if (waitMs === undefined) {
        const message = `the thread that answers /healthz and /readyz has ended ${endings} times, the last time because of: ${why.message}; without it the kubelet has no answer`;
        failed.resolve({ error: new ServeError(message, { cause: why }) });
        return;
      }
      log.error(
        { error: why, endings, waitMs },
        'The thread that answers /healthz and /readyz has ended; it is started anew',
      );
      if (waitMs > 0) await sleepUnlessAborted(clock, waitMs, closing.signal);
      if (closing.signal.aborted) return;
      since = clock.mono();
      try {
        thread = await startThread(health, { address: again, patience }, file);
        // It may have been told to end while it started.
        if (closing.signal.aborted) thread.close();
        why = await thread.ended;
      } catch (error) {
        why = error as Error;
      }
    }
  };
  const kept = keep();
  return {
    url,
    failed: failed.promise,
    close: async () => {
      closing.abort(new Error('the server of health is closed'));
      thread.close();
      await kept;
    },
  };
};
