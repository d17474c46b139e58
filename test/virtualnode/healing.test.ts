import test from 'ava';
import { WORKLOAD_POD } from '../../src/virtualnode/workload-pod.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { GARBAGE_MS, NODE_NAME, Stage } from './stage.ts';

/*
 * What somebody else writes where the virtual node writes, and what the cloud tells of an instance.
 */

const isReady = (stage: Stage, name: string) => async () => (await stage.condition(name, 'Ready')) === 'True';

const write = (stage: Stage, name: string, status: object) =>
  stage.kube.patch(
    WORKLOAD_POD,
    { namespace: 'default', name },
    { type: 'strategic', subresource: 'status', body: { status } },
  );

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

const shown = async (stage: Stage, name: string) => {
  const { conditions = [], ...status } = (await stage.pod(name))?.status ?? {};
  const verdicts = conditions.map(
    ({ type, status: value, reason, message }) => [type, [value, reason, message]] as const,
  );
  return JSON.stringify([Object.entries(status).toSorted(byName), verdicts.toSorted(byName)]);
};

const FOREIGN: Readonly<Record<string, object>> = {
  'Ready of a node that was unreachable': { conditions: [{ type: 'Ready', status: 'False', reason: 'NodeNotReady' }] },
  'every condition': {
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'False',
      reason: 'ByHand',
      message: 'by hand',
    })),
  },
  'the words of a condition alone': { conditions: [{ type: 'Ready', status: 'True', message: 'all is well' }] },
  'a condition taken away': { conditions: [{ type: 'ContainersReady', $patch: 'delete' }] },
  'a phase': { phase: 'Pending' },
  'a reason and a message': { reason: 'NodeLost', message: 'the node does not answer' },
  addresses: { podIP: '10.9.9.9', podIPs: [{ ip: '10.9.9.9' }], hostIP: '10.9.9.8' },
  'a second address': { podIPs: [{ ip: '10.9.9.9' }] },
  'the state of a container': {
    containerStatuses: [
      { name: 'main', image: 'other', imageID: '', ready: false, restartCount: 7, state: { waiting: {} } },
    ],
  },
  'no containers at all': { containerStatuses: null },
};

test('whatever somebody else writes into the status of a pod is put right within seconds, with one write', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web');
  await stage.until(isReady(stage, 'web'));
  await stage.pass(20_000);
  const right = await shown(stage, 'web');
  const version = async () => Number((await stage.pod('web'))?.metadata.resourceVersion);
  for (const [what, status] of Object.entries(FOREIGN)) {
    await write(stage, 'web', status);
    const before = await version();
    t.true((await stage.until(async () => (await shown(stage, 'web')) === right, 10_000)) < 5_000, what);
    // Whoever does so twice in ten seconds waits; see below.
    await stage.pass(11_000);
    t.is(await version(), before + 1, what);
  }
  t.is(stage.created.length, 1);
  await stage.stop();
});

test('with somebody who takes every change back, the virtual node does not write without an end', async (t) => {
  const stage = await Stage.create();
  const conditionType = 'example.com/checked';
  await stage.runPod('web', {}, { readinessGates: [{ conditionType }] });
  await write(stage, 'web', { conditions: [{ type: conditionType, status: 'True' }] });
  await stage.until(isReady(stage, 'web'));
  await stage.pass(20_000);
  let rounds = 0;
  const contradict = async () => {
    if (await isReady(stage, 'web')()) {
      rounds += 1;
      await write(stage, 'web', { conditions: [{ type: 'Ready', status: 'False', reason: 'ByOperator' }] });
    }
    return false;
  };
  await stage.until(contradict, 60_000);
  t.true(rounds >= 5 && rounds <= 9, `${rounds} in a minute`);
  // What the instance and the gates say is not kept waiting by it.
  t.true((await stage.until(isReady(stage, 'web'), 20_000)) < 15_000);
  await write(stage, 'web', { conditions: [{ type: conditionType, status: 'False' }] });
  t.true((await stage.until(async () => !(await isReady(stage, 'web')()), 20_000)) < 3_000, 'a gate');
  await write(stage, 'web', { conditions: [{ type: conditionType, status: 'True' }] });
  t.true((await stage.until(isReady(stage, 'web'), 20_000)) < 3_000, 'the same gate');
  const { containerGroupId = '' } = stage.group ?? {};
  stage.cloud.world.changeContainer(containerGroupId, 'main', { ready: false, restartCount: 1 });
  t.true((await stage.until(async () => !(await isReady(stage, 'web')()), 30_000)) < 20_000, 'the instance');
  await stage.stop();
});

test('what the watch and the cheap call do not show is found by the slow look', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web');
  await stage.until(isReady(stage, 'web'));
  const { containerGroupId = '' } = stage.group ?? {};
  await stage.pass(20_000);
  const remove = stage.cloud.inject({
    action: 'DescribeContainerGroupStatus',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'ServiceUnavailable', status: 503 } },
  });
  stage.cloud.world.changeContainer(containerGroupId, 'main', { ready: false, restartCount: 1 });
  t.true((await stage.until(async () => !(await isReady(stage, 'web')()), 2 * GARBAGE_MS)) <= GARBAGE_MS);
  remove();
  await stage.stop();
});

test('what the cloud tells of an instance is told once about its pod, whichever process looks', async (t) => {
  const stage = await Stage.create();
  await stage.runPod('web', { 'k8s.aliyun.com/eci-spot-strategy': 'SpotAsPriceGo' });
  await stage.until(isReady(stage, 'web'));
  await stage.pass(5_000);
  const { containerGroupId = '' } = stage.group ?? {};
  const told = () =>
    stage.events.filter(({ action }) => action === 'Run').map(({ type, reason, note }) => `${type} ${reason}: ${note}`);
  t.deepEqual(told(), []);
  stage.cloud.world.tellOfContainerGroup(containerGroupId, {
    type: 'Warning',
    reason: 'Failed',
    message: 'Failed to pull image "nginx:typo": not found',
  });
  stage.cloud.world.tellOfContainerGroup(containerGroupId, { reason: 'Pulling', message: 'Pulling image' });
  stage.cloud.world.tellOfContainerGroup(containerGroupId, { reason: 'BackOff', message: 'Back-off pulling image' });
  stage.cloud.world.changeContainer(containerGroupId, 'main', {
    state: 'Waiting',
    reason: 'ImagePullBackOff',
    message: 'Back-off pulling image "nginx:typo"',
    ready: false,
  });
  const both = [
    'Warning Failed: Failed to pull image "nginx:typo": not found',
    'Normal BackOff: Back-off pulling image',
  ];
  t.true((await stage.until(() => told().length === 2)) < 15_000);
  t.deepEqual(told(), both);
  t.like((await stage.pod('web'))?.status?.containerStatuses?.[0], {
    state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "nginx:typo"' } },
  });
  stage.kill();
  await stage.pass(1_000);
  await stage.start();
  await stage.pass(60_000);
  t.deepEqual(told(), both);
  // Nothing else changes when the cloud gives notice of the end of a spot instance.
  stage.cloud.world.tellOfContainerGroup(containerGroupId, {
    type: 'Warning',
    reason: 'SpotToBeReleased',
    message: 'The instance is released in 3 minutes',
  });
  t.true((await stage.until(() => told().length === 3, 120_000)) <= 65_000);
  await stage.pass(60_000);
  t.deepEqual(told().slice(2), ['Warning SpotToBeReleased: The instance is released in 3 minutes']);
  await stage.stop();
});

test('a status of the Node that says the same in other words is not written again', async (t) => {
  const stage = await Stage.create();
  const same = { cpu: '1k', memory: '4096Gi', pods: '1e3', 'ephemeral-storage': '40Ti' };
  const node = () => stage.kube.get(VIRTUAL_NODE, { name: NODE_NAME });
  const body = { status: { capacity: same, allocatable: same } };
  await stage.kube.patch(VIRTUAL_NODE, { name: NODE_NAME }, { type: 'strategic', subresource: 'status', body });
  const { resourceVersion } = (await node())?.metadata ?? {};
  await stage.pass(60_000);
  t.is((await node())?.metadata.resourceVersion, resourceVersion);
  body.status.allocatable = { ...same, pods: '1' };
  await stage.kube.patch(VIRTUAL_NODE, { name: NODE_NAME }, { type: 'strategic', subresource: 'status', body });
  await stage.pass(11_000);
  t.is((await node())?.status?.allocatable?.['pods'], '1000');
  await stage.stop();
});
