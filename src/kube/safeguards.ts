import type { KubeFault } from './fault.ts';

/*
 * The rules by which nothing is missed and nobody leads beside another, by name, each with the case that it is there
 * for. They are in a module of their own so that each can be taken away by itself: see test/simulation/mutants.ts.
 */

/** A Lease as it was seen last. */
export interface ObservedLease {
  /** Everything in it, as text: any change is a sign of life. */
  readonly record: string;
  readonly holder: string;
  /** For how long it holds after a sign of life; milliseconds. */
  readonly validMs: number;
  /** Since when it has looked like that, on this process's own monotonic clock. */
  readonly sinceMs: number;
}

/**
 * Whether somebody else may still be leader, so that the Lease is not taken. renewTime plays no part: it is read off
 * another machine's clock.
 */
export const isHeldByOther = (observed: ObservedLease | undefined, identity: string, nowMs: number): boolean =>
  observed !== undefined &&
  observed.holder !== '' &&
  observed.holder !== identity &&
  nowMs < observed.sinceMs + observed.validMs;

/**
 * Whether only a list helps after this failure: the server has forgotten the resource version (410), or what was
 * watched, and what has happened since then no watch tells.
 */
export const needsList = ({ kind }: KubeFault, isListing: boolean): boolean =>
  kind === 'expired' || (kind === 'notFound' && !isListing);
