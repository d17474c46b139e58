import test from 'ava';
import * as fc from 'fast-check';
import { batched } from '../../src/cloud/batch.ts';
import { onBehalfOf } from '../../src/lib/on-behalf-of.ts';
import type { Eip } from '../../src/cloud/port.ts';
import { ApiThrottle } from '../../src/sandbox/cloud/api-throttle.ts';
import { ACCOUNT_RATES_PER_MINUTE, createThrottle, throttled } from '../../src/cloud/throttle.ts';
import { ManualClock, settled } from '../harness/clock.ts';
import { fault, eip, notingCloud, allocation } from './noting-cloud.ts';

test('no minute holds more calls than the rate, however they are asked for', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ waitMs: fc.nat(20_000), calls: fc.integer({ min: 1, max: 60 }) }), { maxLength: 12 }),
      fc.constantFrom('AllocateEipAddress', 'UnassociateEipAddress', 'DescribeEipAddresses'),
      fc.constantFrom(1, 0.5, 0.1),
      async (asks, action, share) => {
        const clock = new ManualClock(0);
        const throttle = createThrottle(clock, share);
        const passed: number[] = [];
        for (const { waitMs, calls } of asks) {
          await clock.advance(waitMs);
          for (let n = 0; n < calls; n += 1) void throttle.acquire(action).then(() => passed.push(clock.mono()));
        }
        await clock.advance(4 * 3_600_000);
        t.is(
          passed.length,
          asks.reduce((sum, { calls }) => sum + calls, 0),
        );
        const perMinute = Math.floor(ACCOUNT_RATES_PER_MINUTE[action] * share);
        for (const [n, at] of passed.entries()) {
          const inMinute = passed.slice(n).filter((other) => other < at + 60_000).length;
          t.true(inMinute <= perMinute, `${inMinute} calls of ${perMinute} in a minute`);
        }
      },
    ),
    { numRuns: 25 },
  );
});

test('a single pod is never delayed, callers pass in the order of asking, and one who aborts leaves the queue', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock);
  const order: number[] = [];
  for (let n = 0; n < 60; n += 1) await throttle.acquire('AssociateEipAddress');
  t.is(clock.mono(), 0);

  const abort = new AbortController();
  const rejected = t.throwsAsync(throttle.acquire('AssociateEipAddress', abort.signal), { message: 'enough' });
  for (const n of [1, 2, 3]) void throttle.acquire('AssociateEipAddress').then(() => order.push(n));
  await settled();
  t.is(throttle.waiting('AssociateEipAddress'), 4);
  // Another action has a bucket of its own.
  await throttle.acquire('AllocateEipAddress');
  abort.abort(new Error('enough'));
  await rejected;
  t.deepEqual(order, []);
  await clock.advance(600);
  t.deepEqual(order, [1]);
  await clock.advance(1_200);
  t.deepEqual(order, [1, 2, 3]);
  await t.throwsAsync(throttle.acquire('AssociateEipAddress', AbortSignal.abort(new Error('late'))), {
    message: 'late',
  });
  t.throws(() => createThrottle(clock, 0), { instanceOf: RangeError });
  t.throws(() => createThrottle(clock, 1.01), { instanceOf: RangeError });
});

test('those on whose behalf calls wait take turns, however many of them one of them makes', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock);
  for (let n = 0; n < 60; n += 1) await throttle.acquire('AssociateEipAddress');
  const order: string[] = [];
  const ask = (owner: string, signal?: AbortSignal) =>
    void onBehalfOf(owner, () => throttle.acquire('AssociateEipAddress', signal)).then(
      () => order.push(owner),
      () => undefined,
    );
  for (let n = 0; n < 30; n += 1) ask('crowd');
  const abort = new AbortController();
  ask('gone', abort.signal);
  for (const owner of ['one', 'two', 'two']) ask(owner);
  abort.abort(new Error('gone'));
  await clock.advance(3_100);
  t.deepEqual(order, ['crowd', 'one', 'two', 'crowd', 'two', 'crowd']);
  t.is(throttle.waiting('AssociateEipAddress'), 27);
});

test('a look-up that is shared waits behind nobody who has much that waits', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock);
  const cloud = batched(throttled(notingCloud().cloud, throttle), clock);
  while (throttle.waiting('DescribeEipAddresses') < 40) void onBehalfOf('crowd', () => cloud.findEips([]));
  const opened = onBehalfOf('crowd', () => cloud.describeEip('eip-1'));
  let left = -1;
  const joined = onBehalfOf('one', () => cloud.describeEip('eip-2')).then((found) => {
    left = throttle.waiting('DescribeEipAddresses');
    return found;
  });
  await clock.advance(60_000);
  t.deepEqual([await opened, await joined], [eip('eip-1'), eip('eip-2')]);
  t.true(left >= 38, `of 40 that waited before it, ${left} still waited then`);
});

test('creating container groups begins with a hundred at once and comes to a thousand in a minute', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock);
  let passed = 0;
  for (let n = 0; n < 2_000; n += 1) void throttle.acquire('CreateContainerGroup').then(() => (passed += 1));
  await clock.advance(1);
  t.is(passed, 100);
  await clock.advance(1_000);
  t.is(passed, 120);
  await clock.advance(44_000);
  t.is(passed, 1_000);
  await clock.advance(15_900);
  t.is(passed, 1_000);
  await clock.advance(200);
  t.true(passed >= 1_100, `${passed} after the first minute`);
});

test('a throttle of the cloud empties the bucket, halves the rate once, is waited for, and is slowly forgiven', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock);
  let refuse = true;
  const { cloud } = notingCloud(() =>
    refuse ? Promise.reject(fault('throttled', 5_000)) : Promise.resolve(new Map<string, Eip>()),
  );
  const slow = throttled(cloud, throttle);
  const results = await Promise.allSettled([1, 2, 3].map(() => slow.describeEips(['eip-1'])));
  t.true(results.every(({ status }) => status === 'rejected'));
  t.is(throttle.pace('DescribeEipAddresses'), 0.5);
  t.is(throttle.pace('AllocateEipAddress'), 1);

  refuse = false;
  let passed = false;
  void slow.describeEips(['eip-1']).then(() => (passed = true));
  await clock.advance(4_999);
  t.false(passed);
  await clock.advance(1);
  t.true(passed);
  await clock.advance(5_000);
  t.is(Math.round(throttle.pace('DescribeEipAddresses') * 100), 55);
  await clock.advance(50_000);
  t.is(Math.round(throttle.pace('DescribeEipAddresses') * 100), 80);
  // Beyond the rate at which it was throttled it feels its way.
  await clock.advance(100_000);
  t.is(Math.round(throttle.pace('DescribeEipAddresses') * 100), 90);
  await clock.advance(110_000);
  t.is(throttle.pace('DescribeEipAddresses'), 1);

  for (let n = 0; n < 10; n += 1) {
    throttle.slowDown('DescribeEipAddresses');
    await clock.advance(1_000);
  }
  t.is(throttle.pace('DescribeEipAddresses'), 0.05);

  // The tokens that were left are gone as well.
  let next = false;
  throttle.slowDown('AllocateEipAddress');
  void throttle.acquire('AllocateEipAddress').then(() => (next = true));
  await settled();
  t.false(next);
  await clock.advance(10_000);
  t.true(next);
});

test('what is left of a rate can be asked for: it goes with each call and comes back with time', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock, 0.5);
  t.is(throttle.perMinute('AllocateEipAddress'), 60);
  t.is(throttle.left('AllocateEipAddress'), 30);
  for (let n = 0; n < 30; n += 1) await throttle.acquire('AllocateEipAddress');
  t.is(throttle.left('AllocateEipAddress'), 0);
  await clock.advance(12_000);
  t.is(throttle.left('AllocateEipAddress'), 12);
  for (let n = 0; n < 30; n += 1) void throttle.acquire('AllocateEipAddress');
  await clock.advance(40_000);
  t.is(throttle.left('AllocateEipAddress'), 0, 'the minute has had its calls');
  await clock.advance(9_000);
  t.is(throttle.left('AllocateEipAddress'), 30);
  throttle.slowDown('AllocateEipAddress', 5_000);
  await clock.advance(4_000);
  t.is(throttle.left('AllocateEipAddress'), 0);
});

test('a call is under way from its turn until it is answered, whatever the answer', async (t) => {
  const throttle = createThrottle(new ManualClock(0), 0.1);
  const answers: ((is: 'yes' | 'no') => void)[] = [];
  const { cloud } = notingCloud(
    () =>
      new Promise((resolve, reject) =>
        answers.push((is) => (is === 'yes' ? resolve(new Map<string, Eip>()) : reject(fault('again')))),
      ),
  );
  const limited = throttled(cloud, throttle);
  const calls = Promise.allSettled(Array.from({ length: 40 }, (_, n) => limited.describeEips([`eip-${n}`])));
  await settled();
  t.is(throttle.underWay('DescribeEipAddresses'), 30, 'and not who waits for a turn');
  t.is(throttle.underWay('AllocateEipAddress'), 0);
  answers.pop()!('no');
  answers.pop()!('yes');
  await settled();
  t.is(throttle.underWay('DescribeEipAddresses'), 28);
  void calls;
});

/** How it goes for a thousand calls at once, and for somebody who makes `others` calls in a minute meanwhile. */
const rushBeside = async (others: number) => {
  const clock = new ManualClock(0);
  const account = new ApiThrottle({ AllocateEipAddress: 120 });
  const sent = { ours: 0, theirs: 0 };
  const refused = { ours: 0, theirs: 0 };
  const ask = (who: 'ours' | 'theirs') => {
    sent[who] += 1;
    try {
      account.admit('AllocateEipAddress', clock.mono());
    } catch {
      refused[who] += 1;
      throw fault('throttled');
    }
  };
  const { cloud } = notingCloud();
  const slow = throttled(
    {
      ...cloud,
      allocateEip: async () => {
        await clock.sleep(150);
        ask('ours');
        return { allocationId: 'eip-1', ipAddress: '203.0.113.1' };
      },
    },
    createThrottle(clock),
  );
  const served = { count: 0 };
  const one = async (): Promise<void> => {
    const isRefused = await slow.allocateEip(allocation).then(
      () => false,
      () => true,
    );
    if (isRefused) await clock.sleep(1_000);
    else served.count += 1;
    if (isRefused) await one();
  };
  for (let n = 0; n < 1_000; n += 1) void one();
  while (served.count < 1_000 && clock.mono() < 3 * 3_600_000) {
    await clock.advance(others === 0 ? 1_000 : 60_000 / others);
    try {
      if (others > 0) ask('theirs');
    } catch {
      // They lose it.
    }
  }
  return { minutes: clock.mono() / 60_000, ours: refused.ours / sent.ours, theirs: refused.theirs / sent.theirs };
};

test('a rush has the whole rate of the account', async (t) => {
  const { minutes, ours } = await rushBeside(0);
  t.true(minutes <= 1.02 * (1_000 / 120), `${minutes} minutes`);
  t.is(ours, 0);
});

test('beside somebody who takes half of the rate and says so nowhere, a rush leaves it to him', async (t) => {
  const { minutes, ours, theirs } = await rushBeside(60);
  t.true(theirs <= 0.05, `${theirs} of their calls are refused`);
  t.true(ours <= 0.02, `${ours} of ours`);
  t.true(minutes <= 1.5 * (1_000 / 60), `${minutes} minutes`);
});
