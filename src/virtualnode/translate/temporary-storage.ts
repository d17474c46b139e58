import { instanceChoices, type ChoosingVolume, type InstanceChoice } from '../../request/instance-choices.ts';
import type { WorkloadContainer, WorkloadPod } from '../workload-pod.ts';
import { MOST_EXTRA_STORAGE } from './eci-limits.ts';
import type { Remarks } from './input.ts';
import { parseQuantity } from './quantity.ts';

const GIB = 2 ** 30;
/** The temporary storage that every instance has for nothing (ECI, "Scale up the temporary storage space"), GiB. */
const FREE_GIB = 30;
const STORAGE = 'ephemeral-storage';
const FIELD = `spec.containers[*].resources.requests[${STORAGE}]`;

type Requested = Pick<WorkloadPod['spec'], 'containers' | 'initContainers'>;

/** A request that is not there is the limit, as the API server writes it into a pod (kubernetes SetDefaults_Pod). */
const requestOf = ({ resources }: WorkloadContainer): number =>
  Math.max(0, parseQuantity(resources?.requests?.[STORAGE] ?? resources?.limits?.[STORAGE] ?? 0) ?? 0);

/**
 * What the containers request above what every instance has; whole GiB, 0 for nothing. Counted as ResourceQuota does:
 * the sum of the containers, or the largest init container if that is more.
 */
const extraGiBOf = ({ containers, initContainers = [] }: Requested): number => {
  const bytes = Math.max(
    containers.reduce((sum, each) => sum + requestOf(each), 0),
    ...initContainers.map(requestOf),
  );
  // Sums of fractions of a GiB may be off by less than a byte.
  return Math.max(0, Math.ceil(Math.round(bytes) / GIB) - FREE_GIB);
};

/**
 * The temporary storage that is bought for the pod beside what every instance has; GiB. By ECI's page the larger one
 * counts where both the annotation and the requests ask for some.
 *
 * @param annotated by the annotation
 */
export const temporaryStorageOf = (
  spec: Requested,
  annotated: number | undefined,
  remarks: Remarks,
): number | undefined => {
  const extra = extraGiBOf(spec);
  if (extra === 0 || extra <= (annotated ?? 0)) return annotated;
  if (extra > MOST_EXTRA_STORAGE) {
    const problem = `together they are ${extra} GiB above the ${FREE_GIB} GiB that an instance has, and ECI sells at most ${MOST_EXTRA_STORAGE}`;
    remarks.refusals.push({ field: FIELD, problem, remedy: 'lower them, or mount a disk, NAS or OSS' });
    return annotated;
  }
  remarks.notes.push({
    field: FIELD,
    problem: `an instance has ${FREE_GIB} GiB free of charge`,
    remedy: `${extra} GiB more are bought with it, and charged for as long as it runs`,
  });
  return extra;
};

/**
 * Everything that a pod on our virtual node asks of the account. ResourceQuota counts requests of temporary storage, so
 * that they need no word of a policy; where one says how much a pod may have, they have no more either.
 */
export const choicesOf = (
  annotations: Readonly<Record<string, string>> | undefined,
  volumes: readonly ChoosingVolume[] | undefined,
  requested: Requested | undefined,
): readonly InstanceChoice[] => {
  const amount = requested ? extraGiBOf(requested) : 0;
  const choices = instanceChoices(annotations, volumes);
  if (amount === 0) return choices;
  const value = `${amount + FREE_GIB}Gi`;
  const allowance = 'ephemeralStorageGiB';
  return [...choices, { field: FIELD, value, allowance, amount, isCounted: true, free: FREE_GIB }];
};
