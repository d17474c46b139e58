import type { Sender } from '../../src/cloudevents/sender.ts';
import type { SinkVerdict } from '../../src/cloudevents/sink.ts';
import { isOurs } from '../../src/controllers/podeip/record.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { LATEST_WRITE_MS } from './fault-bounds.ts';
import type { Process } from './process.ts';
import { later, never, type Wire } from './wire.ts';

/** An event as it arrived. */
interface Arrived {
  readonly source: string;
  readonly id: string;
  readonly kind: string;
  readonly sequence: number;
  readonly body: string;
  readonly data: { readonly podEIPUID: string; readonly allocationID?: string };
}

/** What becomes of a delivery that goes wrong. `silent` is a time-out, `taken` says no and has it all the same. */
const FATES = ['unavailable', 'taken', 'lost', 'silent', 'late'] as const;
const TIMEOUT_MS = 10_000;

/** Takes events, and says at the end whether it was told what happened. */
export class SimulatedSink {
  readonly #arrived: Arrived[] = [];

  take(headers: Readonly<Record<string, string>>, body: string): void {
    this.#arrived.push({
      source: headers['ce-source'] ?? '',
      id: headers['ce-id'] ?? '',
      kind: headers['ce-type']?.split('.').at(-2) ?? '',
      sequence: Number(headers['ce-sequence']),
      body,
      data: JSON.parse(body) as Arrived['data'],
    });
  }

  /** What is wrong with what arrived, whatever happened. */
  disorder(): string | undefined {
    const bodies = new Map<string, string>();
    const last = new Map<string, number>();
    const bound = new Map<string, string>();
    const over = new Set<string>();
    for (const { source, id, kind, sequence, body, data } of this.#arrived) {
      const key = `${source} ${id}`;
      const before = bodies.get(key);
      if (before !== undefined && before !== body)
        return `I16: event ${id} came with two contents: ${before} and ${body}`;
      if (before !== undefined) continue;
      bodies.set(key, body);
      const previous = last.get(source) ?? 0;
      if (sequence !== previous + 1) return `I16: event ${id} came after number ${previous} of ${source}`;
      last.set(source, sequence);
      if (over.has(source)) return `I16: ${kind} of ${source} came after its release`;
      if (kind === 'released') over.add(source);
      const eip = data.allocationID ?? '';
      const holder = bound.get(eip);
      if (kind === 'associated' && holder !== undefined)
        return `I16: ${eip} was associated for ${source} before it was disassociated for ${holder}`;
      if (kind === 'disassociated' && holder !== source)
        return `I16: ${eip} was disassociated for ${source}, and not there`;
      if (kind === 'associated') bound.set(eip, source);
      if (kind === 'disassociated') bound.delete(eip);
    }
    return undefined;
  }

  /** What it should have been told and was not, once all is calm and delivered. */
  gap(ever: ReadonlyMap<string, PodEip>, alive: ReadonlySet<string>, eips: ReadonlySet<string>): string | undefined {
    // A repeat may come late; a receiver knows it by its ID.
    const events = [...new Map(this.#arrived.toReversed().map((it) => [`${it.source} ${it.id}`, it])).values()];
    for (const [uid, podEip] of ever) {
      if (!isOurs(podEip)) continue;
      const told = events.filter(({ data }) => data.podEIPUID === uid).toSorted((a, b) => a.sequence - b.sequence);
      const last = told.findLast(({ kind }) => kind === 'associated' || kind === 'disassociated')?.kind;
      const { allocationID, allocationType } = podEip.spec;
      const isAuto = allocationType.type === 'Auto' && allocationID !== '';
      const has = (kind: string) => told.some((it) => it.kind === kind && it.data.allocationID === allocationID);
      const { name } = podEip.metadata;
      if (isAuto && !has('allocated')) return `I16: nobody was told that ${allocationID} was allocated for pod ${name}`;
      if (alive.has(uid)) {
        const ready = podEip.status?.conditions?.find(({ type }) => type === 'Ready');
        if (ready?.reason === 'InUse' && last !== 'associated')
          return `I16: nobody was told that ${allocationID} is associated with pod ${name}`;
        continue;
      }
      if (last === 'associated') return `I16: nobody was told that ${allocationID} left pod ${name}`;
      const isElsewhere =
        eips.has(allocationID) ||
        this.#arrived.some(({ data }) => data.allocationID === allocationID && data.podEIPUID !== uid);
      if (isAuto && !isElsewhere && !has('released'))
        return `I16: nobody was told that ${allocationID} of pod ${name} was released`;
    }
    return undefined;
  }
}

/** A process's way to the sink. */
export const sinkLink = (wire: Wire, process: Process, sink: SimulatedSink): Sender => {
  const { time, input } = wire;
  return {
    send: ({ headers, body }) => {
      if (!process.isAlive) return never();
      process.ios += 1;
      wire.count('io');
      const label = `POST sink ${headers['ce-type']} ${headers['ce-id']}`;
      const take = () => sink.take(headers, body);
      const death = wire.onIo({ process, label, isWrite: false, number: process.ios });
      if (death === 'before') return never();
      if (death !== undefined) {
        time.timer(input.between(20, death === 'after' ? 30 : LATEST_WRITE_MS), () => {
          take();
          process.kill();
        });
        return never();
      }
      const fault = input.happens(wire.faultRate()) ? input.pick(FATES) : undefined;
      const trip = input.between(2, 25);
      wire.trace(`${process.name} → ${label}${fault === undefined ? '' : ` [${fault}]`}`);
      if (fault !== undefined) wire.count('fault');
      if (fault === undefined || fault === 'taken' || fault === 'silent') time.timer(trip, take);
      if (fault === 'late') time.timer(input.between(trip, 2 * TIMEOUT_MS), take);
      const verdict: SinkVerdict =
        fault === undefined ? { is: 'delivered' } : { is: 'later', why: fault, afterMs: undefined };
      const inMs = fault === 'silent' || fault === 'lost' || fault === 'late' ? TIMEOUT_MS : 2 * trip;
      return new Promise((resolve) => later(wire, process, inMs, () => resolve(verdict)));
    },
    close: () => undefined,
  };
};
