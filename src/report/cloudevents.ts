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
