import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { POD, type Pod } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { connect } from '../../src/kube/connect.ts';
import type { KubeObject, Resource } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { FULL_DEPLOYMENT, REPLICA_SET } from '../../src/sandbox/cluster/workloads.ts';
import { installKnative } from '../../src/sandbox/knative/definitions.ts';
import { runKnative, type Knative } from '../../src/sandbox/knative/run-knative.ts';
import { LABEL } from '../../src/sandbox/knative/child-metadata.ts';
import {
  CONFIGURATION,
  FULL_POD_AUTOSCALER,
  REVISION,
  ROUTE,
  SERVICE,
  type Service,
} from '../../src/sandbox/knative/resources.ts';
import { areWebhooksCalled, webhookConfiguration, webhookSettings } from './admission.ts';
import { setStage, VIRTUAL_NODE_SETTINGS, type Kind, type Stage } from './stage.ts';
import { until } from '../harness/until.ts';
import { freePort } from '../harness/free-port.ts';

export const NAMESPACE = 'default';

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

/** A stage with Knative, and a controller that runs the virtual node and, where they are wanted, the webhooks. */
export interface KnativeStage extends Stage {
  readonly knative: Knative;
  /** What the controller has logged. */
  readonly output: () => string;
}

/** Plays on such a stage, and takes it down again. */
export const withKnative = async (
  kind: Kind,
  { webhooks = true, settings = {} }: { readonly webhooks?: boolean; readonly settings?: object },
  play: (stage: KnativeStage) => Promise<void>,
): Promise<void> => {
  const stage = await setStage(kind, { withScheduler: true });
  const connection = await connect({ kubeconfigPath: stage.kubeconfig });
  const stop = new AbortController();
  try {
    await installKnative(stage.kube);
    // A real API server takes a moment.
    const areServed = () =>
      Promise.all(KINDS.map((each) => stage.kube.list(each))).then(
        () => true,
        () => false,
      );
    await until('Knative’s API is served', areServed, (served) => served);
    const context = { transport: connection.calls, clock, random };
    const knative = runKnative(context, stage.kube, { stableWindowMs: 4_000 }, stop.signal);
    const port = await freePort();
    // Also where nobody answers: the API server knows of them.
    await stage.kube.create(MUTATING_WEBHOOKS, webhookConfiguration(port));
    const controller = await stage.startController({
      leaderElection: { enabled: false, namespace: 'knative-eip-system' },
      cloud: { settleSeconds: 1 },
      ...(webhooks && webhookSettings(port)),
      ...VIRTUAL_NODE_SETTINGS,
      ...settings,
    });
    await stage.virtualNodeIsReady();
    if (webhooks) await areWebhooksCalled(stage);
    await play({ ...stage, knative, output: controller.output });
    await controller.terminate();
    stop.abort();
    await knative.ended;
  } finally {
    stop.abort();
    await connection.close();
    await stage.close();
  }
};

export const conditionOf = (
  object: {
    readonly status?: { readonly conditions?: readonly { type: string; status: string }[] | undefined } | undefined;
  },
  type: string,
): string | undefined => object.status?.conditions?.find((condition) => condition.type === type)?.status;

export const isReady = (pod: Pod): boolean => conditionOf(pod, 'Ready') === 'True';

export const addressOf = ({ metadata }: Pod): string | undefined => metadata.annotations?.[ALLOCATED_ADDRESS];

export const podsOf = ({ kube }: Stage, revision: string, namespace = NAMESPACE): Promise<readonly Pod[]> =>
  kube.list(POD, { namespace, labelSelector: `${LABEL.revision}=${revision}` });

const isServed = (pod: Pod): boolean =>
  isReady(pod) && addressOf(pod) !== undefined && pod.metadata.deletionTimestamp === undefined;

/** The pod of the Revision once it is Ready with its address. */
export const servedPod = async (stage: Stage, revision: string, namespace = NAMESPACE): Promise<Pod> => {
  const pods = await until(
    `a pod of ${revision} is Ready with an address`,
    () => podsOf(stage, revision, namespace),
    (all) => all.some(isServed),
  );
  return pods.find(isServed)!;
};

/** Waits until the Service is Ready with this Revision. */
export const serviceIsReady = (
  { kube }: Stage,
  name: string,
  revision: string,
  namespace = NAMESPACE,
): Promise<Service | undefined> =>
  until(
    `${revision} is Ready`,
    () => kube.get(SERVICE, { namespace, name }),
    (it) => it?.status?.latestReadyRevisionName === revision && conditionOf(it, 'Ready') === 'True',
  );

/** A request that keeps a pod of the Service busy until it is over. */
export const visit = ({ knative }: KnativeStage, name: string, namespace = NAMESPACE): (() => Promise<unknown>) => {
  const end = new AbortController();
  const asked = knative.request({ namespace, name }, { takesMs: 600_000, signal: end.signal });
  const settled = Promise.allSettled([asked]);
  return () => {
    end.abort();
    return settled;
  };
};

export const deleteService = async ({ kube }: Stage, name: string, namespace = NAMESPACE): Promise<void> => {
  const uid = (await kube.get(SERVICE, { namespace, name }))?.metadata.uid ?? '';
  await kube.delete(SERVICE, { namespace, name }, { uid });
};

/** Waits until no pod and no PodEIP is left, no container group, and no EIP but those that were there before. */
export const nothingIsLeft = ({ kube, cloud }: Stage, theirs: readonly string[] = []) =>
  until(
    'no pod, no PodEIP, no container group and no EIP is left',
    async () => ({
      objects: (await Promise.all([kube.list(POD), kube.list(PODEIP)])).flat().map(({ metadata }) => metadata.name),
      groups: cloud.containerGroups().length,
      eips: cloud
        .eips()
        .filter(({ allocationId, binding }) => binding !== undefined || !theirs.includes(allocationId))
        .map(({ allocationId }) => allocationId),
    }),
    ({ objects, groups, eips }) => objects.length + groups + eips.length === 0,
  );

/** The whole chain of Knative's objects is gone. */
export const chainIsGone = ({ kube }: Stage) =>
  until(
    'nothing of Knative’s is left',
    async () => (await Promise.all(KINDS.map((kind) => kube.list(kind)))).flat().length,
    (count) => count === 0,
  );
