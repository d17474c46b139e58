import { HANDED_OVER, READINESS_GATE } from '../../src/api/annotations.ts';
import { REVISION_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import type { Pod } from '../../src/api/core.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { isFinal } from '../../src/api/pod.ts';
import { isOurs } from '../../src/controllers/podeip/record.ts';
import type { Routing } from './routing.ts';
import type { ManualClock } from '../harness/clock.ts';
import type { Oracle } from './oracle.ts';

const gateOf = (pod: Pod | undefined) => pod?.status?.conditions?.find(({ type }) => type === READINESS_GATE);

const isOpen = (pod: Pod | undefined): boolean => gateOf(pod)?.status === 'True';

const label = ({ metadata }: Pod | PodEip, key: string): string => metadata.labels?.[key] ?? '';

/**
 * I20: a request never waits on a pod that cannot become ready. The gate of a pod that serves does not close because
 * its EIP goes to another pod of its Service; and the gate of a pod that never had its address opens without it only
 * where no request gets to its Revision, and where those that are sent find the address.
 */
export class Gates {
  readonly #time: ManualClock;
  readonly #oracle: Oracle;
  readonly #routing: Routing;
  readonly #broken: (said: string) => void;
  /** UIDs of pods whose gate was open once. */
  readonly #opened = new Set<string>();
  /** When each pod was told of an address last, by UID; Infinity while it is. */
  readonly #told = new Map<string, { readonly pod: Pod; readonly until: number }>();
  /** When each PodEIP wrote its EIP down, and when it began to go; by UID. */
  readonly #recorded = new Map<string, number>();
  readonly #ending = new Map<string, number>();
  #writes = 0;

  constructor(time: ManualClock, oracle: Oracle, routing: Routing, broken: (said: string) => void) {
    this.#time = time;
    this.#oracle = oracle;
    this.#routing = routing;
    this.#broken = broken;
  }

  onPodEip({ metadata, spec }: PodEip): void {
    this.#writes += 1;
    const { uid } = metadata;
    if (spec.allocationID === '') this.#recorded.delete(uid);
    else if (!this.#recorded.has(uid)) this.#recorded.set(uid, this.#writes);
    if (metadata.deletionTimestamp !== undefined && !this.#ending.has(uid)) this.#ending.set(uid, this.#writes);
  }

  /**
   * @param isTold whether it says that it has an address
   * @param isByController whether a controller wrote this
   * @param isExcused whether the pod has lost its EIP for another reason, or may have
   * @param withinMs how old what was written down may be
   */
  onPod(
    { type, pod, before }: { readonly type: string; readonly pod: Pod; readonly before: Pod | undefined },
    {
      isTold,
      isByController,
      isExcused,
      withinMs,
    }: {
      readonly isTold: boolean;
      readonly isByController: boolean;
      readonly isExcused: (podEip: PodEip) => boolean;
      readonly withinMs: number;
    },
  ): void {
    const { uid } = pod.metadata;
    const isOver = type === 'DELETED' || isFinal(pod) || pod.metadata.deletionTimestamp !== undefined;
    if (isTold && !isOver) this.#told.set(uid, { pod, until: Infinity });
    else if (this.#told.get(uid)?.until === Infinity) this.#told.set(uid, { pod, until: this.#time.mono() });
    if (isByController && !isOver && isOpen(before) && !isOpen(pod)) this.#onClose(pod, isExcused);
    if (isOpen(pod) && gateOf(pod)?.reason === HANDED_OVER && !this.#opened.has(uid)) this.#onStandAside(pod, withinMs);
    if (isOpen(pod)) this.#opened.add(uid);
  }

  /**
   * The controller looks for other claims to an EIP after its PodEIP began to go: what was written down before that
   * is seen.
   */
  #onClose(pod: Pod, isExcused: (podEip: PodEip) => boolean): void {
    const podEip = this.#oracle.podEips.get(pod.metadata.name);
    if (!podEip || this.#oracle.podOf(podEip) !== pod || isExcused(podEip)) return;
    const endingSince = this.#ending.get(podEip.metadata.uid);
    const service = label(pod, SERVICE_UID);
    if (endingSince === undefined || service === '') return;
    const successor = [...this.#oracle.podEips.values()].find(
      (it) =>
        it.metadata.uid !== podEip.metadata.uid &&
        it.metadata.deletionTimestamp === undefined &&
        isOurs(it) &&
        label(it, SERVICE_UID) === service &&
        it.spec.allocationID === podEip.spec.allocationID &&
        (this.#recorded.get(it.metadata.uid) ?? Infinity) < endingSince,
    );
    if (successor)
      this.#broken(
        `the gate of ${pod.metadata.name} closes because ${podEip.spec.allocationID} goes to ${successor.metadata.name} of its Service`,
      );
  }

  #onStandAside(pod: Pod, withinMs: number): void {
    const service = label(pod, SERVICE_UID);
    const mine = label(pod, REVISION_LABEL);
    const from = this.#time.mono() - withinMs;
    const isServed = [...this.#told.values()].some(
      ({ pod: other, until }) =>
        until >= from &&
        label(other, SERVICE_UID) === service &&
        this.#routing
          .waysOf(service, [mine, label(other, REVISION_LABEL)], withinMs)
          .some(([my, their]) => my === 'none' && their === 'routed'),
    );
    if (!isServed)
      this.#broken(
        `the gate of ${pod.metadata.name} opens without its address, although requests may get to it, or find no other pod with the address`,
      );
  }
}

export { isOpen as isGateOpen };
