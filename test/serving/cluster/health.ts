import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, KubeletPod, Probe } from './pod.ts';
import { tryProbe } from './probe.ts';

/** What the probes of a container say. */
export interface ContainerHealth {
  readonly started: boolean;
  readonly ready: boolean;
}

/**
 * How often a container is probed that is not ready yet: a kubelet does so more often than the period says, "to make
 * the Pod ready faster" (Kubernetes, Configure Liveness, Readiness and Startup Probes).
 */
const UNREADY_MS = 500;

/**
 * Runs startup and readiness probes of the containers until the signal; `onChange` when one of them
 * says something else.
 */
export const watchHealth = (pod: KubeletPod, ip: string, onChange: () => void, signal: AbortSignal) => {
  const health = new Map<string, ContainerHealth>();
  const set = (name: string, next: ContainerHealth) => {
    const now = health.get(name);
    if (now?.started === next.started && now.ready === next.ready) return;
    health.set(name, next);
    onChange();
  };

  const passes = async (container: Container, probe: Probe): Promise<void> => {
    for (let successes = 0; successes < (probe.successThreshold ?? 1);) {
      successes = (await tryProbe(probe, container, ip)) ? successes + 1 : 0;
      if (successes < (probe.successThreshold ?? 1))
        await sleep(Math.min(UNREADY_MS, (probe.periodSeconds ?? 10) * 1_000), undefined, { signal });
    }
  };

  const watch = async (container: Container): Promise<void> => {
    const { name, startupProbe, readinessProbe } = container;
    set(name, { started: startupProbe === undefined, ready: false });
    if (startupProbe) {
      await sleep((startupProbe.initialDelaySeconds ?? 0) * 1_000, undefined, { signal });
      await passes(container, startupProbe);
    }
    set(name, { started: true, ready: readinessProbe === undefined });
    if (!readinessProbe) return;
    await sleep((readinessProbe.initialDelaySeconds ?? 0) * 1_000, undefined, { signal });
    for (;;) {
      await passes(container, readinessProbe);
      signal.throwIfAborted();
      set(name, { started: true, ready: true });
      for (let failures = 0; failures < (readinessProbe.failureThreshold ?? 3);) {
        await sleep((readinessProbe.periodSeconds ?? 10) * 1_000, undefined, { signal });
        failures = (await tryProbe(readinessProbe, container, ip)) ? 0 : failures + 1;
      }
      signal.throwIfAborted();
      set(name, { started: true, ready: false });
    }
  };

  const ended = Promise.all(
    pod.spec.containers.map((container) =>
      watch(container).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      }),
    ),
  );
  return { health: (name: string): ContainerHealth => health.get(name) ?? { started: false, ready: false }, ended };
};
