import type { Finding } from '../../api/finding.ts';
import { WAITING_SECONDS, type Meter } from '../../metrics/definition.ts';

/** The stages of an address on the way to its pod, in order. */
export const STAGES = ['queue', 'allocate', 'associate', 'publish'] as const;
type ReadyStage = (typeof STAGES)[number];

/** Whether the EIP was bought for the pod, or is the user's. */
export type EipKind = 'new' | 'existing';

/** Metrics of the life of addresses. Durations in seconds. */
export interface LifeMetrics {
  /** Counts an action by its label; see step-label.ts. */
  did(label: string): void;
  /** Observes the time from a pod's private address to its published EIP, by its stages. */
  served(kind: EipKind, stages: Readonly<Record<ReadyStage, number>>): void;
  /** Observes the time from the end of a pod until its EIP is released or, if it is the user's, detached. */
  gaveBack(kind: EipKind, seconds: number): void;
  /**
   * Counts an address that a pod lost, other than by our own actions. `gone`: the EIP no longer exists · `moved`: it is
   * bound elsewhere, or not at all.
   */
  lost(kind: 'gone' | 'moved'): void;
  /** Counts a finding about a request. */
  found(finding: Pick<Finding, 'id' | 'severity'>): void;
}

export const lifeMetrics = (meter: Meter): LifeMetrics => {
  const steps = meter.counter('knative_eip_steps_total', 'What the controller did', 'step');
  const ready = meter.histogram(
    'knative_eip_address_ready_seconds',
    'From the IP address of a pod to its EIP in use and told to the pod, by kind: new or existing',
    WAITING_SECONDS,
    'kind',
  );
  const stages = meter.histogram(
    'knative_eip_address_stage_seconds',
    'The parts of that: until work on it began; until there was an EIP; until it was in use; until the pod was told',
    WAITING_SECONDS,
    'stage',
  );
  const back = meter.histogram(
    'knative_eip_release_seconds',
    'From the end of a pod to the release of its EIP, or, kind existing, until it was detached; without those that are kept on purpose',
    WAITING_SECONDS,
    'kind',
  );
  const lost = meter.counter(
    'knative_eip_addresses_lost_total',
    'Addresses that a running pod lost and not because of the controller, by kind: gone, or moved',
    'kind',
  );
  for (const kind of ['gone', 'moved'] as const) lost.inc({ kind }, 0);
  const findings = meter.counter(
    'knative_eip_findings_total',
    'What was said about requests that contradict themselves or cannot be met, each time that one was read',
    'finding',
    'severity',
  );
  return {
    did: (label) => steps.inc({ step: label }),
    served: (kind, parts) => {
      ready.observe(
        { kind },
        STAGES.reduce((sum, stage) => sum + parts[stage], 0),
      );
      for (const stage of STAGES) stages.observe({ stage }, parts[stage]);
    },
    gaveBack: (kind, seconds) => back.observe({ kind }, seconds),
    lost: (kind) => lost.inc({ kind }),
    found: ({ id, severity }) => findings.inc({ finding: id, severity }),
  };
};
