import { board, FLEET, inTheHour, quantile, rate, SPACE } from './board.ts';
import { lines, stat, table } from './panel.ts';

/** What an operator of many clusters looks at first. */
export const overview = board('overview', 'Fleet', 'Addresses of all pods, how long they take, and what is wrong', [
  {
    title: 'Now',
    panels: [
      stat({
        title: 'Addresses in use',
        description: 'EIPs that are bound to a pod, in the chosen clusters',
        queries: [[`sum(knative_eip_addresses_in_use{${FLEET}})`]],
      }),
      stat({
        title: 'Pods without their address',
        description: 'PodEIPs that are not ready, whatever the reason; see "Not ready, by reason"',
        queries: [[`sum(knative_eip_podeips{${SPACE}, ready="false"}) or vector(0)`]],
        warn: 1,
      }),
      stat({
        title: 'Quota left',
        description: 'EIPs that the account can still make, of the quota that is configured as cloud.eipQuota',
        queries: [[`min(knative_eip_quota_left_eips{${FLEET}})`]],
      }),
      stat({
        title: 'Leaked EIPs',
        description: 'EIPs that belong to no PodEIP and that the sweeper has not released',
        queries: [[`max(knative_eip_leaked_eips{${FLEET}})`]],
        alarm: 1,
      }),
      stat({
        title: 'Requests refused, 1 h',
        description: 'Requests that contradict themselves or cannot be met, so that nothing was bought',
        queries: [[`sum(increase(knative_eip_findings_total{${FLEET}, severity="refuse"}[1h])) or vector(0)`]],
        warn: 1,
      }),
      stat({
        title: 'Leaders',
        description: 'One in each cluster; none means that no address is made or given back',
        queries: [[`sum(knative_eip_leader{${FLEET}})`]],
      }),
    ],
  },
  {
    title: 'Addresses',
    panels: [
      lines({
        title: 'EIPs by state',
        description: 'States of the VPC API; None: there is no EIP yet',
        queries: [[`sum by (state) (knative_eip_eips{${SPACE}})`, '{{state}}']],
        stacked: true,
      }),
      lines({
        title: 'EIPs by manager',
        description: 'Controller: bought or bound by it. ECI: made by the virtual node',
        queries: [[`sum by (manager) (knative_eip_eips{${SPACE}})`, '{{manager}}']],
        stacked: true,
      }),
      lines({
        title: 'EIPs by namespace, the ten largest',
        description: 'Whose they are',
        queries: [[`topk(10, sum by (k8s_namespace_name) (knative_eip_eips{${SPACE}}))`, '{{k8s_namespace_name}}']],
        stacked: true,
      }),
    ],
  },
  {
    title: 'How long it takes',
    panels: [
      lines({
        title: 'From the IP address of a pod to its EIP in use',
        description: 'Only pods that the controller saw from their beginning; new and existing EIPs together',
        unit: 's',
        queries: [0.5, 0.95, 0.99].map((q) => [quantile(q, 'knative_eip_address_ready_seconds', FLEET), `p${q * 100}`]),
      }),
      lines({
        title: 'Where that time goes',
        description:
          'Mean of each part: waiting for its turn, getting the EIP, binding it until the cloud says InUse, telling the pod',
        unit: 's',
        queries: [
          [
            `${rate('knative_eip_address_stage_seconds_sum', FLEET, 'stage')} / ${rate('knative_eip_address_stage_seconds_count', FLEET, 'stage')}`,
            '{{stage}}',
          ],
        ],
        stacked: true,
      }),
      lines({
        title: 'From the end of a pod to the release',
        description: 'Or, where the EIP is the user’s, until it is detached',
        unit: 's',
        queries: [0.5, 0.95, 0.99].map((q) => [quantile(q, 'knative_eip_release_seconds', FLEET), `p${q * 100}`]),
      }),
    ],
  },
  {
    title: 'Trouble',
    panels: [
      lines({
        title: 'Not ready, by reason',
        description: 'Reason of the condition Ready of the PodEIPs',
        queries: [[`sum by (reason) (knative_eip_podeips{${SPACE}, ready="false"})`, '{{reason}}']],
        stacked: true,
      }),
      lines({
        title: 'Findings in requests, per hour',
        description: 'What was said about annotations; refused ones bought nothing',
        queries: [
          [inTheHour('knative_eip_findings_total', FLEET, 'finding', 'severity'), '{{finding}} ({{severity}})'],
        ],
      }),
      lines({
        title: 'Addresses lost, per hour',
        description: 'A running pod lost its address, and not because of the controller',
        queries: [[inTheHour('knative_eip_addresses_lost_total', FLEET, 'kind'), '{{kind}}']],
      }),
    ],
  },
  {
    title: 'One by one',
    panels: [
      table({
        title: 'Addresses in use',
        description: 'Empty where there are more than metrics.addressLimit',
        queries: [[`knative_eip_address_info{${SPACE}}`]],
        columns: {
          address: 'Address',
          k8s_namespace_name: 'Namespace',
          kn_service_name: 'Service',
          kn_revision_name: 'Revision',
          k8s_pod_name: 'Pod',
          eip: 'EIP',
        },
      }),
    ],
  },
]);
