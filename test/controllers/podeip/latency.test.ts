import test from 'ava';
import { SERVICE_LABEL, SERVICE_UID } from '../../../src/api/knative.ts';
import { Operating } from '../../harness/operating.ts';

const WITH_EIP = { 'k8s.aliyun.com/pod-with-eip': 'true' };

const figures = async (world: Operating): Promise<ReadonlyMap<string, number>> => {
  const { body } = await world.metrics.render();
  return new Map(
    body
      .split('\n')
      .filter((line) => line && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
};

const isServed = (world: Operating, count: number) => async () => {
  const podEips = await world.podEips();
  return podEips.filter(({ status }) => status?.conditions?.some((it) => it.reason === 'InUse')).length === count;
};

test('from the address of a pod to its EIP in use, and from its end to the release, in stages that add up', async (t) => {
  const world = await Operating.create({ quota: 100 });
  const start = world.clock.mono();
  for (const name of ['a', 'b', 'c']) await world.runPod(name, WITH_EIP);
  await world.until(isServed(world, 3), 60_000);
  const tookAtMost = (world.clock.mono() - start) / 1_000;
  let seen = await figures(world);
  const whole = seen.get('knative_eip_address_ready_seconds_sum{kind="new"}') ?? 0;
  const parts = ['queue', 'allocate', 'associate', 'publish'].map(
    (stage) => seen.get(`knative_eip_address_stage_seconds_sum{stage="${stage}"}`) ?? NaN,
  );
  t.is(seen.get('knative_eip_address_ready_seconds_count{kind="new"}'), 3);
  t.true(whole > 0 && whole <= 3 * tookAtMost, `${whole} s of at most ${3 * tookAtMost}`);
  t.true(Math.abs(parts.reduce((sum, part) => sum + part, 0) - whole) < 1e-6);
  t.true((parts[2] ?? 0) > 0, 'the cloud takes its time to associate');
  t.is(seen.get('knative_eip_steps_total{step="Allocate"}'), 3);

  const end = world.clock.mono();
  for (const name of ['a', 'b', 'c']) await world.endPod(name);
  await world.until(async () => (await world.podEips()).length === 0, 120_000);
  seen = await figures(world);
  const back = seen.get('knative_eip_release_seconds_sum{kind="new"}') ?? 0;
  t.is(seen.get('knative_eip_release_seconds_count{kind="new"}'), 3);
  t.true(back > 0 && back <= (3 * (world.clock.mono() - end)) / 1_000);
  await world.stop();
});

test('an existing EIP is timed until it is detached, and one that is kept on purpose is not', async (t) => {
  const holdOff = { knative: { holdOffSeconds: 300 } };
  const world = await Operating.create({ config: holdOff });
  world.cloud.world.addEip({ allocationId: 'eip-mine' });
  const labels = { [SERVICE_LABEL]: 'hello', [SERVICE_UID]: 'uid-1' };
  await world.runPod('mine', { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-mine' });
  await world.runPod('kept', WITH_EIP, { labels });
  await world.until(isServed(world, 2), 60_000);
  await world.endPod('mine');
  await world.endPod('kept');
  await world.until(async () => (await world.podEips()).length === 0, 900_000);
  const seen = await figures(world);
  t.is(seen.get('knative_eip_address_ready_seconds_count{kind="existing"}'), 1);
  t.is(seen.get('knative_eip_release_seconds_count{kind="existing"}'), 1);
  t.is(seen.get('knative_eip_release_seconds_count{kind="new"}'), undefined);
  await world.stop();
});

test('an address that a running pod loses is counted; one that is given back is not', async (t) => {
  const world = await Operating.create();
  await world.runPod('a', WITH_EIP);
  await world.until(isServed(world, 1), 60_000);
  const [eip] = world.cloud.eips();
  world.cloud.world.human.release(eip?.allocationId ?? '');
  const isCounted = async () => (await figures(world)).get('knative_eip_addresses_lost_total{kind="gone"}') === 1;
  t.not(await world.until(isCounted, 2_000_000), Infinity);
  await world.until(isServed(world, 1), 300_000);
  await world.endPod('a');
  await world.until(async () => (await world.podEips()).length === 0, 120_000);
  const seen = await figures(world);
  t.is(seen.get('knative_eip_addresses_lost_total{kind="gone"}'), 1);
  t.is(seen.get('knative_eip_addresses_lost_total{kind="moved"}'), 0);
  await world.stop();
});

test('requests that contradict themselves are counted by finding, and the account is counted against its quota', async (t) => {
  const world = await Operating.create({ config: { cloud: { eipQuota: 30 } } });
  world.cloud.world.addEip({ allocationId: 'eip-of-others' });
  await world.runPod('a', { ...WITH_EIP, 'k8s.aliyun.com/pod-eip-instanceid': 'eip-of-others' });
  await world.runPod('b', { ...WITH_EIP, 'k8s.aliyun.com/eip-bandwidth': '5M' });
  await world.pass(70_000);
  const seen = await figures(world);
  t.is(seen.get('knative_eip_findings_total{finding="ExistingAndNew",severity="refuse"}'), 1);
  t.is(seen.get('knative_eip_findings_total{finding="LegacyBandwidth",severity="warn"}'), 1);
  t.is(seen.get('knative_eip_quota_used_eips'), 2);
  t.is(seen.get('knative_eip_quota_left_eips'), 28);
  await world.stop();
});
