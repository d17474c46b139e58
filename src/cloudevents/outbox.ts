import type { PodEip } from '../api/podeip.ts';
import { KubeFault } from '../kube/fault.ts';
import { backoffMs } from '../lib/backoff.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { ObservedState } from '../controllers/podeip/observation.ts';
import type { Action, Result } from '../controllers/podeip/step.ts';
import type { EipChange } from './change.ts';
import { eipObservationOf, troubleOf, type EipObservation, type ReasonGiven } from './eip-observation.ts';
import type { Journal, Journals } from './journal.ts';
import { Partition } from './partition.ts';

/** Pauses between attempts to write a journal, and to read all of them, milliseconds. */
const BACKOFF = { baseMs: 500, capMs: 30_000 };
/** Delivered changes are removed from the journal in batches, this long after the first of a batch; milliseconds. */
const TRIM_MS = 5_000;
/**
 * The longest time for which the removal of a PodEIP's finalizer waits for its journal, milliseconds. Its EIP has been
 * given back by then.
 */
const HOLD_MS = 60_000;
/**
 * The longest time for which a worker of the reconciler waits for a write before it works on other PodEIPs;
 * milliseconds.
 */
const PATIENCE_MS = 250;
/** The number of deleted PodEIPs that are remembered, so that a late reading of one is not taken for a new PodEIP. */
const MOST_GONE = 10_000;
/** Faults that retrying does not cure. */
const LASTING: ReadonlySet<string> = new Set(['forbidden', 'invalid', 'notFound']);

interface OutboxPorts {
  readonly journals: Journals;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /**
   * Whether the PodEIP still exists. Called once for each journal that is found at the start. Rejects with a KubeFault.
   */
  readonly exists: (podEip: Journal['podEip'], uid: string, signal: AbortSignal) => Promise<boolean>;
  /** Called when a step of this PodEIP that had to wait may go on. */
  readonly again: (podEip: Journal['podEip']) => void;
}

/**
 * Turns observations into changes and keeps these until they are delivered. Guarantees delivery at least once, and in
 * order per PodEIP and per EIP.
 *
 * Changes are derived from the state that each reconcile observes, so that after a crash the next process derives them
 * again until they are stored. Only stored changes are sent, so that a sequence number never stands for two changes.
 * The reconciler waits for a write in one place only: before the finalizer is removed (and before an EIP is marked as
 * reusable), after which nothing could be derived any more. The EIP has been given back by then: neither the sink nor a
 * journal ever delays the release of an EIP.
 */
export class Outbox {
  readonly #ports: OutboxPorts;
  readonly #log: Log;
  readonly #partitions = new Map<string, Partition>();
  /** The partitions that have waiting changes about an EIP, by its ID. */
  readonly #byEip = new Map<string, Set<Partition>>();
  readonly #gone = new Set<string>();
  readonly #ending = new AbortController();
  #isLoaded = false;
  /** Called when a partition may have something to deliver. */
  onReady: (partition: Partition) => void = () => undefined;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
    this.#log = ports.log.child({ component: 'cloudevents' });
  }

  /**
   * Takes what a reconcile observed, before it does `step`. Resolves to false if the step must wait, because changes
   * that are not stored yet could not be derived after it. Never rejects.
   */
  async observed(step: Action | Result, seen: ObservedState): Promise<boolean> {
    const observation = eipObservationOf(step, seen);
    const partition = observation && this.#take(observation);
    if (!partition) return true;
    if (observation.isLast || step.do === 'MarkReusable') return this.#isWritten(partition);
    // Withdrawing a wrong address is not a release: it waits for one attempt to store the reason.
    if (observation.drift) await this.#patiently(this.#flush(partition));
    return true;
  }

  /** Takes a refusal of the cloud. */
  refused(podEip: PodEip, trouble: ReasonGiven): void {
    const observation = troubleOf(podEip, trouble);
    if (observation) this.#take(observation);
  }

  /** To be called when the PodEIP of this UID no longer exists. */
  forget(uid: string): void {
    this.#gone.add(uid);
    const [oldest] = this.#gone;
    if (this.#gone.size > MOST_GONE && oldest !== undefined) this.#gone.delete(oldest);
    const partition = this.#partitions.get(uid);
    if (!partition) return;
    partition.isGone = true;
    this.#tidy(partition);
  }

  /** Reads all journals, and retries until it succeeds. Nothing is written or sent before. */
  async load(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    for (let failures = 0; !this.#isLoaded; failures += 1) {
      try {
        await this.#load(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof KubeFault)) throw error;
        this.#tell(error, 'The journals of CloudEvents cannot be read');
        await sleepUnlessAborted(clock, backoffMs(BACKOFF, failures, random), signal);
        if (signal.aborted) return;
      }
    }
  }

  async #load(signal: AbortSignal): Promise<void> {
    const all = await this.#ports.journals.list(signal);
    const gone = new Set<string>();
    for (const { podEipUid, journal } of all)
      if (this.#gone.has(podEipUid) || !(await this.#ports.exists(journal.podEip, podEipUid, signal)))
        gone.add(podEipUid);
    this.#isLoaded = true;
    for (const stored of all) {
      const { podEipUid, journal, unreadable } = stored;
      if (unreadable !== undefined)
        this.#log.error({ configMap: unreadable }, 'A journal of CloudEvents was edited and cannot be read as a whole');
      const partition = this.#partitions.get(podEipUid) ?? new Partition(podEipUid, journal.podEip, false);
      partition.isGone ||= gone.has(podEipUid) || this.#gone.has(podEipUid);
      this.#partitions.set(podEipUid, partition);
      partition.restore(stored, this.#latestAbout(partition));
      this.#file(partition);
    }
    for (const partition of this.#partitions.values()) {
      if (!partition.isLoaded) partition.restore(undefined, this.#latestAbout(partition));
      this.#file(partition);
      this.#tidy(partition);
      if (partition.isUnwritten) void this.#flush(partition);
      this.onReady(partition);
    }
    this.#log.info({ journals: all.length }, 'Read the journals of CloudEvents');
  }

  /** Whether another PodEIP has an earlier change about the same EIP to deliver. */
  isBehindAnother(partition: Partition, { at, data: { allocationID } }: EipChange): boolean {
    if (allocationID === undefined) return false;
    for (const other of this.#byEip.get(allocationID) ?? [])
      if (
        other !== partition &&
        other.waiting.some(
          (it) =>
            it.data.allocationID === allocationID &&
            (it.at < at || (it.at === at && other.podEipUid < partition.podEipUid)),
        )
      )
        return true;
    return false;
  }

  /** To be called when the changes of the partition up to this one have been delivered or dropped. */
  settled(partition: Partition, change: EipChange): void {
    const ids = partition.filed;
    partition.settle(change.sequence);
    this.#file(partition);
    this.#tidy(partition);
    this.onReady(partition);
    for (const id of ids) for (const other of this.#byEip.get(id) ?? []) if (other !== partition) this.onReady(other);
  }

  partitions(): Iterable<Partition> {
    return this.#partitions.values();
  }

  /** The number of changes that wait for delivery, and the time of the oldest. */
  waiting(): { readonly count: number; readonly oldestAt: number | undefined } {
    let count = 0;
    let oldestAt: number | undefined;
    for (const { waiting } of this.#partitions.values()) {
      count += waiting.length;
      if (waiting[0] && waiting[0].at < (oldestAt ?? Infinity)) oldestAt = waiting[0].at;
    }
    return { count, oldestAt };
  }

  /** Tries once more to write every journal that is not up to date, then stops. */
  async close(): Promise<void> {
    const unwritten = [...this.#partitions.values()].filter((partition) => partition.isUnwritten);
    await Promise.all(unwritten.map((partition) => this.#flush(partition)));
    this.#ending.abort(new Error('the controller is stopping'));
  }

  #take(observation: EipObservation): Partition | undefined {
    const { podEIPUID: uid, namespace, pod: name } = observation.about;
    if (this.#gone.has(uid)) return undefined;
    const partition = this.#partitions.get(uid) ?? new Partition(uid, { namespace, name }, this.#isLoaded);
    const hasChanged = partition.take(observation, this.#ports.clock.now(), this.#latestAbout(partition));
    // Most observations of most PodEIPs change nothing and are not remembered.
    if (hasChanged || !partition.isLoaded || partition.told.sequence > 0 || partition.told.allocationId !== undefined)
      this.#partitions.set(uid, partition);
    if (hasChanged) {
      this.#file(partition);
      void this.#flush(partition);
    }
    return partition;
  }

  /** The time of the latest change about an EIP that other PodEIPs have to deliver. */
  readonly #latestAbout =
    (partition: Partition) =>
    (allocationId: string): number => {
      let latest = 0;
      for (const other of this.#byEip.get(allocationId) ?? [])
        if (other !== partition)
          for (const { at, data } of other.waiting)
            if (data.allocationID === allocationId) latest = Math.max(latest, at);
      return latest;
    };

  #file(partition: Partition): void {
    const ids = new Set(partition.waiting.map(({ data }) => data.allocationID).filter((id) => id !== undefined));
    for (const id of partition.filed) {
      if (ids.has(id)) continue;
      const shelf = this.#byEip.get(id);
      shelf?.delete(partition);
      if (shelf?.size === 0) this.#byEip.delete(id);
    }
    for (const id of ids) {
      const shelf = this.#byEip.get(id) ?? new Set();
      this.#byEip.set(id, shelf.add(partition));
    }
    partition.filed = ids;
  }

  /**
   * Removes delivered changes from the journal: after a while, or at once if the PodEIP is gone and nothing is left to
   * deliver.
   */
  #tidy(partition: Partition): void {
    if (partition.isGone && partition.waiting.length === 0) {
      if (partition.stored) void this.#flush(partition);
      else this.#partitions.delete(partition.podEipUid);
    } else if (
      partition.stored?.journal.changes.some(({ sequence }) => sequence <= partition.delivered) &&
      !partition.isTrimming
    ) {
      partition.isTrimming = true;
      this.#ports.clock.timer(TRIM_MS, () => {
        partition.isTrimming = false;
        partition.isTrimDue = true;
        void this.#flush(partition);
      });
    }
  }

  async #isWritten(partition: Partition): Promise<boolean> {
    const { clock } = this.#ports;
    if (partition.isLoaded && !partition.isUnwritten) return true;
    if (await this.#patiently(this.#flush(partition))) return true;
    partition.heldSince ??= clock.mono();
    if (!partition.isHopeless && clock.mono() - partition.heldSince < HOLD_MS) return false;
    const { namespace, name } = partition.podEip;
    this.#log.error(
      { namespace, pod: name },
      'The PodEIP goes although its last CloudEvents cannot be written down; they are lost if this process ends first',
    );
    return true;
  }

  /** Resolves like `work`, but to false after PATIENCE_MS. */
  #patiently(work: Promise<boolean>): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#ports.clock.timer(PATIENCE_MS, () => resolve(false));
      void work.then((is) => {
        cancel();
        resolve(is);
      });
    });
  }

  /** Writes the journal if it is not up to date; resolves to whether it is afterwards. Never rejects. */
  async #flush(partition: Partition): Promise<boolean> {
    while (partition.writing) await partition.writing;
    if (!partition.isLoaded || this.#ending.signal.aborted) return false;
    if (!partition.isDirty) return true;
    partition.writing = this.#write(partition);
    const isWritten = await partition.writing;
    if (isWritten && partition.isDirty) void this.#flush(partition);
    return isWritten;
  }

  async #write(partition: Partition): Promise<boolean> {
    const { clock, random } = this.#ports;
    const { signal } = this.#ending;
    try {
      await this.#writeOnce(partition, signal);
      partition.writeFailures = 0;
      partition.isHopeless = false;
      if (partition.heldSince !== undefined) this.#ports.again(partition.podEip);
      partition.heldSince = undefined;
      this.onReady(partition);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const fault = error instanceof KubeFault ? error : undefined;
      if (!fault) this.#log.error({ error }, 'A journal of CloudEvents cannot be written');
      else if (fault.kind === 'conflict' || fault.kind === 'exists') await this.#reload(partition, signal);
      else this.#tell(fault, `The journal of CloudEvents of ${partition.podEip.name} cannot be written`);
      partition.isHopeless = !fault || LASTING.has(fault.kind);
      const waitMs = Math.max(fault?.retryAfterMs ?? 0, backoffMs(BACKOFF, partition.writeFailures, random));
      partition.writeFailures += 1;
      clock.timer(waitMs, () => void this.#flush(partition));
      return false;
    } finally {
      partition.writing = undefined;
    }
  }

  async #writeOnce(partition: Partition, signal: AbortSignal): Promise<void> {
    const { journals } = this.#ports;
    const { journal, stored, podEipUid } = partition;
    const observations = partition.observations.length;
    partition.isTrimDue = false;
    try {
      if (partition.isGone && journal.changes.length === 0) {
        if (stored) await journals.remove(stored, signal);
        partition.stored = undefined;
        this.#partitions.delete(podEipUid);
        return;
      }
      partition.stored = await (stored
        ? journals.write(stored, journal, signal)
        : journals.create(podEipUid, journal, signal));
      partition.observations.splice(0, observations);
    } catch (error) {
      if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
      // Somebody deleted the journal: it is created again, with everything that is not delivered yet.
      partition.stored = undefined;
      if (partition.isGone && journal.changes.length === 0) this.#partitions.delete(podEipUid);
      else partition.stored = await journals.create(podEipUid, journal, signal);
    }
  }

  /** Continues from the stored journal: another process wrote it, or an earlier write of this one got no answer. */
  async #reload(partition: Partition, signal: AbortSignal): Promise<void> {
    try {
      const stored = await this.#ports.journals.get(partition.podEipUid, signal);
      if (stored) partition.restore(stored, this.#latestAbout(partition));
      else partition.stored = undefined;
      this.#file(partition);
      // The stored journal may be the one that was to be written: then nothing is left to write, but something may be
      // to deliver.
      this.#tidy(partition);
      this.onReady(partition);
    } catch (error) {
      if (!signal.aborted)
        this.#log.warn({ error }, 'A journal of CloudEvents cannot be read; its next write tries again');
    }
  }

  #tell(fault: KubeFault, what: string): void {
    const { kind, message } = fault;
    if (kind === 'forbidden')
      this.#log.error({ kind }, `${what}; apply config/cloudevents, which allows it (retrying): ${message}`);
    else this.#log.warn({ kind }, `${what} (retrying): ${message}`);
  }
}
