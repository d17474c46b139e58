import { Worker } from 'node:worker_threads';
import type { CrashWork } from './crash-points.ts';
import { add, NOTHING, type Extras, type Sum } from './seeds.ts';

export interface WorkerStart {
  /** Name of the mutant that the thread runs; undefined for the product as it is. */
  readonly mutant: string | undefined;
}

export type Work =
  | {
      readonly kind: 'seeds';
      readonly from: number;
      readonly count: number;
      readonly isFirstEnough: boolean;
      readonly extras?: Extras;
    }
  | ({ readonly kind: 'crash points' } & CrashWork);

export type Worked = Sum;

/** What came of it, and the CPU time that the threads took for it, what they load included; milliseconds. */
export type Shared = Sum & { readonly cpuMs: number };

/**
 * Does all the work on `jobs` threads and adds up what came of it. `onProgress` is called after each piece, and says
 * whether that is enough.
 */
export const share = async (
  works: Iterable<Work>,
  { jobs, mutant }: { readonly jobs: number; readonly mutant?: string },
  onProgress: (sum: Sum) => 'go on' | 'enough',
): Promise<Shared> => {
  const queue = works[Symbol.iterator]();
  let sum = NOTHING;
  let cpuMs = 0;
  let isEnough = false;
  const run = async (): Promise<void> => {
    let next = queue.next();
    // A thread that is given nothing has not started when it is asked what it has used.
    if (next.done) return;
    const start: WorkerStart = { mutant };
    const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: start });
    try {
      for (; !next.done && !isEnough; next = queue.next()) {
        const worked = await answerOf(worker, next.value);
        sum = add(sum, worked);
        if (onProgress(sum) === 'enough') isEnough = true;
      }
      const { user, system } = await worker.cpuUsage();
      cpuMs += (user + system) / 1_000;
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: jobs }, run));
  return { ...sum, cpuMs };
};

const answerOf = async (worker: Worker, work: Work): Promise<Worked> => {
  const { promise, resolve, reject } = Promise.withResolvers<Worked>();
  // Errors of another thread are copies, and no instances of this thread's Error.
  const fail = ({ message }: { message: string }) => reject(new Error(message));
  worker.once('message', resolve);
  worker.once('error', fail);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.postMessage(work);
  try {
    return await promise;
  } finally {
    worker.off('message', resolve);
    worker.off('error', fail);
  }
};
