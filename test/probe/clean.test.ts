import test from 'ava';
import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import type { CloudReading } from '../../src/cloud/readings.ts';
import { clean } from '../../src/probe/clean.ts';
import { isRun, markOfRun, newRun } from '../../src/probe/run-mark.ts';
import { runProbes } from '../../src/probe/run-probes.ts';
import type { ManualClock } from '../harness/clock.ts';
import { account, mark, portsTo, RUN, site, stateOf } from './account.ts';

/** What becomes of the last call of a process: it is lost, it works, or it works a while later. */
type Effect = 'never' | 'done' | 'late';
const LATE_MS = 5_000;

const never = (): Promise<never> => new Promise(() => undefined);

/** Lets the process die at its n-th call: that one takes effect or does not, and nobody hears of it or does more. */
const dyingAt = (nth: number, effect: Effect, clock: ManualClock, onDeath: () => void) => {
  let calls = 0;
  return (call: SdkCallApi): SdkCallApi =>
    async (...request) => {
      calls += 1;
      if (calls < nth) return call(...request);
      const happen = () => call(...request).catch(() => undefined);
      if (calls === nth && effect === 'done') await happen();
      if (calls === nth && effect === 'late') clock.timer(LATE_MS, () => void happen());
      onDeath();
      return never();
    };
};

/** For each call of a whole run whether it changes something, cleaning included. */
const callsOf = async (readings: readonly CloudReading[]): Promise<readonly boolean[]> => {
  const calls: boolean[] = [];
  const counting =
    (call: SdkCallApi): SdkCallApi =>
    (params, ...rest) => {
      calls.push(!params.action.startsWith('Describe'));
      return call(params, ...rest);
    };
  await runProbes({ ports: portsTo(account(readings), counting), site, mark }, () => undefined);
  return calls;
};

/** What may become of a call; whether one that only reads was answered makes no difference to the account. */
const effectsOf = (changes: boolean): readonly Effect[] => (changes ? ['never', 'done', 'late'] : ['never']);

const SETS: readonly (readonly CloudReading[])[] = [
  [],
  ['tagsIgnored', 'readLag', 'asynchronousRelease'],
  ['tagsIgnored', 'tagFilterLag', 'eciSpelling', 'goneCodes', 'lateInstanceAddress', 'tokensRememberRefusals'],
];

for (const readings of SETS)
  test(`killed at any call, --clean leaves the account as it was: ${readings.join(', ') || 'no reading'}`, async (t) => {
    const calls = await callsOf(readings);
    t.true(calls.filter(Boolean).length > 30, String(calls.length));
    t.log(`${calls.length} calls`);
    for (const [index, changes] of calls.entries())
      for (const effect of effectsOf(changes)) {
        const nth = index + 1;
        const there = account(readings);
        const before = stateOf(there.cloud);
        await new Promise<void>((resolve) => {
          const ports = portsTo(there, dyingAt(nth, effect, there.clock, resolve));
          void runProbes({ ports, site, mark }, () => undefined);
        });
        const left = await clean({ ports: portsTo(there), mark, region: site.region, withEci: true });
        t.deepEqual(left, [], `killed at call ${nth}`);
        t.deepEqual(stateOf(there.cloud), before, `killed at call ${nth}, ${effect}`);
      }
  });

test('a run that is stopped, and one whose API does not answer, give everything back', async (t) => {
  const there = account([]);
  const before = stateOf(there.cloud);
  const stop = new AbortController();
  const asked: string[] = [];
  const run = await runProbes(
    { ports: portsTo(there), site, mark },
    ({ id }) => {
      asked.push(id);
      if (id === 'P8') stop.abort(new Error('stopped by SIGINT'));
    },
    stop.signal,
  );
  t.is(run.stopped, 'stopped by SIGINT');
  t.is(asked.at(-1), 'P8');
  t.deepEqual(run.left, []);
  t.deepEqual(stateOf(there.cloud), before);

  for (const action of [
    'AllocateEipAddress',
    'CreateNetworkInterface',
    'CreateContainerGroup',
    'AssociateEipAddress',
  ]) {
    for (const answer of ['drop', { code: 'QuotaExceeded.Eip' }] as const) {
      const ill = account([]);
      const was = stateOf(ill.cloud);
      ill.cloud.inject({ action, times: Infinity, fault: { effect: answer === 'drop' ? 'done' : 'never', answer } });
      const ran = await runProbes({ ports: portsTo(ill), site, mark }, () => undefined);
      t.deepEqual([ran.left, ran.stopped], [[], undefined], action);
      t.true(
        ran.findings.some(({ verdict }) => verdict.kind === 'could not be asked' && verdict.says.includes(action)),
      );
      t.deepEqual(stateOf(ill.cloud), was, action);
    }
  }
});

test('what cannot be given back is named', async (t) => {
  const there = account([]);
  there.cloud.world.addEip({ allocationId: 'eip-stuck', name: `knative-eip-probe/${RUN}:1`, deletionProtection: true });
  const ports = portsTo(there);
  const left = await clean({ ports, mark, region: site.region, withEci: true });
  t.deepEqual(left, ['ReleaseEipAddress eip-stuck: InvalidOperation.DeletionProtection']);

  there.cloud.inject({
    action: 'DescribeEipAddresses',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM', status: 403 } },
  });
  const unseen = await clean({ ports, mark, region: site.region, withEci: true });
  t.deepEqual(unseen, ['the account could not be seen: DescribeEipAddresses: Forbidden.RAM']);
});

test('a run has an ID that is no part of another one', (t) => {
  const run = newRun('0A1B2C3D-4e5f-4000-a000-000000000000');
  t.is(run, '0a1b2c3d4e');
  t.true(isRun(run));
  for (const text of ['', '0a1b2c3d4', '0a1b2c3d4e5', '0a1b2c3d4g', '0A1B2C3D4E']) t.false(isRun(text), text);
  t.is(markOfRun(run).description, 'knative-eip-probe 0a1b2c3d4e');
});
