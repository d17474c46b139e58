import test from 'ava';
import * as fc from 'fast-check';
import { batched } from '../../src/cloud/batch.ts';
import type { FoldableCloud } from '../../src/cloud/batch.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import type { CloudFaultKind } from '../../src/cloud/fault.ts';
import { fenced, OPEN } from '../../src/cloud/fence.ts';
import { rememberPackages } from '../../src/cloud/package-cache.ts';
import { onBehalfOf } from '../../src/lib/owner.ts';
import { preparingChanges } from '../../src/lib/prepare.ts';
import { observeCalls } from '../../src/cloud/observe.ts';
import type { ObservedCall } from '../../src/cloud/observe.ts';
import type { Eip } from '../../src/cloud/port.ts';
import { ApiThrottle } from '../../src/sandbox/cloud/api-throttle.ts';
import { ACCOUNT_RATES_PER_MINUTE, createThrottle, throttled } from '../../src/cloud/throttle.ts';
import { ManualClock, settled } from '../harness/clock.ts';

const fault = (kind: CloudFaultKind, retryAfterMs?: number) =>
  new CloudFault({ kind, action: 'DescribeEipAddresses', code: 'X', message: 'x', retryAfterMs });

const eip = (allocationId: string): Eip => ({
  allocationId,
  ipAddress: '47.0.0.1',
  status: 'Available',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  chargeType: 'PostPaid',
  isp: 'BGP',
  tags: new Map(),
  serviceManaged: false,
  deletionProtection: false,
  lockReasons: [],
});

/** A cloud that notes what is called; describes go to `describe`. */
const notingCloud = (
  describe: FoldableCloud['describeEips'] = (ids) => Promise.resolve(new Map(ids.map((id) => [id, eip(id)]))),
) => {
  const calls: string[] = [];
  const note = <T>(name: string, result: T) => {
    calls.push(name);
    return Promise.resolve(result);
  };
  const cloud: FoldableCloud = {
    allocateEip: () => note('allocateEip', { allocationId: 'eip-1', ipAddress: '47.0.0.1' }),
    describeEip: async (id, signal) => {
      calls.push(id);
      return (await describe([id], signal)).get(id);
    },
    describeEips: (ids, signal) => {
      calls.push(ids.join(','));
      return describe(ids, signal);
    },
    findEips: () => note('findEips', []),
    listFreeEips: () => note('listFreeEips', []),
    findEipsByAddress: () => note('findEipsByAddress', new Map<string, Eip>()),
    associateEip: () => note('associateEip', undefined),
    unassociateEip: () => note('unassociateEip', undefined),
    releaseEip: () => note('releaseEip', undefined),
    joinBandwidthPackage: () => note('joinBandwidthPackage', undefined),
    tagEip: () => note('tagEip', undefined),
    untagEip: () => note('untagEip', undefined),
    leaveBandwidthPackage: () => note('leaveBandwidthPackage', undefined),
    findBandwidthPackage: () => note('findBandwidthPackage', undefined),
    findNetworkInterfaces: () => note('findNetworkInterfaces', []),
    networkInterfacesOf: () => note('networkInterfacesOf', []),
  };
  return { cloud, calls };
};

const binding = { allocationId: 'eip-1', networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.7', clientToken: 't' };
const membership = { allocationId: 'eip-1', bandwidthPackageId: 'cbwp-1', clientToken: 't' };
const allocation = {
  clientToken: 't',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  isp: 'BGP',
  tags: [],
} as const;

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

test('describes that come together become one call of at most fifty IDs', async (t) => {
  const clock = new ManualClock(0);
  const { cloud, calls } = notingCloud((ids) =>
    Promise.resolve(new Map(ids.filter((id) => id !== 'eip-3').map((id) => [id, eip(id)]))),
  );
  const folding = batched(cloud, clock);
  const few = Promise.all(['eip-1', 'eip-2', 'eip-3', 'eip-1'].map((id) => folding.describeEip(id)));
  await clock.advance(19);
  t.deepEqual(calls, []);
  await clock.advance(1);
  t.deepEqual(
    (await few).map((found) => found?.allocationId),
    ['eip-1', 'eip-2', undefined, 'eip-1'],
  );
  t.deepEqual(calls, ['eip-1,eip-2,eip-3']);

  calls.length = 0;
  const many = Promise.all(Array.from({ length: 120 }, (_, n) => folding.describeEip(`eip-${n}`)));
  await clock.advance(0);
  t.deepEqual(
    calls.map((ids) => ids.split(',').length),
    [50, 50],
  );
  await clock.advance(20);
  t.is((await many).filter((found) => found !== undefined).length, 119);
  t.is(calls.length, 3);
});

test('a fault goes to everybody in the batch, but one that blames the request is narrowed to the ID', async (t) => {
  const clock = new ManualClock(0);
  let kind: CloudFaultKind = 'throttled';
  const { cloud, calls } = notingCloud((ids) =>
    ids.includes('eip-bad') ? Promise.reject(fault(kind)) : Promise.resolve(new Map(ids.map((id) => [id, eip(id)]))),
  );
  const folding = batched(cloud, clock);
  const together = () => Promise.allSettled(['eip-1', 'eip-bad'].map((id) => folding.describeEip(id)));
  let results = together();
  await clock.advance(20);
  t.deepEqual(
    (await results).map(({ status }) => status),
    ['rejected', 'rejected'],
  );

  kind = 'refused';
  calls.length = 0;
  results = together();
  await clock.advance(20);
  t.deepEqual(
    (await results).map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  t.deepEqual(calls, ['eip-1,eip-bad', 'eip-1', 'eip-bad']);

  // What is no ID at all never gets into a list.
  calls.length = 0;
  await folding.describeEip('eip-1,eip-2');
  t.deepEqual(calls, ['eip-1,eip-2']);
});

test('an EIP that cannot be read spoils nobody else’s answer, is named, and travels alone until it can be read', async (t) => {
  const clock = new ManualClock(0);
  const bad = new Set(['eip-bad']);
  const { cloud, calls } = notingCloud((ids) =>
    ids.some((id) => bad.has(id))
      ? Promise.reject(
          new CloudFault({ kind: 'later', action: 'DescribeEipAddresses', code: 'UnreadableAnswer', message: 'odd' }),
        )
      : Promise.resolve(new Map(ids.map((id) => [id, eip(id)]))),
  );
  const folding = batched(cloud, clock);
  const ask = async (...ids: string[]) => {
    calls.length = 0;
    const results = Promise.allSettled(ids.map((id) => folding.describeEip(id)));
    await clock.advance(20);
    return (await results).map((it) => (it.status === 'fulfilled' ? it.value?.allocationId : String(it.reason)));
  };
  const many = Array.from({ length: 49 }, (_, n) => `eip-${n}`);
  t.deepEqual(await ask('eip-bad', ...many), ['CloudFault: eip-bad: odd', ...many]);
  t.is(calls.length, 51, 'one by one, once');

  t.deepEqual(await ask('eip-bad', ...many), ['CloudFault: eip-bad: odd', ...many]);
  t.deepEqual(calls, ['eip-bad', many.join(',')]);

  bad.clear();
  t.deepEqual(await ask('eip-bad', 'eip-1'), ['eip-bad', 'eip-1']);
  t.deepEqual(await ask('eip-bad', 'eip-1'), ['eip-bad', 'eip-1']);
  t.deepEqual(calls, ['eip-bad,eip-1'], 'in company again');

  // Nothing that comes can be read: not each of them asks on its own.
  for (const id of many) bad.add(id);
  t.deepEqual(
    await ask(...many),
    many.map((id, n) => (n < 3 ? `CloudFault: ${id}: odd` : 'CloudFault: odd')),
  );
  t.deepEqual(calls, [many.join(','), 'eip-0', 'eip-1', 'eip-2']);
  t.deepEqual(await ask('eip-3'), ['CloudFault: eip-3: odd']);
});

test('one who aborts leaves the batch alone, and the call is given up when all have left', async (t) => {
  const clock = new ManualClock(0);
  let batchSignal: AbortSignal | undefined;
  const { cloud, calls } = notingCloud((ids, signal) => {
    batchSignal = signal;
    return Promise.resolve(new Map(ids.map((id) => [id, eip(id)])));
  });
  const folding = batched(cloud, clock);
  const abort = new AbortController();
  const leaving = t.throwsAsync(folding.describeEip('eip-1', abort.signal), { message: 'enough' });
  const staying = folding.describeEip('eip-2');
  abort.abort(new Error('enough'));
  await leaving;
  await clock.advance(20);
  t.is((await staying)?.allocationId, 'eip-2');
  t.deepEqual(calls, ['eip-2']);
  t.false(batchSignal?.aborted);

  calls.length = 0;
  const all = new AbortController();
  const gone = t.throwsAsync(folding.describeEip('eip-1', all.signal), { message: 'all' });
  all.abort(new Error('all'));
  await gone;
  await clock.advance(100);
  t.deepEqual(calls, []);
  await t.throwsAsync(folding.describeEip('eip-1', all.signal), { message: 'all' });
});

test('the fence asks before each mutating call, sends nothing when the leadership is uncertain, and lets reads pass', async (t) => {
  const { cloud, calls } = notingCloud();
  const asked: number[] = [];
  let leading = false;
  const safe = fenced(cloud, (needMs) => {
    asked.push(needMs);
    return leading ? OPEN : { kind: 'leadershipUncertain' };
  });
  const mutations = [
    () => safe.allocateEip(allocation),
    () => safe.associateEip(binding),
    () => safe.unassociateEip(binding),
    () => safe.releaseEip('eip-1'),
    () => safe.joinBandwidthPackage(membership),
    () => safe.leaveBandwidthPackage(membership),
  ];
  for (const mutate of mutations) {
    const error = await t.throwsAsync(mutate(), { instanceOf: CloudFault });
    t.like(error, { kind: 'later', code: 'LeadershipUncertain' });
  }
  t.deepEqual(calls, []);
  t.deepEqual(
    asked,
    Array.from({ length: 6 }, () => 8_000),
  );
  await safe.describeEip('eip-1');
  await safe.describeEips(['eip-1']);
  await safe.findEips([]);
  await safe.findNetworkInterfaces({ vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' });
  t.is(asked.length, 6);
  t.is(calls.length, 4);
  leading = true;
  for (const mutate of mutations) await mutate();
  t.is(calls.length, 10);
});

test('a call that waited for its turn meets the fence of that time, not of the time of asking', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock);
  throttle.slowDown('ReleaseEipAddress', 3_000);
  const { cloud, calls } = notingCloud();
  const safe = throttled(
    fenced(cloud, (needMs) => (clock.mono() + needMs < 10_000 ? OPEN : { kind: 'leadershipUncertain' })),
    throttle,
  );
  const release = t.throwsAsync(safe.releaseEip('eip-1'), { message: /not certain/u });
  await clock.advance(3_000);
  await release;
  t.deepEqual(calls, []);
});

test('what has to come before a change comes once its turn is there, and without it nothing is sent', async (t) => {
  const clock = new ManualClock(0);
  const throttle = createThrottle(clock);
  throttle.slowDown('ReleaseEipAddress', 3_000);
  const { cloud, calls } = notingCloud();
  const safe = throttled(
    fenced(cloud, () => OPEN),
    throttle,
  );
  const preparedAt: number[] = [];
  const prepare = async () => {
    preparedAt.push(clock.mono());
    await clock.sleep(500);
    t.deepEqual(calls, []);
  };
  const release = preparingChanges(prepare, () => safe.releaseEip('eip-1'));
  await clock.advance(4_000);
  await release;
  t.deepEqual(preparedAt, [3_000]);
  t.is(calls.length, 1);
  const refused = preparingChanges(
    () => Promise.reject(new Error('changed')),
    () => safe.releaseEip('eip-1'),
  );
  await Promise.all([t.throwsAsync(refused, { message: 'changed' }), clock.advance(4_000)]);
  t.is(calls.length, 1);
  await safe.releaseEip('eip-1');
  t.is(preparedAt.length, 1);
});

test('calls are observed with action, outcome and duration, and a drain waits for those under way', async (t) => {
  const clock = new ManualClock(0);
  const seen: ObservedCall[] = [];
  const observer = observeCalls(clock, (call) => seen.push(call));
  await observer.idle();
  const good = observer.watch('AllocateEipAddress', () => clock.sleep(30));
  const bad = observer.watch('ReleaseEipAddress', async () => {
    await clock.sleep(50);
    throw fault('quota');
  });
  const failed = t.throwsAsync(bad, { instanceOf: CloudFault });
  t.is(observer.inFlight(), 2);
  let idle = false;
  void observer.idle().then(() => (idle = true));
  await clock.advance(40);
  await good;
  t.false(idle);
  t.is(observer.inFlight(), 1);
  await clock.advance(10);
  await failed;
  t.true(idle);
  t.deepEqual(seen, [
    { action: 'AllocateEipAddress', outcome: 'success', durationMs: 30 },
    { action: 'ReleaseEipAddress', outcome: 'quota', durationMs: 50 },
  ]);
});

test('what was answered about a bandwidth package is good for less than a minute, a lasting refusal too', async (t) => {
  const clock = new ManualClock(0);
  const { cloud, calls } = notingCloud();
  let fault: CloudFault | undefined;
  const remembering = rememberPackages(
    {
      ...cloud,
      findBandwidthPackage: (id) => {
        calls.push(id);
        return fault ? Promise.reject(fault) : Promise.resolve(undefined);
      },
    },
    clock,
  );
  const find = (id: string, signal?: AbortSignal) => remembering.findBandwidthPackage(id, signal);
  await Promise.all([find('cbwp-1'), find('cbwp-1'), find('cbwp-2')]);
  await clock.advance(54_000);
  await find('cbwp-1');
  t.deepEqual(calls, ['cbwp-1', 'cbwp-2']);
  await clock.advance(2_000);
  await find('cbwp-1');
  t.deepEqual(calls, ['cbwp-1', 'cbwp-2', 'cbwp-1']);
  for (const [kind, more] of [
    ['misconfigured', 1],
    ['throttled', 2],
  ] as const) {
    await clock.advance(60_000);
    const before = calls.length;
    fault = new CloudFault({ kind, action: 'DescribeCommonBandwidthPackages', code: 'X', message: 'X' });
    await t.throwsAsync(() => find('cbwp-1'), { is: fault });
    await t.throwsAsync(() => find('cbwp-1'), { is: fault });
    t.is(calls.length - before, more, kind);
  }
  fault = undefined;
  await t.throwsAsync(() => find('cbwp-3', AbortSignal.abort(new Error('stopping'))), { message: 'stopping' });
});
