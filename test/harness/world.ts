import { NAMESPACE as NAMESPACES, NODE, POD, type Node, type Pod } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { ALLOW_EIP_ROB, QUIET_SINCE } from '../../src/api/annotations.ts';
import { FINALIZER, PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { reconcilePodEip } from '../../src/controllers/podeip/controller.ts';
import { Tracker } from '../../src/controllers/podeip/tracker.ts';
import type { ObjectRef, OwnerReference, Patch } from '../../src/kube/port.ts';
import type { Settings } from '../../src/controllers/podeip/observation.ts';
import type { EventNote, Regarding } from '../../src/controllers/podeip/events.ts';
import { seeded } from './random.ts';
import { DOWN_MS, Killed, KillableProcess, type Death } from './process.ts';
import { logTo } from './recording-log.ts';
import { CLUSTER_ID, CLUSTER_UID, podEipSettings, VPC } from './settings.ts';
import { adapterOn, EmbeddedCluster } from './cluster.ts';

export const NAMESPACE = 'default';
const node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1', uid: 'node-uid', resourceVersion: '1' },
} satisfies Node;

const settings = podEipSettings({ allowEipRob: true, adoptBefore: Infinity });

/** How long a key that failed waits for its next turn; milliseconds. */
const BACKOFF_MS = 1_000;

/** The longest time that passes without a look at what has become due; milliseconds. */
const STEP_MS = 1_000;

/**
 * A cluster, a cloud and one controller process after another, in virtual time. What kubelet and users do goes through
 * a client of their own, which nothing kills.
 */
export class World extends EmbeddedCluster {
  /** The node of all pods, as the controllers know it. */
  node: Node = node;
  readonly events: EventNote[] = [];
  /** The same, with what each is about. */
  readonly notes: { readonly about: Regarding; readonly event: EventNote }[] = [];
  /** What the controllers logged. */
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[] = [];
  readonly processes: KillableProcess[] = [];
  /** The most EIPs that there ever were at once. */
  most = 0;
  readonly #death: Death | undefined;
  readonly #settings: Settings;
  readonly #due = new Map<string, number>();
  /** The notes of quiet that were written last, by UID. */
  readonly #notes = new Map<string, string>();
  #reconcile: ReturnType<typeof reconcilePodEip> = () => Promise.resolve('done');
  #lastIp = 1;
  /** When the next process starts, where the last one is dead. */
  #upAt = 0;

  private constructor(death: Death | undefined, lagMs: number) {
    super({
      seeds: { api: 7, cloud: 8 },
      cloud: {
        transitions: {
          associate: { minMs: 900, maxMs: 900 },
          unassociate: { minMs: 900, maxMs: 900 },
          bandwidthPackage: { minMs: 900, maxMs: 900 },
        },
        readLag: { maxMs: lagMs, monotonic: false },
      },
    });
    const { clock } = this;
    this.#death = death;
    this.#settings = { ...settings, readLagMs: Math.max(settings.readLagMs, lagMs + 100) };
    this.server.onWrite(({ object }) => {
      const { kind, metadata } = object as {
        kind?: string;
        metadata: { name: string; uid: string; annotations?: Readonly<Record<string, string>> };
      };
      if (kind !== 'Pod' && kind !== PODEIP.kind) return;
      const note = metadata.annotations?.[QUIET_SINCE];
      // Nor does the note of its quiet bring a PodEIP back in production (controllers/caches.ts).
      const isNote = kind === PODEIP.kind && note !== undefined && note !== this.#notes.get(metadata.uid);
      if (note !== undefined) this.#notes.set(metadata.uid, note);
      if (!isNote) this.#due.set(metadata.name, clock.mono());
    });
    this.cloud.world.addNetworkInterface({
      networkInterfaceId: 'eni-1',
      vpcId: VPC,
      instanceId: 'i-1',
      primaryIp: '10.0.0.1',
    });
  }

  /** @param lagMs how far DescribeEipAddresses may lag; the controller knows a longer time */
  static async create(death?: Death, lagMs = 500): Promise<World> {
    const world = new World(death, lagMs);
    await world.define(PODEIP, EIP_HOLDER);
    await world.during(world.kube.create(NODE, { ...node, metadata: { name: node.metadata.name } }));
    await world.#start();
    return world;
  }

  /** How often the controllers have made this call so far. */
  asked(name: string): number {
    return this.processes.flatMap(({ calls }) => calls).filter((call) => call.name === name).length;
  }

  /** A pod that runs on the node with an address of its own, as scheduler and kubelet leave it. */
  async runPod(
    name: string,
    annotations: Readonly<Record<string, string>>,
    ownerReferences: readonly OwnerReference[] = [],
  ): Promise<Pod> {
    this.#lastIp += 1;
    const podIP = `10.0.0.${this.#lastIp}`;
    this.cloud.world.addPrivateIp('eni-1', podIP);
    await this.during(
      this.kube.create(POD, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: NAMESPACE, annotations, ownerReferences },
        spec: {
          nodeName: node.metadata.name,
          readinessGates: [{ conditionType: 'k8s.aliyun.com/eip' }],
          containers: [{ name: 'main', image: 'nginx' }],
        },
      }),
    );
    return this.patchPod(name, {
      type: 'strategic',
      subresource: 'status',
      body: { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] } },
    });
  }

  patchPod(name: string, patch: Patch): Promise<Pod> {
    return this.during(this.kube.patch(POD, { namespace: NAMESPACE, name }, patch));
  }

  /**
   * Ends a pod as kubelet does: it is marked, it stops, then the object goes. Its private address stays on the
   * interface, in Terway’s pool.
   */
  async deletePod(name: string, { graceful = true } = {}): Promise<void> {
    const ref = { namespace: NAMESPACE, name };
    const pod = await this.during(this.kube.get(POD, ref));
    if (!pod) throw new Error(`there is no pod ${name}`);
    if (graceful) {
      await this.during(this.kube.delete(POD, ref, { uid: pod.metadata.uid }));
      await this.pass(2_000);
      await this.patchPod(name, { type: 'strategic', subresource: 'status', body: { status: { phase: 'Failed' } } });
    }
    await this.during(this.#removePod(ref, pod.metadata.uid));
  }

  /** The process ends at the call that is the `count`th from now on, before it is sent or after its effect. */
  dieAfter(count: number, how: 'before' | 'after'): void {
    const process = this.processes.at(-1);
    if (process) process.death = { at: process.calls.length + count, how };
  }

  /** Somebody edits a PodEIP by hand. */
  patchPodEip(name: string, patch: Patch): Promise<PodEip> {
    return this.during(this.kube.patch(PODEIP, { namespace: NAMESPACE, name }, patch));
  }

  /** A user gives the address up. */
  async deletePodEip(name: string): Promise<void> {
    const ref = { namespace: NAMESPACE, name };
    const podEip = await this.during(this.kube.get(PODEIP, ref));
    if (podEip) await this.during(this.kube.delete(PODEIP, ref, { uid: podEip.metadata.uid }));
  }

  /** A PodEIP as ack-extend-network-controller writes it. */
  async addForeignPodEip(
    name: string,
    { allocationID, type }: { allocationID: string; type: 'Auto' | 'Static' },
  ): Promise<void> {
    await this.during(
      this.kube.create(PODEIP, {
        apiVersion: `${PODEIP.group}/${PODEIP.version}`,
        kind: PODEIP.kind,
        metadata: { name, namespace: NAMESPACE, finalizers: [FINALIZER] },
        spec: { allocationID, allocationType: { type, releaseStrategy: 'Follow' } },
      }),
    );
  }

  /** The namespace says that its pods may take EIPs from what they are bound to. */
  async allowRobbing(): Promise<void> {
    const body = { metadata: { labels: { [ALLOW_EIP_ROB]: 'true' } } };
    await this.during(this.kube.patch(NAMESPACES, { name: NAMESPACE }, { type: 'merge', body }));
  }

  /** Another process takes over; the one before does nothing any more. */
  succeed(): Promise<void> {
    return this.#start();
  }

  /** What happens once in a period: everything is looked at although nothing has happened. */
  async recheck(): Promise<void> {
    for (const { metadata } of await this.podEips()) this.#due.set(metadata.name, this.clock.mono());
  }

  async pod(name: string): Promise<Pod | undefined> {
    return this.during(this.kube.get(POD, { namespace: NAMESPACE, name }));
  }

  async podEips(): Promise<readonly PodEip[]> {
    return this.during(this.kube.list(PODEIP));
  }

  /** Lets the controller work for `ms` of virtual time; a process that dies is followed by another. */
  override async pass(ms: number): Promise<void> {
    const end = this.clock.mono() + ms;
    for (;;) {
      if (this.processes.at(-1)?.isDead) {
        await this.clock.advance(Math.max(0, Math.min(this.#upAt, end) - this.clock.mono()));
        if (this.#upAt > end) break;
        await this.#start();
      }
      const [next] = [...this.#due].sort(([, a], [, b]) => a - b);
      const now = this.clock.mono();
      if (!next || next[1] > now) {
        if (now >= end) break;
        // In small steps, because what is under way may make something due before that.
        await this.clock.advance(Math.min(STEP_MS, end - now, next ? next[1] - now : Infinity));
        continue;
      }
      const [name] = next;
      this.#due.delete(name);
      await this.#turn(name);
    }
  }

  async #turn(name: string): Promise<void> {
    const again = await this.during(
      this.#reconcile({ namespace: NAMESPACE, name }, new AbortController().signal).catch((error: unknown) => {
        if (error instanceof Killed) return 'backoff' as const;
        throw error;
      }),
    );
    this.most = Math.max(this.most, this.cloud.eips().length);
    if (this.processes.at(-1)?.isDead) {
      this.#upAt = this.clock.mono() + (this.#death?.how === 'late' ? DOWN_MS : 0);
      return;
    }
    const inMs = again === 'now' ? 0 : again === 'backoff' ? BACKOFF_MS : again === 'done' ? Infinity : again.afterMs;
    // A write during the turn has made it due already.
    this.#due.set(name, Math.min(this.#due.get(name) ?? Infinity, this.clock.mono() + inMs));
    if (this.#due.get(name) === Infinity) this.#due.delete(name);
  }

  /** A new process: it remembers nothing, and lists everything. */
  async #start(): Promise<void> {
    const { clock, kube } = this;
    const process = new KillableProcess(clock, { death: this.processes.length === 0 ? this.#death : undefined });
    this.processes.push(process);
    const random = seeded(100 + this.processes.length);
    const assembled = adapterOn(this.cloud, clock);
    await assembled.warmUp();
    this.#reconcile = reconcilePodEip({
      kube: process.through(kube),
      cloud: process.through(assembled.cloud),
      clock,
      cluster: { uid: CLUSTER_UID, id: CLUSTER_ID },
      settings: this.#settings,
      vpcId: VPC,
      tracker: new Tracker(clock, random),
      nodeOf: () => this.node,
      mayAct: () => true,
      onQuotaFreed: () => undefined,
      record: (about, event) => {
        this.events.push(event);
        this.notes.push({ about, event });
      },
      warnService: () => undefined,
      log: logTo((level, fields, message) => void this.lines.push({ level, fields, message })),
    });
    const all = await this.during(Promise.all([kube.list(POD), kube.list(PODEIP)]));
    for (const { metadata } of all.flat()) this.#due.set(metadata.name, clock.mono());
  }

  /** By force, unless it is another by now. */
  async #removePod({ name }: ObjectRef, uid: string): Promise<void> {
    const pod = await this.kube.get(POD, { namespace: NAMESPACE, name });
    if (pod?.metadata.uid === uid) await this.forcePod(name);
  }
}
