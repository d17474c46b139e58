import { board, FLEET, KNATIVES, quantile, SERVICE, SPACE } from './board.ts';
import { lines, stat, table } from './panel.ts';

/** Knative's own count of the pods of a Revision (knative/serving pkg/reconciler/autoscaling/kpa/metrics.go). */
const PODS = `sum by (k8s_namespace_name, kn_service_name, kn_revision_name) (kn_revision_pods_count{${KNATIVES}})`;
const IN_USE = `sum by (k8s_namespace_name, kn_service_name, kn_revision_name) (knative_eip_revision_eips{${SERVICE}, state="InUse"})`;

/** What the developer of a Knative Service looks at. */
export const service = board('service', 'Service', 'The addresses of one Knative Service and its Revisions', [
  {
    title: 'Now',
    panels: [
      stat({
        title: 'Addresses in use',
        description: 'Pods of the Service that have their address',
        queries: [[`sum(knative_eip_revision_eips{${SERVICE}, state="InUse"}) or vector(0)`]],
        width: 6,
      }),
      stat({
        title: 'On their way',
        description: 'Pods whose address is being made or bound, and addresses that go back',
        queries: [[`sum(knative_eip_revision_eips{${SERVICE}, state!="InUse"}) or vector(0)`]],
        width: 6,
      }),
      stat({
        title: 'Pods without their address in the namespace',
        description: 'PodEIPs of the namespace that are not ready',
        queries: [[`sum(knative_eip_podeips{${SPACE}, ready="false"}) or vector(0)`]],
        warn: 1,
        width: 6,
      }),
      stat({
        title: 'Usual wait for an address',
        description: 'Median from the IP address of a pod to its EIP in use, of all Services',
        unit: 's',
        queries: [[quantile(0.5, 'knative_eip_address_ready_seconds', FLEET)]],
        width: 6,
      }),
    ],
  },
  {
    title: 'Revisions',
    panels: [
      lines({
        title: 'Addresses in use, by Revision',
        description: 'During a rollout both Revisions have addresses',
        queries: [
          [`sum by (kn_revision_name) (knative_eip_revision_eips{${SERVICE}, state="InUse"})`, '{{kn_revision_name}}'],
        ],
        stacked: true,
      }),
      lines({
        title: 'All addresses, by state',
        description: 'States of the VPC API; None: there is no EIP yet',
        queries: [[`sum by (state) (knative_eip_revision_eips{${SERVICE}})`, '{{state}}']],
        stacked: true,
      }),
      lines({
        title: 'Pods and addresses',
        description: "Knative's count of pods beside the addresses in use: what lies between them waits",
        queries: [
          [PODS, 'pods of {{kn_revision_name}}'],
          [IN_USE, 'addresses of {{kn_revision_name}}'],
        ],
      }),
      lines({
        title: 'Pods that have no address',
        description: "Knative's count of pods less the addresses in use; needs Knative's own metrics",
        queries: [
          [
            `${PODS} - on (k8s_namespace_name, kn_service_name, kn_revision_name) (${IN_USE} or on (k8s_namespace_name, kn_service_name, kn_revision_name) 0 * ${PODS})`,
            '{{kn_revision_name}}',
          ],
        ],
      }),
      lines({
        title: 'Not ready in the namespace, by reason',
        description: 'Reason of the condition Ready; kubectl describe podeip says it in a sentence',
        queries: [[`sum by (reason) (knative_eip_podeips{${SPACE}, ready="false"})`, '{{reason}}']],
        stacked: true,
      }),
      lines({
        title: 'Bandwidth of the namespace',
        description: 'Peak bandwidth of its EIPs, without those in a shared bandwidth package',
        unit: 'bps',
        queries: [
          [
            `8 * sum by (internet_charge_type) (knative_eip_bandwidth_bytes_per_second{${SPACE}})`,
            '{{internet_charge_type}}',
          ],
        ],
        stacked: true,
      }),
    ],
  },
  {
    title: 'One by one',
    panels: [
      table({
        title: 'Addresses in use',
        description: 'For allow-lists and firewalls. Empty where the cluster has more than metrics.addressLimit',
        queries: [[`knative_eip_address_info{${SERVICE}}`]],
        columns: {
          address: 'Address',
          kn_revision_name: 'Revision',
          k8s_pod_name: 'Pod',
          eip: 'EIP',
          kn_service_name: 'Service',
        },
      }),
    ],
  },
]);
