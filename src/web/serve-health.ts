import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
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

/**
 * Serves `/healthz` and `/readyz` at `address` from a thread of their own. So the kubelet has its answer while the
 * event loop of this thread is busy, and a flood, or a machine with too much to do, restarts nothing. For each probe
 * the thread asks this one for the results of the checks; where there is no answer in time, the last ones count,
 * and when it is stuck both fail by the check `event-loop`.
 *
 * @throws {ServeError} if it cannot listen
 */
export const serveHealth = async (health: Health, address: string, log: Log, patience = PATIENCE): Promise<Serving> => {
  const workerData: HealthThreadData = { address, patience };
  const thread = new Worker(THREAD, { name: 'health', workerData, resourceLimits: RESOURCES, execArgv: [] });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, and no window
  const tell = (message: ToHealthThread) => thread.postMessage(message);
  const ended = once(thread, 'exit').catch(() => undefined);
  const listening = Promise.withResolvers<string>();
  thread.on('message', (message: FromHealthThread) => {
    if (message.kind === 'look') tell({ kind: 'report', report: health.report() });
    else if (message.kind === 'listening') listening.resolve(message.url);
    else listening.reject(new ServeError(message.message));
  });
  thread.on('error', (error) => {
    // The port is closed then: the kubelet restarts the process, as soon as its probe has failed often enough.
    log.error({ error }, 'The thread that answers /healthz and /readyz has ended');
    listening.reject(error);
  });
  const url = await listening.promise;
  return {
    url,
    close: async () => {
      tell({ kind: 'close' });
      await ended;
    },
  };
};
