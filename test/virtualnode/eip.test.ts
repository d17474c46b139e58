import test from 'ava';
import {
  ALLOCATED_ADDRESS,
  CONTROLLER,
  CONTROLLER_NAME,
  EXTERNAL_CONTROLLER,
  POD_UID,
  READINESS_GATE,
  EIP_PENDING,
} from '../../src/api/annotations.ts';
import { CONFIG_MAP, POD, type Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { Stage } from './stage.ts';

const GATED = { readinessGates: [{ conditionType: READINESS_GATE }] };
const isReady = (stage: Stage, name: string) => async () => (await stage.condition(name, 'Ready')) === 'True';

test('the address that comes with the instance opens the gate of the pod and is on record', async (t) => {
  const stage = await Stage.create({ operating: true });
  await stage.runPod('web', { 'network.alibabacloud.com/pod-with-eip': 'true' }, GATED);
  t.true((await stage.until(isReady(stage, 'web'))) < 30_000);
  const [eip] = stage.cloud.eips();
  t.like(await stage.podEip('web'), { spec: { allocationID: eip?.allocationId }, status: { managedBy: 'ECI' } });
  t.like(stage.created[0]?.eip, { autoCreateEip: true, eipBandwidth: 5 });
  await stage.deletePod('web');
  t.true((await stage.until(async () => !(await stage.pod('web')) && !(await stage.podEip('web')), 120_000)) < 60_000);
  t.deepEqual([stage.cloud.containerGroups(), stage.cloud.eips()], [[], []]);
  await stage.stop();
});

test('what CreateContainerGroup cannot say is bought first, and given to the instance', async (t) => {
  const stage = await Stage.create({ operating: true });
  const annotations = { 'k8s.aliyun.com/eci-with-eip': 'true', 'k8s.aliyun.com/eip-name': 'shop' };
  await stage.runPod('web', annotations, GATED);
  t.true((await stage.until(isReady(stage, 'web'))) < 40_000);
  const [eip, ...others] = stage.cloud.eips();
  t.deepEqual(others, []);
  t.is(eip?.name, 'shop');
  t.deepEqual(stage.created[0]?.eip, { eipInstanceId: eip?.allocationId });
  t.is((await stage.pod('web'))?.metadata.annotations?.[ALLOCATED_ADDRESS], eip?.ipAddress);
  t.deepEqual(
    stage.cloud.ledger().map(({ action, caller }) => `${action} ${caller}`),
    ['AllocateEipAddress in-process', 'AssociateEipAddress cloud'],
    'nobody binds it a second time',
  );
  await stage.deletePod('web');
  t.true((await stage.until(() => stage.cloud.eips().length === 0, 120_000)) < 90_000);
  t.deepEqual(stage.cloud.containerGroups(), []);
  await stage.stop();
});

test('what a policy says where the pod is silent is bought first too, and nothing is bought twice', async (t) => {
  const policies = { flat: { defaults: { internetChargeType: 'PayByBandwidth' as const, bandwidth: 7 } } };
  const stage = await Stage.create({ operating: true, policies });
  await stage.runPod('web', { 'k8s.aliyun.com/eci-with-eip': 'true' }, GATED);
  t.true((await stage.until(isReady(stage, 'web'))) < 40_000);
  await stage.pass(60_000);
  t.like(stage.cloud.eips(), [{ status: 'InUse', internetChargeType: 'PayByBandwidth', bandwidthMbps: 7 }]);
  t.is(stage.cloud.eips().length, 1);
  await stage.deletePod('web');
  t.true((await stage.until(() => stage.cloud.eips().length === 0, 120_000)) < 90_000);
  t.deepEqual(stage.cloud.containerGroups(), []);
  await stage.stop();
});

test('a policy that is about what ECI can say too holds for what is made with the instance', async (t) => {
  const policies = { few: { bandwidthPackages: ['cbwp-2'], defaults: { bandwidth: 7 } } };
  const stage = await Stage.create({ operating: true, policies });
  await stage.runPod('web', { 'k8s.aliyun.com/eci-with-eip': 'true' }, GATED);
  t.true((await stage.until(isReady(stage, 'web'))) < 40_000);
  t.deepEqual(stage.created[0]?.eip, { autoCreateEip: true, eipBandwidth: 7, eipISP: 'BGP' });
  const named = 'k8s.aliyun.com/eip-common-bandwidth-package-id';
  await stage.runPod('greedy', { 'k8s.aliyun.com/eci-with-eip': 'true', [named]: 'cbwp-1' });
  await stage.pass(30_000);
  t.deepEqual(
    stage.created.map(({ eip }) => eip).slice(1),
    [{}],
    'a pod whose request is refused runs without an address',
  );
  await stage.stop();
});

test('annotations that change before there is an instance buy nothing twice, and leave nobody waiting', async (t) => {
  const stage = await Stage.create({ operating: true });
  const NAME = 'k8s.aliyun.com/eip-name';
  const annotate = (name: string, annotations: Readonly<Record<string, string | null>>) =>
    stage.kube.patch(POD, { namespace: 'default', name }, { type: 'merge', body: { metadata: { annotations } } });
  // Bought first, and then ECI could have made it as well.
  const unsubscribe = stage.server.onWrite(({ object }) => {
    if ((object as unknown as Pod).status?.reason === EIP_PENDING) stage.kill();
  });
  await stage.runPod('simpler', { 'k8s.aliyun.com/eci-with-eip': 'true', [NAME]: 'shop' }, GATED);
  await stage.until(async () => (await stage.podEip('simpler'))?.spec.allocationID);
  t.deepEqual(stage.created, [], 'the instance is still to be made');
  await annotate('simpler', { [NAME]: null });
  unsubscribe();
  await stage.start();
  t.true((await stage.until(isReady(stage, 'simpler'))) < 40_000);
  t.like(stage.cloud.eips(), [{ name: 'shop', status: 'InUse' }]);
  t.is(stage.cloud.eips().length, 1);
  await stage.deletePod('simpler');
  t.true((await stage.until(() => stage.cloud.eips().length === 0, 120_000)) < 90_000);
  // On record as ECI's, and then it cannot be.
  const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'later', key: 'a' } } }];
  const containers = [{ name: 'main', image: 'nginx', env }];
  await stage.runPod('richer', { 'k8s.aliyun.com/eci-with-eip': 'true' }, { ...GATED, containers });
  await stage.until(
    async () => (await stage.podEip('richer'))?.metadata.annotations?.[CONTROLLER] === EXTERNAL_CONTROLLER,
  );
  await annotate('richer', { [NAME]: 'shop' });
  const metadata = { name: 'later', namespace: 'default' };
  await stage.kube.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1' } });
  t.true((await stage.until(isReady(stage, 'richer'), 90_000)) < 60_000);
  t.like(stage.cloud.eips(), [{ name: 'shop', status: 'InUse' }]);
  t.is(stage.cloud.eips().length, 1);
  await stage.stop();
});

test('the next pod of a StatefulSet is made with the EIP that is kept for its name', async (t) => {
  const stage = await Stage.create({ operating: true });
  const annotations = { 'k8s.aliyun.com/pod-with-eip': 'true', 'k8s.aliyun.com/pod-eip-release-strategy': '10m' };
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'owner', controller: true }];
  await stage.runPod('web-0', annotations, GATED, { ownerReferences });
  t.true((await stage.until(isReady(stage, 'web-0'))) < 40_000);
  const [eip] = stage.cloud.eips();
  await stage.deletePod('web-0');
  t.true((await stage.until(async () => !(await stage.pod('web-0')))) < 60_000);
  await stage.runPod('web-0', annotations, GATED, { ownerReferences });
  t.true((await stage.until(isReady(stage, 'web-0'), 120_000)) < 90_000);
  t.like(stage.cloud.eips(), [{ allocationId: eip?.allocationId, status: 'InUse' }]);
  t.deepEqual(
    stage.created.map((spec) => spec.eip),
    [{ eipInstanceId: eip?.allocationId }, { eipInstanceId: eip?.allocationId }],
  );
  t.is((await stage.pod('web-0'))?.metadata.annotations?.[ALLOCATED_ADDRESS], eip?.ipAddress);
  await stage.stop();
});

test('an EIP of the user’s is bound once the instance runs, and is there afterwards', async (t) => {
  const stage = await Stage.create({ operating: true });
  stage.cloud.world.addEip({ allocationId: 'eip-1', ipAddress: '47.1.1.1' });
  await stage.runPod('web', { 'k8s.aliyun.com/eci-eip-instanceid': 'eip-1' }, GATED);
  t.true((await stage.until(isReady(stage, 'web'))) < 40_000);
  t.deepEqual(stage.created[0]?.eip, {});
  t.is((await stage.pod('web'))?.metadata.annotations?.[ALLOCATED_ADDRESS], '47.1.1.1');
  t.is(stage.cloud.eips()[0]?.binding?.instanceId, stage.group?.eniInstanceId);
  await stage.deletePod('web');
  t.true((await stage.until(async () => !(await stage.podEip('web')), 120_000)) < 90_000);
  t.like(stage.cloud.eips(), [{ allocationId: 'eip-1', status: 'Available' }]);
  t.deepEqual(stage.cloud.containerGroups(), []);
  await stage.stop();
});

test('an EIP that a forged PodEIP names is not given to the instance', async (t) => {
  const stage = await Stage.create();
  stage.cloud.world.addEip({ allocationId: 'eip-other', ipAddress: '47.1.1.2' });
  const annotations = { 'k8s.aliyun.com/eci-with-eip': 'true', 'k8s.aliyun.com/eip-name': 'shop' };
  const { metadata } = await stage.runPod('web', annotations);
  await stage.kube.create(PODEIP, {
    apiVersion: 'alibabacloud.com/v1beta1',
    kind: 'PodEIP',
    metadata: {
      name: 'web',
      namespace: 'default',
      annotations: { [CONTROLLER]: CONTROLLER_NAME, [POD_UID]: metadata.uid },
    },
    spec: { allocationID: 'eip-other', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
  });
  await stage.pass(20_000);
  t.deepEqual(stage.created, []);
  t.like((await stage.pod('web'))?.status, { phase: 'Pending', reason: EIP_PENDING });
  await stage.stop();
});

test('a pod that ECI cannot express never says that it waits for its EIP', async (t) => {
  const stage = await Stage.create();
  const annotations = { 'k8s.aliyun.com/eci-with-eip': 'true', 'k8s.aliyun.com/eip-name': 'shop' };
  await stage.runPod('web', annotations, { hostNetwork: true });
  await stage.pass(10_000);
  t.is((await stage.pod('web'))?.status?.reason, 'UnsupportedByECI');
  await stage.runPod('good', annotations);
  await stage.pass(10_000);
  t.is((await stage.pod('good'))?.status?.reason, EIP_PENDING);
  t.deepEqual(stage.created, []);
  await stage.stop();
});

/** Every EIP that anybody bought so far, with an instance or by itself. */
const bought = (stage: Stage): number =>
  stage.cloud.ledger().filter(({ action }) => action === 'AllocateEipAddress').length;
const readyOf = async (stage: Stage, name: string) =>
  (await stage.podEip(name))?.status?.conditions?.find(({ type }) => type === 'Ready');

test('in a limited namespace EIPs are counted before they are bought, also those of instances', async (t) => {
  const stage = await Stage.create({ operating: true });
  await stage.setPolicy('few', { limits: { eips: 1 } });
  await stage.runPod('a', { 'k8s.aliyun.com/eci-with-eip': 'true' }, GATED);
  t.true((await stage.until(isReady(stage, 'a'))) < 40_000);
  await stage.runPod('b', { 'k8s.aliyun.com/eci-with-eip': 'true' }, GATED);
  await stage.pass(30_000);
  t.is((await readyOf(stage, 'b'))?.reason, 'QuotaOfNamespaceExceeded');
  t.is((await stage.pod('b'))?.status?.reason, EIP_PENDING);
  t.is(stage.cloud.containerGroups().length, 1, 'no instance waits, and costs, without its EIP');
  t.is(bought(stage), 1);
  t.deepEqual(stage.created[0]?.eip, { eipInstanceId: stage.cloud.eips()[0]?.allocationId });
  await stage.deletePod('a');
  t.true((await stage.until(isReady(stage, 'b'), 180_000)) < 120_000);
  t.is(stage.cloud.eips().length, 1);
  await stage.deletePod('b');
  t.true((await stage.until(() => stage.cloud.eips().length === 0, 120_000)) < 90_000);
  await stage.stop();
});

test('lists and defaults of a policy hold for instances too', async (t) => {
  const stage = await Stage.create({ operating: true });
  await stage.setPolicy('lists', { bandwidthPackages: ['cbwp-1'], defaults: { bandwidth: 7 } });
  await stage.runPod('a', { 'k8s.aliyun.com/eci-with-eip': 'true' });
  await stage.runPod('b', {
    'k8s.aliyun.com/eci-with-eip': 'true',
    'k8s.aliyun.com/eip-common-bandwidth-package-id': 'cbwp-2',
  });
  await stage.pass(40_000);
  const made = new Map(stage.created.map(({ containerGroupName, eip }) => [containerGroupName, eip]));
  t.deepEqual(made.get('default-a'), { autoCreateEip: true, eipBandwidth: 7, eipISP: 'BGP' });
  t.deepEqual(made.get('default-b'), {});
  t.is((await readyOf(stage, 'b'))?.reason, 'NotAllowedByPolicy');
  await stage.stop();
});

const LIMIT = { limits: { eips: 5 } };
for (const [title, before, after] of [
  ['comes', undefined, LIMIT],
  ['goes', LIMIT, undefined],
] as const)
  test(`a limit that ${title} at any moment leaves a pod with one EIP, bought once`, async (t) => {
    for (let ms = 0; ms <= 12_000; ms += 250) {
      const stage = await Stage.create({ operating: true });
      await stage.setPolicy('few', before);
      await stage.pass(1_000);
      await stage.runPod('web', { 'k8s.aliyun.com/eci-with-eip': 'true' }, GATED);
      await stage.pass(ms);
      await stage.setPolicy('few', after);
      t.true((await stage.until(isReady(stage, 'web'), 120_000)) < 90_000, `after ${ms} ms`);
      await stage.pass(10_000);
      t.deepEqual([bought(stage), stage.cloud.eips().length], [1, 1], `after ${ms} ms`);
      t.is((await readyOf(stage, 'web'))?.status, 'True');
      await stage.deletePod('web');
      const isOver = () => stage.cloud.eips().length + stage.cloud.containerGroups().length === 0;
      t.true((await stage.until(isOver, 180_000)) < 120_000, `after ${ms} ms`);
      await stage.stop();
    }
  });
