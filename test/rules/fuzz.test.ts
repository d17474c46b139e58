import test from 'ava';
import { tryOne, wayOf, WAYS } from './fuzzing.ts';

test('twenty thousand inputs that are nearly right have a clear answer each (npm run fuzz tries a million)', (t) => {
  const answers = new Set<string>();
  const failures: string[] = [];
  for (let seed = 0; seed < 20_000; seed += 1) {
    try {
      answers.add(`${wayOf(seed)}: ${tryOne(wayOf(seed), seed)}`);
    } catch (error) {
      failures.push(`seed ${seed}: ${String(error)}`);
    }
  }
  t.deepEqual(failures, []);
  t.true(answers.size > 25, `the inputs are of many sorts: ${[...answers].join(', ')}`);
});

test('the same seed gives the same answer', (t) => {
  for (const way of WAYS) for (let seed = 0; seed < 20; seed += 1) t.is(tryOne(way, seed), tryOne(way, seed));
});
