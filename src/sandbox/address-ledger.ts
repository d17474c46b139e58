import { ALLOCATED_ADDRESS, TAG_PODEIP_UID } from '../api/annotations.ts';
import { POD, type Pod } from '../api/core.ts';
import { PODEIP } from '../api/podeip.ts';
import type { Kube, KubeObject } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import { parseAnnotations } from '../request/parse.ts';
import type { EmbeddedCloud } from './cloud/sandbox-cloud.ts';
import { FINAL_STATES } from './cloud/container-group-service.ts';

/** One pod that asked for an address. */
interface Requester {
  readonly namespace: string;
  readonly pod: string;
  readonly askedAt: number;
  /** Which address it got, and when; undefined while it has none. */
  address?: string;
  servedAt?: number;
  /** Why it was refused. */
  refusal?: string;
  /** The pod does not exist any more. */
  isGone?: boolean;
}

/** A line of the live table. */
export interface Row {
  readonly pod: string;
  readonly podIP: string;
  readonly eip: string;
  readonly state: string;
  readonly ready: string;
}

const DEFAULTS = { bandwidthMbps: 5, internetChargeType: 'PayByTraffic', isp: 'BGP' } as const;

/** How a pod, and its PodEIP, are called across namespaces. */
const keyOf = ({ metadata: { namespace = '', name } }: KubeObject): string => `${namespace}/${name}`;

/** Keeps count of who asked, who got an address, and what is left in the account; from the API and the cloud alone. */
export class AddressLedger {
  readonly requesters = new Map<string, Requester>();
  /** How often the sample that contradicts itself was applied, and how often that was refused. */
  readonly contradictions = { applied: 0, denied: 0 };
  readonly #kube: Kube;
  readonly #cloud: EmbeddedCloud;
  readonly #clock: Clock;

  constructor(kube: Kube, cloud: EmbeddedCloud, clock: Clock) {
    this.#kube = kube;
    this.#cloud = cloud;
    this.#clock = clock;
  }

  /** Looks at everything once and returns what there is to show. */
  async look(): Promise<readonly Row[]> {
    const [pods, podEips] = await Promise.all([this.#kube.list(POD), this.#kube.list(PODEIP)]);
    for (const pod of pods) this.#note(pod);
    const alive = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const [uid, requester] of this.requesters) requester.isGone = !alive.has(uid);
    const byName = new Map(pods.map((pod) => [keyOf(pod), pod]));
    for (const podEip of podEips) {
      const { status } = podEip;
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      const requester = this.requesters.get(byName.get(keyOf(podEip))?.metadata.uid ?? '');
      const isRefusal =
        ready?.status === 'False' &&
        /^(Invalid|Annotations|ExistingAndNew|EipNotFound|NoInterface$)/.test(ready.reason);
      if (requester && isRefusal) requester.refusal = ready.reason;
    }
    return podEips.map((podEip) => {
      const { metadata, status } = podEip;
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      return {
        pod: keyOf(podEip),
        podIP: byName.get(keyOf(podEip))?.status?.podIP ?? '–',
        eip: status?.eipAddress ?? '–',
        state: metadata.deletionTimestamp === undefined ? (status?.status ?? '–') : 'going back',
        ready: ready?.reason ?? 'Pending',
      };
    });
  }

  /** How many of these pods, at the last look, still wait for an address or for a refusal. */
  waiting(isMeant: (requester: Requester) => boolean): number {
    return [...this.requesters.values()].filter(
      (requester) =>
        isMeant(requester) && requester.address === undefined && requester.refusal === undefined && !requester.isGone,
    ).length;
  }

  /** EIPs that the controller bought and that exist still. */
  bought(): number {
    return this.#cloud.eips().filter(({ tags }) => tags.has(TAG_PODEIP_UID)).length;
  }

  /** Container groups in the account that have not ended: what virtual nodes pay for. */
  containerGroups(): number {
    return this.#cloud.containerGroups().filter(({ status }) => !FINAL_STATES.has(status)).length;
  }

  /** What was bought and given back since the start, and which instances came and went. */
  trade(): { bought: number; released: number; started: number; ended: number } {
    const actions = this.#cloud.ledger().map(({ action }) => action);
    const count = (name: string) => actions.filter((action) => action === name).length;
    const succeeded = (name: string) => this.#cloud.calls()[name]?.['OK'] ?? 0;
    return {
      bought: count('AllocateEipAddress'),
      released: count('ReleaseEipAddress'),
      started: succeeded('CreateContainerGroup'),
      ended: succeeded('DeleteContainerGroup'),
    };
  }

  #note(pod: Pod): void {
    const { uid, namespace = '', name, annotations } = pod.metadata;
    if (!parseAnnotations(annotations, DEFAULTS).wanted) return;
    const requester = this.requesters.get(uid) ?? { namespace, pod: name, askedAt: this.#clock.mono() };
    this.requesters.set(uid, requester);
    const address = annotations?.[ALLOCATED_ADDRESS];
    if (address === undefined || requester.address !== undefined) return;
    requester.address = address;
    requester.servedAt = this.#clock.mono();
  }
}
