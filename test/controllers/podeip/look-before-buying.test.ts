import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../../src/api/annotations.ts';
import { NODE, POD } from '../../../src/api/core.ts';
import type { Eip } from '../../../src/cloud/port.ts';
import { packageObstacle } from '../../../src/controllers/podeip/bandwidth-package.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import { situationOf, withPodEip } from '../../../src/controllers/podeip/situation.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import * as the from './situation.ts';
import { ManualClock } from '../../harness/clock.ts';
import { Operating } from '../../harness/operating.ts';
import { seeded } from '../../harness/random.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const PACKAGED = { ...NEW, [KEYS.bandwidthPackageId[0]]: 'cbwp-none' };
const oks = ({ cloud }: Operating, action: string): number => cloud.calls()[action]?.['OK'] ?? 0;
const isServed = (world: Operating, name: string) => async () =>
  (await world.pods()).find(({ metadata }) => metadata.name === name)?.metadata.annotations?.[ALLOCATED_ADDRESS] !==
  undefined;
const readyOf = async (world: Operating) =>
  (await world.podEips())[0]?.status?.conditions?.find(({ type }) => type === 'Ready');
const warnings = ({ events }: Operating, reason: string): readonly string[] =>
  events.filter((event) => event.reason === reason && event.about.kind === 'Pod').map(({ note }) => note);

/** The node is the instance that has the interfaces, and its pods have addresses of this range. */
const nameNode = (world: Operating, spec: object) =>
  world.kube.patch(NODE, { name: 'node-1' }, { type: 'merge', body: { spec } });

test('where no interface holds the address nothing is bought, and within a minute a Warning says why', async (t) => {
  for (const [reading, spec, why] of [
    ['noInterface', { podCIDR: '10.0.1.0/24' }, 'overlay network'],
    ['noInterface', {}, 'vpcID'],
    ['prefixMode', {}, 'prefix mode'],
  ] as const) {
    const world = await Operating.create({ readings: [reading] });
    await nameNode(world, { providerID: 'cn-hangzhou.i-1', ...spec });
    await world.runPod('a', NEW);
    await world.pass(30_000);
    t.is((await readyOf(world))?.reason, 'NoInterfaceYet');
    t.deepEqual(warnings(world, 'NoInterface'), []);
    await world.pass(28_000);
    const [said = '', ...again] = warnings(world, 'NoInterface');
    t.true(said.includes(why), said);
    await world.pass(600_000);
    t.deepEqual(again, []);
    t.is(oks(world, 'AllocateEipAddress'), 0);
    t.deepEqual(world.cloud.eips(), []);
    await world.stop();
  }
});

test('nothing is bound to an address that another machine than the node of the pod has', async (t) => {
  const world = await Operating.create();
  await nameNode(world, { providerID: 'cn-hangzhou.i-1' });
  const theirs = { networkInterfaceId: 'eni-theirs', vpcId: 'vpc-1', instanceId: 'i-2', primaryIp: '10.0.9.9' };
  world.cloud.world.addNetworkInterface(theirs);
  await world.runPod('a', NEW, { podIP: theirs.primaryIp });
  await world.pass(600_000);
  t.deepEqual(world.cloud.eips(), [], 'nor bought');
  const [said = '', ...again] = warnings(world, 'NoInterface');
  t.regex(
    said,
    /10\.0\.9\.9 is held by eni-theirs of i-2, and the node of the pod is i-1: it is not the pod’s address/,
  );
  t.deepEqual(again, []);
  await world.runPod('b', NEW);
  t.true((await world.until(isServed(world, 'b'), 60_000)) < Infinity);
  await world.stop();
});

test('an interface that the look-up finds by its primary address only is found', async (t) => {
  const world = await Operating.create({ readings: ['primaryFilterOnly'] });
  world.cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-p',
    vpcId: 'vpc-1',
    instanceId: 'i-1',
    primaryIp: '10.0.9.9',
  });
  await world.runPod('a', NEW, { podIP: '10.0.9.9' });
  t.true((await world.until(isServed(world, 'a'), 60_000)) < 30_000);
  await world.stop();
});

test('IPv4 is taken from the pod’s addresses wherever it stands, and without one nothing is bought', async (t) => {
  const world = await Operating.create();
  await world.runPod('a', NEW);
  await world.runPod('b', NEW, { podIP: 'fd00::3' });
  const [pod] = (await world.pods()).filter(({ metadata }) => metadata.name === 'a');
  const podIP = pod?.status?.podIP ?? '';
  const status = { podIP: 'fd00::2', podIPs: [{ ip: 'fd00::2' }, { ip: podIP }] };
  await world.kube.patch(
    POD,
    { namespace: 'default', name: 'a' },
    { type: 'merge', subresource: 'status', body: { status } },
  );
  t.true((await world.until(isServed(world, 'a'), 60_000)) < 60_000);
  t.is(world.cloud.eips()[0]?.binding?.privateIpAddress, podIP);
  await world.pass(60_000);
  t.is(world.cloud.eips().length, 1);
  t.is(warnings(world, 'NoIPv4').length, 1);
  await world.stop();
});

test('for a bandwidth package that does not exist, is locked or has another line type, nothing is bought, and a Warning says so', async (t) => {
  const cases = [
    [{}, 'CloudRefused', 'does not exist in'],
    [{ financialLocked: true }, 'QuotaExceeded', 'business status is FinancialLocked'],
    [{ isp: 'BGP_PRO' }, 'CloudRefused', 'line type BGP_PRO'],
  ] as const;
  for (const [index, [options, reason, why]] of cases.entries()) {
    const world = await Operating.create();
    if (index > 0) world.cloud.world.addBandwidthPackage('cbwp-none', options);
    await world.runPod('a', PACKAGED);
    await world.runPod('b', PACKAGED);
    t.true((await world.until(async () => warnings(world, reason).length === 2, 60_000)) < 30_000);
    t.true(warnings(world, reason)[0]?.includes(why), warnings(world, reason)[0]);
    await world.pass(600_000);
    t.is(warnings(world, reason).length, 2, 'it is said once of each pod');
    t.deepEqual(world.cloud.eips(), []);
    t.is(oks(world, 'AllocateEipAddress'), 0);
    t.true(oks(world, 'DescribeCommonBandwidthPackages') <= 12, 'two pods share one look-up a minute');
    t.is((await readyOf(world))?.reason, reason);
    await world.stop();
  }
});

test('a bandwidth package that is made, or left out, while its pod waits gets the pod its address', async (t) => {
  const world = await Operating.create();
  await world.runPod('a', PACKAGED);
  await world.runPod('b', PACKAGED);
  await world.until(async () => warnings(world, 'CloudRefused').length === 2, 60_000);
  const leaveOut = { metadata: { annotations: { [KEYS.bandwidthPackageId[0]]: null } } };
  await world.kube.patch(POD, { namespace: 'default', name: 'b' }, { type: 'merge', body: leaveOut });
  t.true((await world.until(isServed(world, 'b'), 180_000)) < 180_000);
  t.is(world.cloud.eips()[0]?.bandwidthPackage, undefined);
  world.cloud.world.addBandwidthPackage('cbwp-none');
  t.true((await world.until(isServed(world, 'a'), 180_000)) < 180_000);
  t.is(world.cloud.eips()[1]?.bandwidthPackage?.id, 'cbwp-none');
  await world.stop();
});

test('an EIP that its bandwidth package does not take is given back, and said why; it is not bought again at once', async (t) => {
  const world = await Operating.create();
  // A RAM policy from before packages were looked up.
  const fault = { effect: 'never', answer: { code: 'Forbidden.RAM', status: 403 } } as const;
  world.cloud.inject({ action: 'DescribeCommonBandwidthPackages', times: Infinity, fault });
  await world.runPod('a', PACKAGED);
  await world.until(() => world.cloud.eips().length === 1, 60_000);
  t.true((await world.until(() => world.cloud.eips().length === 0, 1_200_000)) < 900_000);
  await world.pass(120_000);
  t.deepEqual(world.cloud.eips(), []);
  const { message = '', status } = (await readyOf(world)) ?? {};
  t.is(status, 'False');
  for (const part of ['cbwp-none', 'given back', 'correct the package']) t.true(message.includes(part), message);
  await world.stop();
});

test('a look-up of the bandwidth package that keeps failing is told, and holds the purchase back for a minute and no longer', async (t) => {
  const world = await Operating.create();
  world.cloud.world.addBandwidthPackage('cbwp-none');
  const fault = { effect: 'never', answer: { code: 'Throttling.User', status: 400 } } as const;
  world.cloud.inject({ action: 'DescribeCommonBandwidthPackages', times: Infinity, fault });
  await world.runPod('a', PACKAGED);
  await world.pass(50_000);
  t.deepEqual(world.cloud.eips(), [], 'it may pass by itself');
  t.regex(
    (await readyOf(world))?.message ?? '',
    /^DescribeCommonBandwidthPackages: Throttling\.User /,
    'people are told what is waited for',
  );
  t.true((await world.until(isServed(world, 'a'), 120_000)) < Infinity);
  t.is(world.cloud.eips()[0]?.bandwidthPackage?.id, 'cbwp-none');
  await world.stop();
});

test('after a minute of failed look-ups of the bandwidth package the EIP is bought without one', (t) => {
  const request = { ...the.fresh, bandwidthPackageId: 'cbwp-1' };
  const podEip = the.podEip({ request });
  const obstacle = (packageUnseenMs: number) => {
    const seen = the.seen({ podEip, memory: { ...the.quiet, packageUnseenMs } });
    return packageObstacle(withPodEip(situationOf(seen, the.settings), podEip), request);
  };
  t.like(obstacle(59_999), { do: 'ReadBandwidthPackage', bandwidthPackageId: 'cbwp-1' });
  t.is(obstacle(60_000), undefined);
});

test('the look-up of a bandwidth package is tried again a minute after it failed, and counts anew after a break', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const after = async (ms: number, isAnswered: boolean) => {
    await clock.advance(ms);
    tracker.lookedUpPackage('u', isAnswered);
    return tracker.recall('u').packageUnseenMs;
  };
  t.is(await after(0, false), 0);
  t.is(await after(30_000, false), 30_000);
  t.is(await after(30_000, true), 0, 'answered');
  t.is(await after(0, false), 0);
  t.is(await after(60_000, false), 60_000);
  await clock.advance(60_000);
  t.is(tracker.recall('u').packageUnseenMs, 0, 'it is looked up again');
  t.is(await after(0, false), 120_000, 'which is part of the same trouble');
  t.is(await after(120_000, false), 0, 'and this is another one');
});

test('an EIP that cannot be bound for ten minutes is given back, and said why', async (t) => {
  const fault = { effect: 'never', answer: { code: 'OperationDenied.Unauthorized' } } as const;
  const world = await Operating.create();
  world.cloud.inject({ action: 'AssociateEipAddress', times: Infinity, fault });
  await world.runPod('a', NEW);
  await world.pass(900_000);
  t.deepEqual(world.cloud.eips(), []);
  t.is(oks(world, 'AllocateEipAddress'), 1);
  const { message = '' } = (await readyOf(world)) ?? {};
  t.true(message.includes('OperationDenied.Unauthorized'), message);
  await world.stop();
});

test('only an EIP that goes with its pod is given back, and only where that helps', (t) => {
  const refusal = { action: 'Associate', reason: 'CloudRefused', message: 'no', topic: 'no', dueInMs: 60_000 } as const;
  const next = (parts: Parameters<typeof the.podEip>[0], eip: Partial<Eip> = {}, pod = the.pod(), unusedMs = 600_000) =>
    decide(
      the.seen({
        pod,
        podEip: the.podEip({ allocationID: 'eip-1', bindings: [the.binding], ...parts }),
        eip: the.eip(eip),
        interfaces: [the.eni()],
        memory: { ...the.quiet, refusal, unusedMs },
      }),
      the.settings,
    );
  t.like(next({}), { do: 'Retire', unusable: { reason: 'CloudRefused' } });
  t.like(next({}, {}, the.pod(), 599_000), { do: 'Fail', ms: 1_000 });
  t.like(next({ release: { strategy: 'Never' } }), { do: 'Fail' });
  t.like(next({ release: { strategy: 'TTL', releaseAfter: '10m' } }), { do: 'Fail' });
  t.like(next({}, { lockReasons: ['financial'] }), { do: 'Fail', reason: 'EipLocked' });
  t.like(next({}, {}, the.pod({ podIP: '' })), { do: 'Wait', reason: 'NoPodIP' });
});
