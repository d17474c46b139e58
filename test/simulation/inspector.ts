import { CONFIGURATION_GENERATION, REVISION_LABEL, SERVICE_UID, type KnativeService } from '../../src/api/knative.ts';
import {
  ALLOCATED_ADDRESS,
  KEYS,
  HANDED_OVER,
  READINESS_GATE,
  TAG_CLUSTER_UID,
  TAG_POD,
  TAG_PODEIP_UID,
} from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { EipPolicy, EipUsage } from '../../src/api/eippolicy.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import type { ObjectMeta } from '../../src/kube/port.ts';
import { Purchases } from './purchases.ts';
import { CALL_TIMEOUT_MS } from '../../src/cloud/deadline.ts';
import { readReleaseAfter } from '../../src/request/release.ts';
import { isFinal } from '../../src/api/pod.ts';
import { latestBinding, readRecord } from '../../src/controllers/podeip/record.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { EipRecord } from '../../src/sandbox/cloud/eips.ts';
import type { CloudChange } from '../../src/sandbox/cloud/ledger.ts';
import type { ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { LATEST_EFFECT_MS, LATEST_WRITE_MS, READ_LAG_MS } from './fault-bounds.ts';
import { Associations } from './associations.ts';
import { Gates } from './gates.ts';
import { RECHECK_MS } from './product-process.ts';
import type { Way } from './knative.ts';
import { Routing } from './routing.ts';
import { isHopeless, legacyEip, USERS_EIPS, type Script } from './script.ts';
import type { ManualClock } from '../harness/clock.ts';
import { LeaseWatch } from './lease-watch.ts';
import { Oracle, type Write } from './oracle.ts';

/** One promise that was broken. The first word of `said` is always the name of the invariant. */
export interface Violation {
  readonly invariant: string;
  readonly said: string;
  readonly atMs: number;
}

/**
 * From a reading that shows a binding to the write that tells the pod may pass: the lag of the reading, a slow answer,
 * a slow write, a late write; milliseconds.
 */
const TELLING_MS = READ_LAG_MS + 2 * 10_000 + LATEST_WRITE_MS;

/** From a reading of the limit to the effect of what was bought under it may pass; milliseconds. */
const BUYING_MS = LATEST_EFFECT_MS + 3 * 10_000 + LATEST_WRITE_MS;

const isContainer = (instanceId: string): boolean => instanceId.startsWith('eci-');

/** Whether what is asked for in the PodEIP is to join a bandwidth package. */
const namesPackage = (podEip: PodEip): boolean => {
  const { request } = readRecord(podEip);
  return request?.kind === 'new' && request.bandwidthPackageId !== undefined;
};

/** The same where nothing is late. */
const PUNCTUAL_MS = 5_000;

/** How far the wall clocks of two processes differ at most. */
const SKEW_MS = 5_000;

/** What only people at the console may do to the users' EIPs. */
const MODIFYING = /^(?:Release|Modify|Tag|UnTag|AddCommonBandwidthPackage|RemoveCommonBandwidthPackage)/u;

/** What of an EIP is its owner's: all but the binding and what comes with it. */
export const plain = ({ task: _task, binding: _binding, status: _status, ...eip }: EipRecord): string =>
  JSON.stringify({ ...eip, tags: [...eip.tags] });

/** What the pod asks for. */
export const asks = ({ metadata: { annotations = {} } }: Pod): 'new' | (string & {}) | undefined => {
  const existing = KEYS.instanceId.map((key) => annotations[key]).find((it) => it !== undefined);
  return existing ?? (KEYS.withEip.some((key) => annotations[key] === 'true') ? 'new' : undefined);
};

/** What decides between two pods of one Service that want the same EIP. */
interface Kin {
  readonly service: string;
  readonly revision: string;
  readonly generation: number;
  readonly wanted: string | undefined;
}

const kinOf = (pod: Pod): Kin => ({
  service: pod.metadata.labels?.[SERVICE_UID] ?? '',
  revision: pod.metadata.labels?.[REVISION_LABEL] ?? '',
  generation: Number(pod.metadata.labels?.[CONFIGURATION_GENERATION]),
  wanted: asks(pod),
});

/** A Revision that requests get to, or will, goes before one that they are leaving, and that before one without any. */
const ORDER: Readonly<Record<Way, number>> = { routed: 2, coming: 2, left: 1, none: 0 };

/** Whether the pod says that it has an address. */
const announces = (pod: Pod | PodEip | undefined): string | undefined =>
  pod?.metadata.annotations?.[ALLOCATED_ADDRESS] ??
  ((pod as Pod | undefined)?.status?.conditions?.some(
    ({ type, status, reason }) => type === READINESS_GATE && status === 'True' && reason !== HANDED_OVER,
  )
    ? 'readiness only'
    : undefined);

const nameOf = ({ type, kind, object }: Write): string => `${type} ${kind} ${object.metadata.name}`;

/** Whether the PodEIP has put its EIP to use. */
const isHeld = (podEip: PodEip): boolean => {
  const { bindings, successorUid } = readRecord(podEip);
  return bindings.length > 0 && successorUid === undefined;
};

/** All of a PodEIP but what every write changes, and `podLastSeen`. */
const lasting = ({ metadata, spec, status }: PodEip): string =>
  JSON.stringify([{ ...metadata, resourceVersion: '', managedFields: '' }, spec, { ...status, podLastSeen: '' }]);

/** Whether nothing but `podLastSeen` was written, which says now and then that the pod is still there. */
const isRefresh = ({ type, kind, object, previous }: Write): boolean => {
  if (kind !== 'PodEIP' || type !== 'MODIFIED' || !previous) return false;
  return lasting(object as PodEip) === lasting(previous as PodEip);
};

/**
 * Watches the world from outside: every write to the API server and every change in the cloud's ledger. What it knows
 * of the controller is what anybody could read there.
 */
export class Inspector {
  readonly oracle: Oracle;
  readonly leases: LeaseWatch;
  readonly routing: Routing;
  readonly associations: Associations;
  readonly #gates: Gates;
  readonly #cloud: EmbeddedCloud;
  readonly #time: ManualClock;
  readonly violations: Violation[] = [];
  #changes = 0;
  /** When each EIP was seen bound to a private address last, virtual time; by `<allocation ID> <address>`. */
  readonly #boundAt = new Map<string, number>();
  /** Where each EIP is bound, and since when without a break, by allocation ID. */
  readonly #bound = new Map<string, { address: string; since: number }>();
  /** Since when each pod says without a break that it has this address, by UID. */
  readonly #announced = new Map<string, { address: string; since: number }>();
  /** Since when each pod has wanted what it wants, by UID. */
  readonly #wants = new Map<string, { what: string; since: number }>();
  /** Whether no request takes effect late. */
  isPunctual = false;
  /** Whether what is written now is written by a controller. */
  isByController = false;
  /** Every private address that each pod has had, by UID. */
  readonly #podIps = new Map<string, Set<string>>();
  /** Since when each pod has an address, by UID. */
  readonly #hasIpSince = new Map<string, number>();
  /** How often an EIP was bought for each PodEIP, by UID. */
  readonly #bought = new Map<string, number>();
  readonly purchases = new Purchases();
  /** EIPs that another controller has bought. */
  readonly legacy = new Set<string>();
  hasJumps = false;
  /** Whether no pod can have an EIP. */
  isHopeless = false;
  /** Whether the bandwidth package is not there that pods name. */
  lacksPackage = false;
  /** Since when no pod of this name has wanted an address, by name. */
  readonly unwantedSince = new Map<string, number>();
  /** When the pod that had it ended or was lost, by UID of the PodEIP. */
  /** Every limit of the namespace that there was, and since when; the latest last. */
  readonly #limits: { readonly eips: number; readonly since: number }[] = [];
  /** UIDs of the PodEIPs that have taken a place under it. */
  #reservations: readonly string[] = [];
  /** How long EIPs are kept for the next pod of the Service; milliseconds. */
  holdOffMs = 0;
  readonly #lostAt = new Map<string, number>();
  /**
   * Every pod that ever wanted an address, by UID: of which Service and Revision it is, and until when it wanted it.
   */
  readonly #kin = new Map<string, Kin & { until: number }>();
  /** EIPs that a human has changed. */
  touched: ReadonlySet<string> = new Set();
  /** For how long processes stood still between reading and writing, in total; milliseconds. */
  pausedMs = 0;
  /** The users' EIPs as they are to be at the end. */
  readonly #users = new Map<string, string>();
  /** Writes since somebody emptied this, but for renewals of leases and refreshes of `podLastSeen`. */
  lately: string[] = [];
  /** Those refreshes. */
  refreshes = 0;

  constructor(server: ApiServer, cloud: EmbeddedCloud, time: ManualClock) {
    this.#cloud = cloud;
    this.#time = time;
    this.leases = new LeaseWatch(time, (said) => this.broken('I17', said));
    this.oracle = new Oracle(server, (write) => this.#onWrite(write));
    this.routing = new Routing(time);
    this.associations = new Associations(this.oracle, (said) => this.broken('I21', said));
    this.#gates = new Gates(time, this.oracle, this.routing, (said) => this.broken('I20', said));
  }

  /** To be called once the world is complete. */
  begin(script: Script): void {
    const { legacy, actions, holdOffSeconds = 0 } = script;
    this.isHopeless = isHopeless(script);
    this.lacksPackage = script.hasPackage === false;
    this.holdOffMs = holdOffSeconds * 1_000;
    for (const eip of this.#cloud.eips())
      if (this.isUsers(eip.allocationId)) this.#users.set(eip.allocationId, plain(eip));
    for (const it of legacy) if (it.type === 'Auto') this.legacy.add(legacyEip(it));
    this.hasJumps = actions.some((action) => action.do === 'jump');
    this.#changes = this.#cloud.ledger().length;
  }

  broken(invariant: string, said: string): void {
    this.violations.push({ invariant, said: `${invariant}: ${said}`, atMs: this.#time.mono() });
  }

  /** I4 and the fence, at every call that a controller sends to the cloud. */
  onCall(sender: string, action: string, query: Readonly<Record<string, string>>, isFencing: boolean): void {
    this.purchases.onCall(action, query);
    const { InstanceId = '', InstanceType = '', PrivateIpAddress = '' } = query;
    // A container instance has one address, and its ID is never used again.
    const saysWhere = InstanceId !== '' && InstanceType !== '' && (PrivateIpAddress !== '' || isContainer(InstanceId));
    if (action === 'UnassociateEipAddress' && !saysWhere)
      this.broken('I4', `${sender} sends Unassociate for ${query['AllocationId']} without saying from what`);
    if (!isFencing || action.startsWith('Describe')) return;
    const leftMs = this.leases.leftMs(sender);
    if (leftMs !== undefined && leftMs < CALL_TIMEOUT_MS)
      this.broken('I17', `${sender} sends ${action} with ${Math.round(leftMs)} ms of its lease left`);
  }

  /** I5: a controller that changes an object says which one it means, and of a PodEIP also which state of it. */
  onRequest(sender: string, method: string, path: string, body: string | undefined): void {
    const isPodEip = path.includes('/podeips/');
    if ((method !== 'PATCH' && method !== 'PUT' && method !== 'DELETE') || (!isPodEip && !path.includes('/pods/')))
      return;
    const sent = JSON.parse(body ?? '{}') as { metadata?: Partial<ObjectMeta>; preconditions?: Partial<ObjectMeta> };
    const { uid, resourceVersion } = sent.preconditions ?? sent.metadata ?? {};
    if (!uid) this.broken('I5', `${sender} sends ${method} ${path} without a UID`);
    else if (isPodEip && !resourceVersion)
      this.broken('I5', `${sender} sends ${method} ${path} without a resourceVersion`);
  }

  /** After every event. */
  check(): void {
    const changes = this.#cloud.ledger();
    for (; this.#changes < changes.length; this.#changes += 1) this.#onChange(changes[this.#changes]!);
    const now = this.#time.mono();
    for (const { allocationId, status, binding } of this.#cloud.eips()) {
      if (status !== 'InUse' || !binding) {
        this.#bound.delete(allocationId);
        continue;
      }
      this.#boundAt.set(`${allocationId} ${binding.privateIpAddress}`, now);
      if (this.#bound.get(allocationId)?.address !== binding.privateIpAddress)
        this.#bound.set(allocationId, { address: binding.privateIpAddress, since: now });
    }
  }

  #onWrite(write: Write): void {
    if (isRefresh(write)) this.refreshes += 1;
    else if (write.kind !== 'Lease') this.lately.push(nameOf(write));
    if (write.kind === 'Lease') this.leases.onWrite(write);
    if (write.kind === 'EipPolicy') this.#onPolicy(write.object as unknown as EipPolicy);
    if (write.kind === 'EipUsage')
      this.#reservations = ((write.object as unknown as EipUsage).places ?? []).map(({ podEipUID }) => podEipUID);
    if (write.kind === 'Service') this.routing.onWrite(write.type, write.object as unknown as KnativeService);
    if (write.kind === 'PodEIP') this.#gates.onPodEip(write.object as PodEip);
    if (write.kind === 'Pod') this.#onPod(write);
    if (write.kind === 'Pod') this.#onGate(write);
    if (write.kind === 'PodEIP' && write.type === 'MODIFIED') this.#onRetire(write);
    if (write.kind === 'PodEIP' && write.type !== 'DELETED') this.#onPodEip(write.object as PodEip);
  }

  /** I6: what a pod is told is true, or was so little ago that nobody could know better. */
  #onPod({ type, object, previous }: Write): void {
    const { uid, name } = object.metadata;
    const { podIP } = (object as Pod).status ?? {};
    if (podIP !== undefined && !this.#hasIpSince.has(uid)) this.#hasIpSince.set(uid, this.#time.mono());
    if (podIP !== undefined) this.#podIps.set(uid, (this.#podIps.get(uid) ?? new Set()).add(podIP));
    const isWanted =
      type !== 'DELETED' &&
      !isFinal(object as Pod) &&
      object.metadata.deletionTimestamp === undefined &&
      asks(object as Pod) !== undefined;
    const kin = this.#kin.get(uid);
    if (isWanted) this.#kin.set(uid, { ...kinOf(object as Pod), until: Infinity });
    else if (kin?.until === Infinity) this.#kin.set(uid, { ...kin, until: this.#time.mono() });
    if (isWanted) this.unwantedSince.delete(name);
    else if (!this.unwantedSince.has(name)) {
      this.unwantedSince.set(name, this.#time.mono());
      const podEip = this.oracle.podEips.get(name);
      if (podEip && readRecord(podEip).podUid === uid) this.#lostAt.set(podEip.metadata.uid, this.#time.mono());
    }
    // The next pod of the name uses an EIP of the user's, or has a PodEIP of its own after one that is only held off:
    // what was kept may go, also by a write that comes late.
    const wants = asks(object as Pod);
    const kept = this.oracle.podEips.get(name);
    const mayGo = wants !== 'new' || kept?.spec.allocationType.releaseStrategy === 'Follow';
    if (isWanted && mayGo && kept && readRecord(kept).podUid !== uid) this.#lostAt.delete(kept.metadata.uid);
    const what = JSON.stringify([isFinal(object as Pod), object.metadata.deletionTimestamp, asks(object as Pod)]);
    if (this.#wants.get(uid)?.what !== what) this.#wants.set(uid, { what, since: this.#time.mono() });
    const address = type === 'DELETED' ? undefined : announces(object);
    const known = this.#announced.get(uid);
    if (type !== 'DELETED' && address === undefined) this.#onUnpublish(object as Pod, announces(previous));
    if (address === undefined) this.#announced.delete(uid);
    else if (known?.address !== address) this.#announced.set(uid, { address, since: this.#time.mono() });
    if (address === undefined || address === announces(previous)) return;
    // The pod may have got another address meanwhile.
    const mine = [...(this.#podIps.get(uid) ?? [])];
    const eip = this.#eipAt(address);
    const boundAt = Math.max(-Infinity, ...mine.map((podIP) => this.#boundAt.get(`${eip} ${podIP}`) ?? -Infinity));
    if (boundAt < this.#time.mono() - TELLING_MS - this.pausedMs)
      this.broken('I6', `pod ${name} is told that ${address} is bound to ${mine.join(' or ')}, and it is not`);
  }

  /** I20. */
  #onGate({ type, object, previous }: Write): void {
    const pod = object as Pod;
    const { uid } = pod.metadata;
    const withinMs = TELLING_MS + this.pausedMs;
    const isExcused = ({ spec }: PodEip): boolean =>
      this.touched.has(spec.allocationID) || asks(pod) !== spec.allocationID || (this.#podIps.get(uid)?.size ?? 0) > 1;
    this.#gates.onPod(
      { type, pod, before: previous as Pod | undefined },
      { isTold: announces(pod) !== undefined, isByController: this.isByController, isExcused, withinMs },
    );
  }

  /** I6, the other way round: a pod that has its address and wants it is not told that it has none. */
  #onUnpublish(pod: Pod, told: string | undefined): void {
    if (told === undefined || !this.isByController || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined)
      return;
    const podEip = this.oracle.podEips.get(pod.metadata.name);
    if (!podEip || podEip.metadata.deletionTimestamp !== undefined || this.oracle.podOf(podEip) !== pod) return;
    if (asks(pod) === undefined) return;
    const bound = this.#bound.get(podEip.spec.allocationID);
    const since = Math.max(bound?.since ?? Infinity, this.#wants.get(pod.metadata.uid)?.since ?? Infinity);
    // A late write may come from before; where nothing is late, what was true when it was told is true.
    const trueSince = this.isPunctual
      ? (this.#announced.get(pod.metadata.uid)?.since ?? 0)
      : this.#time.mono() - TELLING_MS - this.pausedMs;
    if (bound?.address === pod.status?.podIP && since < trueSince)
      this.broken('I6', `pod ${pod.metadata.name} is told that it has no address, and it has ${told}`);
  }

  /** I16: the controller gives up no PodEIP whose pod has wanted it all the time. */
  #onRetire({ object, previous }: Write): void {
    const { deletionTimestamp, name } = object.metadata;
    if (!this.isByController || deletionTimestamp === undefined || previous?.metadata.deletionTimestamp !== undefined)
      return;
    this.#onExpiry(object as PodEip);
    const pod = this.oracle.podOf(object as PodEip);
    if (!pod || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined || asks(pod) === undefined) return;
    const since = this.#wants.get(pod.metadata.uid)?.since ?? Infinity;
    if (this.#isOutranked(pod, object as PodEip)) return;
    if (this.#time.mono() - since > TELLING_MS + this.pausedMs)
      this.broken('I16', `PodEIP ${name} is given up, although its pod runs and wants it`);
  }

  /**
   * Whether a pod of a Revision that goes first in the Service wants the same EIP, or did so a moment ago: the one that
   * this pod asks for, or the one that it has because it asked for it before its annotations changed.
   */
  #isOutranked(pod: Pod, { spec }: PodEip): boolean {
    const mine = kinOf(pod);
    const withinMs = TELLING_MS + this.pausedMs;
    return [...this.#kin.values()].some(
      ({ service, revision, generation, wanted, until }) =>
        service !== '' &&
        service === mine.service &&
        (wanted === mine.wanted || wanted === spec.allocationID) &&
        until > this.#time.mono() - withinMs &&
        this.routing
          .waysOf(service, [mine.revision, revision], withinMs)
          .some(([my, their]) =>
            ORDER[my] === ORDER[their] ? generation > mine.generation : ORDER[their] > ORDER[my],
          ),
    );
  }

  /** I18: what is kept is kept, for as long as it was promised. */
  #onExpiry({ metadata, spec }: PodEip): void {
    const { releaseStrategy, releaseAfter } = spec.allocationType;
    const isHeldOff = releaseStrategy === 'Follow' && this.#isHeldOff(metadata.uid);
    if (releaseStrategy === 'Follow' && !isHeldOff) return;
    if (spec.allocationID === '' || this.touched.has(spec.allocationID)) return;
    const pod = this.oracle.pods.get(metadata.name);
    // The pod that had it shows its final phase for a while.
    if (pod && !(isHeldOff && isFinal(pod))) return;
    const lostAt = this.#lostAt.get(metadata.uid);
    if (lostAt === undefined) return;
    const forMs = this.#time.mono() - lostAt;
    const promisedMs = isHeldOff ? this.holdOffMs : (readReleaseAfter(releaseAfter) ?? Infinity);
    const ttlMs = releaseStrategy === 'Never' ? Infinity : promisedMs;
    // A wall clock that jumps may shorten it, but for the time that the process itself has seen pass.
    const leastMs = this.hasJumps && ttlMs < Infinity ? Math.min(ttlMs, RECHECK_MS) : ttlMs;
    if (forMs < leastMs - SKEW_MS)
      this.broken(
        'I18',
        `PodEIP ${metadata.name} (${releaseStrategy} ${releaseAfter}) is given up after ${Math.round(forMs)} ms`,
      );
  }

  /**
   * Whether its EIP is to be held for the next pod of its Service: one of its own, that nobody took over, and a Service
   * that is there.
   */
  #isHeldOff(uid: string): boolean {
    const podEip = this.oracle.everPodEips.get(uid);
    const service = podEip?.metadata.labels?.[SERVICE_UID];
    if (!podEip || service === undefined || this.holdOffMs === 0 || this.routing.isGone(service)) return false;
    const { request, successorUid } = readRecord(podEip);
    return request?.kind === 'new' && successorUid === undefined;
  }

  #eipAt(ipAddress: string): string | undefined {
    return (
      this.#cloud.ledger().findLast((change) => change.ipAddress === ipAddress)?.allocationId ??
      this.#cloud.eips().find((eip) => eip.ipAddress === ipAddress)?.allocationId
    );
  }

  /**
   * I5: no two PodEIPs that are not going hold one EIP. Two may write it down at once; before they bind it, one yields.
   */
  #onPodEip(podEip: PodEip): void {
    const { allocationID } = podEip.spec;
    if (allocationID === '' || podEip.metadata.deletionTimestamp !== undefined || !isHeld(podEip)) return;
    for (const other of this.oracle.podEips.values())
      if (
        other.metadata.uid !== podEip.metadata.uid &&
        other.spec.allocationID === allocationID &&
        other.metadata.deletionTimestamp === undefined &&
        isHeld(other)
      )
        this.broken('I5', `${allocationID} is recorded by ${podEip.metadata.name} and by ${other.metadata.name}`);
  }

  /** I2, I3, I4, I13: what took effect in the cloud. */
  #onChange(change: CloudChange): void {
    const { action, allocationId, caller, tags, binding } = change;
    // It may have begun and ended between two events.
    this.associations.onChange(change);
    if (action === 'UnassociateEipAddress' && binding)
      this.#boundAt.set(`${allocationId} ${binding.privateIpAddress}`, this.#time.mono());
    if (caller === 'human' || caller === 'cloud') return this.#allowHuman(change);
    const users = this.#users.has(allocationId);
    if (users && MODIFYING.test(action))
      return this.broken('I3', `${action} of ${allocationId}, which belongs to a user`);
    const owners = [...this.oracle.podEips.values()].filter(({ spec }) => spec.allocationID === allocationId);
    const uid = tags.get(TAG_PODEIP_UID) ?? '';
    switch (action) {
      case 'AllocateEipAddress':
        return this.#onAllocate(change);
      case 'ReleaseEipAddress': {
        const podEip = this.oracle.everPodEips.get(uid);
        if (!podEip || !tags.has(TAG_CLUSTER_UID))
          return this.broken('I3', `${allocationId} was released, and its tags do not say that it was ours`);
        if (podEip.spec.allocationType.type !== 'Auto')
          return this.broken('I3', `${allocationId} was released, although it is ${podEip.spec.allocationType.type}`);
        if (podEip.metadata.deletionTimestamp === undefined)
          this.broken('I3', `${allocationId} was released, although its PodEIP ${podEip.metadata.name} is wanted`);
        return;
      }
      case 'UnassociateEipAddress': {
        const owner = owners.find((podEip) =>
          readRecord(podEip).bindings.some(
            (it) => it.networkInterfaceId === binding?.instanceId && it.privateIpAddress === binding.privateIpAddress,
          ),
        );
        if (!owner)
          return this.broken(
            'I4',
            `${allocationId} was detached from ${binding?.privateIpAddress}, which is nobody’s record`,
          );
        return this.#onDetach(change);
      }
      case 'AssociateEipAddress':
        if (
          !owners.some((podEip) =>
            readRecord(podEip).bindings.some(
              (it) => it.networkInterfaceId === binding?.instanceId && it.privateIpAddress === binding.privateIpAddress,
            ),
          )
        )
          this.broken('I4', `${allocationId} was bound to ${binding?.privateIpAddress}, which is nobody’s record`);
        return;
      default:
        return;
    }
  }

  #onPolicy({ spec: { limits } }: EipPolicy): void {
    this.#limits.push({ eips: limits?.eips ?? Infinity, since: this.#time.mono() });
  }

  /** EIPs that were bought for pods and are there. */
  #ours(): readonly EipRecord[] {
    return this.#cloud
      .eips()
      .filter(({ allocationId, tags }) => tags.has(TAG_CLUSTER_UID) || this.purchases.buyerOf(allocationId));
  }

  /** Whether the namespace may hold no more: it has EIPs, or PodEIPs that have places for them. */
  isFull(): boolean {
    const holders = new Set(
      this.#ours().map(
        ({ allocationId, tags }) => tags.get(TAG_PODEIP_UID) ?? this.purchases.buyerOf(allocationId)?.podEipUid,
      ),
    );
    const there = new Set([...this.oracle.podEips.values()].map(({ metadata }) => metadata.uid));
    for (const uid of this.#reservations) if (there.has(uid)) holders.add(uid);
    return holders.size >= (this.#limits.at(-1)?.eips ?? Infinity);
  }

  /** I19: never more EIPs than the limit. One that was lowered a moment ago may not have been read yet. */
  #onRoom(): void {
    const now = this.#time.mono();
    const lately = this.#limits.filter(
      (_, index) => (this.#limits[index + 1]?.since ?? Infinity) > now - BUYING_MS - this.pausedMs,
    );
    const most = lately.length > 0 ? Math.max(...lately.map(({ eips }) => eips)) : Infinity;
    const ours = this.#ours();
    if (ours.length > most) this.broken('I19', `the namespace holds ${ours.length} EIPs and may hold ${most}`);
  }

  #onAllocate(change: CloudChange): void {
    const { allocationId } = change;
    const { podEipUid: uid, pod } = this.purchases.onAllocate(change);
    this.#onRoom();
    const podEip = this.oracle.everPodEips.get(uid);
    if (!podEip) return this.broken('I2', `${allocationId} was bought, and no PodEIP asked for it`);
    if (this.lacksPackage && namesPackage(podEip))
      this.broken('I22', `${allocationId} was bought for ${podEip.metadata.name}, whose package does not exist`);
    const since = this.#hasIpSince.get(this.oracle.podOf(podEip)?.metadata.uid ?? '') ?? Infinity;
    const withinMs = this.isPunctual ? PUNCTUAL_MS : BUYING_MS + this.pausedMs;
    if (this.isHopeless && since < this.#time.mono() - withinMs)
      this.broken('I22', `${allocationId} was bought for ${podEip.metadata.name}, whose address no interface holds`);
    const times = (this.#bought.get(uid) ?? 0) + 1;
    this.#bought.set(uid, times);
    if (times > 1) this.broken('I2', `${allocationId} is EIP number ${times} of PodEIP ${podEip.metadata.name}`);
    for (const other of this.#cloud.eips())
      if (other.allocationId !== allocationId && this.#podOf(other) === pod)
        this.broken('I2', `${pod} has two EIPs, ${other.allocationId} and ${allocationId}`);
  }

  /** The pod that its tags name, or that it was bought for. */
  #podOf({ allocationId, tags }: EipRecord): string | undefined {
    return tags.get(TAG_POD) ?? this.purchases.buyerOf(allocationId)?.pod;
  }

  /** I4 again: the binding that ended was no living pod's; I6 again: the pod was told before. */
  #onDetach({ allocationId, binding, ipAddress }: CloudChange): void {
    for (const podEip of this.oracle.podEips.values()) {
      const pod = this.oracle.podOf(podEip);
      if (!pod || isFinal(pod) || podEip.spec.allocationID !== allocationId) continue;
      if (pod.status?.podIP !== binding?.privateIpAddress) continue;
      const said = this.#announced.get(pod.metadata.uid);
      if (said?.address === ipAddress && this.#time.mono() - said.since > TELLING_MS + this.pausedMs)
        this.broken('I6', `${allocationId} was detached while ${pod.metadata.name} was told that it has it`);
      // A kept EIP is the pod's once its binding was written down for this pod, not for the one before it.
      const isIts = latestBinding(readRecord(podEip)) !== undefined;
      if (isIts && podEip.metadata.deletionTimestamp === undefined && pod.metadata.deletionTimestamp === undefined)
        this.broken('I4', `${allocationId} was detached from ${pod.metadata.name}, which uses it`);
    }
  }

  #allowHuman({ action, allocationId, tags }: CloudChange): void {
    const uid = tags.get(TAG_PODEIP_UID) ?? this.purchases.buyerOf(allocationId)?.podEipUid;
    // What a human has released may be bought anew.
    if (action === 'ReleaseEipAddress' && uid !== undefined) this.#bought.set(uid, (this.#bought.get(uid) ?? 1) - 1);
    if (action === 'ReleaseEipAddress') this.#bound.delete(allocationId);
    if (!this.#users.has(allocationId)) return;
    const eip = this.#cloud.eips().find((it) => it.allocationId === allocationId);
    if (eip) this.#users.set(allocationId, plain(eip));
    else this.#users.delete(allocationId);
  }

  /** What is wrong with the users' EIPs. */
  usersEips(): string | undefined {
    const eips = new Map(this.#cloud.eips().map((eip) => [eip.allocationId, eip]));
    for (const [id, before] of this.#users) {
      const eip = eips.get(id);
      if (!eip) return `I3: ${id} is gone`;
      if (plain(eip) !== before) return `I3: ${id} was ${before} and is ${plain(eip)}`;
    }
    return undefined;
  }

  isUsers(allocationId: string): boolean {
    return (USERS_EIPS as readonly string[]).includes(allocationId);
  }
}
