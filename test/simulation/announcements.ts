import type { Pod } from '../../src/api/core.ts';
import { isFinal } from '../../src/api/pod.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { CloudChange } from '../../src/sandbox/cloud/ledger.ts';
import type { ManualClock } from '../harness/clock.ts';
import { announces, asks } from './asking.ts';
import { TELLING_MS, type Circumstances } from './circumstances.ts';
import type { Oracle, Write } from './oracle.ts';
import type { Retirements } from './retirements.ts';

/** I6: what a pod is told is true, or was so little ago that nobody could know better. */
export class Announcements {
  readonly #cloud: EmbeddedCloud;
  readonly #time: ManualClock;
  readonly #oracle: Oracle;
  readonly #retirements: Retirements;
  readonly #circumstances: Circumstances;
  readonly #broken: (said: string) => void;
  /** When each EIP was seen bound to a private address last, virtual time; by `<allocation ID> <address>`. */
  readonly #boundAt = new Map<string, number>();
  /** Where each EIP is bound, and since when without a break, by allocation ID. */
  readonly #bound = new Map<string, { address: string; since: number }>();
  /** Since when each pod says without a break that it has this address, by UID. */
  readonly #announced = new Map<string, { address: string; since: number }>();
  /** Every private address that each pod has had, by UID. */
  readonly #podIps = new Map<string, Set<string>>();

  constructor(
    {
      cloud,
      time,
      oracle,
      retirements,
      circumstances,
    }: {
      readonly cloud: EmbeddedCloud;
      readonly time: ManualClock;
      readonly oracle: Oracle;
      readonly retirements: Retirements;
      readonly circumstances: Circumstances;
    },
    broken: (said: string) => void,
  ) {
    this.#cloud = cloud;
    this.#time = time;
    this.#oracle = oracle;
    this.#retirements = retirements;
    this.#circumstances = circumstances;
    this.#broken = broken;
  }

  /** After every event: where EIPs are bound now. */
  look(): void {
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

  /** A binding that began and ended between two events was there, too. */
  onUnassociate({ allocationId, binding }: CloudChange): void {
    if (binding) this.#boundAt.set(`${allocationId} ${binding.privateIpAddress}`, this.#time.mono());
  }

  /** As {@link onUnassociate}: a reading of a moment before may still show the binding. */
  onHumanRelease({ allocationId, binding }: CloudChange): void {
    this.#bound.delete(allocationId);
    if (binding) this.#boundAt.set(`${allocationId} ${binding.privateIpAddress}`, this.#time.mono());
  }

  /** Whether this pod has had more than one private address. */
  hasMoved(podUid: string): boolean {
    return (this.#podIps.get(podUid)?.size ?? 0) > 1;
  }

  onPod({ type, object, previous }: Write): void {
    const { uid, name } = object.metadata;
    const { podIP } = (object as Pod).status ?? {};
    if (podIP !== undefined) this.#podIps.set(uid, (this.#podIps.get(uid) ?? new Set()).add(podIP));
    const address = type === 'DELETED' ? undefined : announces(object);
    const known = this.#announced.get(uid);
    if (type !== 'DELETED' && address === undefined) this.#onUnpublish(object as Pod, announces(previous));
    if (address === undefined) this.#announced.delete(uid);
    else if (known?.address !== address) this.#announced.set(uid, { address, since: this.#time.mono() });
    if (address === undefined || address === announces(previous)) return;
    // The pod may have got another address meanwhile.
    const mine = [...(this.#podIps.get(uid) ?? [])];
    const eip = this.#eipAt(address);
    const boundAt = Math.max(-Infinity, ...mine.map((it) => this.#boundAt.get(`${eip} ${it}`) ?? -Infinity));
    if (boundAt < this.#time.mono() - TELLING_MS - this.#circumstances.pausedMs)
      this.#broken(`pod ${name} is told that ${address} is bound to ${mine.join(' or ')}, and it is not`);
  }

  /** The other way round: a pod that has its address and wants it is not told that it has none. */
  #onUnpublish(pod: Pod, told: string | undefined): void {
    const { isByController, isPunctual, pausedMs } = this.#circumstances;
    if (told === undefined || !isByController || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined) return;
    const podEip = this.#oracle.podEips.get(pod.metadata.name);
    if (!podEip || podEip.metadata.deletionTimestamp !== undefined || this.#oracle.podOf(podEip) !== pod) return;
    if (asks(pod) === undefined) return;
    const bound = this.#bound.get(podEip.spec.allocationID);
    const since = Math.max(bound?.since ?? Infinity, this.#retirements.wantsSince(pod));
    // A late write may come from before; where nothing is late, what was true when it was told is true.
    const trueSince = isPunctual
      ? (this.#announced.get(pod.metadata.uid)?.since ?? 0)
      : this.#time.mono() - TELLING_MS - pausedMs;
    if (bound?.address === pod.status?.podIP && since < trueSince)
      this.#broken(`pod ${pod.metadata.name} is told that it has no address, and it has ${told}`);
  }

  /** The binding of this pod, which is there, has ended: the pod was told before. */
  onDetach({ allocationId, ipAddress }: CloudChange, pod: Pod): void {
    const said = this.#announced.get(pod.metadata.uid);
    if (said?.address === ipAddress && this.#time.mono() - said.since > TELLING_MS + this.#circumstances.pausedMs)
      this.#broken(`${allocationId} was detached while ${pod.metadata.name} was told that it has it`);
  }

  #eipAt(ipAddress: string): string | undefined {
    return (
      this.#cloud.ledger().findLast((change) => change.ipAddress === ipAddress)?.allocationId ??
      this.#cloud.eips().find((eip) => eip.ipAddress === ipAddress)?.allocationId
    );
  }
}
