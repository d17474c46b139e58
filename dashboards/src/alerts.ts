import { CATALOGUE, FINDING_IDS } from '../../src/rules/catalogue.ts';

/** A rule that calls somebody. */
export interface Alert {
  /** Also the name of its runbook in docs/runbooks. */
  readonly name: string;
  readonly severity: 'critical' | 'warning';
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  readonly summary: string;
  readonly description: string;
}

/** One hour of a counter, or whichever time, by cluster and other labels. */
const increase = (metric: string, time: string, ...by: string[]): string =>
  `sum by (${['cluster', ...by].join(', ')}) (increase(${metric}[${time}]))`;

/**
 * Reasons of the condition Ready that the user of the pod must remove, and those of addresses that are not waited for.
 */
const NOT_OURS_TO_SOLVE = [
  // Another controller in the cluster is the operator's to remove.
  ...FINDING_IDS.filter((id) => CATALOGUE[id].severity === 'refuse' && id !== 'OtherEipController'),
  'NotManagedHere|EipNotFound|EipNotGranted|EipReserved|EipClaimed|EipInUse|EipBoundElsewhere|EipInOtherPackage|EipKept',
  'AddressTaken|Kept|HandedOver|HandingOver|Released|Releasing|Settling|NoAddressWanted',
].join('|');

/** Everything that somebody should be called for, the worst first. One Prometheus may watch many clusters. */
export const ALERTS: readonly Alert[] = [
  {
    name: 'KnativeEipNoLeader',
    severity: 'critical',
    // One cluster of several without any process has no series; where all have none, `absent` has no cluster.
    expr:
      'sum by (cluster) (knative_eip_leader) < 1 or absent(knative_eip_leader) or ' +
      '(sum by (cluster) (last_over_time(knative_eip_leader[1h])) unless sum by (cluster) (knative_eip_leader))',
    for: '2m',
    summary: 'No replica of knative-eip leads',
    description: 'No pod gets an address and none is given back until a replica leads.',
  },
  {
    name: 'KnativeEipVirtualNodeDown',
    severity: 'critical',
    // Where there is no virtual node there are no series, so that `absent` would fire there: they have to have been there.
    expr:
      'sum by (cluster) (knative_eip_virtual_node_leader) < 1 or ' +
      '(sum by (cluster) (last_over_time(knative_eip_virtual_node_leader[1h])) unless sum by (cluster) (knative_eip_virtual_node_leader))',
    for: '2m',
    summary: 'No process runs the virtual node of knative-eip',
    description:
      'Its Node has no heartbeat: Kubernetes takes it for dead and removes its pods after some minutes, and nothing ends their instances.',
  },
  {
    name: 'KnativeEipCloudMisconfigured',
    severity: 'critical',
    expr: `${increase('knative_eip_cloud_calls_total{outcome="misconfigured"}', '10m', 'action')} > 0`,
    for: '5m',
    summary: 'The cloud refuses {{ $labels.action }} of knative-eip: credentials, permissions or account',
    description: 'The calls do not succeed before somebody changes the account, its RAM policy or the configuration.',
  },
  {
    name: 'KnativeEipWrongAccount',
    severity: 'critical',
    expr: 'max by (cluster) (knative_eip_account_mismatch) > 0',
    for: '1m',
    summary: 'knative-eip does nothing: its credentials, regionID or vpcID are not those of the cluster',
    description: 'No pod gets an address and none is given back until the configuration is corrected.',
  },
  {
    name: 'KnativeEipOtherController',
    severity: 'critical',
    expr: 'max by (cluster, name) (knative_eip_other_controllers) > 0',
    for: '1m',
    summary: '{{ $labels.name }} makes EIPs in the same cluster',
    description: 'Both would buy an EIP for the same pod, so that knative-eip serves no new request until it is gone.',
  },
  {
    name: 'KnativeEipQuotaExhausted',
    severity: 'critical',
    expr: `${increase('knative_eip_cloud_calls_total{outcome="quota"}', '15m', 'action')} > 0`,
    for: '0m',
    summary: 'The cloud refuses {{ $labels.action }} because a quota is used up',
    description: 'New pods get no address before others give theirs back, or the quota is raised.',
  },
  {
    name: 'KnativeEipAddressLost',
    severity: 'critical',
    expr: `${increase('knative_eip_addresses_lost_total', '15m', 'kind')} > 0`,
    for: '0m',
    summary: 'Running pods lost their addresses ({{ $labels.kind }}), and not because of knative-eip',
    description:
      'Somebody released or moved EIPs that pods use. Those pods were not reachable for a while, or still are not.',
  },
  {
    name: 'KnativeEipSweeperBraked',
    severity: 'critical',
    expr: 'max by (cluster) (knative_eip_sweeper_braked) > 0',
    for: '0m',
    summary: 'The sweeper of knative-eip has stopped itself: too many EIPs are due for release',
    description: 'More EIPs than can be leaks belong to no PodEIP. Nothing is released before somebody has looked.',
  },
  {
    name: 'KnativeEipOrphansKept',
    severity: 'critical',
    expr: 'max by (cluster) (knative_eip_virtual_node_braked) > 0',
    for: '0m',
    summary: 'Elastic container instances whose pods are gone are kept: too many at once',
    description: 'They run and are paid for, and none is deleted before somebody has looked.',
  },
  {
    name: 'KnativeEipProfileBroken',
    severity: 'warning',
    expr: 'max by (cluster) (knative_eip_eci_profile_broken) > 0',
    for: '5m',
    summary: 'The selectors of the ConfigMap kube-system/eci-profile cannot be used',
    description: 'Those before it hold, but a replica that starts now knows none, and adds nothing to pods.',
  },
  {
    name: 'KnativeEipNodeCertificateEnds',
    severity: 'warning',
    // It is renewed after two thirds of its life, mostly ten days before its end.
    expr: 'min by (cluster) (knative_eip_virtual_node_certificate_expiry_timestamp_seconds - time()) < 7 * 86400',
    for: '1h',
    summary: 'The certificate of the virtual node ends in {{ $value | humanizeDuration }} and is not renewed',
    description: 'Once it has ended, nothing new runs on the Node, and nothing on it ends; only its heartbeat goes on.',
  },
  {
    name: 'KnativeEipLeaked',
    severity: 'warning',
    expr: 'max by (cluster) (knative_eip_leaked_eips) > 0',
    for: '15m',
    summary: '{{ $value }} EIPs belong to nobody, are paid for, and are not released',
    description: 'The sweeper found them and cannot or may not release them.',
  },
  {
    name: 'KnativeEipSweeperStale',
    severity: 'warning',
    expr: 'max by (cluster) (knative_eip_sweeper_last_pass_age_seconds) > 4 * 3600',
    for: '15m',
    summary: 'The sweeper of knative-eip has not completed a pass for {{ $value | humanizeDuration }}',
    description: 'Leaked EIPs are neither seen nor released meanwhile.',
  },
  {
    name: 'KnativeEipQuotaNearlyUsed',
    severity: 'warning',
    expr: 'max by (cluster) (knative_eip_quota_used_eips) / max by (cluster) (knative_eip_quota_limit_eips) > 0.85',
    for: '10m',
    summary: '{{ $value | humanizePercentage }} of the quota of EIPs is used',
    description: 'At 100 % new pods get no address.',
  },
  {
    name: 'KnativeEipThrottled',
    severity: 'warning',
    expr: `sum by (cluster, action) (rate(knative_eip_cloud_calls_total{outcome="throttled"}[10m])) / sum by (cluster, action) (rate(knative_eip_cloud_calls_total[10m])) > 0.05`,
    for: '10m',
    summary: 'The cloud throttles {{ $value | humanizePercentage }} of the calls of {{ $labels.action }}',
    description: 'The rates belong to the account: others use them too, and pods wait longer for their addresses.',
  },
  {
    name: 'KnativeEipAllocationSlow',
    severity: 'warning',
    expr: 'histogram_quantile(0.95, sum by (cluster, le) (rate(knative_eip_address_ready_seconds_bucket[10m]))) > 60',
    for: '10m',
    summary: 'One in twenty pods waits longer than {{ $value | humanizeDuration }} for its address',
    description: 'Usual are some seconds from the IP address of a pod to its EIP in use.',
  },
  {
    name: 'KnativeEipPodsWithoutAddress',
    severity: 'warning',
    expr: `sum by (cluster, reason) (knative_eip_podeips{ready="false", reason!~"${NOT_OURS_TO_SOLVE}"}) > 0`,
    for: '10m',
    summary: '{{ $value }} pods have no address: {{ $labels.reason }}',
    description: 'It has not passed by itself for ten minutes.',
  },
  {
    name: 'KnativeEipReleaseSlow',
    severity: 'warning',
    expr: 'histogram_quantile(0.95, sum by (cluster, le) (rate(knative_eip_release_seconds_bucket[30m]))) > 300',
    for: '15m',
    summary: 'One in twenty addresses takes longer than {{ $value | humanizeDuration }} to go back',
    description: 'They are paid for meanwhile.',
  },
  {
    name: 'KnativeEipConflictsRefused',
    severity: 'warning',
    expr: `${increase('knative_eip_findings_total{severity="refuse"}', '1h', 'finding')} > 10`,
    for: '0m',
    summary: '{{ $value }} requests for addresses were refused in an hour: {{ $labels.finding }}',
    description: 'Annotations contradict themselves or cannot be met. Those pods have no address.',
  },
  {
    name: 'KnativeEipWatchStale',
    severity: 'warning',
    expr: 'max by (cluster, resource) (knative_eip_kube_watch_age_seconds) > 300',
    for: '5m',
    summary: 'A watch of {{ $labels.resource }} has not heard from the API server for {{ $value | humanizeDuration }}',
    description: 'Changes in the cluster are not noticed meanwhile.',
  },
  {
    name: 'KnativeEipQueueStuck',
    severity: 'warning',
    expr: 'max by (cluster, name) (knative_eip_workqueue_oldest_seconds) > 300',
    for: '5m',
    summary: 'Work in the queue {{ $labels.name }} has been waiting for {{ $value | humanizeDuration }}',
    description: 'The workers are busy or hang; pods wait for their addresses.',
  },
  {
    name: 'KnativeEipWebhookSlow',
    severity: 'warning',
    expr: 'histogram_quantile(0.99, sum by (cluster, webhook, le) (rate(knative_eip_webhook_duration_seconds_bucket[10m]))) > 1',
    for: '10m',
    summary:
      'One in a hundred reviews of the webhook {{ $labels.webhook }} takes longer than {{ $value | humanizeDuration }}',
    description: 'Every pod that is made waits for it.',
  },
  {
    name: 'KnativeEipSinkDown',
    severity: 'warning',
    expr: 'min by (cluster) (min_over_time(knative_eip_cloudevents_waiting[15m])) > 0',
    for: '5m',
    summary: '{{ $value }} CloudEvents wait for a sink that does not take them',
    description: 'They are sent once the sink answers again; after the retention they are dropped.',
  },
  {
    name: 'KnativeEipEventsDropped',
    severity: 'warning',
    expr: `${increase('knative_eip_cloudevents_dropped_total', '1h')} > 0`,
    for: '0m',
    summary: '{{ $value }} CloudEvents were dropped in the last hour',
    description: 'Whoever follows the addresses by CloudEvents must read the PodEIPs once.',
  },
];

/**
 * The group of rules, as Prometheus reads it in a rule file and in a PrometheusRule alike.
 *
 * @param runbooks URL of the folder docs/runbooks where it is published; there is none by default, because whoever has
 * a name in the web that is not ours writes what people on call read
 */
export const groups = (runbooks?: string) => [
  {
    name: 'knative-eip',
    rules: ALERTS.map(({ name, severity, expr, for: time, summary, description }) => ({
      alert: name,
      expr,
      for: time,
      labels: { severity },
      annotations: {
        summary,
        description,
        runbook: `docs/runbooks/${name}.md`,
        ...(runbooks !== undefined && { runbook_url: `${runbooks.replace(/\/$/, '')}/${name}.md` }),
      },
    })),
  },
];
