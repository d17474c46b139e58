import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../../src/api/annotations.ts';
import { POD } from '../../../src/api/core.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import { connect } from '../../../src/kube/connect.ts';
import type { KubeObject, Resource } from '../../../src/kube/port.ts';
import { systemClock as clock } from '../../../src/lib/clock.ts';
import { systemRandom as random } from '../../../src/lib/random.ts';
import { FULL_DEPLOYMENT, REPLICA_SET } from '../../../src/sandbox/cluster/workloads.ts';
import { installKnative } from '../../../src/sandbox/knative/definitions.ts';
import { runKnative, type Knative } from '../../../src/sandbox/knative/run-knative.ts';
import { LABEL } from '../../../src/sandbox/knative/child-metadata.ts';
import {
  CONFIGURATION,
  FULL_POD_AUTOSCALER,
  REVISION,
  ROUTE,
  SERVICE,
} from '../../../src/sandbox/knative/resources.ts';
import { isRealAvailable, setStage, type Kind } from '../../e2e/stage.ts';
import { until } from '../../harness/until.ts';
import { HOW_TO_GET_ONE } from '../../kube-api/real.ts';
import { isReady, NAMESPACE, said } from './world.ts';

type Stage = Awaited<ReturnType<typeof setStage>>;

const KINDS: readonly Resource<KubeObject>[] = [
  SERVICE,
  CONFIGURATION,
  ROUTE,
  REVISION,
  FULL_POD_AUTOSCALER,
  FULL_DEPLOYMENT,
  REPLICA_SET,
  POD,
  PODEIP,
];
const HELLO = { namespace: NAMESPACE, name: 'hello' };
const ofHello = { namespace: NAMESPACE, labelSelector: `${LABEL.service}=hello` };

const service = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: HELLO,
  spec: {
    template: {
      metadata: { annotations: { [KEYS.withEip[2]]: 'true', 'serving.knative.dev/progress-deadline': '60s' } },
      spec: { containers: [{ image: 'hello' }] },
    },
  },
};

const ready = ({ kube }: Stage, revision: string) =>
  until(
    `traffic goes to ${revision}`,
    () => kube.get(SERVICE, HELLO),
    (it) => it?.status?.traffic?.[0]?.revisionName === revision && said(it, 'Ready') === 'True',
  );

/** While a request is under way, a pod of this Revision becomes Ready with an address. */
const getsAddress = async ({ kube }: Stage, knative: Knative, revision: string): Promise<void> => {
  const end = new AbortController();
  const request = knative.request(HELLO, { takesMs: 120_000, signal: end.signal });
  await until(
    `a pod of ${revision} has an address`,
    () => kube.list(POD, { namespace: NAMESPACE, labelSelector: `${LABEL.revision}=${revision}` }),
    (pods) => pods.some((pod) => isReady(pod) && pod.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined),
  );
  end.abort();
  await Promise.allSettled([request]);
};

const isEmpty = async ({ kube, cloud }: Stage) => {
  await until(
    'scale to zero gives every address back',
    async () => (await Promise.all([kube.list(POD), kube.list(PODEIP)])).flat().length + cloud.eips().length,
    (count) => count === 0,
  );
};

const live = async (t: ExecutionContext, stage: Stage, knative: Knative): Promise<void> => {
  const { kube } = stage;
  const controller = await stage.startController({ leaderElection: { enabled: false }, cloud: { settleSeconds: 1 } });
  await kube.create(SERVICE, service);
  await ready(stage, 'hello-00001');
  await getsAddress(stage, knative, 'hello-00001');
  t.is((await kube.list(PODEIP, ofHello)).length, 1, 'it is found by the Service');
  await isEmpty(stage);
  t.is(said((await kube.get(SERVICE, HELLO)) ?? {}, 'Ready'), 'True', 'idle is no trouble');

  await getsAddress(stage, knative, 'hello-00001');
  const body = { spec: { template: { metadata: { annotations: { [KEYS.bandwidth[1]]: '10' } } } } };
  await kube.patch(SERVICE, HELLO, { type: 'merge', body });
  await ready(stage, 'hello-00002');
  await getsAddress(stage, knative, 'hello-00002');

  const uid = (await kube.get(SERVICE, HELLO))?.metadata.uid ?? '';
  await kube.delete(SERVICE, HELLO, { uid });
  await until(
    'nothing is left',
    async () => (await Promise.all(KINDS.map((kind) => kube.list(kind, { namespace: NAMESPACE })))).flat(),
    (left) => left.length === 0,
  );
  await isEmpty(stage);
  t.is(await controller.terminate(), 0);
};

/** A real API server takes a moment. */
const isServed =
  ({ kube }: Stage) =>
  (): Promise<boolean> =>
    Promise.all(KINDS.map((kind) => kube.list(kind))).then(
      () => true,
      () => false,
    );

const run = async (t: ExecutionContext, kind: Kind): Promise<void> => {
  const stage = await setStage(kind);
  const connection = await connect({ kubeconfigPath: stage.kubeconfig });
  const stop = new AbortController();
  try {
    await installKnative(stage.kube);
    await until('Knative’s API is served', isServed(stage), (served) => served);
    const context = { transport: connection.calls, clock, random };
    const knative = runKnative(context, stage.kube, { stableWindowMs: 4_000 }, stop.signal);
    await live(t, stage, knative);
    stop.abort();
    await knative.ended;
  } finally {
    stop.abort();
    await connection.close();
    await stage.close();
  }
};

for (const kind of ['embedded', 'real'] as const) {
  const declare = kind === 'real' && !isRealAvailable() ? test.skip : test.serial;
  const title = `a Service gets an address, gives it back at zero, gets one on a request and through a rollout, on ${kind === 'real' ? 'a real control plane' : 'the embedded API'}`;
  declare(isRealAvailable() || kind === 'embedded' ? title : `${title} (${HOW_TO_GET_ONE})`, async (t) => {
    await run(t, kind);
  });
}
