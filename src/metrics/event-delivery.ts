import { SECONDS, type Meter } from './definition.ts';

/** The measures of CloudEvents. */
export interface CloudEventMetrics {
  /** An event was delivered. */
  sent(kind: string): void;
  /** An event was given up: refused by the sink, or older than the window. */
  dropped(kind: string, reason: 'refused' | 'expired'): void;
  /** One delivery ended. Duration in seconds. */
  attempted(outcome: 'delivered' | 'later' | 'refused', seconds: number): void;
  /** Asked at each scrape: how many events wait, and how old the oldest is. */
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
  // From zero on, so that the first one is an increase.
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
