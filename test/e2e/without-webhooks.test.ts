import test, { type ExecutionContext } from 'ava';
import { KEYS, OUR_VIRTUAL_NODE, READINESS_GATE, VIRTUAL_NODE_TAINT } from '../../src/api/annotations.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { SERVICE } from '../../src/sandbox/knative/resources.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import {
  addressOf,
  deleteService,
  isReady,
  NAMESPACE,
  nothingIsLeft,
  podsOf,
  serviceIsReady,
  visit,
  withKnative,
  type KnativeStage,
} from './knative.ts';
import { isRealAvailable, VIRTUAL_NODE_NAME } from './stage.ts';
import { until } from '../harness/until.ts';

const OWN_EIP = 'eip-users';

/** A pod that says itself what the webhook would have added. */
const podOf = (name: string, annotations: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: NAMESPACE, name, annotations },
  spec: {
    nodeSelector: { [OUR_VIRTUAL_NODE]: 'true' },
    tolerations: [{ key: VIRTUAL_NODE_TAINT, operator: 'Exists', effect: 'NoSchedule' }],
    readinessGates: [{ conditionType: READINESS_GATE }],
    terminationGracePeriodSeconds: 2,
    containers: [{ name: 'main', image: 'hello' }],
  },
});

const PODS = {
  'new-eip': { [KEYS.withEip[1]]: 'true' },
  'bought-first': { [KEYS.withEip[2]]: 'true', [KEYS.name[1]]: 'shop' },
  'own-eip': { [KEYS.instanceId[1]]: OWN_EIP },
};

const serves = async (t: ExecutionContext, stage: KnativeStage): Promise<void> => {
  const { kube, cloud } = stage;
  cloud.world.addEip({ allocationId: OWN_EIP });
  for (const [name, annotations] of Object.entries(PODS)) await kube.create(POD, podOf(name, annotations));
  await kube.create(SERVICE, {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { namespace: NAMESPACE, name: 'on-ecs' },
    spec: {
      template: {
        metadata: { annotations: { [KEYS.withEip[1]]: 'true' } },
        spec: { containers: [{ image: 'hello' }] },
      },
    },
  });

  const addresses = new Map<string, string | undefined>();
  for (const name of Object.keys(PODS)) {
    const pod = await until(
      `${name} is Ready with an address`,
      () => kube.get(POD, { namespace: NAMESPACE, name }),
      (it): it is Pod => it !== undefined && isReady(it) && addressOf(it) !== undefined,
    );
    t.is(pod?.spec.nodeName, VIRTUAL_NODE_NAME);
    addresses.set(name, pod && addressOf(pod));
    // It is written on the pod first, and recorded after that.
    const podEip = await until(
      `the address of ${name} is recorded`,
      () => kube.get(PODEIP, { namespace: NAMESPACE, name }),
      (it) => it?.status?.eipAddress !== undefined,
    );
    t.is(podEip?.status?.eipAddress, addresses.get(name), name);
  }
  t.is(addresses.get('own-eip'), cloud.eips().find(({ allocationId }) => allocationId === OWN_EIP)?.ipAddress);
  t.is(addresses.get('bought-first'), cloud.eips().find(({ name }) => name === 'shop')?.ipAddress);

  await serviceIsReady(stage, 'on-ecs', 'on-ecs-00001');
  const leave = visit(stage, 'on-ecs');
  const [pod] = await until(
    'the pod on an ECS node has an address',
    () => podsOf(stage, 'on-ecs-00001'),
    (pods) => pods.some((it) => addressOf(it) !== undefined),
  );
  t.deepEqual(
    (pod?.spec as { readinessGates?: unknown } | undefined)?.readinessGates,
    undefined,
    'nobody added a gate',
  );
  await leave();

  await deleteService(stage, 'on-ecs');
  for (const name of Object.keys(PODS)) {
    const it = await kube.get(POD, { namespace: NAMESPACE, name });
    if (it) await kube.delete(POD, it.metadata, { uid: it.metadata.uid });
  }
  await nothingIsLeft(stage, [OWN_EIP]);
  t.deepEqual(
    cloud.eips().map(({ allocationId, status }) => [allocationId, status]),
    [[OWN_EIP, 'Available']],
  );
};

for (const kind of ['embedded', 'real'] as const) {
  const declare = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const where = kind === 'real' ? 'a real control plane' : 'the embedded API';
  const title = `with the webhooks down, pods that name the virtual node and pods on ECS nodes get their addresses, on ${where}`;
  declare(isRealAvailable() || kind === 'embedded' ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    await withKnative(kind, { webhooks: false }, async (stage) => serves(t, stage));
  });
}
