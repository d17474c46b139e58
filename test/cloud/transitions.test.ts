import test from 'ava';
import { CloudFault } from '../../src/cloud/fault.ts';
import type { Eip } from '../../src/cloud/port.ts';
import { SharedTransitionPoll } from '../../src/cloud/transitions.ts';
import { eip } from '../controllers/podeip/situation.ts';
import { ManualClock } from '../harness/clock.ts';

/** A cloud in which EIPs are bound at these times, and who looks at it. */
const watching = (left = () => 300) => {
  const clock = new ManualClock(0);
  const boundAt = new Map<string, number>();
  const looks: string[] = [];
  const arrived: string[] = [];
  let isBroken = false;
  const abort = new AbortController();
  const transitions = new SharedTransitionPoll({
    clock,
    signal: abort.signal,
    arrived: (key) => void arrived.push(`${key} ${clock.mono()}`),
    throttle: { left, perMinute: () => 600 },
    cloud: {
      describeEip: (id): Promise<Eip> => {
        looks.push(`${id} ${clock.mono()}`);
        if (isBroken)
          return Promise.reject(
            new CloudFault({ kind: 'later', action: 'DescribeEipAddresses', code: 'X', message: 'no' }),
          );
        const status = clock.mono() >= (boundAt.get(id) ?? Infinity) ? 'InUse' : 'Associating';
        return Promise.resolve({ ...eip(), allocationId: id, status });
      },
    },
  });
  const follow = (id: string, ms: number) => {
    boundAt.set(id, clock.mono() + ms);
    transitions.follow({ allocationId: id, goal: 'InUse', since: clock.mono() }, `key-${id}`);
  };
  const breaks = (is: boolean) => (isBroken = is);
  return { clock, looks, arrived, transitions, follow, abort, breaks };
};

test('a transition is looked at when it may be over, then often, and the next one when it should be over', async (t) => {
  const { clock, looks, arrived, transitions, follow } = watching();
  follow('a', 1_000);
  await clock.advance(3_000);
  t.deepEqual(looks.splice(0), ['a 600', 'a 725', 'a 850', 'a 975', 'a 1100']);
  t.deepEqual(arrived.splice(0), ['key-a 1100']);
  t.is(transitions.take('a')?.askedAt, 1_100);
  t.is(transitions.take('a'), undefined, 'once');
  follow('b', 1_000);
  await clock.advance(3_000);
  t.deepEqual(looks, ['b 3975', 'b 4100']);
  t.deepEqual(arrived, ['key-b 4100']);
});

test('it learns from the last ones only, and one that was over at the first look makes the next look sooner', async (t) => {
  const { clock, looks, follow } = watching();
  const looksAt = async (ms: number): Promise<number> => {
    const from = clock.mono();
    follow('a', ms);
    await clock.advance(30_000);
    return Number(looks.splice(0)[0]?.split(' ')[1]) - from;
  };
  t.is(await looksAt(100), 600);
  t.is(await looksAt(5_000), 300, 'half of what it took at most');
  for (let times = 0; times < 15; times += 1) await looksAt(5_000);
  t.true((await looksAt(5_000)) >= 4_800, 'the quick one is forgotten');
});

test('all that are due together are looked at together, and each is told of once', async (t) => {
  const { clock, looks, arrived, transitions, follow } = watching();
  follow('a', 700);
  await clock.advance(50);
  follow('b', 800);
  transitions.follow({ allocationId: 'b', goal: 'InUse', since: 0 }, 'another key');
  await clock.advance(2_000);
  t.deepEqual(looks, ['a 600', 'b 600', 'a 725', 'b 725', 'b 850']);
  t.deepEqual(arrived, ['key-a 725', 'key-b 850', 'another key 850']);
});

test('where few calls are left, others go first, and a look that fails is made again', async (t) => {
  const few = watching(() => 59);
  few.follow('a', 9_000);
  await few.clock.advance(4_000);
  t.deepEqual(few.looks, ['a 600', 'a 1600', 'a 2600', 'a 3600']);
  const broken = watching();
  broken.breaks(true);
  broken.follow('a', 500);
  await broken.clock.advance(700);
  broken.breaks(false);
  await broken.clock.advance(2_000);
  t.deepEqual(broken.looks, ['a 600', 'a 1600']);
  t.deepEqual(broken.arrived, ['key-a 1600']);
});

test('what does not come is looked at more and more seldom and given up, and nobody is looked at after the end', async (t) => {
  const { clock, looks, follow, abort } = watching();
  follow('a', Infinity);
  await clock.advance(10_000);
  const atFirst = looks.length;
  await clock.advance(610_000);
  const count = looks.length;
  t.true(atFirst <= 28 && count <= 63, `${atFirst} looks in ten seconds, ${count} in ten minutes`);
  await clock.advance(70_000);
  t.is(looks.length, count);
  follow('b', 1_000);
  abort.abort();
  await clock.advance(5_000);
  t.is(looks.length, count);
});
