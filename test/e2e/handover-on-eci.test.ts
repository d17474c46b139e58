import test, { type ExecutionContext } from 'ava';
import { ECI_INSTANCE_ID, KEYS, READINESS_GATE, WANTS_ECI } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { SERVICE } from '../../src/sandbox/knative/resources.ts';
import {
  addressOf,
  chainIsGone,
  deleteService,
  isReady,
  NAMESPACE,
  nothingIsLeft,
  podsOf,
  servedPod,
  serviceIsReady,
  withKnative,
  type KnativeStage,
} from './knative.ts';
import { until } from '../harness/until.ts';

const OWN_EIP = 'eip-users';
const MIN_SCALE = { 'autoscaling.knative.dev/min-scale': '1' };

const serviceOf = (name: string, annotations: object) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: NAMESPACE, name },
  spec: {
    template: {
      metadata: {
        labels: { [WANTS_ECI]: 'true' },
        annotations: { [KEYS.instanceId[2]]: OWN_EIP, ...MIN_SCALE, ...annotations },
      },
      spec: { containers: [{ image: 'hello' }] },
    },
  },
});

const isGated = ({ spec }: Pod): boolean =>
  spec.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE) ?? false;

/** Whether the account says that the EIP is at the instance of this pod. */
const hasEip = ({ cloud }: KnativeStage, { metadata }: Pod): boolean => {
  const group = cloud
    .containerGroups()
    .find(({ containerGroupId }) => containerGroupId === metadata.annotations?.[ECI_INSTANCE_ID]);
  const eip = cloud.eips().find(({ allocationId }) => allocationId === OWN_EIP);
  return group !== undefined && eip?.binding?.instanceId === group.eniInstanceId;
};

const rollOut = async (t: ExecutionContext, stage: KnativeStage): Promise<void> => {
  const { kube } = stage;
  await kube.create(SERVICE, serviceOf('own', { [KEYS.handover[1]]: 'wait' }));
  const first = await servedPod(stage, 'own-00001');
  t.false(isGated(first), 'it would wait for a pod that waits for it');
  t.true(hasEip(stage, first));
  await serviceIsReady(stage, 'own', 'own-00001');

  // Another Service wants it too, on another instance: it runs, waits, and takes nothing.
  await kube.create(SERVICE, serviceOf('other', {}));
  const [other] = await until(
    'the pod of the other Service runs',
    () => podsOf(stage, 'other-00001'),
    (pods) => pods.some(({ status }) => status?.phase === 'Running'),
  );
  const refused = await until(
    'it is told why it gets nothing',
    () => kube.get(PODEIP, { namespace: NAMESPACE, name: other?.metadata.name ?? '' }),
    (podEip) => podEip?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'False') === true,
  );
  t.log(refused?.status?.conditions?.find(({ type }) => type === 'Ready')?.message);
  t.true(hasEip(stage, first));

  const body = { spec: { template: { metadata: { annotations: { 'example.com/v': '2' } } } } };
  await kube.patch(SERVICE, { namespace: NAMESPACE, name: 'own' }, { type: 'merge', body });
  const [second] = await until(
    'the new pod is Ready without the address',
    () => podsOf(stage, 'own-00002'),
    (pods) => pods.some(isReady),
  );
  t.is(second && addressOf(second), undefined);
  t.true(hasEip(stage, first), 'it stays where it is as long as that pod is there');
  const served = await servedPod(stage, 'own-00002');
  t.deepEqual(await podsOf(stage, 'own-00001'), [], 'it came when the old pod was gone');
  t.true(hasEip(stage, served));
  t.is(addressOf(served), addressOf(first));
  t.deepEqual(
    (await podsOf(stage, 'other-00001')).map((pod) => [isReady(pod), addressOf(pod)]),
    [[false, undefined]],
    'the other Service has nothing',
  );
  for (const name of ['own', 'other']) await deleteService(stage, name);
  await chainIsGone(stage);
  await nothingIsLeft(stage, [OWN_EIP]);
};

test.serial(
  'on ECI with eip-handover: wait the EIP comes when the old pod is gone, and another Service gets nothing',
  async (t) => {
    await withKnative('embedded', {}, async (stage) => {
      stage.cloud.world.addEip({ allocationId: OWN_EIP });
      await rollOut(t, stage);
      t.like(stage.cloud.eips(), [{ allocationId: OWN_EIP, status: 'Available' }]);
    });
  },
);
