import type { WorkloadContainer, WorkloadPod } from '../workload-pod.ts';
import type { Remark } from './input.ts';
import { isQueueProxy } from './queue-proxy.ts';

/** How many fields a sentence names. */
const MOST_NAMED = 8;

/**
 * What the pod asks for, as Pod Security demands it under `restricted`, and CreateContainerGroup has no parameter for
 * (ECI API reference: SecurityContext has Capability.Add, ReadOnlyRootFilesystem and RunAsUser). One remark for all of
 * it, because nearly every pod of such a namespace has some. Knative's own sidecar is not the author's.
 */
export const unsaidToEci = ({ spec }: WorkloadPod): readonly Remark[] => {
  const fields = [
    ...profilesIn(spec.securityContext).map((field) => `spec.securityContext.${field}`),
    ...(['containers', 'initContainers'] as const).flatMap((list) =>
      (spec[list] ?? [])
        .filter((container) => !isQueueProxy(container))
        .flatMap((container) =>
          unsaidIn(container).map((field) => `spec.${list}[${container.name}].securityContext.${field}`),
        ),
    ),
  ];
  if (fields.length === 0) return [];
  const rest = fields.length - MOST_NAMED;
  const named = `${fields.slice(0, MOST_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
  return [
    {
      field: 'securityContext',
      problem: `ECI cannot be told ${named}: processes keep the privileges that ECI gives them`,
      remedy:
        'an instance is a virtual machine that no other pod shares; run the pod on an ECS node if that is not enough',
    },
  ];
};

const unsaidIn = ({ securityContext }: WorkloadContainer): readonly string[] => [
  ...(securityContext?.capabilities?.drop?.length ? ['capabilities.drop'] : []),
  ...(securityContext?.allowPrivilegeEscalation === false ? ['allowPrivilegeEscalation'] : []),
  ...profilesIn(securityContext),
];

const profilesIn = (
  context: NonNullable<WorkloadPod['spec']['securityContext'] | WorkloadContainer['securityContext']> | undefined,
): readonly string[] =>
  (['seccompProfile', 'appArmorProfile', 'seLinuxOptions'] as const).filter((field) => context?.[field]);
