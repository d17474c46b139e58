import type { CandidateKind } from './orphans.ts';
import type { Meter } from '../../metrics/definition.ts';

/**
 * The outcome of a pass. `inconsistent`: the list of EIPs changed while it was read, so that nothing was concluded ·
 * `braked`: the circuit breaker opened, and nothing was released · `failed`: cloud or cluster did not answer.
 */
export type SweepOutcome = 'ok' | 'inconsistent' | 'braked' | 'failed';

/** Metrics of garbage collection. */
export interface SweeperMetrics {
  passed(outcome: SweepOutcome): void;
  /** Sets the number of candidates in the last complete pass. */
  saw(candidates: Readonly<Record<CandidateKind, number>>): void;
  /** Sets the number of EIPs that were due for release in the last complete pass and still exist. */
  left(eips: number): void;
  braked(isBraked: boolean): void;
  released(): void;
  /** Counts an EIP that was due, and that cannot be released before somebody acts. */
  blocked(): void;
  /**
   * Called at each scrape: seconds since the last complete pass; undefined if this replica does not collect garbage.
   */
  lastPassAge(collect: () => number | undefined): void;
}

export const sweeperMetrics = (meter: Meter): SweeperMetrics => {
  const passes = meter.counter(
    'knative_eip_sweeper_passes_total',
    'Passes of the sweeper, by outcome: ok, inconsistent, braked or failed',
    'outcome',
  );
  const candidates = meter.gauge(
    'knative_eip_sweeper_strays',
    'EIPs of this cluster that belong to no PodEIP, as the last complete pass saw them, by kind: orphan, surplus or unidentified',
    'kind',
  );
  const leaked = meter.gauge(
    'knative_eip_leaked_eips',
    'EIPs of this cluster that belong to no PodEIP, were due for release in the last complete pass of the sweeper, and are there still',
  );
  const observations = meter.counter(
    'knative_eip_sweeper_sightings_total',
    'How often a pass saw an EIP that belongs to no PodEIP, by kind',
    'kind',
  );
  const released = meter.counter('knative_eip_sweeper_released_total', 'EIPs that the sweeper released');
  const blocked = meter.counter(
    'knative_eip_sweeper_blocked_total',
    'How often an EIP was due for release and could not be released before somebody acts',
  );
  const braked = meter.gauge(
    'knative_eip_sweeper_braked',
    '1 while so much is due for release that nothing is released, otherwise 0',
  );
  const age = meter.scraped(
    'knative_eip_sweeper_last_pass_age_seconds',
    'How long ago the last complete pass of the sweeper was; before the first one, how long it has been at work',
  );
  return {
    passed: (outcome) => passes.inc({ outcome }),
    saw: (seen) => {
      for (const kind of ['orphan', 'surplus', 'unidentified'] as const) {
        candidates.set({ kind }, seen[kind]);
        observations.inc({ kind }, seen[kind]);
      }
    },
    left: (eips) => leaked.set(eips),
    braked: (is) => braked.set(is ? 1 : 0),
    released: () => released.inc(),
    blocked: () => blocked.inc(),
    lastPassAge: (collect) =>
      age(function* () {
        const seconds = collect();
        if (seconds !== undefined) yield [{}, seconds];
      }),
  };
};
