import { NAMESPACE, POD } from '../../api/core.ts';
import { EIP_USAGE } from '../../api/eippolicy.ts';
import { KNATIVE_SERVICE, SERVICE_UID } from '../../api/knative.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import type { Cloud, Eip } from '../../cloud/port.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import { readPolicy, type Policies } from '../policy-cache.ts';
import { ownershipTags, type Cluster } from './calls.ts';
import type { CompetingClaim, ObservedState, QuotaUsage } from './observation.ts';
import { isSameService } from './precedence.ts';
import { isExternal, readRecord } from './record.ts';
import type { ReadStep } from './step.ts';
import { isReusableFor } from './transfer.ts';

/** What is read from. */
export interface ReadPorts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly cluster: Cluster;
  /** The VPC of the cluster's nodes: private addresses repeat across VPCs. */
  readonly vpcId: string;
  /** The policies of namespaces; undefined where there are none. */
  readonly policies?: Policies | undefined;
}

/** Reads what the decision asked for. Rejects with a CloudFault or a KubeFault. */
export const readFor = async (
  step: ReadStep,
  { podEip, reclaimable }: ObservedState,
  ports: ReadPorts,
  signal: AbortSignal,
): Promise<Partial<ObservedState>> => {
  const { cloud, kube, vpcId } = ports;
  const namespace = podEip?.metadata.namespace;
  const name = namespace ?? '';
  switch (step.do) {
    case 'ReadEip':
      return { eip: (await cloud.describeEip(step.allocationId, signal)) ?? null };
    case 'ReadTaggedEips':
      return { tagged: podEip ? await taggedWith(podEip.metadata.uid, ports, signal) : [] };
    case 'ReadReclaimable': {
      const eips = await taggedWith(step.podEipUid, ports, signal);
      return { reclaimable: new Map([...(reclaimable ?? []), [step.podEipUid, eips.length === 0]]) };
    }
    case 'ReadInterfaces': {
      const { privateIpAddress } = step;
      return { interfaces: await cloud.findNetworkInterfaces({ vpcId, privateIpAddress }, signal) };
    }
    case 'ReadNamespace':
      return { namespace: (await kube.get(NAMESPACE, { name }, signal)) ?? null };
    case 'ReadPolicy':
      return policyOf(name, ports, signal);
    case 'ReadQuota':
      return { quota: await quotaOf(name, kube, signal) };
    case 'ReadReusable':
      return { reusable: podEip ? await reusableFor(podEip, kube, signal) : [] };
    case 'ReadService':
      return { service: await serviceOf(step, namespace, kube, signal) };
    case 'ReadSuccessor': {
      const all = await kube.list(PODEIP, { namespace }, signal);
      return { successor: all.find(({ metadata }) => metadata.uid === step.uid) ?? null };
    }
    case 'ReadCompetingClaims':
      return { competitors: await claimsTo(step.allocationId, podEip, kube, signal) };
  }
};

const taggedWith = (podEipUid: string, { cloud, cluster }: ReadPorts, signal: AbortSignal): Promise<readonly Eip[]> =>
  cloud.findEips(ownershipTags(cluster, podEipUid), signal);

/** One after the other, in this order: see {@link QuotaUsage}. */
const quotaOf = async (namespace: string, kube: Kube, signal: AbortSignal): Promise<QuotaUsage> => {
  const usage = (await kube.get(EIP_USAGE, { name: namespace }, signal)) ?? null;
  return { usage, podEips: await kube.list(PODEIP, { namespace }, signal) };
};

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
    // The rights may be left out, and the kind not be installed: what Knative says is then of no help, and no
    // hindrance.
    if (error instanceof KubeFault && (error.kind === 'forbidden' || error.kind === 'notFound')) return 'unreadable';
    throw error;
  }
};

/** The other PodEIPs that claim the EIP, each with its pod where that is of the same Knative Service. */
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
      // A record says what annotations of its pod say, and no other namespace is kept from its EIP by that.
      (!isExternal(it) || it.metadata.namespace === namespace),
  );
  return Promise.all(
    others.map(async (competitor): Promise<CompetingClaim> => {
      const isOfSameService = podEip !== null && isSameService(podEip, competitor);
      const pod = isOfSameService ? await kube.get(POD, competitor.metadata, signal) : undefined;
      return { podEip: competitor, pod: pod && pod.metadata.uid === readRecord(competitor).podUid ? pod : null };
    }),
  );
};
