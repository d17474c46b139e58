import test from 'ava';
import { ALLOCATED_ADDRESS, ALLOCATED_INSTANCE_ID, ECI_INSTANCE_ID, TAG_POD } from '../../src/api/annotations.ts';
import { TAG_NODE, TAG_POD_UID } from '../../src/virtualnode/translate/group.ts';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { WORKLOAD_POD } from '../../src/virtualnode/workload-pod.ts';
import { GARBAGE_MS, NODE_NAME, Stage } from './stage.ts';

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

test('a pod is not gone while a creation that got no answer may still have an effect', async (t) => {
  const stage = await Stage.create();
  stage.cloud.inject({
    action: 'CreateContainerGroup',
    times: Infinity,
    fault: { effect: { afterMs: 8_000 }, answer: 'drop' },
  });
  await stage.runPod('web', EIP);
  await stage.until(() => stage.created.length > 0);
  await stage.deletePod('web');
  t.true((await stage.until(async () => (await stage.pod('web')) === undefined)) > 8_000);
  t.deepEqual([stage.cloud.containerGroups(), stage.cloud.eips()], [[], []]);
  await stage.pass(20_000);
  t.deepEqual([stage.cloud.containerGroups(), stage.cloud.eips()], [[], []]);
  await stage.stop();
});

test('of two instances of one pod the one that it was told to have stays', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web', EIP);
  await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True');
  const first = stage.group?.containerGroupId;
  const [spec] = stage.created;
  if (spec) await stage.containerGroups.createContainerGroup({ ...spec, clientToken: 'another' });
  t.is(stage.cloud.containerGroups().length, 2);
  t.true((await stage.until(() => stage.cloud.containerGroups().length === 1)) < 30_000);
  t.is(stage.group?.containerGroupId, first);
  t.is(await stage.condition('web', 'Ready'), 'True');
  t.is(stage.cloud.eips().length, 1);
  await stage.stop();
});

test('a pod that ECI cannot express stays Pending, says which field, and buys nothing', async (t) => {
  const stage = await Stage.create();
  const startupProbe = { grpc: { port: 9000 } };
  await stage.runPod('web', EIP, { hostNetwork: true, containers: [{ name: 'main', image: 'nginx', startupProbe }] });
  await stage.runPod(
    'agent',
    {},
    {},
    {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', uid: 'd', controller: true }],
    },
  );
  await stage.pass(20_000);
  for (const name of ['web', 'agent']) {
    t.like((await stage.pod(name))?.status, { phase: 'Pending', reason: 'UnsupportedByECI' });
    t.is(await stage.condition(name, 'Ready'), 'False');
    const told = stage.events.filter(({ about }) => about.name === name);
    t.is(told.length, 1, name);
    t.like(told[0], { type: 'Warning', reason: 'UnsupportedByECI' });
  }
  t.regex(stage.events.find(({ about }) => about.name === 'web')?.note ?? '', /spec\.hostNetwork/);
  t.deepEqual([stage.created, stage.cloud.eips()], [[], []]);
  await stage.deletePod('web');
  t.true((await stage.until(async () => (await stage.pod('web')) === undefined)) < 5_000);
  await stage.stop();
});

test('a pod waits for what it refers to, and runs as soon as it is there', async (t) => {
  const stage = await Stage.create();
  const env = [{ name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'texts', key: 'greeting' } } }];
  await stage.runPod('web', {}, { containers: [{ name: 'main', image: 'nginx', env }] });
  await stage.pass(15_000);
  t.like((await stage.pod('web'))?.status, { phase: 'Pending', reason: 'ReferencesMissing' });
  t.deepEqual(stage.created, []);
  await stage.kube.create(CONFIG_MAP, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'texts', namespace: 'default' },
    data: { greeting: 'hello' },
  });
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 30_000);
  t.deepEqual(stage.created[0]?.containers[0]?.environmentVar, [{ key: 'GREETING', value: 'hello' }]);
  t.is((await stage.pod('web'))?.status?.reason, undefined);
  t.is(stage.events.filter(({ reason }) => reason === 'ReferencesMissing').length, 1);
  await stage.stop();
});

test('without stock the pod waits and tries again', async (t) => {
  const stage = await Stage.create();
  stage.cloud.inject({
    action: 'CreateContainerGroup',
    times: 2,
    fault: { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
  });
  await stage.runPod('web', EIP);
  await stage.pass(4_000);
  const { status } = (await stage.pod('web')) ?? {};
  t.like(status, { phase: 'Pending', reason: 'QuotaExceeded' });
  t.regex(
    status?.message ?? '',
    /^CreateContainerGroup: OperationDenied\.NoStock \(HTTP 403, request .*: Asked for was an instance of [\d.]+ vCPU and [\d.]+ GiB, in vsw-\w+: The zone has no such instance left/u,
  );
  t.like(stage.events, [{ type: 'Warning', reason: 'QuotaExceeded' }]);
  t.is(stage.cloud.containerGroups().length, 0);
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 60_000);
  t.is(stage.created.length, 3);
  t.is((await stage.pod('web'))?.status?.reason, undefined);
  await stage.stop();
});

test('a pod whose author wants that fails at once where the cloud refuses its instance, and nothing is asked for again', async (t) => {
  for (const annotation of ['eci-fail-strategy: fail-fast', 'pod-fail-on-create-err: true']) {
    const stage = await Stage.create();
    stage.cloud.inject({
      action: 'CreateContainerGroup',
      fault: { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
    });
    const [key = '', value = ''] = annotation.split(': ');
    await stage.runPod('web', { ...EIP, [`k8s.aliyun.com/${key}`]: value }, { restartPolicy: 'Never' });
    await stage.pass(60_000);
    const { status } = (await stage.pod('web')) ?? {};
    t.like(status, { phase: 'Failed', reason: 'ProviderFailed' });
    t.regex(status?.message ?? '', /OperationDenied\.NoStock/);
    t.like(stage.events, [{ type: 'Warning', reason: 'QuotaExceeded' }]);
    t.deepEqual([stage.created.length, stage.cloud.containerGroups().length], [1, 0]);
    await stage.stop();
  }
});

test('a pod that is to fail at once waits where a request may still make its instance', async (t) => {
  const stage = await Stage.create();
  stage.cloud.inject({ action: 'CreateContainerGroup', fault: { effect: { afterMs: 4_000 }, answer: 'drop' } });
  await stage.runPod('web', { 'k8s.aliyun.com/eci-fail-strategy': 'fail-fast' });
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 60_000);
  t.is(stage.cloud.containerGroups().length, 1);
  await stage.stop();
});

test('a pod for which the cloud had no stock can be deleted without a wait', async (t) => {
  const stage = await Stage.create();
  stage.cloud.inject({
    action: 'CreateContainerGroup',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
  });
  await stage.runPod('web', EIP);
  await stage.until(async () => (await stage.pod('web'))?.status?.reason === 'QuotaExceeded');
  await stage.deletePod('web');
  t.true((await stage.until(async () => (await stage.pod('web')) === undefined)) < 3_000);
  await stage.stop();
});

test('Ready waits for the readiness gates of the pod, and others’ conditions stay as they are', async (t) => {
  const stage = await Stage.create();
  const conditionType = 'example.com/checked';
  await stage.runPod('web', {}, { readinessGates: [{ conditionType }] });
  const set = (status: string) =>
    stage.kube.patch(
      WORKLOAD_POD,
      { namespace: 'default', name: 'web' },
      {
        type: 'strategic',
        subresource: 'status',
        body: { status: { conditions: [{ type: conditionType, status, reason: 'Theirs' }] } },
      },
    );
  t.true((await stage.until(async () => (await stage.condition('web', 'ContainersReady')) === 'True')) < 15_000);
  t.is(await stage.condition('web', 'Ready'), 'False');
  await set('True');
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 3_000);
  t.like(
    (await stage.pod('web'))?.status?.conditions?.find(({ type }) => type === conditionType),
    { status: 'True', reason: 'Theirs' },
  );
  await set('False');
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'False')) < 3_000);
  await stage.stop();
});

test('a pod whose instance is reclaimed fails, and gets no second one', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web', EIP);
  await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True');
  stage.cloud.world.removeContainerGroup(stage.group?.containerGroupId ?? '');
  t.true((await stage.until(async () => (await stage.pod('web'))?.status?.phase === 'Failed')) < 30_000);
  const { status } = (await stage.pod('web')) ?? {};
  t.is(status?.reason, 'ContainerGroupGone');
  t.like(status?.containerStatuses?.[0], { ready: false, state: { terminated: { exitCode: 137 } } });
  t.is(await stage.condition('web', 'Ready'), 'False');
  await stage.pass(90_000);
  t.is(stage.created.length, 1);
  t.deepEqual([stage.cloud.containerGroups(), stage.cloud.eips()], [[], []]);
  await stage.stop();
});

test('an ended instance whose address the cloud does not give back is deleted for it', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web', EIP, { restartPolicy: 'Never' });
  await stage.until(async () => (await stage.pod('web'))?.metadata.annotations?.[ALLOCATED_INSTANCE_ID] !== undefined);
  const [eip] = stage.cloud.eips();
  stage.cloud.world.endContainerGroup(stage.group?.containerGroupId ?? '', 'Succeeded');
  // As a cloud that releases the EIP with the deletion of the group only.
  stage.cloud.world.addEip({ allocationId: eip?.allocationId ?? '', ipAddress: eip?.ipAddress ?? '' });
  t.true((await stage.until(() => stage.cloud.containerGroups().length === 0, 120_000)) <= 60_000);
  await stage.stop();
});

test('that an instance vanished is noticed by a process that never saw it', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web');
  await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True');
  stage.kill();
  stage.cloud.world.removeContainerGroup(stage.group?.containerGroupId ?? '');
  await stage.start();
  t.true((await stage.until(async () => (await stage.pod('web'))?.status?.phase === 'Failed', 120_000)) < 90_000);
  t.is(stage.created.length, 1);
  await stage.stop();
});

test('a pod that ends keeps its exit code and its log until its object goes, and no address', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('good', {}, { restartPolicy: 'Never' });
  await stage.until(async () => (await stage.condition('good', 'Ready')) === 'True');
  stage.cloud.world.endContainerGroup(stage.group?.containerGroupId ?? '', 'Succeeded');
  t.true((await stage.until(async () => (await stage.pod('good'))?.status?.phase === 'Succeeded')) < 15_000);
  const good = (await stage.pod('good'))?.status;
  t.like(good, { phase: 'Succeeded' });
  t.like(good?.containerStatuses?.[0], { state: { terminated: { exitCode: 0, reason: 'Completed' } } });

  await stage.runPod('bad', EIP, { restartPolicy: 'Never' });
  await stage.until(async () => (await stage.condition('bad', 'Ready')) === 'True');
  const of = (pod: string) => stage.cloud.containerGroups().find(({ tags }) => tags.get(TAG_POD) === `default/${pod}`);
  const { containerGroupId = '' } = of('bad') ?? {};
  stage.cloud.world.writeContainerLog(containerGroupId, 'main', 'why it failed');
  stage.cloud.world.endContainerGroup(containerGroupId, 'Failed', 3);
  t.true((await stage.until(async () => (await stage.pod('bad'))?.status?.phase === 'Failed')) < 15_000);
  const bad = (await stage.pod('bad'))?.status;
  t.like(bad, { phase: 'Failed', reason: 'ContainersFailed' });
  t.like(bad?.containerStatuses?.[0], { state: { terminated: { exitCode: 3 } } });
  // Past many looks, and two searches for groups without a pod.
  await stage.pass(30_000 + 2 * GARBAGE_MS);
  t.is((await stage.pod('good'))?.status?.phase, 'Succeeded');
  t.is(stage.created.length, 2);
  t.deepEqual(stage.cloud.eips(), []);
  t.is(stage.cloud.containerGroups().length, 2);
  const log = await stage.containerGroups.describeContainerLog({ containerGroupId, containerName: 'main' });
  t.regex(log, /why it failed/);
  const calls = () => Object.values(stage.cloud.calls()['DescribeContainerGroups'] ?? {}).reduce((a, b) => a + b, 0);
  const before = calls();
  await stage.pass(60_000);
  t.true(calls() - before <= 1, 'an ended group costs no looks');
  await stage.deletePod('bad');
  t.true((await stage.until(() => of('bad') === undefined)) < 15_000);
  t.not(of('good'), undefined);
  await stage.stop();
});

test('an instance that finds no place fails the pod with the reason of the cloud', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web', EIP);
  await stage.until(() => stage.group !== undefined);
  stage.cloud.world.endContainerGroup(stage.group?.containerGroupId ?? '', 'ScheduleFailed');
  t.true((await stage.until(async () => (await stage.pod('web'))?.status?.phase === 'Failed')) < 15_000);
  const { status } = (await stage.pod('web')) ?? {};
  t.is(status?.reason, 'ScheduleFailed');
  t.regex(status?.message ?? '', /The instance has ended/);
  t.true((await stage.until(() => stage.cloud.containerGroups().length === 0)) < 15_000);
  t.deepEqual(stage.cloud.eips(), []);
  await stage.stop();
});

test('the instance of a pod that was deleted without grace is ended at once', async (t) => {
  const stage = await Stage.create();
  const { metadata } = await stage.runPod('web', EIP);
  await stage.until(() => stage.group !== undefined);
  await stage.forcePod('web');
  const successor = await stage.runPod('web');
  t.not(successor.metadata.uid, metadata.uid);
  t.true((await stage.until(() => stage.cloud.eips().length === 0)) < 15_000);
  t.true((await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True')) < 20_000);
  t.is(stage.group?.tags.get(TAG_POD_UID), successor.metadata.uid);
  await stage.stop();
});

test('an instance whose pod vanished while nobody looked is deleted at its second observation', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web', EIP);
  await stage.runPod('other');
  await stage.until(async () => (await stage.condition('web', 'Ready')) === 'True');
  stage.kill();
  await stage.forcePod('web');
  await stage.start();
  await stage.pass(60_000);
  t.is(stage.cloud.containerGroups().length, 2, 'the first observation deletes nothing');
  t.true((await stage.until(() => stage.cloud.containerGroups().length === 1, 2 * GARBAGE_MS)) <= GARBAGE_MS);
  t.is(stage.group?.tags.get(TAG_POD), 'default/other');
  t.deepEqual(stage.cloud.eips(), []);
  await stage.stop();
});

test('the instances of a node that has another name now are deleted once their pods are gone', async (t) => {
  const stage = await Stage.create();
  for (const name of ['gone', 'stays']) await stage.runPod(name);
  await stage.until(() => stage.cloud.containerGroups().filter(({ status }) => status === 'Running').length === 2);
  stage.kill();
  await stage.start({ nodeName: 'virtual-2' });
  await stage.forcePod('gone');
  await stage.pass(30_000 + 2 * GARBAGE_MS);
  t.is(stage.cloud.containerGroups().length, 1);
  const uid = (await stage.pod('stays'))?.metadata.uid;
  t.is(stage.group?.tags.get('knative-eip/pod-uid'), uid);
  await stage.stop();
});
