import type { Random } from '../../lib/random.ts';

/** A span of time in milliseconds; a draw falls anywhere in it. */
export interface Span {
  readonly minMs: number;
  readonly maxMs: number;
}

export const draw = ({ minMs, maxMs }: Span, random: Random): number =>
  maxMs > minMs ? minMs + (maxMs - minMs) * random.next() : minMs;

/** How long the asynchronous part of an operation takes after the call has been answered. */
export interface TransitionTimes {
  readonly associate: Span;
  readonly unassociate: Span;
  /** Joining or leaving an Internet Shared Bandwidth instance. */
  readonly bandwidthPackage: Span;
  /** From Releasing to its disappearance, under the reading `asynchronousRelease`. */
  readonly release: Span;
  /** From Running until an instance shows its public address, under the reading `lateInstanceAddress`. */
  readonly instanceAddress: Span;
  /** A container group from Scheduling to Pending, when it has a place and an address. */
  readonly schedule: Span;
  /** From Pending to Running, all containers ready. */
  readonly containerStart: Span;
  /** From Terminating to its disappearance. */
  readonly containerStop: Span;
  /** An image cache from Preparing to Creating, and from there to Ready, each. */
  readonly imageCache: Span;
}

/** Typical answer times, milliseconds: least and mean extra. Estimates; the provider publishes none. */
const answerTimes: Readonly<Record<string, { least: number; extra: number }>> = {
  AllocateEipAddress: { least: 250, extra: 350 },
  AssociateEipAddress: { least: 150, extra: 200 },
  UnassociateEipAddress: { least: 150, extra: 200 },
  ReleaseEipAddress: { least: 150, extra: 200 },
  AddCommonBandwidthPackageIp: { least: 150, extra: 200 },
  RemoveCommonBandwidthPackageIp: { least: 150, extra: 200 },
};
const otherAnswerTime = { least: 30, extra: 60 };

/** How long the cloud takes to answer `action`: a least time and an exponential tail of at most five means. */
export const answerTime = (action: string, scale: number, random: Random): number => {
  if (scale <= 0) return 0;
  const { least, extra } = answerTimes[action] ?? otherAnswerTime;
  return scale * (least + extra * Math.min(5, -Math.log(1 - random.next())));
};

const none: Span = { minMs: 0, maxMs: 0 };

/** What a reading says, however quick everything else is. */
const ofReadings = {
  release: { minMs: 1_000, maxMs: 3_000 },
  instanceAddress: { minMs: 10_000, maxMs: 30_000 },
};

export const instantTransitions: TransitionTimes = {
  associate: none,
  unassociate: none,
  bandwidthPackage: none,
  schedule: none,
  containerStart: none,
  containerStop: none,
  imageCache: none,
  ...ofReadings,
};

/**
 * Estimates; Terway waits three seconds before it looks the first time (AliyunContainerService/terway,
 * pkg/aliyun/eip.go). An elastic container instance is Running after 17 s with an image cache, and 50 s without one.
 */
export const realisticTransitions: TransitionTimes = {
  associate: { minMs: 1000, maxMs: 3000 },
  unassociate: { minMs: 1000, maxMs: 3000 },
  bandwidthPackage: { minMs: 500, maxMs: 2000 },
  schedule: { minMs: 2000, maxMs: 5000 },
  containerStart: { minMs: 15_000, maxMs: 45_000 },
  containerStop: { minMs: 1000, maxMs: 5000 },
  imageCache: { minMs: 3000, maxMs: 6000 },
  ...ofReadings,
};
