import { parentPort, workerData } from 'node:worker_threads';
import type { Work, WorkerStart, Worked } from './pool.ts';
import { mutate } from './mutation.ts';

const { replacements } = workerData as WorkerStart;
if (replacements.length > 0) mutate(replacements);
// Only now, so that what it loads is mutated.
const { runSeeds } = await import('./seeds.ts');
const { runCrashPoints } = await import('./crash-points.ts');

parentPort?.on('message', (work: Work) => {
  const worked: Promise<Worked> = work.kind === 'seeds' ? runSeeds(work) : runCrashPoints(work);
  worked.then(
    (done) => parentPort?.postMessage(done),
    (error: unknown) => {
      throw error;
    },
  );
});
