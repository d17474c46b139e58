import type { TokenProjection, WorkloadPod } from './workload-pod.ts';

/**
 * What the API server writes into a pod that says nothing about tokens; asked for itself, it means a year there
 * (kubernetes plugin/pkg/admission/serviceaccount and pkg/serviceaccount, WarnOnlyBoundTokenExpirationPeriod). Seconds.
 */
const ASKED_BY_NOBODY = 3_607;
/** What a projection means that names no time, and the least that the API server gives; core/v1. Seconds. */
const USUAL = 3_600;
const LEAST = 600;

/**
 * How long a token for an instance is to live, seconds: as long as the pod asks, and no longer than `mostSeconds`. An
 * instance reads its files once, when it starts, so that nobody renews a token there: where the pod asks for no time,
 * it is the longest.
 */
export const tokenSecondsOf = ({ expirationSeconds = USUAL }: TokenProjection, mostSeconds: number): number => {
  const wanted = expirationSeconds === ASKED_BY_NOBODY ? mostSeconds : Math.min(expirationSeconds, mostSeconds);
  return wanted === ASKED_BY_NOBODY ? wanted - 1 : Math.max(LEAST, wanted);
};

/** When the first token of a pod ends, as the end of a sentence; undefined where it has none. */
export const tokensEnd = ({ spec }: WorkloadPod, mostSeconds: number): string | undefined => {
  const lifetimes = (spec.volumes ?? [])
    .flatMap(({ projected }) => projected?.sources ?? [])
    .flatMap(({ serviceAccountToken }) =>
      serviceAccountToken ? [tokenSecondsOf(serviceAccountToken, mostSeconds)] : [],
    );
  if (lifetimes.length === 0) return undefined;
  const seconds = Math.min(...lifetimes);
  const time = seconds >= 7_200 ? `${Math.floor(seconds / 3_600)} hours` : `${Math.floor(seconds / 60)} minutes`;
  return `its service account token ends after ${time} and is not renewed, because an instance reads its files once`;
};
