import type { KnativeService } from '../../src/api/knative.ts';
import { TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { EipPolicy } from '../../src/api/eippolicy.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import type { ObjectMeta } from '../../src/kube/port.ts';
import { Purchases } from './purchases.ts';
import { CALL_TIMEOUT_MS } from '../../src/cloud/call-deadline.ts';
import { isFinal } from '../../src/api/pod.ts';
import { latestBinding, readRecord } from '../../src/controllers/podeip/record.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { EipRecord } from '../../src/sandbox/cloud/eips.ts';
import type { CloudChange } from '../../src/sandbox/cloud/ledger.ts';
import type { ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { LATEST_EFFECT_MS, LATEST_WRITE_MS } from './fault-bounds.ts';
import { Announcements } from './announcements.ts';
import { announces, asks } from './asking.ts';
import { Associations } from './associations.ts';
import { TELLING_MS, type Circumstances } from './circumstances.ts';
import { Gates } from './gates.ts';
import { NamespaceLimit } from './namespace-limit.ts';
import { Retirements } from './retirements.ts';
import { Routing } from './routing.ts';
import { isHopeless, legacyEip, type Script } from './script.ts';
import { UsersEips } from './users-eips.ts';
import type { ManualClock } from '../harness/clock.ts';
import { LeaseWatch } from './lease-watch.ts';
import { Oracle, type Write } from './oracle.ts';

/** One promise that was broken. The first word of `said` is always the name of the invariant. */
export interface Violation {
  readonly invariant: string;
  readonly said: string;
  readonly atMs: number;
}

/** From a reading of the limit to the effect of what was bought under it may pass; milliseconds. */
const BUYING_MS = LATEST_EFFECT_MS + 3 * 10_000 + LATEST_WRITE_MS;

/** The same where nothing is late. */
const PUNCTUAL_MS = 5_000;

/** What only people at the console may do to the users' EIPs. */
const MODIFYING = /^(?:Release|Modify|Tag|UnTag|AddCommonBandwidthPackage|RemoveCommonBandwidthPackage)/u;

const isContainer = (instanceId: string): boolean => instanceId.startsWith('eci-');

/** Whether what is asked for in the PodEIP is to join a bandwidth package. */
const namesPackage = (podEip: PodEip): boolean => {
  const { request } = readRecord(podEip);
  return request?.kind === 'new' && request.bandwidthPackageId !== undefined;
};

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
export class Inspector implements Circumstances {
  readonly oracle: Oracle;
  readonly leases: LeaseWatch;
  readonly routing: Routing;
  readonly associations: Associations;
  readonly retirements: Retirements;
  readonly limit: NamespaceLimit;
  readonly usersEips: UsersEips;
  readonly purchases = new Purchases();
  readonly #announcements: Announcements;
  readonly #gates: Gates;
  readonly #cloud: EmbeddedCloud;
  readonly #time: ManualClock;
  readonly violations: Violation[] = [];
  #changes = 0;
  isPunctual = false;
  isByController = false;
  hasJumps = false;
  holdOffMs = 0;
  touched: ReadonlySet<string> = new Set();
  pausedMs = 0;
  /** Since when each pod has an address, by UID. */
  readonly #hasIpSince = new Map<string, number>();
  /** How often an EIP was bought for each PodEIP, by UID. */
  readonly #bought = new Map<string, number>();
  /** EIPs that another controller has bought. */
  readonly legacy = new Set<string>();
  /** Whether no pod can have an EIP. */
  isHopeless = false;
  /** Whether the bandwidth package is not there that pods name. */
  lacksPackage = false;
  /** Writes since somebody emptied this, but for renewals of leases and refreshes of `podLastSeen`. */
  lately: string[] = [];
  /** Those refreshes. */
  refreshes = 0;

  constructor(server: ApiServer, cloud: EmbeddedCloud, time: ManualClock) {
    this.#cloud = cloud;
    this.#time = time;
    const oracle = new Oracle(server, (write) => this.#onWrite(write));
    const routing = new Routing(time);
    const { purchases } = this;
    this.oracle = oracle;
    this.routing = routing;
    this.leases = new LeaseWatch(time, (said) => this.broken('I17', said));
    this.retirements = new Retirements({ time, oracle, routing, circumstances: this }, (invariant, said) =>
      this.broken(invariant, said),
    );
    this.#announcements = new Announcements(
      { cloud, time, oracle, retirements: this.retirements, circumstances: this },
      (said) => this.broken('I6', said),
    );
    this.limit = new NamespaceLimit({ time, cloud, oracle, purchases }, (said) => this.broken('I19', said));
    this.usersEips = new UsersEips(cloud);
    this.associations = new Associations(oracle, (said) => this.broken('I21', said));
    this.#gates = new Gates(time, oracle, routing, (said) => this.broken('I20', said));
  }

  /** To be called once the world is complete. */
  begin(script: Script): void {
    const { legacy, actions, holdOffSeconds = 0 } = script;
    this.isHopeless = isHopeless(script);
    this.lacksPackage = script.hasPackage === false;
    this.holdOffMs = holdOffSeconds * 1_000;
    this.usersEips.begin();
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
    this.#announcements.look();
  }

  #onWrite(write: Write): void {
    const { type, kind, object } = write;
    if (isRefresh(write)) this.refreshes += 1;
    else if (kind !== 'Lease') this.lately.push(nameOf(write));
    if (kind === 'Lease') this.leases.onWrite(write);
    if (kind === 'EipPolicy') this.limit.onPolicy(object as unknown as EipPolicy);
    if (kind === 'EipUsage') this.limit.onUsage(object);
    if (kind === 'Service') this.routing.onWrite(type, object as unknown as KnativeService);
    if (kind === 'PodEIP') this.#gates.onPodEip(object as PodEip);
    if (kind === 'Pod') this.#onPod(write);
    if (kind === 'PodEIP' && type === 'MODIFIED') this.retirements.onPodEip(write);
    if (kind === 'PodEIP' && type !== 'DELETED') this.#onPodEip(object as PodEip);
  }

  #onPod(write: Write): void {
    const { uid } = write.object.metadata;
    const { podIP } = (write.object as Pod).status ?? {};
    if (podIP !== undefined && !this.#hasIpSince.has(uid)) this.#hasIpSince.set(uid, this.#time.mono());
    this.retirements.onPod(write);
    this.#announcements.onPod(write);
    this.#onGate(write);
  }

  /** I20. */
  #onGate({ type, object, previous }: Write): void {
    const pod = object as Pod;
    const { uid } = pod.metadata;
    const withinMs = TELLING_MS + this.pausedMs;
    const isExcused = ({ spec }: PodEip): boolean =>
      this.touched.has(spec.allocationID) || asks(pod) !== spec.allocationID || this.#announcements.hasMoved(uid);
    this.#gates.onPod(
      { type, pod, before: previous as Pod | undefined },
      { isTold: announces(pod) !== undefined, isByController: this.isByController, isExcused, withinMs },
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
    if (action === 'UnassociateEipAddress') this.#announcements.onUnassociate(change);
    if (caller === 'human' || caller === 'cloud') return this.#allowHuman(change);
    if (this.usersEips.has(allocationId) && MODIFYING.test(action))
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

  #onAllocate(change: CloudChange): void {
    const { allocationId } = change;
    const { podEipUid: uid, pod } = this.purchases.onAllocate(change);
    this.limit.onAllocate(BUYING_MS + this.pausedMs);
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
  #onDetach(change: CloudChange): void {
    const { allocationId, binding } = change;
    for (const podEip of this.oracle.podEips.values()) {
      const pod = this.oracle.podOf(podEip);
      if (!pod || isFinal(pod) || podEip.spec.allocationID !== allocationId) continue;
      if (pod.status?.podIP !== binding?.privateIpAddress) continue;
      this.#announcements.onDetach(change, pod);
      // A kept EIP is the pod's once its binding was written down for this pod, not for the one before it.
      const isIts = latestBinding(readRecord(podEip)) !== undefined;
      if (isIts && podEip.metadata.deletionTimestamp === undefined && pod.metadata.deletionTimestamp === undefined)
        this.broken('I4', `${allocationId} was detached from ${pod.metadata.name}, which uses it`);
    }
  }

  #allowHuman(change: CloudChange): void {
    const { action, allocationId, tags } = change;
    const uid = tags.get(TAG_PODEIP_UID) ?? this.purchases.buyerOf(allocationId)?.podEipUid;
    // What a human has released may be bought anew.
    if (action === 'ReleaseEipAddress' && uid !== undefined) this.#bought.set(uid, (this.#bought.get(uid) ?? 1) - 1);
    if (action === 'ReleaseEipAddress') this.#announcements.onHumanRelease(change);
    this.usersEips.onHuman(allocationId);
  }
}
