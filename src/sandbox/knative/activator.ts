import type { Pod } from '../../api/core.ts';
import type { Container } from './resources.ts';

/**
 * Whether the activator would send a request to this pod. It probes queue-proxy on the pod's own address and forwards
 * before Kubernetes says Ready, so that a readiness gate holds nothing back on a cold start, unless a container has a
 * startup probe or a readiness probe that runs a command: then only Ready counts.
 *
 * Source: knative/serving pkg/activator/net/revision_backends.go.
 */
export const wouldServe = (pod: Pod): boolean => {
  const { metadata, status } = pod;
  const is = (type: string) => status?.conditions?.find((it) => it.type === type)?.status === 'True';
  if (metadata.deletionTimestamp !== undefined || status?.podIP === undefined) return false;
  if (is('Ready')) return true;
  const containers = (pod.spec as { readonly containers?: readonly Container[] }).containers ?? [];
  const waitsForReady = containers.some(
    ({ startupProbe, readinessProbe }) => startupProbe !== undefined || readinessProbe?.exec !== undefined,
  );
  return !waitsForReady && is('ContainersReady');
};
