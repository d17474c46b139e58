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
  const { effect, warnings } = effectOnPod(selectors, pod, namespaceLabels);
  if (!effect) return { pod, patch: [], warnings };
  const { metadata, spec } = pod;
  const { nodeSelector, tolerations } = effect.placement ?? {};
  return {
    pod: {
      metadata: {
        ...metadata,
        annotations: { ...metadata.annotations, ...effect.annotations },
        labels: { ...metadata.labels, ...effect.labels },
      },
      spec: { ...spec, ...effect.placement },
    },
    patch: [
      ...added('annotations', metadata.annotations, effect.annotations),
      ...added('labels', metadata.labels, effect.labels),
      ...(nodeSelector ? [{ op: 'add', path: '/spec/nodeSelector', value: nodeSelector } as const] : []),
      ...(tolerations ? [{ op: 'add', path: '/spec/tolerations', value: tolerations } as const] : []),
    ],
    warnings,
  };
};

const added = (field: string, given: Written | undefined, more: Written): readonly JsonPatchOperation[] => {
  const entries = Object.entries(more);
  if (entries.length === 0) return [];
  return given
    ? entries.map(([key, value]) => ({ op: 'add', path: pointer('metadata', field, key), value }))
    : [{ op: 'add', path: pointer('metadata', field), value: more }];
};
