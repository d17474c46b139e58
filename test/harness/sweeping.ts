import { setImmediate } from 'node:timers/promises';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { BINDINGS, TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { FINALIZER, PODEIP, type PodEip } from '../../src/api/podeip.ts';
import {
  runGarbageCollection,
  type GarbageCollectionSettings,
} from '../../src/controllers/garbagecollection/controller.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import type { EventNote, Regarding } from '../../src/controllers/podeip/events.ts';
import type { EipRecord } from '../../src/sandbox/cloud/eips.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import type { NewCloudEip } from '../../src/sandbox/cloud/world.ts';
import { seeded } from './random.ts';
import { DOWN_MS, KillableProcess, type Death } from './process.ts';
import { logTo } from './recording-log.ts';
import { CLUSTER_ID, CLUSTER_UID, garbageCollectionSettings, VPC } from './settings.ts';
import { adapterOn, EmbeddedCluster } from './cluster.ts';

const NAMESPACE = 'default';

/** The longest time that passes at once while nothing is under way; milliseconds. */
const STEP_MS = 1_000;

/** A line of the log, and an Event with what it is about. */
export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}
export type Note = EventNote & { readonly about: Regarding };

export interface SweepingOptions extends Partial<GarbageCollectionSettings> {
  /** The end of the first process. */
  readonly death?: Death | undefined;
  /** How old a Describe may be; milliseconds. */
  readonly lagMs?: number;
}

/** A cluster, a cloud and one process after another in which only the sweeper runs, in virtual time. */
export class Sweeping extends EmbeddedCluster {
  readonly metrics = createMetrics({ version: '0', nodeVersion: '0' });
  readonly lines: Line[] = [];
  readonly events: Note[] = [];
  readonly processes: KillableProcess[] = [];
  /** What happens right before each call of the sweeper to one of its ports. */
  meddle: (call: string) => Promise<void> | void = () => undefined;
  /** What happens right before each request of the sweeper to the cloud, page by page. */
  meddleWithRequest: (action: string) => void = () => undefined;
  readonly #settings: GarbageCollectionSettings;
  readonly #death: Death | undefined;
  #process = new AbortController();
  /** Calls that are under way. */
  #pending = 0;

  private constructor(settings: Partial<GarbageCollectionSettings>, death: Death | undefined, lagMs: number) {
    super({
      seeds: { api: 7, cloud: 8 },
      cloud: {
        transitions: {
          unassociate: { minMs: 900, maxMs: 900 },
          bandwidthPackage: { minMs: 900, maxMs: 900 },
        },
        readLag: { maxMs: lagMs, monotonic: false },
      },
    });
    this.#settings = garbageCollectionSettings(settings);
    this.#death = death;
    const privateIps = ['10.0.0.2', '10.0.0.3'];
    const eni = { vpcId: VPC, instanceId: 'i-1', primaryIp: '10.0.0.1', privateIps };
    this.cloud.world.addNetworkInterface({ ...eni, networkInterfaceId: 'eni-1' });
    this.cloud.world.addBandwidthPackage('cbwp-1');
  }

  /** A world with one PodEIP that has its EIP, so that the cluster is not empty. */
  static async create({ death, lagMs = 500, ...settings }: SweepingOptions = {}): Promise<Sweeping> {
    const world = new Sweeping(settings, death, lagMs);
    await world.define(PODEIP, EIP_HOLDER);
    const podEip = await world.addPodEip('bystander', 'eip-bystander');
    world.addEip('eip-bystander', podEip.metadata.uid);
    await world.start();
    return world;
  }

  async addPodEip(name: string, allocationID: string, places?: readonly object[]): Promise<PodEip> {
    const { group, version, kind } = PODEIP;
    const annotations = places ? { [BINDINGS]: JSON.stringify(places) } : {};
    return this.during(
      this.kube.create(PODEIP, {
        apiVersion: `${group}/${version}`,
        kind,
        metadata: { name, namespace: NAMESPACE, annotations, finalizers: [FINALIZER] },
        spec: { allocationID, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
      }),
    );
  }

  /** As somebody does who strips the finalizer. */
  async removePodEip(name: string): Promise<void> {
    const ref = { namespace: NAMESPACE, name };
    const body = { metadata: { finalizers: [] } };
    const { metadata } = await this.during(this.kube.patch(PODEIP, ref, { type: 'merge', body }));
    await this.during(this.kube.delete(PODEIP, ref, { uid: metadata.uid }));
  }

  /** The PodEIP writes down which EIP it has. */
  async recordEip(name: string, allocationID: string): Promise<void> {
    const body = { spec: { allocationID } };
    await this.during(this.kube.patch(PODEIP, { namespace: NAMESPACE, name }, { type: 'merge', body }));
  }

  /** An EIP that was bought for the PodEIP of this UID. */
  addEip(allocationId: string, podEipUid: string, parts: Omit<NewCloudEip, 'tags' | 'allocationId'> = {}): EipRecord {
    const tags = {
      [TAG_CLUSTER_UID]: CLUSTER_UID,
      [TAG_CLUSTER_ID]: CLUSTER_ID,
      [TAG_PODEIP_UID]: podEipUid,
      [TAG_POD]: 'default/a',
    };
    return this.cloud.world.addEip({ ...parts, allocationId, tags });
  }

  /** `gone` orphans. */
  addOrphans(count: number): void {
    for (let index = 0; index < count; index += 1) this.addEip(`eip-orphan-${index}`, 'gone');
  }

  ids(): string[] {
    return this.cloud.eips().map(({ allocationId }) => allocationId);
  }

  /** What was changed through the API, in order. */
  changes(): string[] {
    return this.cloud
      .ledger()
      .filter(({ caller }) => caller === 'in-process')
      .map(({ action, allocationId }) => `${action} ${allocationId}`);
  }

  async sample(name: string): Promise<number | undefined> {
    const { body } = await this.metrics.render();
    const line = body.split('\n').find((it) => it.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }

  said(level: Line['level']): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }

  /** Lets `ms` of virtual time pass; a process that dies is followed by another. */
  override async pass(ms: number): Promise<void> {
    const end = this.clock.mono() + ms;
    for (;;) {
      await setImmediate();
      if (this.processes.at(-1)?.isDead) {
        this.#process.abort(new Error('killed'));
        await this.clock.advance(this.#death?.how === 'late' ? DOWN_MS : 0);
        await this.start();
      }
      const left = end - this.clock.mono();
      if (left <= 0 && this.#pending === 0) return;
      await this.clock.advance(this.#pending > 0 ? 1 : Math.min(STEP_MS, left));
    }
  }

  /** A new process, which remembers nothing. The one before goes on where it still lives. */
  async start(): Promise<void> {
    const { clock, kube } = this;
    this.#process = new AbortController();
    const process = new KillableProcess(clock, { death: this.processes.length === 0 ? this.#death : undefined });
    this.processes.push(process);
    const sent = callApi(this.cloud);
    const assembled = adapterOn(this.cloud, clock, {
      callApi: (params, request) => {
        this.meddleWithRequest(params.action ?? '');
        return sent(params, request, {});
      },
    });
    await assembled.warmUp();
    void runGarbageCollection(
      {
        kube: this.#watched(process.through(kube)),
        cloud: this.#watched(process.through(assembled.cloud)),
        clock,
        random: seeded(9),
        settings: this.#settings,
        metrics: this.metrics.sweeper,
        record: (about, event) => this.events.push({ ...event, about }),
        log: logTo((level, fields, message) => void this.lines.push({ level, fields, message })),
      },
      this.#process.signal,
    );
  }

  /** The orderly end of the process. */
  stop(): void {
    this.#process.abort(new Error('stopped'));
  }

  /** The same port; its calls are counted while they are under way. */
  #watched<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name: string) => {
        const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          this.#pending += 1;
          try {
            await this.meddle(name);
            return await call.apply(target, args);
          } finally {
            this.#pending -= 1;
          }
        };
      },
    });
  }
}
