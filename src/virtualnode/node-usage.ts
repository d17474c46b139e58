import type { ContainerGroup, ContainerGroupMetrics, ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/** A pod with the instance that runs it, as it was described last. */
export interface PodInstance {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly group: ContainerGroup;
}

/** What one pod uses. */
export interface PodUsage extends PodInstance {
  readonly metrics: ContainerGroupMetrics;
}

/** What all pods of the node use, as the cloud has told it last. */
export interface NodeUsage {
  /** The time of the newest record; where there is none, of the question. Milliseconds since the epoch. */
  readonly at: number;
  readonly pods: readonly PodUsage[];
  /** Of all pods that there have been since this process began: nanoseconds of one vCPU. Never goes down. */
  readonly cpuCoreNanoSeconds: number;
  /** Why some of the pods are missing. */
  readonly fault?: CloudFault | undefined;
}

/** How long an answer is shared, milliseconds. The cloud has a new record every 15 s. */
const SHARED_MS = 10_000;
/** ECI API reference, DescribeMultiContainerGroupMetric: ContainerGroupIds, at most 20. */
const MOST_IDS = 20;
/** Calls at once. Who scrapes a kubelet waits for 10 s. */
const MOST_CALLS = 4;

/** States in which nothing has run yet, or nothing runs any more. */
const IDLE: ReadonlySet<string> = new Set([
  'Scheduling',
  'Pending',
  'Succeeded',
  'Failed',
  'ScheduleFailed',
  'Expired',
]);

interface Ports {
  readonly containerGroups: Pick<ContainerGroups, 'describeContainerGroupMetrics'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Every pod of the node that has an instance. */
  readonly instances: () => readonly PodInstance[];
}

/** Asks the cloud what the pods use, when somebody wants to know, in batches, and once for all who ask at a time. */
export class NodeUsageReader {
  readonly #ports: Ports;
  readonly #counter = new NodeCounter();
  #last: { readonly usage: NodeUsage; readonly at: number } | undefined;
  #reading: Promise<NodeUsage> | undefined;
  #isFailing = false;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Rejects only with what is no answer of the cloud. */
  async read(signal: AbortSignal): Promise<NodeUsage> {
    const { clock } = this.#ports;
    if (this.#last && clock.mono() - this.#last.at < SHARED_MS) return this.#last.usage;
    this.#reading ??= this.#ask(signal).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #ask(signal: AbortSignal): Promise<NodeUsage> {
    const { clock, instances } = this.#ports;
    const all = new Map(instances().map((instance) => [instance.group.containerGroupId, instance]));
    const ids = [...all].filter(([, { group }]) => !IDLE.has(group.status)).map(([id]) => id);
    const batches = Array.from({ length: Math.ceil(ids.length / MOST_IDS) }, (_, n) =>
      ids.slice(n * MOST_IDS, (n + 1) * MOST_IDS),
    );
    const found: ContainerGroupMetrics[] = [];
    let fault: CloudFault | undefined;
    const work = async () => {
      for (let batch = batches.shift(); batch; batch = batches.shift())
        try {
          found.push(...(await this.#describe(batch, signal)));
        } catch (error) {
          if (!(error instanceof CloudFault)) throw error;
          fault = error;
        }
    };
    await Promise.all(Array.from({ length: MOST_CALLS }, work));
    this.#tell(fault);
    const pods = found.flatMap((metrics): PodUsage[] => {
      const instance = all.get(metrics.containerGroupId);
      return instance ? [{ ...instance, metrics }] : [];
    });
    const usage: NodeUsage = { ...this.#counter.count(found, all, clock.now()), pods, fault };
    this.#last = { usage, at: clock.mono() };
    return usage;
  }

  /** Where the call is refused because one instance is not there any more, the others are asked about by themselves. */
  async #describe(ids: readonly string[], signal: AbortSignal): Promise<readonly ContainerGroupMetrics[]> {
    try {
      return await this.#ports.containerGroups.describeContainerGroupMetrics(ids, signal);
    } catch (error) {
      if (!(error instanceof CloudFault) || FAULT[error.kind].effect !== 'absent') throw error;
      if (ids.length === 1) return [];
      const half = Math.ceil(ids.length / 2);
      return [
        ...(await this.#describe(ids.slice(0, half), signal)),
        ...(await this.#describe(ids.slice(half), signal)),
      ];
    }
  }

  #tell(fault: CloudFault | undefined): void {
    const { log } = this.#ports;
    if (fault && !this.#isFailing)
      log.warn(
        { kind: fault.kind, code: fault.code, requestId: fault.requestId },
        `What the pods of the virtual node use cannot be read, for kubectl top and autoscaling (retrying): ${fault.message}`,
      );
    if (!fault && this.#isFailing) log.info({}, 'What the pods of the virtual node use can be read again');
    this.#isFailing = fault !== undefined;
  }
}

/**
 * The counter of the node's CPU time. The cloud counts for each instance, and instances come and go; a counter that
 * goes down would be read as a restart of the node.
 */
class NodeCounter {
  #total = 0;
  #at = 0;
  /** By ID, what the instance had used when it was looked at last. */
  readonly #seen = new Map<string, number>();

  count(
    found: readonly ContainerGroupMetrics[],
    there: { has(containerGroupId: string): boolean },
    now: number,
  ): Pick<NodeUsage, 'at' | 'cpuCoreNanoSeconds'> {
    for (const { containerGroupId, cpu } of found) {
      const used = cpu.usageCoreNanoSeconds;
      if (used === undefined) continue;
      const before = this.#seen.get(containerGroupId) ?? 0;
      // Less than before: it has begun anew.
      this.#total += used >= before ? used - before : used;
      this.#seen.set(containerGroupId, used);
    }
    for (const id of this.#seen.keys()) if (!there.has(id)) this.#seen.delete(id);
    const newest = found.length === 0 ? now : Math.max(...found.map(({ at }) => at));
    this.#at = Math.max(this.#at, newest);
    return { at: this.#at, cpuCoreNanoSeconds: this.#total };
  }
}
