import { NAMESPACE, POD, type Pod } from '../../src/api/core.ts';
import { isAnnounced } from '../../src/api/pod.ts';
import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { NEW } from '../controllers/podeip/situation.ts';
import { Operating, type Way } from '../harness/operating.ts';

/** How long the API server takes, milliseconds. Its watches tell at once. */
const READ_MS = 5;
const WRITE_MS = 10;
/** How long the cloud takes to answer, milliseconds; half of it before the effect. */
const CLOUD_MS: Readonly<Record<string, number>> = {
  AllocateEipAddress: 300,
  AssociateEipAddress: 200,
  UnassociateEipAddress: 200,
  ReleaseEipAddress: 200,
  CreateContainerGroup: 500,
  DeleteContainerGroup: 300,
};
const OTHER_CLOUD_MS = 80;
/** How long an EIP is Associating or Unassociating, milliseconds. */
const TRANSITION_MS = 1_500;
/** How long a container group takes until it has a place and an address, from there until it runs, and to end. */
const SCHEDULE_MS = 2_000;
const CONTAINER_START_MS = 5_000;
const CONTAINER_STOP_MS = 3_000;

/**
 * What one address takes that nothing waits for: Allocate, Associate until it is accepted, the transition, the way back
 * of the Describe that shows InUse, half a write. Milliseconds.
 */
export const ATTACH_BOUND_MS = 300 + 100 + TRANSITION_MS + 40 + 5;
/** The same of a release: Unassociate and Release until their effect, the transition, the way back of a Describe. */
export const RELEASE_BOUND_MS = 100 + TRANSITION_MS + 40 + 100;
/**
 * The address of a container group that is made with one: Create until its effect, its place, the way back of the
 * Describe that shows it, half a write.
 */
export const INSTANCE_BOUND_MS = 250 + SCHEDULE_MS + 40 + 5;
/** The same where its EIP is bought first. */
export const EIP_FIRST_BOUND_MS = 300 + INSTANCE_BOUND_MS;
/** Until all of its containers run, and the pod is Ready. */
export const READY_BOUND_MS = INSTANCE_BOUND_MS + CONTAINER_START_MS;
/** Until the object of a pod that was deleted goes: Delete until its effect, the end, a Describe, half a write. */
export const END_BOUND_MS = 150 + CONTAINER_STOP_MS + 40 + 5;

export interface Calls {
  /** Calls to the cloud by action. */
  readonly cloud: Readonly<Record<string, number>>;
  /** Calls that the cloud refused because there were too many. */
  readonly throttled: number;
  readonly kubeReads: number;
  readonly kubeWrites: number;
}

/** So many EIPs may be bought, bound or unbound in a minute (VPC quotas: 120 calls in 60 seconds each). */
const RATE = 120;

/** When the pod of this index (the first: 0) of those that start, or end, at once could have what one alone has. */
export const atRateMs = (boundMs: number, index: number): number => boundMs + 60_000 * Math.floor(index / RATE);

const lasting = (ms: number) => ({ minMs: ms, maxMs: ms });
const INSTANT = lasting(0);
const TRANSITION = lasting(TRANSITION_MS);

/** How long everything in the cloud takes. */
export const TRANSITIONS = {
  associate: TRANSITION,
  unassociate: TRANSITION,
  bandwidthPackage: INSTANT,
  schedule: lasting(SCHEDULE_MS),
  containerStart: lasting(CONTAINER_START_MS),
  containerStop: lasting(CONTAINER_STOP_MS),
};

/** How much time passes at once, milliseconds. */
const STEP_MS = 250;
const HOURS_MS = 6 * 3_600_000;

/**
 * The whole controller as production composes it, with production's limits, in virtual time. Figures are exact: no
 * machine's speed is in them.
 */
export class Bed {
  readonly world: Operating;
  readonly #kube: { reads: number; writes: number };
  readonly #publishedAt = new Map<string, number>();
  #pods = 0;

  private constructor(world: Operating, kube: { reads: number; writes: number }) {
    this.world = world;
    this.#kube = kube;
    world.server.onWrite(({ object }) => {
      if (object['kind'] !== POD.kind) return;
      const pod = object as unknown as Pod;
      const { name } = pod.metadata;
      if (!this.#publishedAt.has(name) && isAnnounced(pod)) this.#publishedAt.set(name, world.clock.mono());
    });
  }

  /** @param config over the default configuration */
  static async create(config: object = {}): Promise<Bed> {
    const kube = { reads: 0, writes: 0 };
    const world = await Operating.create({
      quota: 100_000,
      // The kind is installed, as in production, and no policy is there.
      policies: {},
      // All pods are of one namespace, and what is measured is the controller.
      config: { sweeper: {}, namespaceLimits: { eips: 0, purchasesPerMinute: 0 }, ...config },
      transitions: TRANSITIONS,
      way: (clock) => wayOf(clock, kube),
    });
    return new Bed(world, kube);
  }

  get #now(): number {
    return this.world.clock.mono();
  }

  /** So many pods start at once. Resolves to how long each waited for its address, in order, milliseconds. */
  async attach(count: number, namespace = 'default'): Promise<readonly number[]> {
    const began = this.#now;
    const names = await this.begin(count, namespace);
    await this.until(() => names.every((name) => this.#publishedAt.has(name)));
    return names.map((name) => this.#publishedAt.get(name)! - began).sort((a, b) => a - b);
  }

  /** So many pods start at once; nobody waits for them. Resolves to their names. */
  async begin(count: number, namespace: string): Promise<readonly string[]> {
    if (!(await this.world.kube.get(NAMESPACE, { name: namespace })))
      await this.world.kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const names = Array.from({ length: count }, () => `pod-${(this.#pods += 1)}`);
    for (const name of names) await this.world.runPod(name, NEW, { namespace });
    return names;
  }

  /** Whether the pod has its address. */
  isServed(name: string): boolean {
    return this.#publishedAt.has(name);
  }

  /** Since when; monotonic milliseconds, Infinity where it has none. */
  servedAt(name: string): number {
    return this.#publishedAt.get(name) ?? Infinity;
  }

  /** All pods end at once. Resolves to how long each EIP was still held, in order, milliseconds. */
  async release(): Promise<readonly number[]> {
    const { kube, cloud, clock } = this.world;
    const began = clock.now();
    const before = cloud.ledger().at(-1)?.sequence ?? -1;
    for (const { metadata } of await this.world.pods()) {
      const body = { status: { phase: 'Succeeded' } };
      await kube.patch(POD, metadata, { type: 'strategic', subresource: 'status', body });
      await kube.delete(POD, metadata, { uid: metadata.uid });
    }
    await this.until(async () => (await this.world.podEips()).length === 0);
    return cloud
      .ledger()
      .filter(({ sequence, action }) => sequence > before && action === 'ReleaseEipAddress')
      .map(({ at }) => at - began)
      .sort((a, b) => a - b);
  }

  /** Lets time pass and nothing happen. */
  async idle(ms: number): Promise<void> {
    await this.world.clock.advance(ms);
  }

  /** All calls so far. */
  calls(): Calls {
    const byOutcome = Object.entries(this.world.cloud.calls());
    return {
      cloud: Object.fromEntries(
        byOutcome.map(([action, outcomes]) => [action, Object.values(outcomes).reduce((sum, is) => sum + is, 0)]),
      ),
      throttled: byOutcome.reduce((sum, [, outcomes]) => sum + (outcomes['Throttling.User'] ?? 0), 0),
      kubeReads: this.#kube.reads,
      kubeWrites: this.#kube.writes,
    };
  }

  /** What was called since an earlier answer of {@link calls}. */
  callsSince(before: Calls): Calls {
    const now = this.calls();
    const cloud = Object.entries(now.cloud).map(([action, count]) => [action, count - (before.cloud[action] ?? 0)]);
    return {
      cloud: Object.fromEntries(cloud.filter(([, count]) => count !== 0)) as Record<string, number>,
      throttled: now.throttled - before.throttled,
      kubeReads: now.kubeReads - before.kubeReads,
      kubeWrites: now.kubeWrites - before.kubeWrites,
    };
  }

  stop(): Promise<void> {
    return this.world.stop();
  }

  /** The process dies, and another one starts. */
  async restart(): Promise<void> {
    this.world.kill();
    await this.world.start();
  }

  /** Lets time pass until it is so. */
  async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    const end = this.#now + HOURS_MS;
    while (!(await isSo())) {
      if (this.#now > end) throw new Error(`Not in ${HOURS_MS} ms: ${this.world.complaints.slice(-3).join('; ')}`);
      await this.world.clock.advance(STEP_MS);
    }
  }
}

const wayOf = (clock: Clock, kube: { reads: number; writes: number }): Way => ({
  isLimited: true,
  kube:
    (transport: KubeTransport): KubeTransport =>
    async (request) => {
      const isRead = request.method === 'GET';
      kube[isRead ? 'reads' : 'writes'] += 1;
      const half = (isRead ? READ_MS : WRITE_MS) / 2;
      await clock.sleep(half, request.signal);
      const response = await transport(request);
      await clock.sleep(half, request.signal);
      return response;
    },
  cloud: lateBy(clock),
});

/** The way to the cloud and back. */
export const lateBy =
  (clock: Clock) =>
  (callApi: SdkCallApi): SdkCallApi =>
  async (params, request, runtime) => {
    const half = (CLOUD_MS[params.action] ?? OTHER_CLOUD_MS) / 2;
    await clock.sleep(half);
    try {
      return await callApi(params, request, runtime);
    } finally {
      await clock.sleep(half);
    }
  };
