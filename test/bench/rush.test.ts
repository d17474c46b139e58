import test from 'ava';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { ATTACH_BOUND_MS, Bed, RELEASE_BOUND_MS } from './bed.ts';

/* Bounds on calls and on virtual time, which are exact: what fails here has got slower or dearer by its shape. */

/** The value below which half of them are. */
const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? Infinity;

test('one pod has its address in little more than the time that the cloud needs, for few calls', async (t) => {
  const bed = await Bed.create();
  const [firstMs] = await bed.attach(1);
  t.true(firstMs! <= 1.13 * ATTACH_BOUND_MS, `${firstMs} ms`);
  await bed.idle(60_000);
  const before = bed.calls();
  const [attachMs] = await bed.attach(1);
  t.true(attachMs! <= 1.13 * ATTACH_BOUND_MS, `${attachMs} ms`);
  const { kubeReads: reads, kubeWrites: written } = bed.callsSince(before);
  t.true(reads <= 5 && written <= 4, `${reads} reads of the API server, ${written} writes`);
  await bed.idle(60_000);
  const released = await bed.release();
  t.true(released.at(-1)! <= 1.1 * RELEASE_BOUND_MS, `${released.at(-1)} ms`);
  const { cloud, throttled, kubeReads, kubeWrites } = bed.calls();
  const { DescribeEipAddresses: describes = 0, DescribeNetworkInterfaces: interfaces = 0, ...writes } = cloud;
  t.deepEqual(writes, {
    AllocateEipAddress: 2,
    AssociateEipAddress: 2,
    UnassociateEipAddress: 2,
    ReleaseEipAddress: 2,
  });
  t.true(describes + interfaces <= 40, `${describes} + ${interfaces} reads of the cloud`);
  t.is(throttled, 0);
  t.true(kubeReads <= 36, `${kubeReads} reads of the API server`);
  t.true(kubeWrites <= 15, `${kubeWrites} writes`);
  await bed.stop();
});

test('of fifty pods at once none waits for the others to be bought for', async (t) => {
  const bed = await Bed.create();
  await bed.attach(1);
  await bed.idle(60_000);
  const before = bed.calls();
  const times = await bed.attach(50);
  t.true(median(times) <= 1.13 * ATTACH_BOUND_MS, `median ${median(times)} ms`);
  t.true(times.at(-1)! <= 1.13 * ATTACH_BOUND_MS, `last ${times.at(-1)} ms`);
  const attach = bed.callsSince(before);
  t.is(attach.throttled, 0);
  t.true(attach.cloud['DescribeEipAddresses']! <= 50 * 0.2, `${attach.cloud['DescribeEipAddresses']} describes`);
  await bed.idle(60_000);
  const released = await bed.release();
  t.is(released.length, 51);
  t.true(median(released) <= 1.1 * RELEASE_BOUND_MS, `median ${median(released)} ms`);
  t.true(released.at(-1)! <= 1.15 * RELEASE_BOUND_MS, `last ${released.at(-1)} ms`);
  await bed.stop();
});

test('a PodEIP is gone as soon as its EIP is, however many others wait for their turn to be detached', async (t) => {
  const bed = await Bed.create();
  // More than may be detached at once.
  await bed.attach(150);
  await bed.idle(120_000);
  const { server, cloud, clock } = bed.world;
  const goneAt = new Map<string, number>();
  server.onWrite(({ type, object }) => {
    const podEip = object as unknown as PodEip;
    if (type === 'DELETED' && object['kind'] === PODEIP.kind) goneAt.set(podEip.spec.allocationID, clock.now());
  });
  t.is((await bed.release()).length, 150);
  const released = cloud.ledger().filter(({ action }) => action === 'ReleaseEipAddress');
  const lags = released.map(({ allocationId, at }) => (goneAt.get(allocationId) ?? Infinity) - at);
  t.true(Math.max(...lags) <= 1_000, `at most ${Math.max(...lags)} ms`);
  await bed.stop();
});

test('a release that the cloud put off is tried again before others are detached', async (t) => {
  const bed = await Bed.create();
  await bed.attach(150);
  await bed.idle(120_000);
  const { cloud, clock } = bed.world;
  cloud.inject({ action: 'ReleaseEipAddress', times: 60, fault: { effect: 'never', answer: { code: 'SystemBusy' } } });
  const began = clock.now();
  await bed.release();
  const released = cloud.ledger().filter(({ action }) => action === 'ReleaseEipAddress');
  const times = released.map(({ at }) => at - began).toSorted((a, b) => a - b);
  t.true(median(times) <= 30_000, `median ${median(times)} ms`);
  await bed.stop();
});

test('of many that end at once the first are detached at once, and the looks are fewer than the changes', async (t) => {
  const bed = await Bed.create();
  const before = bed.calls();
  await bed.attach(300);
  const { cloud: attach } = bed.callsSince(before);
  t.true(attach['DescribeEipAddresses']! <= 300 * 1.1, `${attach['DescribeEipAddresses']} looks for 300 addresses`);
  await bed.idle(120_000);
  const { clock, cloud } = bed.world;
  const began = clock.now();
  const since = bed.calls();
  const released = await bed.release();
  t.true(released[0]! <= 4_000, `the first is released after ${released[0]} ms`);
  const detached = cloud.ledger().filter(({ action, at }) => action === 'UnassociateEipAddress' && at >= began);
  t.is(detached.length, 300);
  // Half of a minute's calls come at once, and the others at the rate: 120 in 61 s.
  const boundMs = ((300 - 60) * 61_000) / 120;
  t.true(released.at(-1)! <= 1.05 * boundMs + RELEASE_BOUND_MS, `the last after ${released.at(-1)} ms`);
  const { cloud: release } = bed.callsSince(since);
  t.true(release['DescribeEipAddresses']! <= 300 * 1.25, `${release['DescribeEipAddresses']} looks for 300 releases`);
  await bed.stop();
});
