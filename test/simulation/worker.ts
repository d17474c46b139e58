import { parentPort, workerData } from 'node:worker_threads';
import type { Work, WorkerStart, Worked } from './pool.ts';
import { replacementsOf } from './mutants.ts';
import { mutate } from './mutation.ts';

const { mutant } = workerData as WorkerStart;
if (mutant !== undefined) mutate(replacementsOf(mutant));
// Only now, so that what it loads is mutated.
const { runSeeds } = await import('./seeds.ts');
const { runCrashPoints } = await import('./crash-points.ts');

const answer = async (work: Work): Promise<void> => {
  const worked: Worked = await (work.kind === 'seeds' ? runSeeds(work) : runCrashPoints(work));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(worked);
};

// An error ends the thread, and reaches the thread that started it.
parentPort?.on('message', (work: Work) => void answer(work));
