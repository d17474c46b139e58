import { board, FLEET, inTheHour, quantile, rate } from './board.ts';
import { bars, lines, stat } from './panel.ts';

/** What the cloud is asked, how it answers, and what it still allows. */
export const cloud = board('cloud', 'Cloud API and Quota', 'Calls to VPC, ECS and ECI, their budgets, and the quota', [
  {
    title: 'Quota',
    panels: [
      stat({
        title: 'EIPs of the account',
        description: 'Pay-as-you-go EIPs of the account in this region, whoever made them',
        queries: [[`max(knative_eip_quota_used_eips{${FLEET}})`]],
      }),
      stat({
        title: 'Quota',
        description: 'cloud.eipQuota of the configuration',
        queries: [[`max(knative_eip_quota_limit_eips{${FLEET}})`]],
      }),
      stat({
        title: 'Quota used',
        description: 'The share of the quota that is used',
        unit: 'percentunit',
        queries: [[`max(knative_eip_quota_used_eips{${FLEET}}) / max(knative_eip_quota_limit_eips{${FLEET}})`]],
        warn: 0.85,
        alarm: 1,
      }),
      lines({
        title: 'EIPs of the account and quota',
        description: 'At the line, AllocateEipAddress is refused',
        queries: [
          [`max(knative_eip_quota_used_eips{${FLEET}})`, 'used'],
          [`max(knative_eip_quota_limit_eips{${FLEET}})`, 'quota'],
        ],
        width: 12,
      }),
    ],
  },
  {
    title: 'Calls',
    panels: [
      lines({
        title: 'Calls by action',
        description: 'Calls per second that were sent, pages of lists included',
        unit: 'reqps',
        queries: [[rate('knative_eip_cloud_calls_total', FLEET, 'action'), '{{action}}']],
        stacked: true,
      }),
      lines({
        title: 'Calls that did not succeed',
        description: 'By kind of fault; unknown: no answer came',
        unit: 'reqps',
        queries: [
          [
            `${rate('knative_eip_cloud_calls_total', `${FLEET}, outcome!="ok"`, 'action', 'outcome')} > 0`,
            '{{action}}: {{outcome}}',
          ],
        ],
      }),
      lines({
        title: 'Share of calls that did not succeed',
        description: 'Of all calls of the action',
        unit: 'percentunit',
        queries: [
          [
            `1 - ${rate('knative_eip_cloud_calls_total', `${FLEET}, outcome="ok"`, 'action')} / (${rate('knative_eip_cloud_calls_total', FLEET, 'action')} > 0)`,
            '{{action}}',
          ],
        ],
      }),
      lines({
        title: 'Latency of calls, p95',
        description: 'Until the answer, without the wait for its turn',
        unit: 's',
        queries: [[quantile(0.95, 'knative_eip_cloud_call_duration_seconds', FLEET, 'action'), '{{action}}']],
      }),
      lines({
        title: 'Latency of calls, median',
        description: 'Until the answer, without the wait for its turn',
        unit: 's',
        queries: [[quantile(0.5, 'knative_eip_cloud_call_duration_seconds', FLEET, 'action'), '{{action}}']],
      }),
      lines({
        title: 'Unknown error codes, per hour',
        description: 'Codes that the controller does not know; it treats them with care',
        queries: [[inTheHour('knative_eip_unmapped_cloud_codes_total', FLEET, 'code'), '{{code}}']],
      }),
      bars({
        title: 'Where the APIs are asked',
        description: 'By the leader; hosts with -vpc are inside the VPC. Empty where the configuration names them all',
        max: 1,
        queries: [[`max by (product, host) (knative_eip_cloud_endpoint{${FLEET}}) > 0`, '{{product}}: {{host}}']],
      }),
      lines({
        title: 'Tags that AllocateEipAddress drops',
        description: '1: the cloud drops them, and each EIP is tagged after its purchase',
        queries: [[`max by (cluster) (knative_eip_allocate_drops_tags{${FLEET}})`, '{{cluster}}']],
      }),
    ],
  },
  {
    title: 'Budget of the APIs',
    panels: [
      bars({
        title: 'Share of the budget that is used',
        description: "Calls in the last minutes against this cluster's share of the account's rate",
        unit: 'percentunit',
        max: 1,
        queries: [
          [
            `60 * ${rate('knative_eip_cloud_calls_total', FLEET, 'action')} / sum by (action) (knative_eip_cloud_budget_calls_per_minute{${FLEET}})`,
            '{{action}}',
          ],
        ],
        warn: 0.7,
        alarm: 0.9,
      }),
      lines({
        title: 'Calls left',
        description: 'Calls that could be sent now without a wait',
        queries: [[`min by (action) (knative_eip_cloud_budget_left_calls{${FLEET}})`, '{{action}}']],
      }),
      lines({
        title: 'Calls that wait for their turn',
        description: 'The controller holds them back so that the cloud does not throttle',
        queries: [[`sum by (action) (knative_eip_cloud_budget_waiting_calls{${FLEET}})`, '{{action}}']],
        stacked: true,
      }),
      lines({
        title: 'Pace',
        description:
          'Below 100 % after the cloud has throttled; it comes back by 5 % every 10 s, near the rate at which it was throttled by 1 %',
        unit: 'percentunit',
        queries: [[`min by (action) (knative_eip_cloud_budget_pace_ratio{${FLEET}})`, '{{action}}']],
      }),
    ],
  },
]);
