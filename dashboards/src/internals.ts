import { board, FLEET, inTheHour, OURS, quantile, rate } from './board.ts';
import { lines, stat, table } from './panel.ts';

/** How the controller itself feels. */
export const internals = board('internals', 'Controller Internals', 'Leadership, queue, watches, webhooks, process', [
  {
    title: 'Process',
    panels: [
      stat({
        title: 'Leaders',
        description: 'One in each cluster',
        queries: [[`sum(knative_eip_leader{${FLEET}})`]],
      }),
      stat({
        title: 'Processes that run the virtual node',
        description: 'One in each cluster that has a virtual node of our own; empty without one',
        queries: [[`sum(knative_eip_virtual_node_leader{${FLEET}})`]],
      }),
      stat({
        title: 'Certificate of the virtual node',
        description: 'How long it is good for. It is renewed after two thirds of its life; empty without one',
        unit: 's',
        queries: [[`min(knative_eip_virtual_node_certificate_expiry_timestamp_seconds{${FLEET}} - time())`]],
      }),
      stat({
        title: 'Replicas',
        description: 'Those that are scraped',
        queries: [[`count(knative_eip_build_info{${FLEET}})`]],
      }),
      table({
        title: 'Versions',
        description: 'What is running',
        queries: [[`count by (version, node_version) (knative_eip_build_info{${FLEET}})`]],
        columns: { version: 'Version', node_version: 'Node.js', Value: 'Replicas' },
        width: 12,
      }),
      stat({
        title: 'Wrong account',
        description: '1: credentials, regionID or vpcID are not those of the nodes, and nothing is done until they are',
        queries: [[`max(knative_eip_account_mismatch{${FLEET}})`]],
        alarm: 1,
      }),
      table({
        title: 'Other controllers of EIPs',
        description: 'All 0 is good: while there is one, no new request is served, because both would buy',
        queries: [[`max by (name) (knative_eip_other_controllers{${FLEET}})`]],
        columns: { name: 'Controller', Value: 'There' },
        width: 8,
      }),
      stat({
        title: 'eci-profile broken',
        description: '1: its selectors cannot be used, and those before hold; no data where it is not honoured',
        queries: [[`max(knative_eip_eci_profile_broken{${FLEET}})`]],
        alarm: 1,
      }),
      lines({
        title: 'Memory',
        description: 'Resident memory of each replica',
        unit: 'bytes',
        queries: [[`process_resident_memory_bytes{${FLEET}} ${OURS}`, '{{instance}}']],
      }),
      lines({
        title: 'CPU',
        description: 'Seconds of CPU per second, of each replica',
        queries: [[`rate(process_cpu_seconds_total{${FLEET}}[$__rate_interval]) ${OURS}`, '{{instance}}']],
      }),
      lines({
        title: 'Event loop lag, p99',
        description: 'How late the process is with what is due',
        unit: 's',
        queries: [[`nodejs_eventloop_lag_p99_seconds{${FLEET}} ${OURS}`, '{{instance}}']],
      }),
    ],
  },
  {
    title: 'Work',
    panels: [
      lines({
        title: 'Reconciles',
        description: 'By how they ended',
        unit: 'ops',
        queries: [[rate('knative_eip_reconcile_total', FLEET, 'controller', 'result'), '{{controller}}: {{result}}']],
        stacked: true,
      }),
      lines({
        title: 'Duration of a reconcile, p95',
        description: 'With the calls that it makes and their wait',
        unit: 's',
        queries: [[quantile(0.95, 'knative_eip_reconcile_duration_seconds', FLEET, 'controller'), '{{controller}}']],
      }),
      lines({
        title: 'Steps',
        description: 'What is done, one side effect at a time',
        unit: 'ops',
        queries: [[rate('knative_eip_steps_total', FLEET, 'step'), '{{step}}']],
        stacked: true,
      }),
    ],
  },
  {
    title: 'Queue',
    panels: [
      lines({
        title: 'Items that wait',
        description: 'Due now, and due later',
        queries: [
          [`sum by (name) (workqueue_depth{${FLEET}, name="podeip"})`, '{{name}}: now'],
          [`sum by (name) (knative_eip_workqueue_delayed{${FLEET}})`, '{{name}}: later'],
        ],
      }),
      lines({
        title: 'Longest wait',
        description: 'How long the item that has waited longest has been waiting',
        unit: 's',
        queries: [[`max by (name) (knative_eip_workqueue_oldest_seconds{${FLEET}})`, '{{name}}']],
      }),
      lines({
        title: 'Wait in the queue, p95',
        description: 'Until work on an item began',
        unit: 's',
        queries: [[quantile(0.95, 'workqueue_queue_duration_seconds', `${FLEET}, name="podeip"`, 'name'), '{{name}}']],
      }),
      lines({
        title: 'Work on an item, p95',
        description: 'How long it took',
        unit: 's',
        queries: [[quantile(0.95, 'workqueue_work_duration_seconds', `${FLEET}, name="podeip"`, 'name'), '{{name}}']],
      }),
      lines({
        title: 'Items added and retried',
        description: 'Per second; retried: the API server or the cloud did not do what was asked',
        unit: 'ops',
        queries: [
          [rate('workqueue_adds_total', `${FLEET}, name="podeip"`, 'name'), '{{name}}: added'],
          [rate('workqueue_retries_total', `${FLEET}, name="podeip"`, 'name'), '{{name}}: retried'],
        ],
      }),
    ],
  },
  {
    title: 'Kubernetes',
    panels: [
      lines({
        title: 'Age of the watches',
        description: 'Since the API server was last heard of; it says something at least once a minute',
        unit: 's',
        queries: [[`max by (resource) (knative_eip_kube_watch_age_seconds{${FLEET}})`, '{{resource}}']],
        warn: 120,
      }),
      lines({
        title: 'Events of the watches',
        description: 'Changes of objects that the API server tells, per second',
        unit: 'ops',
        queries: [[rate('knative_eip_kube_watch_events_total', FLEET, 'resource'), '{{resource}}']],
      }),
      lines({
        title: 'Lists and failures of the watches, per hour',
        description: 'Everything is listed anew about six times an hour',
        queries: [
          [inTheHour('knative_eip_kube_watch_lists_total', FLEET, 'resource'), '{{resource}}: lists'],
          [inTheHour('knative_eip_kube_watch_faults_total', FLEET, 'resource'), '{{resource}}: failures'],
        ],
      }),
      lines({
        title: 'Webhook answers',
        description: 'Admission reviews per second',
        unit: 'reqps',
        queries: [
          [rate('knative_eip_webhook_duration_seconds_count', FLEET, 'webhook', 'answer'), '{{webhook}}: {{answer}}'],
        ],
      }),
      lines({
        title: 'Webhook latency, p99',
        description: 'Every pod waits for it when it is made',
        unit: 's',
        queries: [[quantile(0.99, 'knative_eip_webhook_duration_seconds', FLEET, 'webhook'), '{{webhook}}']],
      }),
      lines({
        title: 'Sessions with containers',
        description:
          'Of our virtual node: kubectl exec and port-forward that are open, and those of the hour by how they ended',
        queries: [
          [`sum by (kind) (knative_eip_virtual_node_sessions_open{${FLEET}})`, 'open: {{kind}}'],
          [inTheHour('knative_eip_virtual_node_sessions_total', FLEET, 'kind', 'outcome'), '{{kind}}: {{outcome}}'],
        ],
      }),
      lines({
        title: 'CloudEvents',
        description: 'Sent per second by what they tell, dropped per second, and how many wait for the sink',
        queries: [
          [rate('knative_eip_cloudevents_sent_total', FLEET, 'kind'), 'sent: {{kind}}'],
          [`sum(rate(knative_eip_cloudevents_dropped_total{${FLEET}}[$__rate_interval]))`, 'dropped'],
          [`sum(knative_eip_cloudevents_waiting{${FLEET}})`, 'waiting'],
        ],
      }),
      lines({
        title: 'CloudEvents: delivery',
        description: 'How long deliveries take by how they end, and how old the oldest event is that still waits',
        unit: 's',
        queries: [
          [quantile(0.99, 'knative_eip_cloudevents_delivery_duration_seconds', FLEET, 'outcome'), 'p99 {{outcome}}'],
          [`max(knative_eip_cloudevents_oldest_waiting_seconds{${FLEET}})`, 'oldest'],
        ],
      }),
    ],
  },
]);
