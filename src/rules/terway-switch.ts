import { POOL_OFF_SINCE } from '../api/annotations.ts';
import type { ConfigMap, Pod } from '../api/core.ts';
import { isFinal } from '../api/pod.ts';
import { hasEipPool, OLD_TERWAY, TERWAY_EIP_POOL } from './conflicting-controllers.ts';

/** Labels of Terway's DaemonSets. Source: ACK documentation, "Attach an independent EIP to a pod"; terway, deploy. */
export const TERWAY_APPS = 'app in (terway,terway-eni,terway-eniip)';

/** Clocks of two machines differ by less; milliseconds. */
export const CLOCK_SKEW_MS = 30_000;

/** A pod of Terway's, by when it was created; wall time, milliseconds, NaN where it does not say. */
interface TerwayPod {
  readonly createdAt: number;
  /** Where it serves pods; undefined where that is not known. */
  readonly nodeName?: string | undefined;
}

/** Those that have not ended. */
export const processesOf = (pods: readonly Pod[]): readonly TerwayPod[] =>
  pods.filter((pod) => !isFinal(pod)).map((pod) => ({ createdAt: createdAtOf(pod), nodeName: pod.spec.nodeName }));

/** Wall time, milliseconds; NaN where the pod does not say. */
export const createdAtOf = ({ metadata: { creationTimestamp = '' } }: Pod): number => Date.parse(creationTimestamp);

/**
 * When its data was last written, by the clock of the API server; milliseconds, to the second. Who wrote nothing but
 * other fields does not count. Source: Kubernetes documentation, "Server-Side Apply", managed fields.
 */
export const lastWriteOf = ({ metadata }: ConfigMap): number | undefined => {
  const { managedFields = [] } = metadata as ConfigMap['metadata'] & {
    readonly managedFields?: readonly { readonly time?: string; readonly fieldsV1?: object }[];
  };
  const times = managedFields
    .filter(({ fieldsV1 }) => fieldsV1 === undefined || 'f:data' in fieldsV1)
    .map(({ time = '' }) => Date.parse(time))
    .filter((time) => !Number.isNaN(time));
  return times.length === 0 ? undefined : Math.max(...times);
};

/** A time that is written on it, wall time, milliseconds; undefined where there is none, or no time. */
export const timeIn = ({ metadata }: ConfigMap, key: string): number | undefined => {
  const time = Date.parse(metadata.annotations?.[key] ?? '');
  return Number.isNaN(time) ? undefined : time;
};

/**
 * Since when no Terway but one of these serves new pods of a node; wall time, milliseconds. A Terway serves the pods of
 * its own node: those of another node that came later say nothing of it. Where none of these is on the node, the newest
 * of all counts. Source: AliyunContainerService/terway, daemon (a DaemonSet, called by the CNI plugin of the node).
 *
 * @param pods at least one, as {@link isRestarted} has found them
 */
export const newestOn = (pods: readonly TerwayPod[], nodeName: string | undefined): number => {
  const there = pods.filter((pod) => nodeName !== undefined && pod.nodeName === nodeName);
  return Math.max(...(there.length > 0 ? there : pods).map(({ createdAt }) => createdAt));
};

/**
 * Whether every process of Terway has read the configuration as it is since its EIP pool was switched off. One that
 * started before goes on by what it read. Where there is a configuration, there is a Terway: one whose pods are not
 * found is not known to have been restarted.
 */
export const isRestarted = (pods: readonly TerwayPod[], offSince: number | undefined): boolean =>
  pods.length > 0 && pods.every(({ createdAt }) => offSince !== undefined && createdAt > offSince + CLOCK_SKEW_MS);

/** Whether `knative-eip migrate` has noted on Terway's ConfigMap that it switched the EIP pool off. */
export const isSwitchedOff = ({ metadata }: ConfigMap): boolean => metadata.annotations?.[POOL_OFF_SINCE] !== undefined;

/** Whether the command died before it knew when: see {@link terwayAtWork}. */
export const isTimeMissing = (configMap: ConfigMap): boolean =>
  isSwitchedOff(configMap) && timeIn(configMap, POOL_OFF_SINCE) === undefined;

/**
 * What of Terway makes EIPs, for people; undefined where nothing does. Only by the note of `knative-eip migrate` is it
 * known that the EIP pool was on before. A command that died before it knew the time has left a note without one: the
 * last write counts then, until the command is run again. Beside a time later writes do not count, since each of them
 * would stop this controller until Terway is restarted.
 *
 * @param pods Terway's, that have not ended; `unread` where nobody knows whether an old one is among them, `allNewer`
 *   where it is known that none is
 */
export const terwayAtWork = (
  configMap: ConfigMap | undefined,
  pods: readonly TerwayPod[] | 'unread' | 'allNewer',
): string | undefined => {
  if (!configMap) return undefined;
  if (hasEipPool(configMap.data)) return TERWAY_EIP_POOL;
  if (!isSwitchedOff(configMap) || pods === 'allNewer') return undefined;
  const offSince = timeIn(configMap, POOL_OFF_SINCE) ?? lastWriteOf(configMap);
  return pods !== 'unread' && isRestarted(pods, offSince) ? undefined : OLD_TERWAY;
};
