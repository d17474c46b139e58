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
  t.deepEqual(looks.splice(0), ['a 600', 'a 660', 'a 720', 'a 780', 'a 840', 'a 900', 'a 960', 'a 1020']);
  t.deepEqual(arrived.splice(0), ['key-a 1020']);
  t.is(transitions.take('a')?.askedAt, 1_020);
  t.is(transitions.take('a'), undefined, 'once');
  const next = async (id: string): Promise<readonly string[]> => {
    const began = clock.mono();
    follow(id, 1_000);
    await clock.advance(3_000);
    return looks.splice(0).map((look) => look.replace(/\d+/u, (at) => String(Number(at) - began)));
  };
  t.deepEqual(await next('b'), ['b 990', 'b 1020'], 'halfway, and when the last one was over');
  t.deepEqual(await next('c'), ['c 1005']);
  t.deepEqual(await next('d'), ['d 998', 'd 1005']);
  t.deepEqual(await next('e'), ['e 1005'], 'by now it is known well enough');
});

test('where it is known when it should be over, that look does not wait for the answer of the one before', async (t) => {
  const clock = new ManualClock(0);
  const askedAt: number[] = [];
  const answers: ((status: string) => void)[] = [];
  const arrived: string[] = [];
  const transitions = new SharedTransitionPoll({
    clock,
    signal: new AbortController().signal,
    arrived: (key) => void arrived.push(key),
    throttle: { left: () => 300, perMinute: () => 600 },
    cloud: {
      describeEip: (allocationId) => {
        askedAt.push(clock.mono());
        return new Promise((resolve) => answers.push((status) => resolve({ ...eip(), allocationId, status })));
      },
    },
  });
  transitions.follow({ allocationId: 'a', goal: 'InUse', since: 0 }, 'key-a');
  await clock.advance(1_000);
  t.deepEqual(askedAt, [600], 'nothing is known of the first one');
  answers[0]!('Associating');
  await clock.advance(0);
  answers[1]!('InUse');
  await clock.advance(0);
  t.deepEqual(arrived, ['key-a']);
  t.deepEqual(askedAt.splice(0), [600, 1_000]);
  transitions.follow({ allocationId: 'b', goal: 'InUse', since: 1_000 }, 'key-b');
  await clock.advance(2_000);
  t.deepEqual(askedAt, [1_800, 1_860], 'no third one');
  answers[3]!('InUse');
  await clock.advance(0);
  answers[2]!('Associating');
  await clock.advance(1_000);
  t.deepEqual(arrived, ['key-a', 'key-b'], 'an older answer that comes later says nothing');
  t.is(transitions.take('b')?.askedAt, 1_860);
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
  await clock.advance(25);
  follow('b', 800);
  transitions.follow({ allocationId: 'b', goal: 'InUse', since: 0 }, 'another key');
  await clock.advance(2_000);
  t.deepEqual(looks, ['a 600', 'b 600', 'a 660', 'b 660', 'a 720', 'b 720', 'b 780', 'b 840']);
  t.deepEqual(arrived, ['key-a 720', 'key-b 840', 'another key 840']);
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
  t.true(atFirst <= 36 && count <= 72, `${atFirst} looks in ten seconds, ${count} in ten minutes`);
  await clock.advance(70_000);
  t.is(looks.length, count);
  follow('b', 1_000);
  abort.abort();
  await clock.advance(5_000);
  t.is(looks.length, count);
});
