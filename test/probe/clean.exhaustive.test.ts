import test from 'ava';
import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import type { CloudReading } from '../../src/cloud/readings.ts';
import { clean } from '../../src/probe/clean.ts';
import { runProbes } from '../../src/probe/run-probes.ts';
import type { ManualClock } from '../harness/clock.ts';
import { account, mark, portsTo, site, stateOf } from './account.ts';

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
