import test from 'ava';
import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM } from '../../src/api/persistent-volumes.ts';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { WORKLOAD_POD } from '../../src/virtualnode/workload-pod.ts';
import { virtualNodeSettings } from '../harness/settings.ts';
import { NODE_NAME, Stage } from './stage.ts';

/** A claim `data`, and what an administrator has bound to it, or to somebody else's claim. */
const claim = async (stage: Stage, volumeName = 'disk-1') => {
  const metadata = { name: 'data', namespace: 'default' };
  const spec = { volumeName, accessModes: ['ReadWriteOnce'] };
  const body = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec };
  const { uid } = (await stage.kube.create(PERSISTENT_VOLUME_CLAIM, body)).metadata;
  return { ...metadata, uid };
};
const bind = async (stage: Stage, claimRef: object) => {
  await stage.kube.create(PERSISTENT_VOLUME, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk-1' },
    spec: {
      claimRef,
      accessModes: ['ReadWriteOnce'],
      csi: { driver: 'diskplugin.csi.alibabacloud.com', volumeHandle: 'd-bp1abc' },
    },
  });
  const body = { status: { phase: 'Bound' } };
  const patch = { type: 'merge', subresource: 'status', body } as const;
  await stage.kube.patch(PERSISTENT_VOLUME_CLAIM, { namespace: 'default', name: 'data' }, patch);
};
const runWithDisk = (stage: Stage, name: string) =>
  stage.runPod(name, {}, { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] });
const isReady = (stage: Stage, name: string) => async () => (await stage.condition(name, 'Ready')) === 'True';
const why = async (stage: Stage, name: string) => (await stage.pod(name))?.status?.message ?? '';

test('a pod waits for its claim, and the next one for the disk until its instance is gone; nobody asks a policy', async (t) => {
  const stage = await Stage.create();
  const claimRef = await claim(stage);
  await runWithDisk(stage, 'first');
  await stage.until(async () => (await why(stage, 'first')) !== '');
  t.regex(await why(stage, 'first'), /PersistentVolumeClaim data is Pending, and not bound/);
  await bind(stage, claimRef);
  t.true((await stage.until(isReady(stage, 'first'))) < 30_000);
  t.deepEqual(stage.cloud.containerGroups()[0]?.volumes, [
    {
      name: 'v',
      type: 'FlexVolume',
      driver: 'alicloud/disk',
      options: '{"volumeId":"d-bp1abc","deleteWithInstance":"false"}',
      server: undefined,
      path: undefined,
    },
  ]);

  await runWithDisk(stage, 'second');
  await stage.until(async () => (await why(stage, 'second')) !== '');
  t.regex(await why(stage, 'second'), /is used by the pod first/);
  await stage.pass(60_000);
  t.is(stage.created.length, 1);
  await stage.deletePod('first');
  t.true((await stage.until(isReady(stage, 'second'), 60_000)) < Infinity);
  t.is(stage.created.length, 2);
  t.is(stage.cloud.containerGroups().length, 1, 'never two at once');
  t.deepEqual(
    stage.events.filter(({ reason }) => reason === 'ReferencesMissing').map(({ about }) => about.name),
    ['first', 'second'],
    'each is told once',
  );
  await stage.stop();
});

test('a claim that names somebody else’s disk does not reach it, whatever its status says', async (t) => {
  const stage = await Stage.create();
  await claim(stage);
  await bind(stage, { namespace: 'bank', name: 'data', uid: 'another' });
  await runWithDisk(stage, 'thief');
  await stage.until(async () => (await why(stage, 'thief')) !== '');
  t.regex(await why(stage, 'thief'), /PersistentVolume disk-1 is not bound to PersistentVolumeClaim data/);
  await stage.pass(60_000);
  t.deepEqual([stage.created, stage.cloud.containerGroups()], [[], []]);
  await stage.stop();
});

const claimed = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] };
const liveGroups = (stage: Stage) => stage.cloud.containerGroups().length;
/** How many instances were asked for in a minute, and how many there are. */
const afterAMinute = async (stage: Stage) => {
  await stage.pass(60_000);
  return [new Set(stage.created.map(({ clientToken }) => clientToken)).size, liveGroups(stage)];
};

test('of pods that nothing holds any more one gets the disk, whatever their status says', async (t) => {
  const stage = await Stage.create();
  await bind(stage, await claim(stage));
  const volumes = [...claimed.volumes, { name: 'c', configMap: { name: 'late' } }];
  for (const name of ['first', 'second', 'third']) await stage.runPod(name, {}, { volumes });
  await stage.until(async () => (await why(stage, 'third')) !== '');
  t.regex(await why(stage, 'third'), /no ConfigMap late/);
  const metadata = { name: 'late', namespace: 'default' };
  await stage.kube.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'b' } });
  t.deepEqual(await afterAMinute(stage), [1, 1]);
  await stage.stop();
});

test('a disk that was asked for is not given to an older pod that comes to the node a moment later', async (t) => {
  for (const laterMs of [250, 1_000]) {
    const stage = await Stage.create();
    await bind(stage, await claim(stage));
    const spec = { ...claimed, containers: [{ name: 'main', image: 'nginx' }] };
    const older = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'older', namespace: 'default' }, spec };
    await stage.kube.create(WORKLOAD_POD, older);
    await stage.pass(2_000);
    await runWithDisk(stage, 'younger');
    await stage.pass(laterMs);
    t.is((await stage.pod('younger'))?.status?.podIP, undefined);
    const target = { kind: 'Node', name: NODE_NAME };
    const { status } = await stage.transport({
      method: 'POST',
      path: '/api/v1/namespaces/default/pods/older/binding',
      contentType: 'application/json',
      body: JSON.stringify({ apiVersion: 'v1', kind: 'Binding', metadata: { name: 'older' }, target }),
    });
    t.is(status, 201);
    t.deepEqual(await afterAMinute(stage), [1, 1], `${laterMs} ms later`);
    t.regex(await why(stage, 'older'), /is used by the pod younger/);
    await stage.stop();
  }
});

test('pods that the process before could not run do not get one disk together', async (t) => {
  const stage = await Stage.create();
  await bind(stage, await claim(stage));
  stage.kill();
  for (const name of ['first', 'second', 'third']) {
    const { uid } = (await runWithDisk(stage, name)).metadata;
    const body = { metadata: { uid }, status: { reason: 'UnsupportedByECI', message: 'no claims' } };
    const patch = { type: 'merge', subresource: 'status', body } as const;
    await stage.kube.patch(WORKLOAD_POD, { namespace: 'default', name }, patch);
  }
  await stage.start();
  t.deepEqual(await afterAMinute(stage), [1, 1]);
  await stage.stop();
});

test('the disk of an instance that a process has asked for before it died is not given to another pod', async (t) => {
  const stage = await Stage.create();
  await bind(stage, await claim(stage));
  const fault = { effect: { afterMs: 8_000 }, answer: 'drop' } as const;
  stage.cloud.inject({ action: 'CreateContainerGroup', fault });
  await runWithDisk(stage, 'first');
  await stage.until(() => stage.created.length > 0);
  stage.kill();
  // The next process would not ask for it, so that nothing shows it before it comes.
  const body = { metadata: { annotations: { 'k8s.aliyun.com/eci-ntp-server': '?' } } };
  await stage.kube.patch(WORKLOAD_POD, { namespace: 'default', name: 'first' }, { type: 'merge', body });
  await runWithDisk(stage, 'second');
  await stage.start();
  await stage.until(async () => (await why(stage, 'second')) !== '');
  t.regex(await why(stage, 'second'), /may be used by the pod first/);
  t.deepEqual(await afterAMinute(stage), [1, 1]);
  t.true(await isReady(stage, 'first')());
  t.regex(await why(stage, 'second'), /is used by the pod first/);
  await stage.stop();
});

const OTHER = 'virtual-2';
const startOther = (stage: Stage) =>
  stage.start({ nodeName: OTHER, description: { ...virtualNodeSettings().description, name: OTHER } });

test('two pods on two virtual nodes that have not begun get the disk one after the other, also where one node is away', async (t) => {
  const stage = await Stage.create();
  await startOther(stage);
  const claimRef = await claim(stage);
  await runWithDisk(stage, 'one');
  await stage.runPod('other', {}, { ...claimed, nodeName: OTHER });
  await stage.until(async () => (await why(stage, 'other')) !== '' && (await why(stage, 'one')) !== '');
  await bind(stage, claimRef);
  t.deepEqual(await afterAMinute(stage), [1, 1]);
  const isFirst = await isReady(stage, 'other')();
  const [first, next] = isFirst ? ['other', 'one'] : ['one', 'other'];
  t.regex(await why(stage, next), new RegExp(`is used by the pod ${first}`));
  // The process of the first pod's node dies, and its pod keeps the disk.
  stage.kill(isFirst ? OTHER : NODE_NAME);
  t.deepEqual(await afterAMinute(stage), [1, 1]);
  await (isFirst ? startOther(stage) : stage.start());
  await stage.deletePod(first);
  t.true((await stage.until(isReady(stage, next), 60_000)) < Infinity, await why(stage, next));
  t.is(liveGroups(stage), 1);
  await stage.stop();
});

test('a pod that is held keeps nobody on another virtual node waiting', async (t) => {
  const stage = await Stage.create();
  await startOther(stage);
  await bind(stage, await claim(stage));
  stage.cloud.inject({
    action: 'CreateContainerGroup',
    when: ({ parameters }) => parameters.required('ContainerGroupName').includes('refused'),
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'InvalidParameter' } },
  });
  await stage.runPod('unsupported', { 'k8s.aliyun.com/eci-ntp-server': '?' }, claimed);
  await runWithDisk(stage, 'refused');
  await stage.until(async () => (await why(stage, 'refused')) !== '' && (await why(stage, 'unsupported')) !== '');
  await stage.runPod('other', {}, { ...claimed, nodeName: OTHER });
  t.true((await stage.until(isReady(stage, 'other'), 60_000)) < Infinity, await why(stage, 'other'));
  t.is(liveGroups(stage), 1);
  t.is((await stage.pod('unsupported'))?.status?.reason, 'UnsupportedByECI');
  await stage.stop();
});

test('a pod whose instance the cloud refuses does not keep its disk from the next one', async (t) => {
  const stage = await Stage.create();
  await bind(stage, await claim(stage));
  stage.cloud.inject({
    action: 'CreateContainerGroup',
    when: ({ parameters }) => parameters.required('ContainerGroupName').includes('first'),
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'InvalidParameter' } },
  });
  await runWithDisk(stage, 'first');
  await stage.until(async () => (await why(stage, 'first')) !== '');
  t.is((await stage.pod('first'))?.status?.reason, 'CloudRefused');
  await runWithDisk(stage, 'second');
  t.true((await stage.until(isReady(stage, 'second'), 60_000)) < Infinity, await why(stage, 'second'));
  await stage.stop();
});

test('a name that no object can have is that of an object which does not exist', async (t) => {
  const stage = await Stage.create();
  const kinds: Readonly<Record<string, (name: string) => object>> = {
    claim: (claimName) => ({ persistentVolumeClaim: { claimName } }),
    map: (name) => ({ configMap: { name } }),
    secret: (secretName) => ({ secret: { secretName } }),
  };
  const names: readonly string[] = ['a/b', '..'];
  for (const [kind, volume] of Object.entries(kinds))
    for (const [index, name] of names.entries())
      await stage.runPod(`${kind}-${index}`, {}, { volumes: [{ name: 'v', ...volume(name) }] });
  await bind(stage, await claim(stage, '../x'));
  await runWithDisk(stage, 'bound');
  await stage.pass(20_000);
  for (const kind of Object.keys(kinds))
    for (const [index, name] of names.entries())
      t.true((await why(stage, `${kind}-${index}`)).includes(` ${name}`), await why(stage, `${kind}-${index}`));
  t.regex(await why(stage, 'bound'), /no PersistentVolume \.\.\/x/);
  await stage.stop();
});
