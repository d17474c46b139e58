import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { CloudEventMetrics } from '../metrics/event-delivery.ts';
import type { EipChange } from './change.ts';
import { eventOf, messageOf, typeOf, type EventContext, type EventMode } from './event.ts';
import type { Partition } from './partition.ts';
import type { Outbox } from './outbox.ts';
import type { Sender } from './sender.ts';
import type { SinkVerdict } from './sink.ts';

/** The highest number of concurrent deliveries. */
const AT_ONCE = 16;
/** Pauses of one PodEIP after failed deliveries, milliseconds. */
const BACKOFF = { baseMs: 500, capMs: 60_000 };
/** After this many failures in a row the sink counts as down: then one delivery at a time probes it. */
const DOWN_AFTER = 32;
/** Pauses between probes, milliseconds. */
const PROBE = { baseMs: 1_000, capMs: 30_000 };
/** How often all EIPs are looked through for events that have waited for too long, while some fail; milliseconds. */
const EXPIRE_EVERY_MS = 60_000;
/** Outages that follow each other faster are told once: a sink that fails every other time has one after the other. */
const TOLD_EVERY_MS = 60_000;
/** How often `mayAct` is checked again while it is false, milliseconds. */
const DOUBT_MS = 1_000;

export interface DeliveryPorts {
  readonly outbox: Outbox;
  readonly sender: Sender;
  readonly context: EventContext;
  readonly mode: EventMode;
  /** An event older than this is dropped when its delivery fails, milliseconds. */
  readonly windowMs: number;
  /** False once another process may be the leader. */
  readonly mayAct: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: CloudEventMetrics;
}

/**
 * Sends what the outbox holds: the events of one PodEIP in order, one at a time; those of different PodEIPs
 * concurrently. A failed delivery delays its own PodEIP only, unless the sink is down for all.
 */
export class Delivery {
  readonly #ports: DeliveryPorts;
  readonly #log: Log;
  readonly #ready = new Set<Partition>();
  #signal: AbortSignal | undefined;
  #underWay = 0;
  /** Failures in a row, of all PodEIPs. */
  #failures = 0;
  /** Whether the present outage was told, and when one was last; monotonic milliseconds. */
  #isTold = false;
  #expiredAt = Number.NEGATIVE_INFINITY;
  #toldAt = -Infinity;
  /** Nothing is sent before this time, monotonic milliseconds. */
  #notBefore = 0;

  constructor(ports: DeliveryPorts) {
    this.#ports = ports;
    this.#log = ports.log.child({ component: 'cloudevents' });
  }

  /** Sends until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { outbox, metrics, clock } = this.#ports;
    this.#signal = signal;
    outbox.onReady = (partition) => this.#wake(partition);
    metrics.waiting(() => {
      const { count, oldestAt } = outbox.waiting();
      return { count, oldestSeconds: oldestAt === undefined ? 0 : Math.max(0, clock.now() - oldestAt) / 1_000 };
    });
    await outbox.load(signal);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.#ports.sender.close();
  }

  #wake(partition: Partition): void {
    if (partition.head && !partition.isSending) this.#ready.add(partition);
    this.#pump();
  }

  get #isDown(): boolean {
    return this.#failures >= DOWN_AFTER;
  }

  #pump(): void {
    const { outbox, clock, mayAct } = this.#ports;
    const signal = this.#signal;
    const now = clock.mono();
    if (!signal || signal.aborted || now < this.#notBefore || this.#ready.size === 0) return;
    if (!mayAct()) {
      this.#pause(DOUBT_MS);
      return;
    }
    for (const partition of this.#ready) {
      if (this.#underWay >= (this.#isDown ? 1 : AT_ONCE)) return;
      this.#ready.delete(partition);
      const { head } = partition;
      // The partition that must go first, or a timer, will call again.
      if (!head || partition.isSending || partition.dueAt > now || outbox.isBehindAnother(partition, head)) continue;
      void this.#deliver(partition, head, signal);
    }
  }

  #pause(ms: number): void {
    const { clock } = this.#ports;
    this.#notBefore = clock.mono() + ms;
    clock.timer(ms, () => this.#pump());
  }

  async #deliver(partition: Partition, change: EipChange, signal: AbortSignal): Promise<void> {
    const { sender, context, mode, clock, metrics } = this.#ports;
    partition.isSending = true;
    this.#underWay += 1;
    const start = clock.mono();
    let verdict: SinkVerdict;
    try {
      verdict = await sender.send(messageOf(eventOf(change, context), mode), signal);
    } catch (error) {
      if (signal.aborted) return;
      // The failure is deterministic: the next attempt would fail, too.
      this.#log.error({ error, type: typeOf(change.kind) }, 'A CloudEvent cannot be made');
      verdict = { is: 'refused', why: 'invalid' };
    } finally {
      partition.isSending = false;
      this.#underWay -= 1;
    }
    metrics.attempted(verdict.is, (clock.mono() - start) / 1_000);
    this.#settle(partition, change, verdict);
    this.#pump();
  }

  #settle(partition: Partition, change: EipChange, verdict: SinkVerdict): void {
    const { outbox, clock, random, metrics } = this.#ports;
    if (verdict.is !== 'later') {
      this.#reached();
      if (verdict.is === 'refused') this.#drop(partition, change, 'refused', verdict.why);
      else metrics.sent(change.kind);
      outbox.settled(partition, change);
      return;
    }
    this.#failed(verdict, partition, change);
    if (this.#expire(partition, verdict.why)) return;
    this.#expireOthers(verdict.why);
    const waitMs = Math.max(verdict.afterMs ?? 0, backoffMs(BACKOFF, partition.failures, random));
    partition.failures += 1;
    partition.dueAt = clock.mono() + waitMs;
    clock.timer(waitMs, () => this.#wake(partition));
  }

  /**
   * All expired events are dropped together: tried one by one, they would pile up while the sink is down. Returns
   * whether there were any.
   */
  #expire(partition: Partition, why: string): boolean {
    const { outbox, clock, windowMs } = this.#ports;
    const expired = partition.waiting.filter(({ at }) => clock.now() - at > windowMs);
    for (const it of expired) this.#drop(partition, it, 'expired', why);
    const last = expired.at(-1);
    if (last) outbox.settled(partition, last);
    return last !== undefined;
  }

  /** The same of EIPs whose turn does not come while the sink is down: there may be more of them than turns. */
  #expireOthers(why: string): void {
    const { outbox, clock } = this.#ports;
    if (clock.mono() - this.#expiredAt < EXPIRE_EVERY_MS) return;
    this.#expiredAt = clock.mono();
    for (const partition of outbox.partitions()) if (!partition.isSending) this.#expire(partition, why);
  }

  #failed(
    { why, afterMs, isOfThisOne = false }: Extract<SinkVerdict, { is: 'later' }>,
    { podEip: { namespace, name } }: Partition,
    { kind }: EipChange,
  ): void {
    // Others are delivered as ever beside it.
    if (!isOfThisOne) this.#failures += 1;
    const now = this.#ports.clock.mono();
    if (!this.#isTold && now - this.#toldAt >= TOLD_EVERY_MS) {
      this.#isTold = true;
      this.#toldAt = now;
      this.#log.warn(
        { why, namespace, pod: name, type: typeOf(kind) },
        'The sink did not take a CloudEvent, and said why; it is tried again',
      );
    }
    if (!this.#isDown || isOfThisOne) return;
    if (this.#failures === DOWN_AFTER)
      this.#log.warn({ why }, 'The sink of CloudEvents is away; events wait, and one at a time tries it');
    this.#pause(Math.max(afterMs ?? 0, backoffMs(PROBE, this.#failures - DOWN_AFTER, this.#ports.random)));
  }

  /** The sink answered, so that it is not down. */
  #reached(): void {
    const wasDown = this.#isDown;
    this.#failures = 0;
    if (wasDown || this.#isTold) this.#log.info({}, 'The sink of CloudEvents is back');
    this.#isTold = false;
    if (!wasDown) return;
    this.#notBefore = 0;
    for (const partition of this.#ports.outbox.partitions()) {
      partition.dueAt = 0;
      if (partition.head && !partition.isSending) this.#ready.add(partition);
    }
  }

  #drop(partition: Partition, { kind, sequence }: EipChange, reason: 'expired' | 'refused', why: string): void {
    this.#ports.metrics.dropped(kind, reason);
    const { namespace, name } = partition.podEip;
    this.#log.error(
      { namespace, pod: name, type: typeOf(kind), sequence, reason, why },
      'A CloudEvent was not delivered and is given up',
    );
  }
}
