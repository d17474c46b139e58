import { SECONDS, type Meter } from './definition.ts';

/** Metrics of the delivery of CloudEvents. */
export interface CloudEventMetrics {
  /** Counts an event that was delivered. */
  sent(kind: string): void;
  /** Counts an event that is not sent any more: the sink refused it, or it is older than the delivery window. */
  dropped(kind: string, reason: 'refused' | 'expired'): void;
  /** Counts one delivery attempt, with its duration in seconds. */
  attempted(outcome: 'delivered' | 'later' | 'refused', seconds: number): void;
  /** Called at each scrape: the number of events that wait, and the age of the oldest. */
  waiting(collect: () => { readonly count: number; readonly oldestSeconds: number }): void;
}

export const cloudEventMetrics = (meter: Meter): CloudEventMetrics => {
  const sent = meter.counter(
    'knative_eip_cloudevents_sent_total',
    'CloudEvents that the sink took, by what they tell',
    'kind',
  );
  const dropped = meter.counter(
    'knative_eip_cloudevents_dropped_total',
    'CloudEvents that were given up, by what they tell and by reason: refused by the sink, or expired',
    'kind',
    'reason',
  );
  // Start at zero, so that the first event shows as an increase.
  for (const kind of ['allocated', 'associated', 'disassociated', 'released', 'failed', 'conflict', 'drift']) {
    sent.inc({ kind }, 0);
    for (const reason of ['refused', 'expired']) dropped.inc({ kind, reason }, 0);
  }
  const attempts = meter.histogram(
    'knative_eip_cloudevents_delivery_duration_seconds',
    'How long a delivery to the sink took, by outcome: delivered, later (tried again) or refused',
    SECONDS,
    'outcome',
  );
  const waiting = meter.scraped('knative_eip_cloudevents_waiting', 'CloudEvents that wait to be delivered');
  const oldest = meter.scraped(
    'knative_eip_cloudevents_oldest_waiting_seconds',
    'Age of the oldest CloudEvent that waits to be delivered; 0 where none waits',
  );
  return {
    sent: (kind) => sent.inc({ kind }),
    dropped: (kind, reason) => dropped.inc({ kind, reason }),
    attempted: (outcome, seconds) => attempts.observe({ outcome }, seconds),
    waiting: (collect) => {
      waiting(() => [[{}, collect().count]]);
      oldest(() => [[{}, collect().oldestSeconds]]);
    },
  };
};
