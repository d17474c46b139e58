import test from 'ava';
import { liveNodeWorld } from './node-world.ts';

/** `npm run simulate -- --virtual-node --seeds N` has more. */
const SEEDS = 10;

test('in no world of two virtual nodes has a pod two instances or a disk two owners, nor does a pod wait for nobody, nor is anything left', async (t) => {
  const problems: string[] = [];
  const sum = { deaths: 0, instances: 0, withDisk: 0, withoutSpot: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const outcome = await liveNodeWorld(seed);
    problems.push(...outcome.problems.map((problem) => `seed ${seed}: ${problem}`));
    for (const key of ['deaths', 'instances', 'withDisk', 'withoutSpot'] as const) sum[key] += outcome[key];
  }
  t.deepEqual(problems, []);
  t.true(sum.deaths > 10 && sum.instances > 40 && sum.withDisk > 15 && sum.withoutSpot > 5, JSON.stringify(sum));
});
