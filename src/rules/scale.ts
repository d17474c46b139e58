import { KEYS } from '../api/annotations.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';
import type { Annotations, Workload } from './workload.ts';

/** Knative's bounds of scale, with their older spellings. Source: knative/serving pkg/apis/autoscaling/register.go. */
const SCALING = 'autoscaling.knative.dev/';
const MAX_SCALE = [`${SCALING}max-scale`, `${SCALING}maxScale`] as const;
const MIN_SCALE = [`${SCALING}min-scale`, `${SCALING}minScale`] as const;
const INITIAL_SCALE = [`${SCALING}initial-scale`, `${SCALING}initialScale`] as const;

/** Keeps a pod of a cheap kind while the Service is at zero. Source: ACK documentation, Knative, reserved instances. */
const RESERVE_INSTANCE = 'knative.aliyun.com/reserve-instance';

/** The annotations that say how many pods there are. */
export const SCALE_KEYS: readonly string[] = [...MAX_SCALE, ...MIN_SCALE, ...INITIAL_SCALE, RESERVE_INSTANCE];

/** How many; undefined where nothing is said, or nothing that Knative takes. */
const scaleOf = (keys: readonly string[], given: Annotations): number | undefined => {
  const key = keys.find((each) => Object.hasOwn(given, each));
  const text = key === undefined ? '' : (given[key] ?? '');
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
};

/** How many pods there are at once: `most` is undefined where there is no bound. */
export interface Scale {
  readonly least: number;
  readonly most: number | undefined;
}

/** Of a Knative workload. A max-scale of 0 is none (knative/serving pkg/apis/autoscaling/annotation_validation.go). */
export const knativeScale = (given: Annotations): Scale => ({
  least: scaleOf(MIN_SCALE, given) ?? 0,
  most: scaleOf(MAX_SCALE, given) || undefined,
});

/** How many there are at least at once. */
const leastPods = ({ isKnative, annotations, replicas }: Workload): number =>
  isKnative ? knativeScale(annotations).least : (replicas ?? 1);

/**
 * What carries Knative's annotations about scale. Its Deployments and pods do not: keys of `autoscaling.knative.dev`
 * are left out of them (knative/serving pkg/reconciler/revision/resources/deploy.go), so that nothing follows from
 * their absence there.
 */
const SAYS_SCALE: ReadonlySet<string> = new Set(['Service', 'Configuration', 'Revision']);

const NAMED = 'can serve one pod only';

/** One existing EIP for a number of pods. */
export const manyPods: Rule = ({ workload, parsed: { request } }) => {
  if (request?.kind !== 'existing') return [];
  const { kind, annotations, replicas, isKnative, owner } = workload;
  const keys = writtenKeys(KEYS.instanceId, annotations);
  const { allocationId } = request;
  const refuse = (why: string, remedy: string, more: readonly string[] = []) => [
    finding('ExistingEipForMany', [...keys, ...more], `${allocationId} ${NAMED}, and ${why}`, remedy),
  ];
  const warn = (why: string, remedy: string, more: readonly string[] = []) => [
    finding('ExistingEipMayScale', [...keys, ...more], `${allocationId} ${NAMED}, and ${why}`, remedy),
  ];
  if (isKnative && !SAYS_SCALE.has(kind)) return [];
  const asNew = 'or ask for a new EIP for each pod';
  if (isKnative) {
    const { least, most } = knativeScale(annotations);
    const initial = scaleOf(INITIAL_SCALE, annotations) ?? 0;
    if (least > 1)
      return refuse(
        `${MIN_SCALE[0]} keeps ${least}`,
        `write ${MIN_SCALE[0]}: "1" and ${MAX_SCALE[0]}: "1", ${asNew}`,
        writtenKeys(MIN_SCALE, annotations),
      );
    if (most === undefined || most > 1)
      return warn(
        most === undefined
          ? 'nothing keeps Knative from starting more of them'
          : `${MAX_SCALE[0]} allows ${most} of them`,
        `write ${MAX_SCALE[0]}: "1"`,
        writtenKeys(MAX_SCALE, annotations),
      );
    return initial > 1
      ? warn(
          `${INITIAL_SCALE[0]} starts ${initial}`,
          `write ${INITIAL_SCALE[0]}: "1"`,
          writtenKeys(INITIAL_SCALE, annotations),
        )
      : [];
  }
  if (kind === 'DaemonSet' || (kind === 'Pod' && owner?.kind === 'DaemonSet'))
    return warn(
      'a DaemonSet has one on each node',
      'use a Deployment with replicas: 1 and strategy: { type: Recreate }',
    );
  return (replicas ?? 1) > 1 ? refuse(`there are to be ${replicas}`, `write 1, ${asNew}`) : [];
};

/** "Scale to zero" that does not give the address back. */
export const reservedInstance: Rule = ({ workload: { kind, isKnative, annotations }, parsed: { request } }) => {
  if (!isKnative || !SAYS_SCALE.has(kind) || !request || annotations[RESERVE_INSTANCE] !== 'enable') return [];
  if (knativeScale(annotations).least > 0) return [];
  return [
    finding(
      'ReservedInstanceKeepsEip',
      [RESERVE_INSTANCE],
      'at zero a reserved instance goes on running with the same annotations, so that one EIP is kept and paid for',
      `remove ${RESERVE_INSTANCE}, or keep in mind that one EIP stays`,
    ),
  ];
};

/**
 * How many pods a workload is certain to want: none, where it is scaled to 0. A Knative Service is never deployed
 * without one pod (knative/serving, allow-zero-initial-scale is off by default); a DaemonSet's are as many as
 * there are nodes.
 */
export const podsOf = (workload: Workload): number => {
  const { kind, isKnative } = workload;
  if (kind === 'Pod' || kind === 'DaemonSet') return 1;
  return isKnative ? Math.max(1, leastPods(workload)) : leastPods(workload);
};
