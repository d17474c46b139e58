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
import { LABEL } from '../../src/sandbox/knative/metadata.ts';
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
import { isRealAvailable, until, VIRTUAL_NODE_NAME } from './stage.ts';

const OWN_EIP = 'eip-users';

const serviceOf = (name: string, annotations: Record<string, string>) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: NAMESPACE, name },
  spec: {
    template: {
      metadata: { labels: { [WANTS_ECI]: 'true' }, annotations },
      spec: { containers: [{ image: 'hello' }] },
    },
  },
});

const landedOnOurNode = (t: ExecutionContext, { spec }: Pod): void => {
  t.is(spec.nodeName, VIRTUAL_NODE_NAME);
  t.is(spec.nodeSelector?.[OUR_VIRTUAL_NODE], 'true', 'the pod webhook sends it there');
  t.true(spec.tolerations?.some(({ key }) => key === VIRTUAL_NODE_TAINT) ?? false, 'and lets it in');
};

/** When the last EIP of the account was released, wall time. */
const releasedAt = ({ cloud }: KnativeStage): number =>
  cloud.ledger().findLast(({ action }) => action === 'ReleaseEipAddress')?.at ?? Number.NaN;

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
    120_000,
  );
  return { toldAt: Math.max(...told.values()), goneAt: Date.now() };
};

const newEip = async (t: ExecutionContext, stage: KnativeStage): Promise<void> => {
  const { kube, cloud } = stage;
  await kube.create(SERVICE, serviceOf('hello', { [KEYS.withEip[2]]: 'true', [KEYS.bandwidth[1]]: '10' }));
  await serviceIsReady(stage, 'hello', 'hello-00001');
  const leave = visit(stage, 'hello');
  const pod = await servedPod(stage, 'hello-00001');
  landedOnOurNode(t, pod);
  t.is(pod.status?.phase, 'Running');
  const podEips = await kube.list(PODEIP, { namespace: NAMESPACE, labelSelector: `${LABEL.service}=hello` });
  const podEip = podEips.find(({ metadata }) => metadata.name === pod.metadata.name);
  t.like(podEip?.status, { managedBy: 'ECI', eipAddress: addressOf(pod) });
  for (const label of [LABEL.service, LABEL.serviceUid, LABEL.configuration, LABEL.revision, LABEL.revisionUid])
    t.is(podEip?.metadata.labels?.[label], pod.metadata.labels?.[label], label);
  const eip = cloud.eips().find(({ ipAddress }) => ipAddress === addressOf(pod));
  t.like(eip, { bandwidthMbps: 10, status: 'InUse' });

  await leave();
  const { toldAt, goneAt } = await watchEnds(stage, 'hello-00001');
  await until(
    'at zero nothing of it is left',
    async () => ({
      podEips: (await kube.list(PODEIP, { namespace: NAMESPACE, labelSelector: `${LABEL.service}=hello` })).length,
      groups: cloud.containerGroups().filter(({ containerGroupName }) => containerGroupName.includes('hello')).length,
      eips: cloud.eips().filter(({ allocationId }) => allocationId !== OWN_EIP).length,
    }),
    ({ podEips, groups: count, eips }) => podEips + count + eips === 0,
  );
  const releasedMs = Math.round(releasedAt(stage));
  t.true(releasedMs >= toldAt - 1_000 && releasedMs <= goneAt + 1_000);
  t.log(
    `scale to zero on ECI: the EIP was released ${releasedMs - toldAt} ms after the pod was told to end, ` +
      `the pod was gone ${goneAt - releasedMs} ms after that`,
  );
  // A request wakes it up again, and the whole Service goes.
  const again = visit(stage, 'hello');
  await servedPod(stage, 'hello-00001');
  await again();
  await deleteService(stage, 'hello');
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
  const title = `Knative on ECI: Services run on our virtual node with their addresses, roll out, scale to zero and leave nothing, on ${where}`;
  declare(isRealAvailable() || kind === 'embedded' ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    t.timeout(300_000);
    await withKnative(kind, {}, async (stage) => {
      const [before] = await Promise.all([handOver(t, stage), newEip(t, stage)]);
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
