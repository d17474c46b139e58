import test from 'ava';
import { CloudFault } from '../../src/cloud/fault.ts';
import { fenced, OPEN } from '../../src/cloud/fence.ts';
import { preparingChanges } from '../../src/lib/prepare.ts';
import { observeCalls } from '../../src/cloud/call-observer.ts';
import type { ObservedCall } from '../../src/cloud/call-observer.ts';
import { createThrottle, throttled } from '../../src/cloud/throttle.ts';
import { ManualClock } from '../harness/clock.ts';
import { fault, notingCloud, allocation } from './noting-cloud.ts';

const binding = { allocationId: 'eip-1', networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.7', clientToken: 't' };

const membership = { allocationId: 'eip-1', bandwidthPackageId: 'cbwp-1', clientToken: 't' };

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
