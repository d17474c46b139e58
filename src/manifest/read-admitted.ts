import type * as z from 'zod';
import type { Pod } from '../api/core.ts';
import { podSchema, serviceSchema } from './template.ts';
import { unreadable, type Unreadable } from './wire.ts';

/** A Knative Service as an AdmissionReview carries it. */
export type AdmittedService = z.output<typeof serviceSchema>;

/**
 * Reads the pod of an AdmissionReview. On creation it may have no name (`generateName`), and it has neither UID nor
 * resourceVersion. Never throws.
 */
export const readPod = (
  object: unknown,
  namespace: string,
): { readonly kind: 'pod'; readonly pod: Pod } | Unreadable => {
  const read = podSchema.safeParse(object);
  if (!read.success) return unreadable(read.error, object);
  const { metadata, spec } = read.data;
  const { annotations, labels, deletionTimestamp } = metadata;
  const ownerReferences = metadata.ownerReferences?.map((owner) => ({ apiVersion: '', uid: '', ...owner }));
  const own = { name: metadata.name ?? '', uid: '', resourceVersion: '' };
  return {
    kind: 'pod',
    pod: { metadata: { ...own, namespace, annotations, labels, ownerReferences, deletionTimestamp }, spec },
  };
};

/** Reads the Knative Service of an AdmissionReview. Never throws. */
export const readKnativeService = (
  object: unknown,
): { readonly kind: 'service'; readonly service: AdmittedService } | Unreadable => {
  const read = serviceSchema.safeParse(object);
  return read.success ? { kind: 'service', service: read.data } : unreadable(read.error, object);
};
