import type { ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS, TAG_POD } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { KubeEvent } from '../../src/kube/recorder.ts';
import { LABEL } from '../../src/sandbox/knative/child-metadata.ts';
import { SERVICE, type Service, type RouteTarget } from '../../src/sandbox/knative/resources.ts';
import { until } from '../harness/until.ts';
import { ask, sendSteadily, hasFailed, type Exchange } from './client.ts';
import { KUBELET_POD, type KubeletPod } from './cluster/pod.ts';
import type { Stage } from './cluster/stage.ts';
import { sharedAddresses, type PodHistory } from './recorder.ts';

export const MIN_SCALE = 'autoscaling.knative.dev/min-scale';
export const MAX_SCALE = 'autoscaling.knative.dev/max-scale';
export const NEW_EIP = { [KEYS.withEip[1]]: 'true' };
export const NAMED_EIP = KEYS.instanceId[1];

/** What a user writes of a Knative Service. */
export interface ServiceOptions {
  /** Of the template. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly own?: Readonly<Record<string, string>>;
  /** Labels of the Service itself. */
  readonly ownLabels?: Readonly<Record<string, string>>;
  /** @default one container without a port */
  readonly containers?: readonly object[];
  /** @default 30 */
  readonly timeoutSeconds?: number;
  readonly traffic?: readonly RouteTarget[];
}

/** Of the page of the first run on the real Knative, with today's beside it. */
export type Figure = (what: string, page: string | number, today: string | number) => void;

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

const conditionOf = (service: Service | undefined, type: string) =>
  service?.status?.conditions?.find((it) => it.type === type)?.status;

/** A scenario's place on the stage: a Kubernetes namespace of its own, with one Knative Service in it. */
export const createScene = async (t: ExecutionContext, stage: Stage, name: string) => {
  const { kube, kubectl, recorder, cloud, calls } = stage;
  const namespace = name;
  const ref = { namespace, name };
  await kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });

  const manifest = (options: ServiceOptions = {}): object => ({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { ...ref, annotations: options.own, labels: options.ownLabels },
    spec: {
      template: {
        metadata: { annotations: options.annotations, labels: options.labels },
        spec: {
          timeoutSeconds: options.timeoutSeconds ?? 30,
          containers: options.containers ?? [{ image: 'dev.local/hello:1' }],
        },
      },
      ...(options.traffic && { traffic: options.traffic }),
    },
  });

  /** `kubectl apply`; what it said on stderr, without what Knative says to everybody. */
  const apply = async (options: ServiceOptions, ...args: readonly string[]): Promise<string> => {
    const { stderr } = await kubectl.apply([manifest(options)], ...args);
    return stderr
      .split('\n')
      .filter((line) => line !== '' && !line.includes('Kubernetes default value is insecure'))
      .join('\n');
  };

  const host = (tag?: string): string => `${tag === undefined ? '' : `${tag}-`}${name}.${namespace}.example.com`;

  let changes = 0;
  /** A change of the template that makes a new Revision. */
  const rollOut = async (annotations: Readonly<Record<string, string | null>> = {}): Promise<number> => {
    const changed = { 'example.com/change': String((changes += 1)), ...annotations };
    const body = { spec: { template: { metadata: { annotations: changed } } } };
    await kube.patch(SERVICE, ref, { type: 'merge', body });
    return Date.now();
  };

  const routeTo = async (traffic: readonly RouteTarget[]): Promise<number> => {
    await kube.patch(SERVICE, ref, { type: 'merge', body: { spec: { traffic } } });
    return Date.now();
  };

  const revision = (generation: number): string => `${name}-${String(generation).padStart(5, '0')}`;

  /** Waits until the Service is Ready with its newest Revision of that generation. */
  const isReady = (generation: number, withinMs = 120_000): Promise<Service | undefined> =>
    until(
      `${revision(generation)} is Ready`,
      () => kube.get(SERVICE, ref),
      (it) =>
        it?.status?.latestReadyRevisionName === revision(generation) &&
        it.status.observedGeneration === it.metadata.generation &&
        conditionOf(it, 'Ready') === 'True',
      withinMs,
    );

  const pods = (generation?: number): Promise<readonly KubeletPod[]> =>
    kube.list(KUBELET_POD, {
      namespace,
      labelSelector: generation === undefined ? LABEL.revision : `${LABEL.revision}=${revision(generation)}`,
    });

  const histories = (generation?: number): readonly PodHistory[] =>
    recorder.pods(namespace).filter((it) => generation === undefined || it.revision === revision(generation));

  /** Waits until nothing runs for the Revision, or for any. */
  const isGone = (generation?: number, withinMs = 120_000) =>
    until(
      `no pod of ${generation === undefined ? name : revision(generation)} is left`,
      async () => (await pods(generation)).map(({ metadata }) => metadata.name),
      (names) => names.length === 0,
      withinMs,
    );

  /** Waits until a pod of the Revision shows its address. */
  const addressOf = async (generation: number, withinMs = 120_000): Promise<string> => {
    const all = await until(
      `a pod of ${revision(generation)} has an address`,
      () => pods(generation),
      (list) => list.some(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS]),
      withinMs,
    );
    return all.map(({ metadata }) => metadata.annotations?.[ALLOCATED_ADDRESS]).find((it) => it) ?? '';
  };

  /**
   * Waits until a pod of the Revision has shown this address, also one that is gone: between the question and the look
   * a slow machine may have scaled it to zero and made another one.
   */
  const hasShown = (address: string | undefined, generation: number) =>
    until(
      `a pod of ${revision(generation)} has shown the address that it answered from, ${address ?? 'none'}`,
      () => histories(generation).flatMap(({ addresses }) => addresses.map((shown) => shown.address)),
      (shown) => address !== undefined && shown.includes(address),
      120_000,
    );

  /** An EIP of the user's; its ID. */
  const ownEip = (): string => cloud.world.addEip({ allocationId: `eip-${name}`, tags: { team: 'web' } }).allocationId;
  const eip = (id: string) => cloud.eips().find(({ allocationId }) => allocationId === id);
  const podEips = () => kube.list(PODEIP, { namespace });

  const remove = async (): Promise<void> => {
    const uid = (await kube.get(SERVICE, ref))?.metadata.uid;
    if (uid !== undefined) await kube.delete(SERVICE, ref, { uid });
  };

  /** Waits until no pod, no PodEIP and no EIP that was bought here is left. */
  const isClean = (withinMs = 120_000) =>
    until(
      `nothing of ${name} is left`,
      async () => ({
        pods: (await pods()).length,
        podEips: (await podEips()).length,
        eips: bought().length,
        groups: groups().length,
      }),
      ({ pods, podEips, eips, groups }) => pods + podEips + eips + groups === 0,
      withinMs,
    );

  const isOurs = ({ tags }: { readonly tags: ReadonlyMap<string, string> }): boolean =>
    tags.get(TAG_POD)?.startsWith(`${namespace}/`) ?? false;
  /** EIPs that were bought for pods of this namespace and are there still, and container groups of theirs. */
  const bought = () => cloud.eips().filter(isOurs);
  const groups = () => cloud.containerGroups().filter(isOurs);
  /** What changed in the cloud about EIPs that were bought here, and about the user's own. */
  const ledger = (action: string) =>
    cloud
      .ledger()
      .filter((change) => change.action === action && (isOurs(change) || change.allocationId === `eip-${name}`));
  /** How often a call about the user's own EIP was answered OK. */
  const answered = (action: string): number =>
    calls().filter((call) => call.action === action && call.allocationId === `eip-${name}` && call.outcome === 'OK')
      .length;

  const figure: Figure = (what, page, today) => t.log(`${name} | ${what} | page: ${page} | today: ${today}`);

  return {
    name,
    namespace,
    ref,
    host,
    send: (perSecond?: number) => {
      const requests = sendSteadily(host(), perSecond);
      t.teardown(() => requests.stop().then(() => undefined));
      return requests;
    },
    manifest,
    apply,
    rollOut,
    routeTo,
    revision,
    isReady,
    pods,
    histories,
    isGone,
    addressOf,
    hasShown,
    ownEip,
    eip,
    podEips,
    bought,
    groups,
    ledger,
    answered,
    remove,
    isClean,
    figure,
    ask: (path?: string, tag?: string) => ask(host(tag), path),
    service: () => kube.get(SERVICE, ref),
    events: (): readonly KubeEvent[] => recorder.events(namespace),
    /** Requests that failed, with what was said. */
    noneFailed: (exchanges: readonly Exchange[], page: string): void => {
      const failed = exchanges.filter(hasFailed);
      figure('failed requests', page, `${failed.length} of ${exchanges.length}`);
      const said = failed.slice(0, 3).map(({ status, said }) => `${status} ${said}`);
      t.deepEqual(said, [], `${failed.length} of ${exchanges.length} requests failed`);
    },
    neverOnTwo: (): void => {
      t.deepEqual(sharedAddresses(histories()), [], 'no EIP was ever on two pods');
    },
  };
};

export type Scene = Awaited<ReturnType<typeof createScene>>;
