import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { stringify } from 'yaml';
import { ALERTS } from '../../dashboards/src/alerts.ts';
import { isPrometheusInstalled, promtool, WHY_SKIPPED } from './expressions.ts';

const RULES = join(import.meta.dirname, '../../dashboards/knative-eip.rules.yaml');

/** Series in promtool's notation, one sample a minute: `0+1x30` grows by one each minute. */
interface Scenario {
  readonly series: Readonly<Record<string, string>>;
  /** When the alert fires, and with which labels beside the severity; and when it does not yet, or no longer. */
  readonly at: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly quietAt: string;
}

const C = 'cluster="one"';
const READY = 'knative_eip_address_ready_seconds_bucket';
const BACK = 'knative_eip_release_seconds_bucket';
const REVIEW = 'knative_eip_webhook_duration_seconds_bucket';
const SWEPT = 'knative_eip_sweeper_last_pass_age_seconds';

/** What makes each alert fire. The quiet time shows that it is not always on. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  KnativeEipNoLeader: {
    series: {
      [`knative_eip_leader{${C}, instance="a"}`]: '1x10 0x20',
      [`knative_eip_leader{${C}, instance="b"}`]: '0x30',
      // The virtual node has a process of its own, which goes on.
      [`knative_eip_leader{${C}, instance="node"}`]: '0x30',
      [`knative_eip_virtual_node_leader{${C}, instance="node"}`]: '1x30',
    },
    quietAt: '10m',
    at: '20m',
    labels: { cluster: 'one' },
  },
  // The controller leads all the time (see below): the two are not told from the same series.
  KnativeEipVirtualNodeDown: {
    series: {
      [`knative_eip_virtual_node_leader{${C}, instance="a"}`]: '1x10 _x20',
      [`knative_eip_virtual_node_leader{${C}, instance="b"}`]: '0x5 _x20',
    },
    quietAt: '10m',
    at: '20m',
    labels: { cluster: 'one' },
  },
  KnativeEipCloudMisconfigured: {
    series: {
      [`knative_eip_cloud_calls_total{${C}, action="AllocateEipAddress", outcome="misconfigured"}`]: '0x10 0+1x30',
    },
    quietAt: '10m',
    at: '30m',
    labels: { cluster: 'one', action: 'AllocateEipAddress' },
  },
  KnativeEipQuotaExhausted: {
    series: {
      [`knative_eip_cloud_calls_total{${C}, action="AllocateEipAddress", outcome="quota"}`]: '0x10 0+1x5 6x60',
    },
    quietAt: '60m',
    at: '15m',
    labels: { cluster: 'one', action: 'AllocateEipAddress' },
  },
  KnativeEipAddressLost: {
    series: { [`knative_eip_addresses_lost_total{${C}, kind="gone"}`]: '0x10 1x60' },
    quietAt: '60m',
    at: '15m',
    labels: { cluster: 'one', kind: 'gone' },
  },
  KnativeEipWrongAccount: {
    series: { [`knative_eip_account_mismatch{${C}}`]: '0x10 1x10' },
    quietAt: '5m',
    at: '15m',
    labels: { cluster: 'one' },
  },
  KnativeEipOtherController: {
    series: { [`knative_eip_other_controllers{${C},name="ack-extend-network-controller"}`]: '_x10 1x10' },
    quietAt: '5m',
    at: '15m',
    labels: { cluster: 'one', name: 'ack-extend-network-controller' },
  },
  KnativeEipSweeperBraked: {
    series: { [`knative_eip_sweeper_braked{${C}}`]: '0x10 1x10' },
    quietAt: '5m',
    at: '15m',
    labels: { cluster: 'one' },
  },
  KnativeEipOrphansKept: {
    series: { [`knative_eip_virtual_node_braked{${C}}`]: '0x10 1x10' },
    quietAt: '5m',
    at: '15m',
    labels: { cluster: 'one' },
  },
  KnativeEipProfileBroken: {
    series: { [`knative_eip_eci_profile_broken{${C}}`]: '0x10 1x20' },
    quietAt: '12m',
    at: '20m',
    labels: { cluster: 'one' },
  },
  KnativeEipNodeCertificateEnds: {
    // promtool's time begins in 1970: a certificate of eight days, with which a day passes and nothing more.
    series: {
      [`knative_eip_virtual_node_certificate_expiry_timestamp_seconds{${C}}`]: `${8 * 86_400}x1560`,
    },
    quietAt: '24h',
    at: '26h',
    labels: { cluster: 'one' },
  },
  KnativeEipLeaked: {
    series: { [`knative_eip_leaked_eips{${C}}`]: '0x10 2x40' },
    quietAt: '15m',
    at: '40m',
    labels: { cluster: 'one' },
  },
  KnativeEipSweeperStale: {
    series: { [`${SWEPT}{${C}}`]: '0+60x400' },
    quietAt: '200m',
    at: '300m',
    labels: { cluster: 'one' },
  },
  KnativeEipQuotaNearlyUsed: {
    series: {
      [`knative_eip_quota_used_eips{${C}}`]: '16x10 18x40',
      [`knative_eip_quota_limit_eips{${C}}`]: '20x60',
    },
    quietAt: '8m',
    at: '40m',
    labels: { cluster: 'one' },
  },
  KnativeEipThrottled: {
    series: {
      [`knative_eip_cloud_calls_total{${C}, action="AssociateEipAddress", outcome="throttled"}`]: '0x20 0+10x40',
      [`knative_eip_cloud_calls_total{${C}, action="AssociateEipAddress", outcome="ok"}`]: '0+60x60',
    },
    quietAt: '15m',
    at: '50m',
    labels: { cluster: 'one', action: 'AssociateEipAddress' },
  },
  KnativeEipAllocationSlow: {
    series: {
      [`${READY}{${C}, kind="new", le="60"}`]: '0+10x20 200+1x40',
      [`${READY}{${C}, kind="new", le="120"}`]: '0+10x60',
      [`${READY}{${C}, kind="new", le="+Inf"}`]: '0+10x60',
    },
    quietAt: '19m',
    at: '50m',
    labels: { cluster: 'one' },
  },
  KnativeEipPodsWithoutAddress: {
    series: {
      [`knative_eip_podeips{${C}, ready="false", reason="CloudRefused", k8s_namespace_name="shop"}`]: '0x10 3x30',
      // What the user must correct calls nobody.
      [`knative_eip_podeips{${C}, ready="false", reason="ExistingAndNew", k8s_namespace_name="shop"}`]: '3x40',
      [`knative_eip_podeips{${C}, ready="false", reason="InvalidBandwidth", k8s_namespace_name="shop"}`]: '3x40',
      [`knative_eip_podeips{${C}, ready="false", reason="QuotaOfNamespaceExceeded", k8s_namespace_name="shop"}`]:
        '3x40',
    },
    quietAt: '12m',
    at: '30m',
    labels: { cluster: 'one', reason: 'CloudRefused' },
  },
  KnativeEipReleaseSlow: {
    series: {
      [`${BACK}{${C}, kind="new", le="300"}`]: '0+10x20 200+1x100',
      [`${BACK}{${C}, kind="new", le="600"}`]: '0+10x120',
      [`${BACK}{${C}, kind="new", le="+Inf"}`]: '0+10x120',
    },
    quietAt: '19m',
    at: '90m',
    labels: { cluster: 'one' },
  },
  KnativeEipConflictsRefused: {
    series: {
      [`knative_eip_findings_total{${C}, finding="ExistingAndNew", severity="refuse"}`]: '0x10 0+1x30',
      [`knative_eip_findings_total{${C}, finding="LegacyBandwidth", severity="warn"}`]: '0+1x40',
    },
    quietAt: '12m',
    at: '30m',
    labels: { cluster: 'one', finding: 'ExistingAndNew' },
  },
  KnativeEipWatchStale: {
    series: { [`knative_eip_kube_watch_age_seconds{${C}, resource="pods"}`]: '10x10 0+60x30' },
    quietAt: '12m',
    at: '30m',
    labels: { cluster: 'one', resource: 'pods' },
  },
  KnativeEipQueueStuck: {
    series: { [`knative_eip_workqueue_oldest_seconds{${C}, name="podeip"}`]: '0x10 0+60x30' },
    quietAt: '12m',
    at: '30m',
    labels: { cluster: 'one', name: 'podeip' },
  },
  KnativeEipWebhookSlow: {
    series: {
      [`${REVIEW}{${C}, webhook="pods", answer="changed", le="1"}`]: '0+10x20 200+9x60',
      [`${REVIEW}{${C}, webhook="pods", answer="changed", le="2.5"}`]: '0+10x80',
      [`${REVIEW}{${C}, webhook="pods", answer="changed", le="+Inf"}`]: '0+10x80',
    },
    quietAt: '19m',
    at: '60m',
    labels: { cluster: 'one', webhook: 'pods' },
  },
  KnativeEipSinkDown: {
    series: { [`knative_eip_cloudevents_waiting{${C}}`]: '0 3 0 5 0 2 0 0 0 0 0+4x60' },
    quietAt: '15m',
    at: '50m',
    labels: { cluster: 'one' },
  },
  KnativeEipEventsDropped: {
    series: { [`knative_eip_cloudevents_dropped_total{${C}}`]: '0x10 4x90' },
    quietAt: '9m',
    at: '15m',
    labels: { cluster: 'one' },
  },
};

test('there is a scenario for every alert', (t) => {
  t.deepEqual(Object.keys(SCENARIOS).toSorted(), ALERTS.map(({ name }) => name).toSorted());
});

/** The same in another way. */
const MORE_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'KnativeEipNoLeader, of one cluster that is gone among others,': {
    series: {
      [`knative_eip_leader{${C}, instance="a"}`]: '1x10 _x20',
      'knative_eip_leader{cluster="two", instance="a"}': '1x30',
    },
    quietAt: '10m',
    at: '20m',
    labels: { cluster: 'one' },
  },
};

const scenarios = [...Object.entries(SCENARIOS), ...Object.entries(MORE_SCENARIOS)];
for (const { name, severity, what, scenario } of ALERTS.flatMap((alert) =>
  scenarios
    .filter(([what]) => what.split(',', 1)[0] === alert.name)
    .map(([what, scenario]) => ({ ...alert, what, scenario })),
)) {
  (isPrometheusInstalled ? test : test.skip)(
    `${what} fires when it should and not before${isPrometheusInstalled ? '' : ` – ${WHY_SKIPPED}`}`,
    async (t) => {
      const { series, at, quietAt, labels } = scenario;
      const folder = await mkdtemp(join(tmpdir(), 'eip-alert-'));
      // Without these, somebody leads: only the alert that is looked at is to be seen.
      const leads = name === 'KnativeEipNoLeader' ? {} : { 'knative_eip_leader{cluster="one"}': '1x600' };
      const look = (time: string, expected: object[]) => ({
        alertname: name,
        eval_time: time,
        exp_alerts: expected,
      });
      const file = {
        rule_files: [RULES],
        evaluation_interval: '1m',
        tests: [
          {
            interval: '1m',
            input_series: Object.entries({ ...series, ...leads }).map(([series, values]) => ({ series, values })),
            // promtool compares annotations as well; which they are is in the expression of ALERTS, so
            // only labels count.
            promql_expr_test: [
              {
                expr: `count by (alertname, severity${Object.keys(labels)
                  .map((label) => `, ${label}`)
                  .join('')}) (ALERTS{alertname="${name}", alertstate="firing"})`,
                eval_time: at,
                exp_samples: [
                  {
                    labels: `{${Object.entries({ alertname: name, severity, ...labels })
                      .map(([label, value]) => `${label}="${value}"`)
                      .join(', ')}}`,
                    value: 1,
                  },
                ],
              },
            ],
            alert_rule_test: [look(quietAt, [])],
          },
        ],
      };
      try {
        await writeFile(join(folder, 'test.yaml'), stringify(file, { lineWidth: 0 }));
        const said = await promtool('test', 'rules', join(folder, 'test.yaml')).catch(
          (error: { stdout?: string; stderr?: string }) => `${error.stdout}\n${error.stderr}`,
        );
        t.regex(said, /SUCCESS/, said);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );
}
