import { EIP_POLICY, type EipPolicy } from '../api/eippolicy.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import { isFinal, ipv4Of } from '../api/pod.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Cloud, Eip } from '../cloud/port.ts';
import { allTags, type Cluster } from '../controllers/podeip/calls.ts';
import { reconcilePodEip } from '../controllers/podeip/controller.ts';
import type { Settings } from '../controllers/podeip/observation.ts';
import type { Action, Result } from '../controllers/podeip/step.ts';
import { Tracker } from '../controllers/podeip/tracker.ts';
import { writeAdoption } from '../controllers/podeip/writes.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, KubeObject, ObjectRef, Resource } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Node } from '../api/core.ts';
import type { SeenPod } from './inventory.ts';
import type { Adoption } from './migration-step.ts';

/** What the controller would be given. */
interface RehearsalPorts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly random: Random;
  readonly cluster: Cluster;
  readonly settings: Settings;
  readonly vpcId: string;
  /** All of the cluster. */
  readonly policies: readonly EipPolicy[];
}

/** What the controller may do first with a PodEIP that was taken over. All else changes what somebody has. */
const HARMLESS: ReadonlySet<(Action | Result)['do']> = new Set([
  'Done',
  'Wait',
  'Fail',
  'Publish',
  'Hold',
  'NoteQuiet',
  'RecordBinding',
]);

/**
 * What the controller itself would do first with the PodEIP if it were taken over, under the policies of its namespace;
 * undefined where nothing of that changes an address. Nothing is written. Rejects with a CloudFault where the cloud
 * does not answer: what the controller would do is not known then.
 */
export const rehearse = async (
  { podEip: seenPodEip, eip: seenEip, node, pod, interfaces }: SeenPod,
  adoption: Adoption,
  ports: RehearsalPorts,
  signal: AbortSignal,
): Promise<string | undefined> => {
  if (!seenPodEip || !seenEip) return undefined;
  const { kube, cloud, clock, random, cluster, settings, vpcId, policies } = ports;
  const podEip = await adopted(adoption, seenPodEip, cluster, signal);
  const isBought = podEip.spec.allocationType.type === 'Auto';
  const eip: Eip = isBought
    ? {
        ...seenEip,
        tags: new Map([...seenEip.tags, ...allTags(cluster, podEip).map(({ key, value }) => [key, value] as const)]),
      }
    : seenEip;
  const address = pod && !isFinal(pod) ? ipv4Of(pod) : undefined;
  let first: Action | Result | undefined;
  let fault: CloudFault | undefined;
  const noting = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (error instanceof CloudFault) fault = error;
      throw error;
    }
  };
  const turn = reconcilePodEip({
    kube: withPodEip(kube, podEip),
    cloud: {
      ...cloud,
      // What was read a moment ago is not asked for again: the account has a limit of calls.
      describeEip: async (id, until) => (id === eip.allocationId ? eip : noting(cloud.describeEip(id, until))),
      findNetworkInterfaces: async (where, until) =>
        where.privateIpAddress === address && where.vpcId === vpcId && interfaces.length > 0
          ? interfaces
          : noting(cloud.findNetworkInterfaces(where, until)),
      findEips: (tags, until) => noting(cloud.findEips(tags, until)),
      listFreeEips: (until) => noting(cloud.listFreeEips(until)),
      networkInterfacesOf: (id, until) => noting(cloud.networkInterfacesOf(id, until)),
      findBandwidthPackage: (id, until) => noting(cloud.findBandwidthPackage(id, until)),
    },
    clock,
    cluster,
    settings,
    vpcId,
    policies: { known: () => policies, isNotInstalled: () => undefined },
    tracker: new Tracker(clock, random),
    nodeOf: (): Node | undefined => node ?? undefined,
    otherControllers: () => [],
    mayAct: () => true,
    onQuotaFreed: () => undefined,
    record: () => undefined,
    warnService: () => undefined,
    log: silentLog,
    changes: {
      // Whatever it is: it is known, and not done.
      observed: async (step) => {
        first = step;
        return false;
      },
      refused: () => undefined,
    },
  });
  await turn(podEip.metadata, signal);
  // Nothing was decided: what would be done is not known, and it is not taken for harmless.
  if (!first) throw fault ?? new Error('what the controller would do first is not known; run this again');
  return first && !HARMLESS.has(first.do) ? first.do : undefined;
};

/** The PodEIP as it will be. */
const adopted = async (
  adoption: Adoption,
  podEip: PodEip,
  { region }: Cluster,
  signal: AbortSignal,
): Promise<PodEip> => {
  let annotations: Readonly<Record<string, string>> = {};
  const writer: Pick<Kube, 'patch'> = {
    patch: <T extends KubeObject>(_: Resource<T>, __: ObjectRef, { body }: { readonly body: unknown }) => {
      ({ annotations } = (body as { metadata: { annotations: Readonly<Record<string, string>> } }).metadata);
      return Promise.resolve(podEip as unknown as T);
    },
  };
  await writeAdoption(writer as Kube, adoption, region, signal);
  return {
    ...podEip,
    metadata: { ...podEip.metadata, annotations: { ...podEip.metadata.annotations, ...annotations } },
  };
};

const refuse = () => Promise.reject(new KubeFault({ kind: 'conflict', message: 'this is a rehearsal' }));

/** Reads the PodEIP as it will be, all else as it is; writes nothing. */
const withPodEip = (kube: Kube, podEip: PodEip): Kube => ({
  get: async <T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, signal?: AbortSignal) =>
    resource.plural === PODEIP.plural &&
    ref.name === podEip.metadata.name &&
    ref.namespace === podEip.metadata.namespace
      ? (podEip as unknown as T)
      : kube.get(resource, ref, signal),
  list: (resource, options, signal) => kube.list(resource, options, signal),
  create: refuse,
  replace: refuse,
  patch: refuse,
  delete: refuse,
});

/** The policies of the cluster; none where their kind is not installed. */
export const readPolicies = async (kube: Kube, signal: AbortSignal): Promise<readonly EipPolicy[]> => {
  try {
    return await kube.list(EIP_POLICY, {}, signal);
  } catch (error) {
    if (error instanceof KubeFault && error.kind === 'notFound') return [];
    throw error;
  }
};
