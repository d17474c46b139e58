import test from 'ava';
import { liveImageCacheWorld } from './image-cache-world.ts';

/** `npm run simulate -- --virtual-node --seeds N` has more. */
const SEEDS = 10;

test('in no world has an ImageCache two caches, nor is one left or somebody else’s deleted, nor an edit in vain unsaid', async (t) => {
  const problems: string[] = [];
  const sum = { deaths: 0, caches: 0, orphans: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const outcome = await liveImageCacheWorld(seed);
    problems.push(...outcome.problems.map((problem) => `seed ${seed}: ${problem}`));
    for (const key of ['deaths', 'caches', 'orphans'] as const) sum[key] += outcome[key];
  }
  t.deepEqual(problems, []);
  t.true(sum.deaths > 10 && sum.caches > 30 && sum.orphans > 2, JSON.stringify(sum));
});
