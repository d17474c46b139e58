import { ECI_PROFILE, ECI_PROFILE_LEFT_OUT } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import type { JsonPatchOperation } from '../kube/port.ts';
import { effectOnPod, type ProfileSelector } from '../rules/eci-profile.ts';
import { pointer } from './review.ts';

type Written = Readonly<Record<string, string>>;

/**
 * What the eci-profile makes of a pod that is created: the pod as it is judged from here on, and the patch that makes
 * it so. It comes before everything else, so that whatever reads the pod, now or later, reads one truth: the request
 * for its instance is made of the pod alone, and is the same at every retry, however the profile changes meanwhile.
 */
export const profilePod = (
  selectors: readonly ProfileSelector[],
  pod: Pod,
  namespaceLabels: Written | undefined,
): { readonly pod: Pod; readonly patch: readonly JsonPatchOperation[]; readonly warnings: readonly string[] } => {
  const { effect, warnings, leftOut } = effectOnPod(selectors, pod, namespaceLabels);
  const { metadata, spec } = pod;
  const { annotations: own } = metadata;
  const written = { ...effect?.annotations, ...noteOf(leftOut) };
  const given = isOldNote(own, namespaceLabels) ? withoutNote(own) : own;
  const { nodeSelector, tolerations } = effect?.placement ?? {};
  return {
    pod: {
      metadata: {
        ...metadata,
        annotations: Object.keys(written).length > 0 ? { ...given, ...written } : given,
        labels: effect ? { ...metadata.labels, ...effect.labels } : metadata.labels,
      },
      spec: { ...spec, ...effect?.placement },
    },
    patch: [
      ...(given === own
        ? []
        : [{ op: 'remove', path: pointer('metadata', 'annotations', ECI_PROFILE_LEFT_OUT) } as const]),
      ...added('annotations', given, written),
      ...added('labels', metadata.labels, effect?.labels ?? {}),
      ...(nodeSelector ? [{ op: 'add', path: '/spec/nodeSelector', value: nodeSelector } as const] : []),
      ...(tolerations ? [{ op: 'add', path: '/spec/tolerations', value: tolerations } as const] : []),
    ],
    warnings,
  };
};

/** The API server asks again where another webhook changes the pod, and now the labels can be read; or it is a copy. */
const isOldNote = (annotations: Written | undefined, namespaceLabels: Written | undefined): annotations is Written =>
  annotations !== undefined &&
  namespaceLabels !== undefined &&
  Object.hasOwn(annotations, ECI_PROFILE_LEFT_OUT) &&
  !Object.hasOwn(annotations, ECI_PROFILE);

const withoutNote = (annotations: Written): Written =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== ECI_PROFILE_LEFT_OUT));

/** There may be a hundred selectors, with names as long as their authors liked; characters. */
const MOST_NAMED = 500;

/** For whoever reads the pod: most pods are made by a controller, and nobody reads what it was warned of. */
const noteOf = (leftOut: readonly string[]): Written =>
  leftOut.length === 0
    ? {}
    : {
        [ECI_PROFILE_LEFT_OUT]: `${leftOut.join(', ').slice(0, MOST_NAMED)}: the labels of the namespace could not be read when the pod was made; make it again`,
      };

const added = (field: string, given: Written | undefined, more: Written): readonly JsonPatchOperation[] => {
  const entries = Object.entries(more).filter(([key, value]) => given?.[key] !== value);
  if (entries.length === 0) return [];
  return given
    ? entries.map(([key, value]) => ({ op: 'add', path: pointer('metadata', field, key), value }))
    : [{ op: 'add', path: pointer('metadata', field), value: more }];
};
