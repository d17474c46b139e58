import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, HANDED_OVER, KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import {
  CONFIGURATION_LABEL,
  CONFIGURATION_GENERATION,
  REVISION_LABEL,
  SERVICE_LABEL,
  SERVICE_UID,
} from '../../src/api/knative.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { FULL_DEPLOYMENT } from '../../src/sandbox/cluster/workloads.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { isRealAvailable, setStage } from './stage.ts';
import { until } from '../harness/until.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;

const EIP = 'eip-users';

/**
 * The Deployment of a Revision, with the labels that Knative's reconcilers give it, and the gate that a webhook adds.
 */
const revision = (generation: number) => {
  const name = `hello-0000${generation}`;
  const labels = {
    app: name,
    [SERVICE_LABEL]: 'hello',
    [SERVICE_UID]: 'b9c7cbb6-6c1b-4b3c-8b0d-3f1c5c1a9a11',
    [CONFIGURATION_LABEL]: 'hello',
    [CONFIGURATION_GENERATION]: String(generation),
    [REVISION_LABEL]: name,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${name}-deployment`, namespace: 'default', labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels, annotations: { [KEYS.instanceId[2]]: EIP } },
        spec: {
          readinessGates: [{ conditionType: READINESS_GATE }],
          containers: [{ name: 'user-container', image: 'hello' }],
        },
      },
    },
  };
};

const podOf = async ({ kube }: Stage, generation: number): Promise<Pod | undefined> =>
  (await kube.list(POD, { namespace: 'default', labelSelector: `${REVISION_LABEL}=hello-0000${generation}` })).find(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );

const conditionOf = (pod: Pod | undefined, wanted: string) =>
  pod?.status?.conditions?.find(({ type }) => type === wanted);

const isReady = (pod: Pod | undefined): boolean =>
  pod?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined && conditionOf(pod, 'Ready')?.status === 'True';

/** Every state of a pod from now on, one for each write. */
const follow = ({ transport }: Stage, { metadata: { uid } }: Pod) => {
  const stop = new AbortController();
  const states: Pod[] = [];
  const pods = createReflector<Pod, Pod>({
    transport,
    clock,
    random,
    log: silentLog,
    resource: POD,
    keep: (pod) => pod,
  });
  pods.subscribe(({ type, object }) => {
    if (object.metadata.uid === uid && type !== 'deleted') states.push(object);
  });
  const running = pods.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  return { states, end };
};

/** Requests still go to it, and would wait for it if it were not Ready. */
const assertServesOn = (t: ExecutionContext, states: readonly Pod[]): void => {
  for (const pod of states.filter(({ metadata }) => metadata.deletionTimestamp === undefined)) {
    const said = JSON.stringify(pod.status?.conditions);
    t.is(conditionOf(pod, READINESS_GATE)?.status, 'True', said);
    t.is(conditionOf(pod, 'Ready')?.status, 'True', said);
  }
};

const ready = (stage: Stage, generation: number) =>
  until(`the pod of revision ${generation} is Ready`, () => podOf(stage, generation), isReady);

const holder = ({ cloud }: Stage) =>
  cloud.eips().find(({ allocationId }) => allocationId === EIP)?.binding?.privateIpAddress;

const rollOut = async (t: ExecutionContext, stage: Stage): Promise<void> => {
  const { kube, cloud } = stage;
  cloud.world.addEip({ allocationId: EIP, tags: { team: 'web' } });
  // A describe may lag behind.
  const before = await until(
    'the EIP of the user',
    () => stage.describe(EIP),
    (it) => it.includes(EIP),
  );
  const controller = await stage.startController({ leaderElection: { enabled: false }, cloud: { settleSeconds: 1 } });
  await kube.create(FULL_DEPLOYMENT, revision(1));
  const old = await ready(stage, 1);
  t.is(holder(stage), old?.status?.podIP);
  if (!old) throw new Error('there is no pod of generation 1');
  const followed = follow(stage, old);

  // As Knative does: the pod of the old Revision stays until the one of the new Revision is Ready.
  await kube.create(FULL_DEPLOYMENT, revision(2));
  const next = await ready(stage, 2);
  t.is(holder(stage), next?.status?.podIP, 'the EIP has moved');
  const handedOver = await podOf(stage, 1);
  t.is(handedOver?.metadata.annotations?.[ALLOCATED_ADDRESS], undefined, 'the old pod does not say that it has it');
  t.is(conditionOf(handedOver, READINESS_GATE)?.reason, HANDED_OVER);
  const list = await kube.list(PODEIP, { namespace: 'default', labelSelector: `${SERVICE_LABEL}=hello` });
  t.is(list.length, 2, 'both are found by the Service');

  const first = { namespace: 'default', name: 'hello-00001-deployment' };
  await kube.patch(FULL_DEPLOYMENT, first, { type: 'merge', body: { spec: { replicas: 0 } } });
  await until(
    'one PodEIP',
    () => kube.list(PODEIP),
    (all) => all.length === 1 && all[0]?.metadata.labels?.[REVISION_LABEL] === 'hello-00002',
  );
  await followed.end();
  t.true(followed.states.some(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS] === undefined));
  t.true(followed.states.some(({ metadata }) => metadata.deletionTimestamp !== undefined));
  assertServesOn(t, followed.states);
  t.true(isReady(await podOf(stage, 2)));

  const second = { namespace: 'default', name: 'hello-00002-deployment' };
  await kube.patch(FULL_DEPLOYMENT, second, { type: 'merge', body: { spec: { replicas: 0 } } });
  await until(
    'scale to zero leaves no PodEIP',
    () => kube.list(PODEIP),
    (all) => all.length === 0,
  );
  t.is(await stage.describe(EIP), before, 'the EIP of the user is as it was');
  t.deepEqual(
    [...new Set(cloud.ledger().map(({ action }) => action))].filter((it) => /Allocate|Release/u.test(it)),
    [],
  );
  t.is(await controller.terminate(), 0);
};

for (const kind of ['embedded', 'real'] as const) {
  const declare = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const title = `a rollout of a Knative Service with a named EIP and a readiness gate ends with the new pod Ready, on ${kind === 'real' ? 'a real control plane' : 'the embedded API'}`;
  declare(isRealAvailable() || kind === 'embedded' ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    const stage = await setStage(kind);
    try {
      await rollOut(t, stage);
    } finally {
      await stage.close();
    }
  });
}
