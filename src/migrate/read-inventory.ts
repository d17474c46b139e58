import {
  ALLOCATED_ADDRESS,
  ALLOCATED_ADDRESS_NETWORK,
  POOL_OFF_SINCE,
  POOL_WAS_OFF_SINCE,
} from '../api/annotations.ts';
import { DEPLOYMENT } from '../api/apps.ts';
import { CONFIG_MAP, NODE, POD, type ConfigMap, type Node, type Pod } from '../api/core.ts';
import { ipv4Of, isFinal } from '../api/pod.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import { MOST_ADDRESSES, type Cloud, type Eip, type NetworkInterface } from '../cloud/port.ts';
import { targetOf } from '../request/target.ts';
import { ACK_EXTEND, TERWAY_CONFIG } from '../rules/conflicting-controllers.ts';
import { CLOCK_SKEW_MS, isTimeMissing, lastWriteOf, TERWAY_APPS, timeIn } from '../rules/terway-switch.ts';
import type { Settings } from '../controllers/podeip/observation.ts';
import { isOurs } from '../controllers/podeip/record.ts';
import { LEASE, type Lease } from '../kube/lease.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, ObjectRef } from '../kube/port.ts';
import { keyOf, refOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import { readGuard } from './guard.ts';
import { type Inventory, type Predecessor, type SeenDeployment, type SeenLease, type SeenPod } from './inventory.ts';

/** Where the inventory is read, and for what. */
export interface InventoryPorts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly from: Predecessor;
  readonly vouchedFor: ReadonlySet<string>;
  readonly settings: Settings;
  readonly vpcId: string;
  /** The Lease of the controller that goes on. */
  readonly ownLease: Required<ObjectRef> & { readonly namespace: string };
  /** So many of all were read. */
  readonly onRead?: ((what: string, done: number, total: number) => void) | undefined;
}

/** Where ACK installs its add-ons. */
const SYSTEM = 'kube-system';
/** `eni_conf` is Terway's configuration in its ConfigMap. */
export const TERWAY_KEY = 'eni_conf';
/** The Deployments of this product. */
const OWN: readonly string[] = ['knative-eip', 'knative-eip-virtual-node'];
/** The number of EIPs that one call asks for by their addresses. */
const BATCH = 50;

/** There is no CRD of PodEIP. */
export class PodEipsNotInstalled extends Error {
  override readonly name = 'PodEipsNotInstalled';
}

const listPodEips = async (kube: Kube, signal: AbortSignal): Promise<readonly PodEip[]> => {
  try {
    return await kube.list(PODEIP, {}, signal);
  } catch (error) {
    if (error instanceof KubeFault && error.kind === 'notFound')
      throw new PodEipsNotInstalled(
        'The CRD of PodEIP is not installed; install knative-eip first: kubectl apply -k config/default',
      );
    throw error;
  }
};

/** Reads everything that a plan is made from. Rejects with a KubeFault, a CloudFault or a PodEipsNotInstalled. */
export const readInventory = async (ports: InventoryPorts, signal: AbortSignal): Promise<Inventory> => {
  const { kube, clock, from, vouchedFor, settings } = ports;
  const [around, podEips, pods, nodes] = await Promise.all([
    readSurroundings(ports, signal),
    listPodEips(kube, signal),
    kube.list(POD, {}, signal),
    kube.list(NODE, {}, signal),
  ]);
  const podOf = new Map(pods.map((pod) => [keyOf(pod.metadata), pod]));
  const nodeOf = new Map(nodes.map((node) => [node.metadata.name, node]));
  const recorded = new Map(podEips.map((podEip) => [keyOf(podEip.metadata), podEip]));
  const told =
    from === 'terway' ? pods.filter((pod) => !recorded.has(keyOf(pod.metadata)) && isToldByTerway(pod, nodeOf)) : [];
  const byAddress = await eipsByAddress(told, ports.cloud, signal);
  const keys = [...recorded.keys(), ...told.map(({ metadata }) => keyOf(metadata))].toSorted((a, b) =>
    a.localeCompare(b),
  );
  const objects = keys.map((key): Objects => {
    const pod = podOf.get(key) ?? null;
    return { key, pod, podEip: recorded.get(key) ?? null, node: nodeOf.get(pod?.spec.nodeName ?? '') ?? null };
  });
  const seen = await completed(objects, byAddress, ports, signal);
  return { ...around, from, settings, vouchedFor, now: clock.now(), seen: withCompetitors(seen) };
};

/** Reads one pod again, as it is now. `competitors` stay those that were found. */
export const readAgain = async (
  { key, node, competitors }: SeenPod,
  ports: InventoryPorts,
  signal: AbortSignal,
): Promise<SeenPod> => {
  const { kube, cloud } = ports;
  const ref = refOf(key);
  const [podEip = null, pod = null] = await Promise.all([kube.get(PODEIP, ref, signal), kube.get(POD, ref, signal)]);
  const byAddress = podEip || !pod ? new Map<string, Eip>() : await eipsByAddress([pod], cloud, signal);
  const [seen] = await completed([{ key, pod, podEip, node }], byAddress, { ...ports, onRead: undefined }, signal);
  return { ...seen!, competitors };
};

type Objects = Pick<SeenPod, 'key' | 'pod' | 'podEip' | 'node'>;

/**
 * With the EIPs, and the network interfaces that hold the addresses of the pods; of a pod that is gone, the address
 * that the EIP is bound to. What a PodEIP says of that is not believed: everybody who may write it may have written
 * that. Many are asked for in one call, because the account has a limit of calls.
 */
const completed = async (
  all: readonly Objects[],
  byAddress: ReadonlyMap<string, Eip>,
  { cloud, vpcId, onRead }: InventoryPorts,
  signal: AbortSignal,
): Promise<readonly SeenPod[]> => {
  let done = 0;
  const withEips = await Promise.all(
    all.map(async (objects) => {
      const { pod, podEip } = objects;
      const id = podEip?.spec.allocationID ?? '';
      const known = byAddress.get(toldAddress(pod) ?? '') ?? null;
      const eip = podEip ? (id === '' ? undefined : ((await cloud.describeEip(id, signal)) ?? null)) : known;
      onRead?.('EIPs read', (done += 1), all.length);
      return { ...objects, eip };
    }),
  );
  const addresses = [...new Set(withEips.flatMap((it) => addressToFind(it) ?? []))];
  const interfaces = await interfacesByAddress(addresses, { cloud, vpcId, onRead }, signal);
  return withEips.map((it) => ({ ...it, interfaces: interfaces.get(addressToFind(it) ?? '') ?? [], competitors: [] }));
};

/** The private address whose network interface is looked for; of what is taken over already, nothing is asked. */
const addressToFind = ({ pod, podEip, eip }: Pick<SeenPod, 'pod' | 'podEip' | 'eip'>): string | undefined => {
  if (eip?.status !== 'InUse' || (podEip && isOurs(podEip))) return undefined;
  const ofPod = pod && !isFinal(pod) ? ipv4Of(pod) : undefined;
  return ofPod ?? (eip.privateIpAddress || podEip?.status?.privateIPAddress || undefined);
};

const interfacesByAddress = async (
  addresses: readonly string[],
  { cloud, vpcId, onRead }: Pick<InventoryPorts, 'cloud' | 'vpcId' | 'onRead'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly NetworkInterface[]>> => {
  const found = new Map<string, readonly NetworkInterface[]>();
  const batches = Array.from({ length: Math.ceil(addresses.length / MOST_ADDRESSES) }, (_, index) =>
    addresses.slice(index * MOST_ADDRESSES, (index + 1) * MOST_ADDRESSES),
  );
  await Promise.all(
    batches.map(async (privateIpAddresses) => {
      const answer = await cloud.findNetworkInterfacesOfMany({ vpcId, privateIpAddresses }, signal);
      for (const [address, interfaces] of answer) found.set(address, interfaces);
      onRead?.('network interfaces read', found.size, addresses.length);
    }),
  );
  return found;
};

const toldAddress = (pod: Pod | null): string | undefined =>
  pod?.metadata.annotations?.[ALLOCATED_ADDRESS] ?? pod?.metadata.annotations?.[ALLOCATED_ADDRESS_NETWORK];

/** Only pods on ECS nodes are Terway's: the virtual node writes the same annotation. */
const isToldByTerway = (pod: Pod, nodeOf: ReadonlyMap<string, Node>): boolean =>
  toldAddress(pod) !== undefined && !isFinal(pod) && targetOf(pod, nodeOf.get(pod.spec.nodeName ?? '')).on === 'ecs';

const eipsByAddress = async (
  pods: readonly Pod[],
  cloud: Cloud,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Eip>> => {
  const addresses = [...new Set(pods.flatMap((pod) => toldAddress(pod) ?? []))];
  const found = new Map<string, Eip>();
  for (let at = 0; at < addresses.length; at += BATCH)
    for (const [address, eip] of await cloud.findEipsByAddress(addresses.slice(at, at + BATCH), signal))
      found.set(address, eip);
  return found;
};

const withCompetitors = (seen: readonly SeenPod[]): readonly SeenPod[] => {
  const claims = Map.groupBy(seen, ({ podEip, eip }) => podEip?.spec.allocationID || eip?.allocationId || '');
  return seen.map((it) => {
    const id = it.podEip?.spec.allocationID || it.eip?.allocationId || '';
    const competitors = id === '' ? [] : (claims.get(id) ?? []).filter(({ key }) => key !== it.key);
    return { ...it, competitors: competitors.map(({ key }) => key) };
  });
};

/** What is at work in the cluster. Rejects with a KubeFault. */
export const readSurroundings = async (
  { kube, ownLease }: InventoryPorts,
  signal: AbortSignal,
): Promise<Pick<Inventory, 'others' | 'own' | 'terway' | 'isGuarded' | 'isUnguardable'>> => {
  const inSystem = { namespace: SYSTEM };
  const [deployments, leases, podsOfOthers, terwayPods, configMap, ownLeaseNow, guard] = await Promise.all([
    kube.list(DEPLOYMENT, {}, signal),
    kube.list(LEASE, {}, signal),
    kube.list(POD, inSystem, signal),
    kube.list(POD, { ...inSystem, labelSelector: TERWAY_APPS }, signal),
    kube.get(CONFIG_MAP, { ...inSystem, name: TERWAY_CONFIG }, signal),
    kube.get(LEASE, ownLease, signal),
    readGuard(kube, signal),
  ]);
  const seenDeployments = deployments.map(({ metadata: { namespace = '', name }, spec }): SeenDeployment => ({
    namespace,
    name,
    replicas: spec?.replicas ?? 1,
  }));
  const running = [...podsOfOthers, ...(await podsElsewhere(seenDeployments, kube, signal))];
  return {
    others: {
      deployments: seenDeployments.filter(({ name }) => name === ACK_EXTEND),
      pods: running.filter((pod) => isOfAckExtend(pod) && !isFinal(pod)).map(({ metadata }) => keyOf(metadata)),
      leases: leases
        .map(leaseOf)
        .filter(({ name, holder }) => name.includes(ACK_EXTEND) || holder.includes(ACK_EXTEND)),
    },
    own: {
      deployments: seenDeployments.filter(
        ({ namespace, name }) => namespace === ownLease.namespace && OWN.includes(name),
      ),
      leases: ownLeaseNow ? [leaseOf(ownLeaseNow)] : [],
    },
    terway: {
      configuration: configMap?.data?.[TERWAY_KEY],
      offSince: offSinceOf(configMap),
      notedOff: configMap && (timeIn(configMap, POOL_OFF_SINCE) ?? timeIn(configMap, POOL_WAS_OFF_SINCE)),
      isTimeMissing: configMap && isTimeMissing(configMap),
      pods: terwayPods
        .filter((pod) => !isFinal(pod))
        .map(({ metadata }) => ({ name: metadata.name, createdAt: Date.parse(metadata.creationTimestamp ?? '') })),
    },
    ...guard,
  };
};

/** Pods in the other namespaces into which somebody has installed ack-extend-network-controller. */
const podsElsewhere = async (deployments: readonly SeenDeployment[], kube: Kube, signal: AbortSignal) => {
  const namespaces = new Set(
    deployments.filter(({ name, namespace }) => name === ACK_EXTEND && namespace !== SYSTEM).map((it) => it.namespace),
  );
  return (await Promise.all([...namespaces].map((namespace) => kube.list(POD, { namespace }, signal)))).flat();
};

const isOfAckExtend = ({ metadata }: Pod): boolean =>
  metadata.name.startsWith(`${ACK_EXTEND}-`) &&
  metadata.ownerReferences?.some(({ kind, name }) => kind === 'ReplicaSet' && name.startsWith(ACK_EXTEND)) === true;

const leaseOf = ({ metadata, spec }: Lease): SeenLease => {
  const renewedAt = Date.parse(spec?.renewTime ?? '');
  const seconds = spec?.leaseDurationSeconds;
  return {
    name: keyOf(metadata),
    holder: spec?.holderIdentity ?? '',
    renewedAt: Number.isNaN(renewedAt) ? undefined : renewedAt,
    durationMs: (typeof seconds === 'number' && seconds > 0 ? seconds : 15) * 1_000,
  };
};

/**
 * When the pool was switched off by this command; else when somebody last wrote the ConfigMap, as far as it says.
 */
const offSinceOf = (configMap: ConfigMap | undefined): number | undefined => {
  if (!configMap) return undefined;
  const noted = timeIn(configMap, POOL_OFF_SINCE);
  const written = lastWriteOf(configMap);
  // Somebody may have switched it on and off again since.
  const isNewer = noted !== undefined && written !== undefined && written > noted + CLOCK_SKEW_MS;
  return noted === undefined || isNewer ? written : noted;
};
