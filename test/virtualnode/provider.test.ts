import test from 'ava';
import { ALLOCATED_ADDRESS, ALLOCATED_INSTANCE_ID, ECI_INSTANCE_ID, TAG_POD } from '../../src/api/annotations.ts';
import { TAG_NODE, TAG_POD_UID } from '../../src/virtualnode/translate/group.ts';
import { NODE_NAME, Stage } from './stage.ts';

const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true', 'k8s.aliyun.com/eip-bandwidth': '7' };

test('a pod becomes an instance with an address, runs, and leaves nothing when it is deleted', async (t) => {
  const stage = await Stage.create();
  const { metadata } = await stage.runPod('web', EIP);
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 15_000);
  const [spec] = stage.created;
  t.deepEqual(spec?.eip, { autoCreateEip: true, eipBandwidth: 7, eipISP: 'BGP' });
  const tags = new Map(spec?.tags.map(({ key, value }) => [key, value]));
  t.is(tags.get(TAG_POD_UID), metadata.uid);
  t.is(tags.get(TAG_NODE), NODE_NAME);
  t.is(tags.get(TAG_POD), 'default/web');

  const { group } = stage;
  const pod = await stage.pod('web');
  const [eip] = stage.cloud.eips();
  t.is(eip?.bandwidthMbps, 7);
  t.like(pod?.status, { phase: 'Running', podIP: group?.intranetIp, hostIP: group?.intranetIp });
  t.like(pod?.status?.containerStatuses?.[0], { name: 'main', ready: true, started: true, restartCount: 0 });
  await stage.until(async () => (await stage.pod('web'))?.metadata.annotations?.[ALLOCATED_ADDRESS]);
  t.like((await stage.pod('web'))?.metadata.annotations, {
    [ECI_INSTANCE_ID]: group?.containerGroupId,
    [ALLOCATED_ADDRESS]: eip?.ipAddress,
    [ALLOCATED_INSTANCE_ID]: eip?.allocationId,
  });

  await stage.pass(40_000);
  const before = stage.cloud.calls()['DescribeContainerGroups']?.['OK'] ?? 0;
  const { resourceVersion } = (await stage.pod('web'))?.metadata ?? {};
  await stage.pass(30_000);
  t.is(stage.cloud.calls()['DescribeContainerGroups']?.['OK'], before, 'at rest only the cheap call is made');
  t.is((await stage.pod('web'))?.metadata.resourceVersion, resourceVersion, 'and nothing is written');

  await stage.deletePod('web');
  t.not(await stage.pod('web'), undefined, 'the object stays until the instance is gone');
  t.true((await stage.until(async () => (await stage.pod('web')) === undefined)) < 20_000);
  t.deepEqual([stage.cloud.containerGroups(), stage.cloud.eips()], [[], []]);
  t.is(stage.created.length, 1);
  t.deepEqual(
    stage.events.map(({ reason }) => reason),
    ['ContainerGroupCreated', 'ContainerGroupDeleted'],
  );
  await stage.stop();
});

test('a process that dies between the creation and the status leaves one instance, which the next one finds', async (t) => {
  const stage = await Stage.create();
  stage.onCreated = () => stage.kill();
  await stage.runPod('web', EIP);
  await stage.until(() => stage.created.length > 0);
  t.is(stage.cloud.containerGroups().length, 1);
  t.is((await stage.pod('web'))?.metadata.annotations?.[ECI_INSTANCE_ID], undefined);
  stage.onCreated = () => undefined;
  await stage.pass(2_000);
  await stage.start();
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 20_000);
  t.is(stage.created.length, 1);
  t.is(stage.cloud.containerGroups().length, 1);
  t.is(stage.cloud.eips().length, 1);

  stage.kill();
  await stage.deletePod('web');
  await stage.pass(1_000);
  await stage.start();
  t.true((await stage.until(async () => (await stage.pod('web')) === undefined)) < 30_000);
  t.deepEqual([stage.cloud.containerGroups(), stage.cloud.eips()], [[], []]);
  await stage.stop();
});

test('a creation that got no answer is repeated with the same token and starts no second instance', async (t) => {
  const stage = await Stage.create();
  stage.cloud.inject({ action: 'CreateContainerGroup', fault: { answer: 'drop' } });
  await stage.runPod('web');
  await stage.until(() => stage.created.length > 0);
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 30_000);
  t.is(stage.cloud.containerGroups().length, 1);
  t.is(new Set(stage.created.map(({ clientToken }) => clientToken)).size, 1);
  await stage.stop();
});
