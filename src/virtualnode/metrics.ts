import type { Meter } from '../metrics/definition.ts';
import type { SessionKind, SessionOutcome } from './streaming/session-outcome.ts';

/** Metrics of the virtual node. */
export interface VirtualNodeMetrics {
  /** Whether this process runs the node. Never called where there is none, so that nobody is told that none runs. */
  leading(leads: boolean): void;
  /**
   * How it stands with the node's own certificate; called at each scrape. `until` is in milliseconds, also where it has
   * passed; undefined if there was none.
   */
  certificate(ask: () => { readonly until: number | undefined }): void;
  /** What the last search for groups without a pod has found. */
  orphans(found: { readonly running: number; readonly isBraked: boolean }): void;
  /** A client asks for a session with a container. Returns what is to be called when it is over. */
  session(kind: SessionKind): (outcome: SessionOutcome) => void;
}

/** As kubectl calls them. */
const KINDS: Readonly<Record<SessionKind, string>> = { exec: 'exec', attach: 'attach', portForward: 'port-forward' };

export const virtualNodeMetrics = (meter: Meter): VirtualNodeMetrics => {
  let leads: boolean | undefined;
  meter.scraped(
    'knative_eip_virtual_node_leader',
    '1 while this process runs the virtual node, otherwise 0; only of processes that are to run one',
  )(function* () {
    if (leads !== undefined) yield [{}, leads ? 1 : 0] as const;
  });
  const certificate = meter.scraped(
    'knative_eip_virtual_node_certificate_expiry_timestamp_seconds',
    "When the client certificate of the virtual node's own identity ends, in seconds since 1970; only of the process that uses it",
  );
  const orphans = meter.gauge(
    'knative_eip_virtual_node_orphans',
    'Container groups of this cluster that run and whose pod does not exist, as the last search saw them',
  );
  const braked = meter.gauge(
    'knative_eip_virtual_node_braked',
    '1 while so many container groups have no pod that none is deleted, otherwise 0',
  );
  const open = meter.gauge(
    'knative_eip_virtual_node_sessions_open',
    'Clients that run a command in a container of the virtual node or reach its ports, or have just asked to, by kind: `exec`, `attach` or `port-forward`',
    'kind',
  );
  const sessions = meter.counter(
    'knative_eip_virtual_node_sessions_total',
    'Sessions of clients with containers of the virtual node that are over, by kind and outcome: `ended`, `left` (the client, before its command ended), `failed` (the cloud or the container), `refused` or `stopped` (this process)',
    'kind',
    'outcome',
  );
  return {
    leading: (is) => {
      leads = is;
    },
    certificate: (ask) => {
      certificate(function* () {
        const { until } = ask();
        if (until !== undefined) yield [{}, until / 1_000] as const;
      });
    },
    session: (name) => {
      const kind = KINDS[name];
      open.inc({ kind });
      return (outcome) => {
        open.dec({ kind });
        sessions.inc({ kind, outcome });
      };
    },
    orphans: ({ running, isBraked }) => {
      orphans.set(running);
      braked.set(isBraked ? 1 : 0);
    },
  };
};
