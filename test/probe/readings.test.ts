import test from 'ava';
import { CLOUD_READINGS, type CloudReading } from '../../src/cloud/readings.ts';
import { runProbes, type Finding, type Run } from '../../src/probe/run-probes.ts';
import { seeded } from '../harness/random.ts';
import { account, mark, portsTo, site, stateOf } from './account.ts';

const run = async (readings: readonly CloudReading[], seed = 1) => {
  const there = account(readings, seed);
  const before = stateOf(there.cloud);
  const { findings, left, stopped } = await runProbes({ ports: portsTo(there), site, mark }, () => undefined);
  return { findings, left, stopped, before, after: stateOf(there.cloud), cloud: there.cloud };
};

const foundIn = (findings: readonly Finding[]): readonly CloudReading[] => {
  const found = new Set(findings.flatMap(({ verdict }) => (verdict.kind === 'differs' ? verdict.readings : [])));
  return CLOUD_READINGS.filter((reading) => found.has(reading));
};

/** What is said of a difference that has no name. */
const unnamed = ({ findings }: Pick<Run, 'findings'>) =>
  findings.flatMap(({ id, verdict }) =>
    verdict.kind === 'could not be asked' || (verdict.kind === 'differs' && verdict.readings.length === 0)
      ? [`${id}: ${verdict.says}`]
      : [],
  );

test('of a cloud without any reading everything is as assumed, and nothing is left', async (t) => {
  const { findings, left, stopped, before, after } = await run([]);
  t.is(stopped, undefined);
  t.deepEqual(
    findings.filter(({ verdict }) => verdict.kind !== 'as assumed').map(({ id, verdict }) => `${id}: ${verdict.says}`),
    [],
  );
  t.deepEqual(left, []);
  t.deepEqual(after, before);
});

for (const reading of CLOUD_READINGS)
  test(`${reading} is found, and nothing else`, async (t) => {
    for (const seed of [1, 2, 3]) {
      const ran = await run([reading], seed);
      t.deepEqual(foundIn(ran.findings), [reading], `seed ${seed}`);
      t.deepEqual(unnamed(ran), []);
      t.deepEqual([ran.left, ran.stopped], [[], undefined]);
      t.deepEqual(ran.after, ran.before);
    }
  });

test('of ten random sets exactly what is on is found', async (t) => {
  const random = seeded(11);
  for (let times = 0; times < 10; times += 1) {
    const drawn = CLOUD_READINGS.filter(() => random.next() < 0.5);
    // These two exclude each other.
    const readings = drawn.includes('noInterface') ? drawn.filter((name) => name !== 'prefixMode') : drawn;
    const ran = await run(readings, times + 1);
    t.deepEqual(foundIn(ran.findings), readings, readings.join(', '));
    t.deepEqual(unnamed(ran), [], readings.join(', '));
    t.deepEqual([ran.left, ran.stopped], [[], undefined]);
    t.deepEqual(ran.after, ran.before, readings.join(', '));
  }
});
