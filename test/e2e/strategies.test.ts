import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, READINESS_GATE, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { KubeObject, Resource } from '../../src/kube/port.ts';
import { EVENT } from '../../src/kube/recorder.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage } from './stage.ts';
import { until } from '../harness/until.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;

const STATEFUL_SET: Resource<KubeObject> = {
  group: 'apps',
  version: 'v1',
  plural: 'statefulsets',
  kind: 'StatefulSet',
  namespaced: true,
};
const USERS = 'eip-users';

const workload = (kind: 'StatefulSet' | 'Deployment', annotations: Readonly<Record<string, string>>, replicas = 2) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    ...(kind === 'StatefulSet' && { serviceName: 'web', podManagementPolicy: 'Parallel' }),
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' }, annotations },
      spec: {
        readinessGates: [{ conditionType: READINESS_GATE }],
        containers: [{ name: 'web', image: 'nginx' }],
      },
    },
  },
});

const kept = (strategy: string) => ({
  'k8s.aliyun.com/pod-with-eip': 'true',
  'k8s.aliyun.com/pod-eip-release-strategy': strategy,
});

/** Quick where the product lets it be. */
const QUICK = {
  leaderElection: { enabled: false },
  cloud: { settleSeconds: 1 },
  networkController: { eipController: { garbageCollectionPeriodInMinutes: 1 } },
};

const isServed = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp === undefined &&
  pod.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined &&
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

const pods = ({ kube }: Stage) => kube.list(POD, { namespace: 'default', labelSelector: 'app=web' });
const served = (stage: Stage, count: number, than: readonly Pod[] = []) =>
  until(
    `${count} pods with an address`,
    () => pods(stage),
    (all) =>
      all.length === count &&
      all.every((pod) => isServed(pod) && !than.some(({ metadata }) => metadata.uid === pod.metadata.uid)),
  );
const addressesOf = (all: readonly Pod[]) =>
  Object.fromEntries(all.map(({ metadata }) => [metadata.name, metadata.annotations?.[ALLOCATED_ADDRESS]]));
const bought = ({ cloud }: Stage) => cloud.eips().filter(({ tags }) => tags.has(TAG_PODEIP_UID));
const count = ({ cloud }: Stage, action: string) => cloud.ledger().filter((change) => change.action === action).length;

const remove = async ({ kube }: Stage, resource: Resource<KubeObject>, name: string) => {
  const ref = { namespace: 'default', name };
  const object = await kube.get(resource, ref);
  if (object) await kube.delete(resource, ref, { uid: object.metadata.uid });
};

const recreated = async (t: ExecutionContext, stage: Stage, before: readonly Pod[]) => {
  for (const { metadata } of before) await remove(stage, POD, metadata.name);
  const after = await served(stage, before.length, before);
  t.deepEqual(addressesOf(after), addressesOf(before), 'each pod has the address of the pod of its name before it');
  for (const pod of after) {
    const eip = bought(stage).find(({ ipAddress }) => ipAddress === pod.metadata.annotations?.[ALLOCATED_ADDRESS]);
    t.is(eip?.status, 'InUse');
    t.is(eip?.binding?.privateIpAddress, pod.status?.podIP);
  }
  return after;
};

const scenarios: Readonly<Record<string, (t: ExecutionContext, stage: Stage) => Promise<void>>> = {
  'a StatefulSet with "10s" keeps its addresses over its pods’ lives, and gives them back when its time is over':
    async (t, stage) => {
      const controller = await stage.startController(QUICK);
      await stage.kube.create(STATEFUL_SET, workload('StatefulSet', kept('10s')));
      await recreated(t, stage, await served(stage, 2));
      t.is(count(stage, 'AllocateEipAddress'), 2);
      t.is(count(stage, 'ReleaseEipAddress'), 0);
      await remove(stage, STATEFUL_SET, 'web');
      await until(
        'no PodEIP',
        () => stage.kube.list(PODEIP),
        (all) => all.length === 0,
      );
      t.deepEqual(bought(stage), []);
      t.is(count(stage, 'AllocateEipAddress'), 2, 'nothing was bought twice');
      t.is(count(stage, 'ReleaseEipAddress'), 2);
      t.is(await controller.terminate(), 0);
    },
  'a StatefulSet with "10m" that is made anew has its addresses again': async (t, stage) => {
    const controller = await stage.startController(QUICK);
    await stage.kube.create(STATEFUL_SET, workload('StatefulSet', kept('10m')));
    const before = await served(stage, 2);
    await remove(stage, STATEFUL_SET, 'web');
    const retained = await until(
      'kept PodEIPs',
      () => stage.kube.list(PODEIP),
      (all) => all.length === 2 && all.every((it) => it.status?.conditions?.some(({ reason }) => reason === 'Kept')),
    );
    for (const { spec, status } of retained) {
      t.deepEqual(spec.allocationType, { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: '10m' });
      t.truthy(status?.podLastSeen);
    }
    t.deepEqual(
      bought(stage).map(({ status }) => status),
      ['Available', 'Available'],
    );
    await controller.kill();
    const next = await stage.startController(QUICK);
    await stage.kube.create(STATEFUL_SET, workload('StatefulSet', kept('10m')));
    t.deepEqual(addressesOf(await served(stage, 2, before)), addressesOf(before));
    t.is(count(stage, 'AllocateEipAddress'), 2);
    t.is(await next.terminate(), 0);
  },
  'a StatefulSet with "Never" leaves its EIPs until their PodEIPs are deleted': async (t, stage) => {
    const controller = await stage.startController(QUICK);
    await stage.kube.create(STATEFUL_SET, workload('StatefulSet', kept('Never')));
    await served(stage, 2);
    await remove(stage, STATEFUL_SET, 'web');
    await until(
      'kept PodEIPs',
      () => stage.kube.list(PODEIP),
      (all) => all.length === 2 && all.every((it) => it.status?.conditions?.some(({ reason }) => reason === 'Kept')),
    );
    t.deepEqual(
      bought(stage).map(({ status }) => status),
      ['Available', 'Available'],
    );
    for (const name of ['web-0', 'web-1']) await remove(stage, PODEIP, name);
    await until(
      'no PodEIP',
      () => stage.kube.list(PODEIP),
      (all) => all.length === 0,
    );
    t.deepEqual(bought(stage), []);
    t.is(await controller.terminate(), 0);
  },
  'a strategy that keeps EIPs is refused under a Deployment, and nothing is bought': async (t, stage) => {
    const controller = await stage.startController(QUICK);
    await stage.kube.create(FULL_DEPLOYMENT, workload('Deployment', kept('10m'), 1));
    const [refused] = await until(
      'a refused PodEIP',
      () => stage.kube.list(PODEIP),
      (all) => all.length === 1 && all[0]?.status?.conditions !== undefined,
    );
    const ready = refused?.status?.conditions?.find(({ type }) => type === 'Ready');
    t.is(ready?.reason, 'StatelessOwner');
    t.regex(ready?.message ?? '', /ReplicaSet.*write "Follow"/);
    await until(
      'a Warning',
      async () =>
        (await stage.kube.list(EVENT, { namespace: 'default' })).filter(({ reason }) => reason === 'StatelessOwner'),
      (events) => events.some(({ type, regarding }) => type === 'Warning' && regarding?.kind === 'Pod'),
    );
    t.is(count(stage, 'AllocateEipAddress'), 0);
    t.is(await controller.terminate(), 0);
  },
  'an EIP of the user’s survives everything, unmodified': async (t, stage) => {
    stage.cloud.world.addEip({
      allocationId: USERS,
      name: 'of the user',
      description: 'kept as it is',
      tags: { team: 'web' },
    });
    const before = await until(
      'the EIP to be listed',
      () => stage.describe(USERS),
      (answer) => answer.includes('of the user'),
    );
    let controller = await stage.startController(QUICK);
    const annotations = { 'k8s.aliyun.com/pod-eip-instanceid': USERS };
    await stage.kube.create(STATEFUL_SET, workload('StatefulSet', annotations, 1));
    const first = await served(stage, 1);
    t.not(await stage.describe(USERS), before, 'it is bound');
    for (const { metadata } of first) await remove(stage, POD, metadata.name);
    await controller.kill();
    controller = await stage.startController(QUICK);
    const second = await served(stage, 1, first);
    t.deepEqual(addressesOf(second), addressesOf(first));
    await remove(stage, STATEFUL_SET, 'web');
    await controller.kill();
    controller = await stage.startController(QUICK);
    await until(
      'no PodEIP',
      () => stage.kube.list(PODEIP),
      (all) => all.length === 0,
    );
    // A reading may lag for a moment.
    t.is(
      await until(
        'Describe as before',
        () => stage.describe(USERS),
        (answer) => answer === before,
      ),
      before,
      'Describe is byte-equal',
    );
    for (const action of ['ReleaseEipAddress', 'AllocateEipAddress', 'TagResources', 'UnTagResources'])
      t.is(count(stage, action), 0, action);
    t.is(await controller.terminate(), 0);
  },
};

const isReal = isRealAvailable();
const testReal = isReal ? test.serial : test.serial.skip;
for (const [title, scenario] of Object.entries(scenarios)) {
  testReal(`${title}, on a real control plane${isReal ? '' : ` (${HOW_TO_GET_ONE})`}`, async (t) => {
    const stage = await setStage('real');
    try {
      await scenario(t, stage);
    } finally {
      await stage.close();
    }
  });
}
