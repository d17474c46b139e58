import { parseDuration, toMs } from '../lib/duration.ts';

/** When the EIP that was bought for a pod is given back. Source: ACK, "Attach an independent EIP to a pod". */
export type ReleasePolicy =
  /** With the pod. */
  | { readonly strategy: 'Follow' }
  /** When somebody deletes the PodEIP. */
  | { readonly strategy: 'Never' }
  /** So long after the pod was last seen. */
  | { readonly strategy: 'TTL'; readonly releaseAfter: string };

export const FOLLOW: ReleasePolicy = { strategy: 'Follow' };

/** Shorter would be over before a pod of the same name can be there. */
export const SHORTEST_MS = 10_000;
/** 8,760 hours, a year: longer is `Never`. */
export const LONGEST_MS = 8_760 * 3_600_000;

/** `releaseAfter` of a PodEIP in milliseconds; undefined where it is no positive Go duration. */
export const readReleaseAfter = (text: string | undefined): number | undefined => {
  const duration = text === undefined ? undefined : parseDuration(text);
  return duration === undefined || duration <= 0n ? undefined : toMs(duration);
};
