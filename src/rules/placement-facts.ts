import type { Pod } from '../api/core.ts';
import { targetOf, targetOfTemplate, type Provider, type Target } from '../request/target.ts';
import type { Workload } from './workload.ts';

/**
 * Where the pods of a workload run, as far as its manifest tells. A pod may carry the marks of its node;
 * a template cannot.
 *
 * @param namespaceLabels undefined where they could not be read: they may send pods elsewhere
 */
export const targetOfWorkload = (
  { kind, name, namespace, template, annotations }: Workload,
  namespaceLabels: Readonly<Record<string, string>> | undefined,
  provider: Provider,
): Target => {
  if (kind !== 'Pod')
    return namespaceLabels
      ? targetOfTemplate(template, namespaceLabels, provider)
      : { on: 'unknown', because: 'the labels of the namespace are not known' };
  const pod: Pod = {
    metadata: { name, namespace, uid: '', resourceVersion: '', annotations, labels: template.metadata?.labels },
    spec: template.spec ?? {},
  };
  return targetOf(pod, undefined, namespaceLabels, provider);
};
