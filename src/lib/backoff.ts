import type { Random } from './random.ts';

/** How long to wait before the n-th retry. */
export interface Backoff {
  /** Upper bound of the first delay, milliseconds. */
  readonly baseMs: number;
  /** Upper bound of every delay, milliseconds. */
  readonly capMs: number;
}

/**
 * Exponential delay with jitter: between half and the whole of `base · 2^failures`, capped. The jitter keeps a herd of
 * keys that failed together from coming back together; the floor of one half keeps a lucky draw from being a hot loop.
 */
export const backoffMs = ({ baseMs, capMs }: Backoff, failures: number, random: Random): number => {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
  return ceiling / 2 + (ceiling / 2) * random.next();
};
