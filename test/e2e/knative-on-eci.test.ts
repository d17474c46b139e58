import test, { type ExecutionContext } from 'ava';
import {
  ECI_INSTANCE_ID,
  KEYS,
  OUR_VIRTUAL_NODE,
  READINESS_GATE,
  VIRTUAL_NODE_TAINT,
  WANTS_ECI,
} from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { LABEL } from '../../src/sandbox/knative/child-metadata.ts';
import { SERVICE } from '../../src/sandbox/knative/resources.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import {
  addressOf,
  chainIsGone,
  deleteService,
  NAMESPACE,
  nothingIsLeft,
  podsOf,
  servedPod,
  serviceIsReady,
  visit,
  withKnative,
  type KnativeStage,
} from './knative.ts';
import { isRealAvailable, VIRTUAL_NODE_NAME } from './stage.ts';
import { until } from '../harness/until.ts';

const OWN_EIP = 'eip-users';

const serviceOf = (name: string, annotations: Record<string, string>, labels: object = { [WANTS_ECI]: 'true' }) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: NAMESPACE, name },
  spec: { template: { metadata: { labels, annotations }, spec: { containers: [{ image: 'hello' }] } } },
});

const landedOnOurNode = (t: ExecutionContext, { spec }: Pod): void => {
  t.is(spec.nodeName, VIRTUAL_NODE_NAME);
  t.is(spec.nodeSelector?.[OUR_VIRTUAL_NODE], 'true', 'the pod webhook sends it there');
  t.true(spec.tolerations?.some(({ key }) => key === VIRTUAL_NODE_TAINT) ?? false, 'and lets it in');
};

/** Watches when each pod of the Revision ended; wall time. */
const watchEnds = async (stage: KnativeStage, revision: string) => {
  const told = new Map<string, number>();
  await until(
    `no pod of ${revision} is left`,
    async () => {
      const pods = await podsOf(stage, revision);
      for (const { metadata } of pods)
        if (metadata.deletionTimestamp !== undefined && !told.has(metadata.uid)) told.set(metadata.uid, Date.now());
      return pods.length;
    },
    (count) => count === 0,
  );
  return { toldAt: Math.max(...told.values()), goneAt: Date.now() };
};

const NEW = { [KEYS.withEip[2]]: 'true', [KEYS.bandwidth[1]]: '10' };

/** The pod of a Service that is Ready with an EIP of its own, and that EIP. */
const servedWithNewEip = async (t: ExecutionContext, stage: KnativeStage, name: string) => {
  const { kube, cloud } = stage;
  const pod = await servedPod(stage, `${name}-00001`);
  t.is(pod.status?.phase, 'Running');
  const podEip = await until(
    'the PodEIP shows the address',
    async () => {
      const all = await kube.list(PODEIP, { namespace: NAMESPACE, labelSelector: `${LABEL.service}=${name}` });
      return all.find(({ metadata }) => metadata.name === pod.metadata.name);
    },
    (it) => it?.status?.eipAddress === addressOf(pod),
  );
  for (const label of [LABEL.service, LABEL.serviceUid, LABEL.configuration, LABEL.revision, LABEL.revisionUid])
    t.is(podEip?.metadata.labels?.[label], pod.metadata.labels?.[label], label);
  const eip = cloud.eips().find(({ ipAddress }) => ipAddress === addressOf(pod));
  t.like(eip, { bandwidthMbps: 10, status: 'InUse' });
  return { pod, podEip, allocationId: eip?.allocationId };
};

/** Knative scales the Service to zero: says how long its EIP takes to go, measured from when the pod is told to end. */
const scaledToZero = async (stage: KnativeStage, name: string, allocationId: string | undefined) => {
  const { kube, cloud } = stage;
  const { toldAt, goneAt } = await watchEnds(stage, `${name}-00001`);
  await until(
    `at zero nothing of ${name} is left`,
    async () => ({
      podEips: (await kube.list(PODEIP, { namespace: NAMESPACE, labelSelector: `${LABEL.service}=${name}` })).length,
      groups: cloud.containerGroups().filter(({ containerGroupName }) => containerGroupName.includes(name)).length,
      eips: cloud.eips().filter((eip) => eip.allocationId === allocationId).length,
    }),
    ({ podEips, groups, eips }) => podEips + groups + eips === 0,
  );
  const releasedAt = cloud
    .ledger()
    .find((change) => change.action === 'ReleaseEipAddress' && change.allocationId === allocationId)?.at;
  return { toldAt, goneAt, releasedAt: Math.round(releasedAt ?? Number.NaN) };
};

const newEip = async (t: ExecutionContext, stage: KnativeStage): Promise<void> => {
  await stage.kube.create(SERVICE, serviceOf('hello', NEW));
  await serviceIsReady(stage, 'hello', 'hello-00001');
  const leave = visit(stage, 'hello');
  const { pod, podEip, allocationId } = await servedWithNewEip(t, stage, 'hello');
  landedOnOurNode(t, pod);
  t.is(podEip?.status?.managedBy, 'ECI');
  await leave();
  const { toldAt, releasedAt, goneAt } = await scaledToZero(stage, 'hello', allocationId);
  t.true(releasedAt <= goneAt, 'the pod, which is the record of it, goes last');
  t.log(
    `scale to zero on ECI: the EIP was released ${releasedAt - toldAt} ms after the pod was told to end, ` +
      `the pod was gone ${goneAt - releasedAt} ms after that`,
  );
  // A request wakes it up again, and the whole Service goes.
  const again = visit(stage, 'hello');
  await servedPod(stage, 'hello-00001');
  await again();
  await deleteService(stage, 'hello');
};

const newEipOnEcs = async (t: ExecutionContext, stage: KnativeStage): Promise<void> => {
  await stage.kube.create(SERVICE, serviceOf('plain', NEW, {}));
  await serviceIsReady(stage, 'plain', 'plain-00001');
  const leave = visit(stage, 'plain');
  const { pod, podEip, allocationId } = await servedWithNewEip(t, stage, 'plain');
  t.not(pod.spec.nodeName, VIRTUAL_NODE_NAME);
  t.not(podEip?.status?.managedBy, 'ECI');
  await leave();
  const { releasedAt, goneAt } = await scaledToZero(stage, 'plain', allocationId);
  t.log(`scale to zero on an ECS node: the EIP was released ${releasedAt - goneAt} ms after the pod was gone`);
  await deleteService(stage, 'plain');
};

/** Gives the EIP as it was before. */
const handOver = async (t: ExecutionContext, stage: KnativeStage): Promise<string> => {
  const { kube, cloud } = stage;
  cloud.world.addEip({ allocationId: OWN_EIP, name: 'mine', tags: { team: 'web' } });
  // The cloud takes a moment until it shows what is new.
  const before = await until(
    'the EIP is shown',
    () => stage.describe(OWN_EIP),
    (text) => text.includes(OWN_EIP),
  );
  const holder = () => cloud.eips().find(({ allocationId }) => allocationId === OWN_EIP)?.binding?.instanceId;
  const interfaceOf = ({ metadata }: Pod) =>
    cloud.containerGroups().find(({ containerGroupId }) => containerGroupId === metadata.annotations?.[ECI_INSTANCE_ID])
      ?.eniInstanceId;
  await kube.create(
    SERVICE,
    serviceOf('own', { [KEYS.instanceId[2]]: OWN_EIP, 'autoscaling.knative.dev/min-scale': '1' }),
  );
  const first = await servedPod(stage, 'own-00001');
  await serviceIsReady(stage, 'own', 'own-00001');
  landedOnOurNode(t, first);
  t.deepEqual(
    (first.spec as { readinessGates?: unknown }).readinessGates,
    [{ conditionType: READINESS_GATE }],
    'gate on',
  );
  t.truthy(interfaceOf(first));
  t.is(holder(), interfaceOf(first));

  const body = {
    spec: { template: { metadata: { annotations: { [KEYS.bandwidth[1]]: null, 'example.com/v': '2' } } } },
  };
  await kube.patch(SERVICE, { namespace: NAMESPACE, name: 'own' }, { type: 'merge', body });
  const began = Date.now();
  const second = await servedPod(stage, 'own-00002');
  landedOnOurNode(t, second);
  t.is(addressOf(second), addressOf(first), 'the address goes along');
  t.is(holder(), interfaceOf(second), 'and is where it is said to be');
  await serviceIsReady(stage, 'own', 'own-00002');
  const took = Date.now() - began;
  const moves = cloud.ledger().filter(({ allocationId }) => allocationId === OWN_EIP);
  const left = moves.findLast(({ action }) => action === 'UnassociateEipAddress');
  const arrived = moves.findLast(({ action }) => action === 'AssociateEipAddress');
  t.log(
    `rollout on ECI with a named EIP: Ready after ${took} ms; ` +
      `without address for ${Math.round((arrived?.at ?? Number.NaN) - (left?.at ?? Number.NaN))} ms between Unassociate and Associate`,
  );
  await deleteService(stage, 'own');
  return before;
};

for (const kind of ['embedded', 'real'] as const) {
  const declare = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const where = kind === 'real' ? 'a real control plane' : 'the embedded API';
  const title = `Knative on ECI and beside it on ECS: Services run with their addresses, roll out, scale to zero and leave nothing, on ${where}`;
  declare(isRealAvailable() || kind === 'embedded' ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    await withKnative(kind, {}, async (stage) => {
      const [before] = await Promise.all([handOver(t, stage), newEip(t, stage), newEipOnEcs(t, stage)]);
      await chainIsGone(stage);
      await nothingIsLeft(stage, [OWN_EIP]);
      t.is(await stage.describe(OWN_EIP), before, 'the user’s EIP is as it was, to the byte');
      t.deepEqual(
        stage.cloud.eips().map(({ allocationId }) => allocationId),
        [OWN_EIP],
      );
      const count = (what: string) => stage.cloud.ledger().filter(({ action }) => action === what).length;
      t.is(count('AllocateEipAddress'), count('ReleaseEipAddress'));
    });
  });
}
