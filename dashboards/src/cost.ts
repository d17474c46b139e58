import { board, FLEET, inTheHour, quantile, SPACE } from './board.ts';
import { lines, stat } from './panel.ts';

/** What costs money, and what costs it for nothing. */
export const cost = board('cost', 'Cost and Leaks', 'What is paid for, what is paid for nothing, and the sweeper', [
  {
    title: 'Now',
    panels: [
      stat({
        title: 'EIPs that are paid for',
        description: 'EIPs of PodEIPs that exist in the cloud, of whatever state',
        queries: [[`sum(knative_eip_eips{${SPACE}, state!="None"}) or vector(0)`]],
      }),
      stat({
        title: 'EIPs without use',
        description: 'EIPs that exist and are bound to nothing: on their way, kept on purpose, or stuck',
        queries: [[`sum(knative_eip_eips{${SPACE}, state="Available"}) or vector(0)`]],
      }),
      stat({
        title: 'EIP hours in the last hour',
        description: 'An EIP that existed for the whole hour counts one, one that existed for half of it a half',
        queries: [[`avg_over_time((sum(knative_eip_eips{${SPACE}, state!="None"}) or vector(0))[1h:])`]],
      }),
      stat({
        title: 'Peak bandwidth held',
        description: 'Added up; EIPs in a shared bandwidth package count nothing',
        unit: 'bps',
        queries: [[`8 * sum(knative_eip_bandwidth_bytes_per_second{${SPACE}})`]],
      }),
      stat({
        title: 'Leaked EIPs',
        description: 'EIPs that belong to no PodEIP and that the sweeper has not released',
        queries: [[`max(knative_eip_leaked_eips{${FLEET}})`]],
        alarm: 1,
      }),
      stat({
        title: 'Sweeper braked',
        description: '1 while so much is due for release that nothing is released: somebody must look',
        queries: [[`max(knative_eip_sweeper_braked{${FLEET}})`]],
        alarm: 1,
      }),
      stat({
        title: 'Instances without a pod',
        description: 'Of our virtual node; most are deleted by themselves within two periods',
        queries: [[`max(knative_eip_virtual_node_orphans{${FLEET}})`]],
        alarm: 1,
      }),
      stat({
        title: 'Deletion of instances braked',
        description: '1 while so many instances have no pod that none is deleted: somebody must look',
        queries: [[`max(knative_eip_virtual_node_braked{${FLEET}})`]],
        alarm: 1,
      }),
    ],
  },
  {
    title: 'What is paid for',
    panels: [
      lines({
        title: 'EIPs by charge type and line type',
        description: 'PayByTraffic pays for what goes out, PayByBandwidth for the peak',
        queries: [
          [
            `sum by (internet_charge_type, isp) (knative_eip_eips{${SPACE}, state!="None"})`,
            '{{internet_charge_type}} {{isp}}',
          ],
        ],
        stacked: true,
      }),
      lines({
        title: 'Peak bandwidth by charge type',
        description: 'EIPs in a shared bandwidth package count nothing',
        unit: 'bps',
        queries: [
          [
            `8 * sum by (internet_charge_type, isp) (knative_eip_bandwidth_bytes_per_second{${SPACE}})`,
            '{{internet_charge_type}} {{isp}}',
          ],
        ],
        stacked: true,
      }),
      lines({
        title: 'EIPs by namespace, the ten largest',
        description: 'Who causes the bill',
        queries: [
          [
            `topk(10, sum by (k8s_namespace_name) (knative_eip_eips{${SPACE}, state!="None"}))`,
            '{{k8s_namespace_name}}',
          ],
        ],
        stacked: true,
      }),
      lines({
        title: 'Bought and released, per hour',
        description:
          'Each EIP is paid for at least an hour: a Service that scales up and down all the time is expensive',
        queries: [
          [inTheHour('knative_eip_steps_total', `${FLEET}, step=~"Allocate|Release"`, 'step'), '{{step}}'],
          [`sum(increase(knative_eip_sweeper_released_total{${FLEET}}[1h]))`, 'released by the sweeper'],
        ],
      }),
      lines({
        title: 'From the end of a pod to the release',
        description: 'Until then it is paid for',
        unit: 's',
        queries: [0.5, 0.95, 0.99].map((q) => [
          quantile(q, 'knative_eip_release_seconds', `${FLEET}, kind="new"`),
          `p${q * 100}`,
        ]),
      }),
    ],
  },
  {
    title: 'Sweeper',
    panels: [
      lines({
        title: 'EIPs that belong to no PodEIP',
        description: 'As the last complete pass saw them; most are released by themselves',
        queries: [
          [`max by (kind) (knative_eip_sweeper_strays{${FLEET}})`, '{{kind}}'],
          [`max(knative_eip_leaked_eips{${FLEET}})`, 'leaked'],
        ],
      }),
      lines({
        title: 'Passes, per hour',
        description: 'By how they ended',
        queries: [[inTheHour('knative_eip_sweeper_passes_total', FLEET, 'outcome'), '{{outcome}}']],
        stacked: true,
      }),
      lines({
        title: 'Sightings, releases and blocked releases, per hour',
        description: 'Blocked: somebody must act; the log and an Event say what',
        queries: [
          [inTheHour('knative_eip_sweeper_sightings_total', FLEET, 'kind'), 'seen: {{kind}}'],
          [`sum(increase(knative_eip_sweeper_released_total{${FLEET}}[1h]))`, 'released'],
          [`sum(increase(knative_eip_sweeper_blocked_total{${FLEET}}[1h]))`, 'blocked'],
        ],
      }),
      lines({
        title: 'Age of the last pass',
        description: 'How long ago the last complete pass was',
        unit: 's',
        queries: [[`max(knative_eip_sweeper_last_pass_age_seconds{${FLEET}})`, 'age']],
      }),
    ],
  },
]);
