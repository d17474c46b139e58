import type { FindingId } from '../../src/api/finding.ts';
import { ACK_EXTEND, OLD_TERWAY, TERWAY_EIP_POOL } from '../../src/rules/conflicting-controllers.ts';
import { UNRESTRICTED, type EffectivePolicy } from '../../src/policies/policy.ts';
import { daemonSet, deployment, ECI, EXISTING, NEW, ONE, pod, service, statefulSet } from './manifests.ts';
import { type Around, type Pair, K8S, asks, names, claim } from './catalogue-pairs.ts';

const limited = (limits: EffectivePolicy['limits']): EffectivePolicy => ({ ...UNRESTRICTED, names: ['shops'], limits });

const NGINX = { name: 'main', image: 'nginx' };

const ON_OUR_NODE: Around = { instance: { vSwitchIds: ['vsw-1'] } };

/** Findings that depend on the workload, on others in the cluster, on policies or on where it runs. */
export const CONTEXT_PAIRS = {
  ExistingEipMayScale: [
    { with: service({ annotations: EXISTING }), without: service({ annotations: { ...EXISTING, ...ONE } }) },
    {
      say: 'more than one',
      with: service({ annotations: { ...EXISTING, 'autoscaling.knative.dev/max-scale': '2' } }),
      without: service({ annotations: { ...EXISTING, 'autoscaling.knative.dev/maxScale': '1' } }),
    },
    {
      say: 'more than one to begin with',
      with: service({ annotations: { ...EXISTING, ...ONE, 'autoscaling.knative.dev/initial-scale': '2' } }),
      without: service({ annotations: { ...EXISTING, ...ONE, 'autoscaling.knative.dev/initial-scale': '1' } }),
    },
    {
      say: 'a new EIP for each pod',
      with: service({ annotations: { ...EXISTING, 'autoscaling.knative.dev/max-scale': '0' } }),
      without: service({ annotations: NEW }),
    },
    { say: 'on each node', with: daemonSet({ annotations: EXISTING }), without: deployment({ annotations: EXISTING }) },
  ],
  ExistingEipForMany: [
    {
      with: service({ annotations: { ...EXISTING, 'autoscaling.knative.dev/min-scale': '2' } }),
      without: service({ annotations: { ...EXISTING, 'autoscaling.knative.dev/min-scale': '1' } }),
    },
    ...[deployment, statefulSet].map((make) => ({
      with: make({ annotations: EXISTING, replicas: 2 }),
      without: make({ annotations: EXISTING, replicas: 1 }),
    })),
  ],
  EipWantedTwice: [
    {
      with: service({ annotations: EXISTING }),
      without: service({ annotations: EXISTING }),
      around: { facts: claim({}) },
      otherwise: { facts: claim({ allocationId: 'eip-bp2' }) },
    },
    {
      say: 'its own',
      with: service({ annotations: EXISTING }),
      without: service({ annotations: EXISTING, name: 'other' }),
      around: { facts: claim({ kind: 'PodEIP', name: 'other-00001-deployment-abc-defgh' }) },
    },
    {
      say: 'another namespace',
      with: service({ annotations: EXISTING }),
      without: service({ annotations: EXISTING }),
      around: { facts: claim({}) },
      otherwise: { facts: claim({ namespace: 'elsewhere' }) },
    },
    {
      say: 'a Deployment and its own pod',
      with: deployment({ annotations: EXISTING }),
      without: deployment({ annotations: EXISTING }),
      around: { facts: claim({ kind: 'PodEIP', service: undefined, name: 'website-5d4f6c7b8-x2x9z' }) },
      otherwise: { facts: claim({ kind: 'PodEIP', service: undefined, name: 'web-5d4f6c7b8-x2x9z' }) },
    },
    {
      say: 'a pod, and one that has an owner',
      with: names({}),
      without: names({}, { owner: 'ReplicaSet' }),
      around: { facts: claim({}) },
    },
  ],
  ReservedInstanceKeepsEip: [
    {
      with: service({ annotations: { ...NEW, 'knative.aliyun.com/reserve-instance': 'enable' } }),
      without: service({
        annotations: {
          ...NEW,
          'knative.aliyun.com/reserve-instance': 'enable',
          'autoscaling.knative.dev/min-scale': '1',
        },
      }),
    },
  ],
  EciKeyWithVirtualNode: [
    {
      with: pod({ annotations: { [`${K8S}eci-with-eip`]: 'true' }, labels: ECI }),
      without: pod({ annotations: NEW, labels: ECI }),
      around: { enableVirtualNode: true },
    },
  ],
  OtherEipController: [
    {
      with: asks({}),
      without: asks({}),
      around: { facts: { otherControllers: ['ack-extend-network-controller'] } },
      otherwise: { facts: { otherControllers: [] } },
    },
    {
      say: 'the virtual node makes it',
      with: asks({}),
      without: asks({}, { labels: ECI }),
      around: { facts: { otherControllers: ['the EIP pool of Terway'] } },
    },
    {
      say: 'Terway serves no pod on ECI, even if knative-eip does',
      with: asks({}),
      without: asks({}, { labels: ECI }),
      around: { enableVirtualNode: true, facts: { otherControllers: [TERWAY_EIP_POOL, OLD_TERWAY] } },
    },
    {
      say: 'ack-extend-network-controller may serve it there',
      with: asks({}, { labels: ECI }),
      without: asks({}, { labels: ECI }),
      around: { enableVirtualNode: true, facts: { otherControllers: [ACK_EXTEND] } },
      otherwise: { enableVirtualNode: true, facts: { otherControllers: [OLD_TERWAY] } },
    },
  ],
  GrantNeeded: [
    {
      with: names({}),
      without: names({}),
      around: { existingEips: 'granted' },
      otherwise: { existingEips: 'granted', existingEipNamespaces: ['default'] },
    },
    {
      say: 'by a policy',
      with: names({}),
      without: names({}),
      around: { policy: { ...UNRESTRICTED, names: ['shops'], existingEips: [{ ids: ['eip-bp2'] }] } },
      otherwise: { policy: { ...UNRESTRICTED, names: ['shops'], existingEips: [{ ids: ['eip-bp1', 'eip-bp2'] }] } },
    },
  ],
  GrantUnknownToEci: [
    {
      with: names({}, { labels: ECI }),
      without: names({}),
      around: { existingEips: 'granted' },
    },
    {
      say: 'the configuration grants it',
      with: names({}, { labels: ECI }),
      without: names({}, { labels: ECI }),
      around: { existingEips: 'granted' },
      otherwise: { existingEips: 'granted', existingEipNamespaces: ['default'] },
    },
    {
      say: 'the controller binds it',
      with: pod({ annotations: { [`${K8S}eci-eip-instanceid`]: 'eip-bp1' }, labels: ECI }),
      without: names({}, { labels: ECI }),
      around: { existingEips: 'granted', enableVirtualNode: true },
    },
  ],
  NotAllowedByPolicy: (
    [
      ['eip-common-bandwidth-package-id', 'cbwp-1', { bandwidthPackages: ['cbwp-2'] }],
      ['eip-public-ip-address-pool-id', 'pippool-1', { publicIpAddressPools: [] }],
      ['eip-resource-group-id', 'rg-1', { resourceGroups: ['rg-2'] }],
    ] as const
  ).map(([key, id, lists]) => ({
    say: key,
    with: asks({ [`${K8S}${key}`]: id }),
    without: asks({}),
    around: { policy: { ...UNRESTRICTED, names: ['shops'], ...lists } },
  })),
  NotAllowedOnVirtualNode: [
    {
      with: pod({ annotations: { [`${K8S}eci-ram-role-name`]: 'admin' }, labels: ECI }),
      without: pod({ annotations: { [`${K8S}eci-spot-strategy`]: 'SpotAsPriceGo' }, labels: ECI }),
      around: { instance: { vSwitchIds: ['vsw-1'] } },
    },
    {
      say: 'a policy allows it',
      with: pod({ annotations: { [`${K8S}eci-vswitch`]: 'vsw-2' }, labels: ECI }),
      without: pod({ annotations: { [`${K8S}eci-vswitch`]: 'vsw-2' }, labels: ECI }),
      around: { instance: { vSwitchIds: ['vsw-1'] } },
      otherwise: {
        instance: { vSwitchIds: ['vsw-1'] },
        policy: { ...UNRESTRICTED, names: ['a'], virtualNode: [{ policy: 'a', allows: { vSwitches: ['vsw-2'] } }] },
      },
    },
    {
      say: 'it runs on an ECS node, which reads none of it',
      with: deployment({ annotations: { [`${K8S}eci-use-specs`]: 'ecs.gn7i-c128g1.32xlarge' }, labels: ECI }),
      without: deployment({ annotations: { [`${K8S}eci-use-specs`]: 'ecs.gn7i-c128g1.32xlarge' } }),
      around: { instance: { vSwitchIds: ['vsw-1'] } },
    },
    {
      say: 'a volume',
      with: service({ spec: { volumes: [{ name: 'v', nfs: { server: 's', path: '/' } }] }, labels: ECI }),
      without: service({ spec: { volumes: [{ name: 'v', emptyDir: {} }] }, labels: ECI }),
      around: { instance: { vSwitchIds: ['vsw-1'] } },
    },
  ],
  UnsupportedByECI: [
    {
      say: 'a volume',
      with: pod({ labels: ECI, spec: { containers: [NGINX], volumes: [{ name: 'v', hostPath: {} }] } }),
      without: pod({ labels: ECI, spec: { containers: [NGINX], volumes: [{ name: 'v', emptyDir: {} }] } }),
      around: ON_OUR_NODE,
    },
    {
      say: 'another node',
      with: pod({ labels: ECI, spec: { containers: [NGINX], hostPID: true } }),
      without: pod({ spec: { containers: [NGINX], hostPID: true } }),
      around: ON_OUR_NODE,
    },
  ],
  ChangedForECI: [
    {
      with: pod({ labels: ECI, spec: { containers: [NGINX], securityContext: { fsGroup: 1 } } }),
      without: pod({ labels: ECI, spec: { containers: [NGINX] } }),
      around: ON_OUR_NODE,
    },
  ],
  QuotaOfNamespaceExceeded: [
    {
      with: asks({}),
      without: asks({}),
      around: { policy: limited({ eips: 2 }), facts: { held: { eips: 2, bandwidthMbps: 10 } } },
      otherwise: { policy: limited({ eips: 2 }), facts: { held: { eips: 1, bandwidthMbps: 5 } } },
    },
    {
      say: 'more than the configuration lets a namespace hold that no policy limits',
      with: deployment({ annotations: NEW, replicas: 4 }),
      without: deployment({ annotations: NEW, replicas: 3 }),
      around: { namespaceLimits: { eips: 3 } },
      otherwise: { namespaceLimits: { eips: 3 } },
    },
    {
      say: 'bandwidth',
      with: asks({ [`${K8S}eip-bandwidth`]: '11' }),
      without: asks({ [`${K8S}eip-bandwidth`]: '10' }),
      around: { policy: limited({ bandwidthMbps: 20 }), facts: { held: { eips: 2, bandwidthMbps: 10 } } },
    },
    {
      say: 'several pods',
      with: deployment({ annotations: NEW, replicas: 3 }),
      without: deployment({ annotations: NEW, replicas: 2 }),
      around: { policy: limited({ eips: 3 }), facts: { held: { eips: 1, bandwidthMbps: 5 } } },
    },
    {
      say: 'several pods of a Knative Service',
      with: service({ annotations: { ...NEW, 'autoscaling.knative.dev/min-scale': '3' } }),
      without: service({ annotations: { ...NEW, 'autoscaling.knative.dev/min-scale': '2' } }),
      around: { policy: limited({ bandwidthMbps: 14 }), facts: { held: { eips: 0, bandwidthMbps: 0 } } },
    },
    {
      say: 'nobody knows what is held',
      with: deployment({ annotations: NEW, replicas: 3 }),
      without: deployment({ annotations: NEW, replicas: 2 }),
      around: { policy: limited({ eips: 2 }) },
    },
    {
      say: 'no pods',
      with: deployment({ annotations: NEW }),
      without: deployment({ annotations: NEW, replicas: 0 }),
      around: { policy: limited({ eips: 0 }) },
    },
    {
      say: 'on each node, one for certain',
      with: daemonSet({ annotations: NEW }),
      without: daemonSet({ annotations: NEW }),
      around: { policy: limited({ eips: 0 }) },
      otherwise: { policy: limited({ eips: 1 }) },
    },
  ],
  UncountedOnEci: [
    {
      with: asks({}, { labels: ECI }),
      without: asks({}),
      around: { policy: limited({ eips: 2 }) },
    },
    {
      say: 'the controller buys it, unless ECI’s own key is there',
      with: pod({ annotations: { [`${K8S}eci-with-eip`]: 'true' }, labels: ECI }),
      without: asks({}, { labels: ECI }),
      around: { policy: limited({ bandwidthMbps: 20 }), enableVirtualNode: true },
    },
    {
      say: 'nothing is limited',
      with: deployment({ annotations: NEW, labels: ECI }),
      without: deployment({ annotations: NEW, labels: ECI }),
      around: { policy: limited({ eips: 2 }) },
      otherwise: { policy: { ...UNRESTRICTED, names: ['shops'], bandwidthPackages: [] } },
    },
    {
      say: 'an EIP of the user’s',
      with: asks({}, { labels: ECI }),
      without: names({}, { labels: ECI }),
      around: { policy: limited({ eips: 2 }) },
    },
    {
      say: 'no pods',
      with: deployment({ annotations: NEW, labels: ECI, replicas: 1 }),
      without: deployment({ annotations: NEW, labels: ECI, replicas: 0 }),
      around: { policy: limited({ eips: 2 }) },
    },
  ],
} satisfies Partial<Record<FindingId, readonly Pair[]>>;
