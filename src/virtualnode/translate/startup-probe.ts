import type { WorkloadProbe, WorkloadContainer } from '../workload-pod.ts';
import type { Remarks } from './input.ts';

/**
 * The container with delays of its other probes in place of its startup probe, which ECI does not have. Without a
 * readiness probe, the startup probe is one: until it succeeds, the container is not ready. A liveness probe must not
 * end the container before the startup probe would have given up.
 */
export const withoutStartupProbe = (container: WorkloadContainer, at: string, remarks: Remarks): WorkloadContainer => {
  const { startupProbe, ...rest } = container;
  if (!startupProbe) return container;
  const { readinessProbe, livenessProbe } = container;
  const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 } = startupProbe;
  const longest = initialDelaySeconds + periodSeconds * failureThreshold;
  remarks.notes.push({
    field: `${at}.startupProbe`,
    problem: 'ECI has no startup probes',
    remedy: `readiness starts after ${initialDelaySeconds} s and liveness after ${longest} s in its place`,
  });
  return {
    ...rest,
    readinessProbe: delayed(readinessProbe ?? startupProbe, initialDelaySeconds),
    ...(livenessProbe && { livenessProbe: delayed(livenessProbe, longest) }),
  };
};

const delayed = (probe: WorkloadProbe, seconds: number): WorkloadProbe => ({
  ...probe,
  initialDelaySeconds: Math.max(seconds, probe.initialDelaySeconds ?? 0),
});
