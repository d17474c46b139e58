import { CRD } from '../../api/apiextensions.ts';
import { NAMESPACE, POD } from '../../api/core.ts';
import { KNATIVE_SERVICE, SERVICE_UID } from '../../api/knative.ts';
import { ipv4Of } from '../../api/pod.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import { CloudFault, type CloudFaultKind } from '../../cloud/fault.ts';
import type { Cloud, Eip } from '../../cloud/port.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import { keyOf } from '../../kube/store.ts';
import { readPolicy, type Policies } from '../../policies/policy-cache.ts';
import { readHolder } from '../../policies/holders.ts';
import { readQuota } from '../../policies/reservations.ts';
import { ownershipTags, type Cluster } from './calls.ts';
import type { Carried, LookAhead, LookedUp } from './carried.ts';
import type { CompetingClaim, ObservedState } from './observation.ts';
import { isSameService } from './handover-order.ts';
import { isExternal, readRecord } from './record.ts';
import type { Action, ReadStep } from './step.ts';
import { isReusableFor } from './transfer.ts';
import { sortByMark } from './ownership.ts';
import { namesExisting } from '../../rules/naming.ts';

/** The ports that reads use. */
export interface ReadPorts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly cluster: Cluster;
  /** The VPC of the cluster's nodes: private addresses repeat across VPCs. */
  readonly vpcId: string;
  /** The policies of namespaces; undefined where there are none. */
  readonly policies?: Policies | undefined;
  /** Whether an EIP could be bought now, and network interfaces be looked up meanwhile. @default they may */
  readonly mayLookAhead?: (() => boolean) | undefined;
}

/**
 * What the purchase will have to know, looked up beside the write of the wish: the network interface of the pod, and
 * what its namespace may have. Nothing where that is not clear at once; the decision asks for it then, and hears of the
 * fault too.
 */
export const lookAhead = (step: Action, ports: ReadPorts, signal: AbortSignal): LookAhead | undefined => {
  if (step.do !== 'Claim' || step.request?.kind !== 'new') return undefined;
  const privateIpAddress = ipv4Of(step.pod);
  if (privateIpAddress === undefined || ports.mayLookAhead?.() === false) return undefined;
  return { privateIpAddress, found: lookUp(privateIpAddress, step.pod.metadata.namespace ?? '', ports, signal) };
};

const lookUp = async (
  privateIpAddress: string,
  namespace: string,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<LookedUp> => {
  const { cloud, vpcId, policies } = ports;
  try {
    const [interfaces, policy] = await Promise.all([
      cloud.findNetworkInterfaces({ vpcId, privateIpAddress }, signal),
      policies && policyOf(namespace, ports, signal),
    ]);
    return interfaces.length === 1 && interfaces[0]?.status === 'InUse' ? { ...policy, interfaces } : {};
  } catch {
    return {};
  }
};

/** Reads what the decision asked for. */
const readFor = (
  step: ReadStep,
  seen: ObservedState,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<Partial<ObservedState>> =>
  isCloudRead(step) ? readCloud(step, seen, ports, signal) : readCluster(step, seen, ports, signal);

/**
 * Reads what the decision asked for, but for what an earlier turn has begun to look up. Rejects with a CloudFault or a
 * KubeFault.
 */
export const readUnlessAhead = async (
  step: ReadStep,
  seen: ObservedState,
  { carried, ...ports }: ReadPorts & { readonly carried: Carried },
  signal: AbortSignal,
): Promise<Partial<ObservedState>> => {
  const one = seen.podEip ?? seen.pod;
  const lookedUp = one ? carried.lookedUp(keyOf(one.metadata), step) : undefined;
  if (!lookedUp) return readFor(step, seen, ports, signal);
  // What holds the address is asked for beside the tags, which nobody has looked for.
  if (step.do === 'ReadTaggedEips') {
    const [tagged, found] = await Promise.all([readFor({ do: step.do }, seen, ports, signal), lookedUp]);
    return { ...tagged, ...found };
  }
  const found = await lookedUp;
  return Object.keys(found).length > 0 ? found : readFor(step, seen, ports, signal);
};

/** What is read from the account; everything else is in the cluster. */
type CloudRead = Extract<
  ReadStep,
  {
    readonly do:
      | 'ReadEip'
      | 'ReadTaggedEips'
      | 'ReadMarkedEips'
      | 'ReadReclaimable'
      | 'ReadInterfaces'
      | 'ReadNodeInterfaces'
      | 'ReadBandwidthPackage';
  }
>;

const CLOUD_READS = {
  ReadEip: true,
  ReadTaggedEips: true,
  ReadMarkedEips: true,
  ReadReclaimable: true,
  ReadInterfaces: true,
  ReadNodeInterfaces: true,
  ReadBandwidthPackage: true,
} as const satisfies Record<CloudRead['do'], true>;

const isCloudRead = (step: ReadStep): step is CloudRead => Object.hasOwn(CLOUD_READS, step.do);

const readCloud = async (
  step: CloudRead,
  { podEip, reclaimable, tagged }: ObservedState,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<Partial<ObservedState>> => {
  const { cloud, vpcId } = ports;
  switch (step.do) {
    case 'ReadEip':
      return { eip: (await cloud.describeEip(step.allocationId, signal)) ?? null };
    case 'ReadTaggedEips':
      return podEip ? taggedFor(step, podEip, ports, signal) : { tagged: [] };
    case 'ReadMarkedEips':
      return podEip ? boughtFor(podEip, tagged, ports, signal) : { tagged: [], suspects: [] };
    case 'ReadReclaimable': {
      const eips = await taggedWith(step.podEipUid, ports, signal);
      return { reclaimable: new Map([...(reclaimable ?? []), [step.podEipUid, eips.length === 0]]) };
    }
    case 'ReadInterfaces': {
      const { privateIpAddress } = step;
      return { interfaces: await cloud.findNetworkInterfaces({ vpcId, privateIpAddress }, signal) };
    }
    case 'ReadNodeInterfaces':
      return { nodeInterfaces: await cloud.networkInterfacesOf(step.instanceId, signal) };
    case 'ReadBandwidthPackage':
      return { bandwidthPackage: await packageOf(step.bandwidthPackageId, cloud, signal) };
  }
};

const readCluster = async (
  step: Exclude<ReadStep, CloudRead>,
  { podEip }: ObservedState,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<Partial<ObservedState>> => {
  const { kube } = ports;
  const namespace = podEip?.metadata.namespace;
  const name = namespace ?? '';
  switch (step.do) {
    case 'ReadNamespace':
      return { namespace: (await kube.get(NAMESPACE, { name }, signal)) ?? null };
    case 'ReadPolicy':
      return policyOf(name, ports, signal);
    case 'ReadQuota':
      return { quota: await readQuota(name, kube, signal) };
    case 'ReadReusable':
      return { reusable: podEip ? await reusableFor(podEip, kube, signal) : [] };
    case 'ReadService':
      return { service: await serviceOf(step, namespace, kube, signal) };
    case 'ReadSuccessor': {
      const all = await kube.list(PODEIP, { namespace }, signal);
      return { successor: all.find(({ metadata }) => metadata.uid === step.uid) ?? null };
    }
    case 'ReadHolder':
      return { holder: await readHolder(kube, step.allocationId, signal) };
    case 'ReadNamingServices':
      return { isNamedByService: await isNamedByService(step, kube, signal) };
    case 'ReadCompetingClaims':
      return { competitors: await claimsTo(step.allocationId, podEip, kube, signal) };
  }
};

/**
 * What was bought for this PodEIP, by its tags, and at the same time what holds the address of its pod. Where that
 * cannot be read, the decision asks for it again, after what was bought, and hears of the fault.
 */
const taggedFor = async (
  { privateIpAddress }: Extract<ReadStep, { do: 'ReadTaggedEips' }>,
  podEip: PodEip,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<Partial<ObservedState>> => {
  const { cloud, vpcId } = ports;
  const [tagged, interfaces] = await Promise.all([
    taggedWith(podEip.metadata.uid, ports, signal),
    privateIpAddress === undefined
      ? undefined
      : cloud.findNetworkInterfaces({ vpcId, privateIpAddress }, signal).catch(() => undefined),
  ]);
  return { tagged, ...(interfaces && { interfaces }) };
};

/** What was bought for this PodEIP: by its tags, unless this pass has looked for them, and by its mark. */
const boughtFor = async (
  podEip: PodEip,
  known: ObservedState['tagged'],
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<Partial<ObservedState>> => {
  const { cloud, cluster } = ports;
  const [tagged, free] = await Promise.all([
    known ?? taggedWith(podEip.metadata.uid, ports, signal),
    cloud.listFreeEips(signal),
  ]);
  const { ours, suspects } = sortByMark(free, podEip, { clusterUid: cluster.uid, markKey: cluster.markKey });
  return { tagged: [...tagged, ...ours], suspects };
};

/** Kinds of faults of a look-up that is simply made again. */
const PASSES: ReadonlySet<CloudFaultKind> = new Set(['again', 'throttled', 'unknown']);

/**
 * The bandwidth package. A RAM policy of before this look-up does not allow it, and need not: what it would have shown
 * is then learnt when the EIP joins.
 */
const packageOf = async (
  id: string,
  cloud: Cloud,
  signal: AbortSignal,
): Promise<NonNullable<ObservedState['bandwidthPackage']> | null> => {
  try {
    return (await cloud.findBandwidthPackage(id, signal)) ?? null;
  } catch (error) {
    // Nor is an answer that makes no sense a reason to keep a pod waiting.
    const passes = !(error instanceof CloudFault) || PASSES.has(error.kind);
    if (!passes) return 'unreadable';
    throw error;
  }
};

const taggedWith = (podEipUid: string, { cloud, cluster }: ReadPorts, signal: AbortSignal): Promise<readonly Eip[]> =>
  cloud.findEips(ownershipTags(cluster, podEipUid), signal);

const policyOf = async (
  name: string,
  { policies, kube }: ReadPorts,
  signal: AbortSignal,
): Promise<Pick<ObservedState, 'policy' | 'namespace'>> => {
  if (!policies) return { policy: undefined };
  const { effective, namespace } = await readPolicy(policies, kube, name, signal);
  return { policy: { effective, isFresh: true }, ...(namespace !== undefined && { namespace }) };
};

const reusableFor = async (podEip: PodEip, kube: Kube, signal: AbortSignal): Promise<readonly PodEip[]> => {
  const { namespace, labels } = podEip.metadata;
  const labelSelector = `${SERVICE_UID}=${labels?.[SERVICE_UID] ?? ''}`;
  const all = await kube.list(PODEIP, { namespace, labelSelector }, signal);
  return all.filter((it) => isReusableFor(it, podEip));
};

const serviceOf = async (
  { name, uid }: Extract<ReadStep, { do: 'ReadService' }>,
  namespace: string | undefined,
  kube: Kube,
  signal: AbortSignal,
): Promise<ObservedState['service']> => {
  try {
    const service = await kube.get(KNATIVE_SERVICE, { namespace, name }, signal);
    return service?.metadata.uid === uid && service.metadata.deletionTimestamp === undefined ? service : null;
  } catch (error) {
    // The permission may not be granted, or the kind not be installed: the decision then goes on without what Knative
    // says.
    if (error instanceof KubeFault && (error.kind === 'forbidden' || error.kind === 'notFound')) return 'unreadable';
    throw error;
  }
};

/**
 * Whether a Knative Service names the EIP. One that is scaled to zero has no PodEIP that would say so. It is the last
 * look before an EIP is let go: what cannot be seen keeps it. An API server that has just started answers 404 for
 * kinds that it has not loaded yet, so that only a missing CustomResourceDefinition proves that there are none.
 */
const isNamedByService = async (
  { allocationId, namespace }: Extract<ReadStep, { do: 'ReadNamingServices' }>,
  kube: Kube,
  signal: AbortSignal,
): Promise<boolean> => {
  try {
    const services = await kube.list(KNATIVE_SERVICE, { namespace }, signal);
    return services.some(({ spec }) => namesExisting(spec?.template?.metadata?.annotations) === allocationId);
  } catch (error) {
    if (!(error instanceof KubeFault)) throw error;
    if (error.kind === 'notFound') return mayBeInstalled(KNATIVE_SERVICE, kube, signal);
    if (error.kind === 'forbidden') return true;
    throw error;
  }
};

/** Whether the kind may be there, although the API server does not answer for it. */
const mayBeInstalled = async (
  { plural, group }: typeof KNATIVE_SERVICE,
  kube: Kube,
  signal: AbortSignal,
): Promise<boolean> => {
  try {
    return (await kube.get(CRD, { name: `${plural}.${group}` }, signal)) !== undefined;
  } catch (error) {
    if (error instanceof KubeFault && error.kind === 'forbidden') return true;
    throw error;
  }
};

/** The other PodEIPs that claim the EIP, with the pods of the same Knative Service and of other namespaces. */
const claimsTo = async (
  allocationId: string,
  podEip: PodEip | null,
  kube: Kube,
  signal: AbortSignal,
): Promise<readonly CompetingClaim[]> => {
  const all = await kube.list(PODEIP, {}, signal);
  const { uid, namespace } = podEip?.metadata ?? {};
  const others = all.filter(
    (it) =>
      it.metadata.uid !== uid &&
      it.spec.allocationID === allocationId &&
      // A record of an external EIP only repeats annotations of its pod, and must not keep other namespaces from their
      // EIPs.
      (!isExternal(it) || it.metadata.namespace === namespace),
  );
  return Promise.all(
    others.map(async (competitor): Promise<CompetingClaim> => {
      // Of another namespace's, because its notes count only for a pod that is there.
      const isLookedAt =
        podEip !== null && (isSameService(podEip, competitor) || competitor.metadata.namespace !== namespace);
      const pod = isLookedAt ? await kube.get(POD, competitor.metadata, signal) : undefined;
      return { podEip: competitor, pod: pod && pod.metadata.uid === readRecord(competitor).podUid ? pod : null };
    }),
  );
};
