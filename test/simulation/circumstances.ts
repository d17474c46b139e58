import { LATEST_WRITE_MS, READ_LAG_MS } from './fault-bounds.ts';

/** What decides how strict the invariants are in this world. It changes as the world goes on. */
export interface Circumstances {
  /** Whether no request takes effect late. */
  readonly isPunctual: boolean;
  /** Whether what is written now is written by a controller. */
  readonly isByController: boolean;
  readonly hasJumps: boolean;
  /** How long EIPs are kept for the next pod of the Service; milliseconds. */
  readonly holdOffMs: number;
  /** EIPs that a human has changed. */
  readonly touched: ReadonlySet<string>;
  /** For how long processes stood still between reading and writing, in total; milliseconds. */
  readonly pausedMs: number;
}

/**
 * From a reading that shows a binding to the write that tells the pod may pass: the lag of the reading, a slow answer,
 * a slow write, a late write; milliseconds.
 */
export const TELLING_MS = READ_LAG_MS + 2 * 10_000 + LATEST_WRITE_MS;
