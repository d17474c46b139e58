import type { Io, Process } from './process.ts';
import type { SeededInput } from './seeded-input.ts';
import type { ManualClock } from '../harness/clock.ts';

/**
 * When every simulated world begins: names and hashes come from the time too, so that a seed is the same world for
 * good.
 */
export const EPOCH = Date.UTC(2026, 0, 5, 8);

/** Where a process dies at an I/O: before it is sent, while it travels (the effect comes late), or after its effect. */
export type Death = 'before' | 'in flight' | 'after';

/** What the connections of all processes have in common. */
export interface Wire {
  readonly time: ManualClock;
  readonly input: SeededInput;
  /** The probability that an I/O goes wrong at present. */
  faultRate(): number;
  /** Told of every I/O before it is sent; decides whether its process dies of it. */
  onIo(io: Io): Death | undefined;
  /** A call is about to leave for the cloud. */
  onCall(process: Process, action: string, query: Readonly<Record<string, string>>): void;
  /** A call of AssociateEipAddress was answered OK by the cloud, or something happens to it on its way. */
  onAssociate(process: Process, query: Readonly<Record<string, string>>, fate: 'OK' | 'disturbed'): void;
  /** A request is about to leave for the API server. */
  onRequest(process: Process, method: string, path: string, body: string | undefined): void;
  /** What is written until the next event is written by a controller. */
  writes(): void;
  /** Whether the API server, or the cloud, cannot be reached at present. */
  isOut(peer: 'kubernetes' | 'cloud'): boolean;
  /** A line of the trace, which is the same in every run of the same script and input. */
  trace(what: string): void;
  /** What the product says of itself; shown with the trace, and no part of it. */
  tell(what: string): void;
  count(what: 'io' | 'fault' | 'watch'): void;
}

/** A promise for the dead. */
export const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** Does something in the process after a while, unless it is dead by then. */
export const later = ({ time }: Wire, process: Process, ms: number, work: () => void): void => {
  time.timer(ms, () => process.deliver(work));
};

/** The error of a connection that broke. */
export const reset = (): Error => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
