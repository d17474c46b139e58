import { letGo, deletePodEip } from './podeip/writes.ts';
import { TAG_CLUSTER_UID } from '../api/annotations.ts';
import { heldAddressOf, PODEIP, type PodEip } from '../api/podeip.ts';
import { reasonPolicyOf } from '../api/reason-policy.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Cloud, Eip } from '../cloud/port.ts';
import type { Requeue } from '../kube/reconcile-loop.ts';
import { KubeFault, UNAUTHORIZED } from '../kube/fault.ts';
import type { Kube, ObjectRef } from '../kube/port.ts';
import { keyOf } from '../kube/store.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import { orphanCandidates, type OwningCluster } from './garbagecollection/orphans.ts';
import { hasFinalizer, isOurs, readRecord } from './podeip/record.ts';
import { provesOwnership } from './podeip/safeguards.ts';
import { reconcilePodEip, type PodEipPorts } from './podeip/controller.ts';

/** What a PodEIP holds, by what the PodEIP itself says; reading it needs no call to the cloud. */
export interface Holding {
  /** `namespace/name` of the PodEIP, and of its pod. */
  readonly pod: string;
  readonly podEipUid: string;
  /** Empty if no EIP was recorded. One may exist all the same, if the process died right after it had bought it. */
  readonly allocationId: string;
  readonly ipAddress: string | undefined;
  /** `bought` by this product; `yours`: the user named it; `nothing`: the PodEIP never held an EIP. */
  readonly origin: 'bought' | 'yours' | 'nothing';
}

/**
 * The outcome for one PodEIP. `not ours`: its EIP does not have the tags that prove who bought it, and stays in the
 * account unchanged. `left`: there was no time for it.
 */
export interface Drained extends Holding {
  readonly outcome: 'released' | 'detached' | 'kept' | 'not ours' | 'nothing held' | 'failed' | 'left';
  /** Why it failed and what to do, or why it was left. */
  readonly reason?: string | undefined;
}

/** How PodEIPs are drained. */
interface DrainWork {
  readonly kube: Kube;
  readonly clock: Clock;
  /** Takes one step for a PodEIP, of this UID. */
  readonly turn: (podEip: PodEip, signal: AbortSignal) => Promise<Requeue>;
  readonly outcome: (holding: Holding) => Drained['outcome'];
  /** How many steps may run at once; PodEIPs that only wait do not count. */
  readonly atOnce: number;
  readonly onDrained: (drained: Drained) => void;
}

/** Wait before a step is repeated, milliseconds. */
const BACKOFF_MS = 1_000;
/** Longest wait between two steps of a PodEIP, milliseconds: somebody is waiting for the drain. */
const LONGEST_WAIT_MS = 10_000;
/**
 * After this many steps in a row that failed or need a person, the PodEIP has failed; fewer may be due to a lagging
 * read.
 */
const PATIENCE = 3;

/** What a PodEIP holds, by its own record. */
export const holdingOf = (podEip: PodEip): Holding => {
  const { request } = readRecord(podEip);
  const isUsers = request?.kind === 'existing' || podEip.spec.allocationType.type === 'Static';
  const { allocationID } = podEip.spec;
  return {
    pod: keyOf(podEip.metadata),
    podEipUid: podEip.metadata.uid,
    allocationId: allocationID,
    ipAddress: heldAddressOf(podEip),
    origin:
      !hasFinalizer(podEip) || (allocationID === '' && (isUsers || !request))
        ? 'nothing'
        : isUsers
          ? 'yours'
          : 'bought',
  };
};

/** All PodEIPs that this product manages, in one namespace or in all. */
export const findManaged = async (
  kube: Kube,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly PodEip[]> =>
  (await kube.list(PODEIP, namespace === undefined ? {} : { namespace }, signal)).filter(isOurs);

const refuse = () =>
  Promise.reject(new KubeFault({ kind: 'conflict', message: 'the PodEIP is another than a moment ago' }));

/** An EIP that was bought in this cluster and belongs to no PodEIP, and how that is known: `because` follows its ID. */
export interface OwnerlessEip {
  readonly eip: Eip;
  readonly because: string;
}

/**
 * The EIPs that were bought in this cluster and belong to no PodEIP: by their tags, or by their marks where they carry
 * no tags. The account is listed before the PodEIPs are; see findOrphans(). Rejects with a CloudFault or a KubeFault.
 */
export const findOwnerless = async (
  {
    cloud,
    podEips,
    cluster,
  }: { readonly cloud: Cloud; readonly cluster: OwningCluster } & {
    readonly podEips: () => Promise<readonly PodEip[]>;
  },
  signal: AbortSignal,
): Promise<readonly OwnerlessEip[]> => {
  const eips = await cloud.findEips([{ key: TAG_CLUSTER_UID, value: cluster.clusterUid }], signal);
  const untagged = await cloud.listFreeEips(signal);
  const there = eips.filter(({ status }) => status !== 'Releasing');
  return orphanCandidates({ eips: there, untagged, podEips: await podEips() }, cluster);
};

/** The steps that release EIPs, and what they saw. */
export interface Releasing {
  readonly turn: DrainWork['turn'];
  /** Whether the EIP existed when it was last read, but did not prove that it was bought for this PodEIP. */
  readonly isNotOurs: (holding: Holding) => boolean;
}

/**
 * Deletes the PodEIP and gives its EIP back with the controller's own steps. Never buys or binds an EIP: if a PodEIP
 * vanishes, or is created again, between two reads, the steps for a living pod must not follow.
 */
export const releaseTurn = (ports: PodEipPorts): Releasing => {
  const looks = new Map<string, Eip | undefined>();
  const notOurs = new Map<string, string>();
  const reconcile = reconcilePodEip({
    ...ports,
    kube: { ...ports.kube, create: refuse },
    cloud: {
      ...ports.cloud,
      describeEip: async (allocationId, signal) => {
        const eip = await ports.cloud.describeEip(allocationId, signal);
        looks.set(allocationId, eip);
        return eip;
      },
      allocateEip: refuse,
      associateEip: refuse,
      joinBandwidthPackage: refuse,
    },
    settings: { ...ports.settings, adoptBefore: undefined },
  });
  return {
    turn: async (podEip, signal) => {
      if (podEip.metadata.deletionTimestamp === undefined) {
        await deletePodEip(ports.kube, podEip, signal);
        return 'now';
      }
      const { uid } = podEip.metadata;
      const { allocationID } = podEip.spec;
      const again = await reconcile(podEip.metadata, signal);
      const eip = looks.get(allocationID);
      if (eip && !provesOwnership(eip, podEip, ports.settings.clusterUid)) notOurs.set(uid, allocationID);
      else notOurs.delete(uid);
      return again;
    },
    isNotOurs: ({ podEipUid, allocationId, origin }) =>
      origin === 'bought' && allocationId !== '' && notOurs.get(podEipUid) === allocationId,
  };
};

/**
 * Deletes the PodEIP and keeps its EIP as it is. The finalizer is removed before the PodEIP is deleted, and what says
 * that something is held with it, so that a process that dies in between leaves no PodEIP whose EIP the next controller
 * would release.
 */
export const keepTurn =
  (kube: Kube): DrainWork['turn'] =>
  async (podEip, signal) => {
    if (hasFinalizer(podEip)) await letGo(kube, podEip, signal);
    else if (podEip.metadata.deletionTimestamp === undefined) await deletePodEip(kube, podEip, signal);
    else return 'backoff';
    return 'now';
  };

/**
 * Runs until every PodEIP is gone or has failed, or the signal aborts. Never rejects. Can be stopped at any time and
 * run again: all state is in the cluster.
 */
export const drainPodEips = async (
  podEips: readonly PodEip[],
  work: DrainWork,
  signal: AbortSignal,
): Promise<readonly Drained[]> => {
  const gate = createGate(work.atOnce);
  return Promise.all(
    podEips.map(async (podEip) => {
      const drained = await drainOne(podEip, work, gate, signal);
      work.onDrained(drained);
      return drained;
    }),
  );
};

const drainOne = async (first: PodEip, work: DrainWork, gate: Gate, signal: AbortSignal): Promise<Drained> => {
  const { kube, clock, turn } = work;
  const { namespace, name, uid } = first.metadata;
  const ref: ObjectRef = { namespace, name };
  let holding = holdingOf(first);
  let failures = 0;
  let trouble: string | undefined;
  const left = (): Drained => ({
    ...holding,
    outcome: 'left',
    reason: trouble ?? 'there was no time for it; run the same command again',
  });
  for (;;) {
    if (signal.aborted) return left();
    try {
      const again = await gate(async (): Promise<Requeue | undefined> => {
        signal.throwIfAborted();
        const podEip = await kube.get(PODEIP, ref, signal);
        if (podEip?.metadata.uid !== uid || !isOurs(podEip)) return undefined;
        if (hasFinalizer(podEip)) holding = holdingOf(podEip);
        else if (podEip.metadata.deletionTimestamp !== undefined && (podEip.metadata.finalizers?.length ?? 0) > 0)
          trouble = `other finalizers hold it: ${podEip.metadata.finalizers?.join(', ')}; the software that set them has to end its work`;
        const next = await turn(podEip, signal);
        if (next === 'now') [failures, trouble] = [0, undefined];
        else if (podEip.metadata.deletionTimestamp !== undefined) {
          const ready = podEip.status?.conditions?.find(({ type }) => type === 'Ready');
          // The message says what to do.
          if (ready && reasonPolicyOf(ready.reason)?.stopsDrain) [failures, trouble] = [failures + 1, ready.message];
          else if (!hasFinalizer(podEip)) failures += 1;
        }
        return next;
      });
      if (again === undefined) return { ...holding, outcome: work.outcome(holding) };
      if (failures >= PATIENCE) return { ...holding, outcome: 'failed', reason: trouble };
      if (again === 'now') continue;
      const ms = typeof again === 'object' ? Math.min(again.afterMs, LONGEST_WAIT_MS) : BACKOFF_MS;
      await clock.sleep(ms, signal);
    } catch (error) {
      if (signal.aborted) return left();
      // The PodEIP was written at the same time: the next step reads it again.
      if (!(error instanceof KubeFault && error.kind === 'conflict')) {
        failures += 1;
        trouble = remedyOf(error);
        if (failures >= PATIENCE) return { ...holding, outcome: 'failed', reason: trouble };
      }
      await sleepUnlessAborted(clock, BACKOFF_MS, signal);
    }
  }
};

const remedyOf = (error: unknown): string => {
  if (error instanceof KubeFault && error.kind === 'forbidden' && error.status !== UNAUTHORIZED)
    return `${error.message}; use an account that has the rights in config/rbac`;
  if (error instanceof KubeFault || error instanceof CloudFault)
    return `${error.message}; run the same command again once that is mended`;
  return Error.isError(error) ? error.message : String(error);
};

type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** Limits how many run at once; the others wait in order of arrival. */
const createGate = (atOnce: number): Gate => {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      await promise;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
};
