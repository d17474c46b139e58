import type { Workload } from './workload.ts';

/** Kinds whose own annotations are those of their pods. */
const POD_LIKE: ReadonlySet<string> = new Set(['Pod', 'Revision']);

/**
 * Where annotations are to be written so that the pods of the workload get them: not in what another object makes and
 * would make again without them.
 */
export const placeOfAnnotations = ({ kind, owner }: Pick<Workload, 'kind' | 'owner'>): string => {
  if (owner) return `the annotations of the pod template of its ${owner.kind}`;
  if (POD_LIKE.has(kind)) return 'metadata.annotations';
  return kind === 'CronJob'
    ? 'spec.jobTemplate.spec.template.metadata.annotations'
    : 'spec.template.metadata.annotations';
};
