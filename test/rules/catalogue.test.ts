import { readFileSync } from 'node:fs';
import test from 'ava';
import type { FindingId } from '../../src/api/finding.ts';
import type { RuleSettings } from '../../src/rules/rule.ts';
import { CATALOGUE, FINDING_IDS } from '../../src/rules/catalogue.ts';
import type { EipClaim, ClusterFacts } from '../../src/rules/cluster-facts.ts';
import { UNRESTRICTED, type EffectivePolicy } from '../../src/policies/policy.ts';
import { docsLink } from '../../src/rules/docs-link.ts';
import { findingsPage } from '../../src/rules/docs.ts';
import {
  configuration,
  daemonSet,
  deployment,
  ECI,
  EXISTING,
  evaluated,
  NEW,
  ONE,
  pod,
  service,
  statefulSet,
} from './manifests.ts';

type Around = Partial<RuleSettings> & { readonly facts?: ClusterFacts };

/** One that has the finding, and the nearest one that has it not. */
interface Pair {
  readonly say?: string;
  readonly with: object;
  readonly without: object;
  readonly around?: Around;
  /** What is around the one without, where it is not the same. */
  readonly otherwise?: Around;
}

const limited = (limits: EffectivePolicy['limits']): EffectivePolicy => ({ ...UNRESTRICTED, names: ['shops'], limits });

const K8S = 'k8s.aliyun.com/';
const NET = 'network.alibabacloud.com/';
const asks = (annotations: object, more: object = {}) => pod({ annotations: { ...NEW, ...annotations }, ...more });
const names = (annotations: object, more: object = {}) =>
  pod({ annotations: { ...EXISTING, ...annotations }, ...more });
/** A pod that ECI runs. */
const RUNNING = {
  labels: { ...ECI, 'serverless.alibabacloud.com/virtual-node': 'true' },
  spec: { nodeName: 'virtual-kubelet-cn-hangzhou-j' },
};
const claim = (changes: Partial<EipClaim>): ClusterFacts => ({
  claims: [
    { allocationId: 'eip-bp1', kind: 'Service', namespace: 'default', name: 'other', service: 'other', ...changes },
  ],
});
const NGINX = { name: 'main', image: 'nginx' };
const ON_OUR_NODE: Around = { instance: { vSwitchIds: ['vsw-1'] } };
const setting = (key: string, wrong: string, right: string): Pair => ({
  with: asks({ [key]: wrong }),
  without: asks({ [key]: right }),
});

/** A Service that routes so much, and perhaps a tag, to its first Revision, and the rest to the latest. */
const routed = (percent: number, tag?: string, latest = 'web-00002', annotations: object = { ...EXISTING, ...ONE }) => {
  const traffic = [
    { revisionName: 'web-00001', percent, tag },
    { latestRevision: true, percent: 100 - percent },
  ];
  const made = service({ annotations }) as { readonly spec: object };
  return { ...made, spec: { ...made.spec, traffic }, status: { latestCreatedRevisionName: latest } };
};
const olderRevision = (eip = 'eip-bp1', namespace = 'default'): ClusterFacts => ({
  revisions: [{ namespace, name: 'web-00001', annotations: { [`${K8S}eci-eip-instanceid`]: eip } }],
});

const ROWS: Readonly<Record<FindingId, readonly Pair[]>> = {
  AnnotationsDisagree: [
    {
      with: asks({ [`${K8S}eip-bandwidth`]: '5', [`${NET}eip-bandwidth`]: '6' }),
      without: asks({ [`${K8S}eip-bandwidth`]: '5', [`${NET}eip-bandwidth`]: '5' }),
    },
    // ECI would read its own spelling alone, and buy one.
    ...[`${K8S}pod-with-eip`, `${NET}pod-with-eip`].map((key) => ({
      say: `${key} says no`,
      with: pod({ annotations: { [key]: 'false', [`${K8S}eci-with-eip`]: 'true' }, labels: ECI }),
      without: pod({ annotations: { [key]: 'false', [`${K8S}eci-with-eip`]: 'false' }, labels: ECI }),
    })),
  ],
  InvalidBoolean: ['True', 'yes', '1', ''].map((text) => ({
    with: pod({ annotations: { [`${K8S}pod-with-eip`]: text } }),
    without: pod({ annotations: NEW }),
  })),
  BeforeTrafficIgnored: ['True', 'yes', ''].map((text) => ({
    with: service({ annotations: { ...NEW, [`${K8S}eip-before-traffic`]: text } }),
    without: service({ annotations: { ...NEW, [`${K8S}eip-before-traffic`]: 'true' } }),
  })),
  ExistingAndNew: [{ with: asks(EXISTING), without: names({}) }],
  CreationSettingsIgnored: [{ with: names({ [`${K8S}eip-bandwidth`]: '5' }), without: names({}) }],
  InvalidBandwidth: [
    setting(`${K8S}eip-bandwidth`, '0', '1'),
    setting(`${K8S}eip-bandwidth`, '201', '200'),
    {
      say: 'by bandwidth',
      with: asks({ [`${K8S}eip-bandwidth`]: '501', [`${K8S}eip-internet-charge-type`]: 'PayByBandwidth' }),
      without: asks({ [`${K8S}eip-bandwidth`]: '500', [`${K8S}eip-internet-charge-type`]: 'PayByBandwidth' }),
    },
  ],
  LegacyBandwidth: [setting(`${K8S}eip-bandwidth`, '5M', '5')],
  InvalidChargeType: [setting(`${K8S}eip-internet-charge-type`, 'PayBytraffic', 'PayByTraffic')],
  InvalidInstanceChargeType: [setting(`${K8S}eip-instance-charge-type`, 'PrePaid', 'PostPaid')],
  InvalidIsp: [setting(`${K8S}eip-isp`, 'bgp', 'BGP')],
  InvalidId: [
    setting(`${K8S}eip-common-bandwidth-package-id`, 'bwp-1', 'cbwp-1'),
    { with: pod({ annotations: { [`${K8S}pod-eip-instanceid`]: 'eip-' } }), without: names({}) },
  ],
  InvalidName: [setting(`${K8S}eip-name`, 'http://x', 'x')],
  InvalidDescription: [setting(`${K8S}eip-description`, 'd'.repeat(257), 'd'.repeat(256))],
  InvalidProtectionType: [
    setting(`${K8S}eip-security-protection-types`, 'AntiDDoS_Enhanced,AntiDDoS_Enhanced', 'AntiDDoS_Enhanced'),
  ],
  InvalidTags: [
    setting(`${K8S}eip-tags`, 'a=b', '{"a":"b"}'),
    setting(`${K8S}eip-tags`, '{"aliyun.a":"b"}', '{"a.aliyun":"b"}'),
  ],
  InvalidHandover: [
    { with: names({ [`${K8S}eip-handover`]: 'soon' }), without: names({ [`${K8S}eip-handover`]: 'wait' }) },
  ],
  HandoverIgnored: [
    { with: asks({ [`${K8S}eip-handover`]: 'wait' }), without: names({ [`${K8S}eip-handover`]: 'wait' }) },
  ],
  InvalidReleaseStrategy: [setting(`${K8S}pod-eip-release-strategy`, '0s', 'Follow')],
  ReleaseStrategyIgnored: [
    {
      with: names({ [`${K8S}pod-eip-release-strategy`]: 'Never' }),
      without: names({ [`${K8S}pod-eip-release-strategy`]: 'Follow' }),
    },
  ],
  StatelessOwner: [
    {
      with: asks({ [`${K8S}pod-eip-release-strategy`]: 'Never' }, { owner: 'ReplicaSet' }),
      without: asks({ [`${K8S}pod-eip-release-strategy`]: 'Never' }, { owner: 'StatefulSet' }),
    },
    ...[deployment, service].map((make) => ({
      say: 'by template',
      with: make({ annotations: { ...NEW, [`${K8S}pod-eip-release-strategy`]: '10m' } }),
      without: statefulSet({ annotations: { ...NEW, [`${K8S}pod-eip-release-strategy`]: '10m' } }),
    })),
  ],
  NotHonouredByEci: [
    { with: asks({ [`${K8S}eip-name`]: 'x' }, { labels: ECI }), without: asks({ [`${K8S}eip-name`]: 'x' }) },
  ],
  AnnotationOnService: [service, deployment, statefulSet].map((make) => ({
    with: make({ outside: NEW }),
    without: make({ annotations: NEW, outside: NEW }),
  })),
  HostNetwork: [
    { with: asks({}, { spec: { hostNetwork: true } }), without: asks({}, { spec: { hostNetwork: false } }) },
    {
      say: 'by template',
      with: deployment({ annotations: NEW, spec: { hostNetwork: true } }),
      without: deployment({ spec: { hostNetwork: true } }),
    },
  ],
  SettingsWithoutRequest: [
    `${K8S}eip-bandwidth`,
    `${NET}eip-tags`,
    `${K8S}pod-eip-release-strategy`,
    `${K8S}eip-handover`,
    `${K8S}eip-before-traffic`,
  ].map((key) => ({
    with: pod({ annotations: { [key]: 'x' } }),
    // "false" says already that there will be none.
    without: pod({ annotations: { [key]: 'x', [`${K8S}pod-with-eip`]: 'false' } }),
  })),
  UnknownKey: [
    { with: asks({ [`${K8S}eip-bandwith`]: '5' }), without: asks({ [`${K8S}eip-bandwidth`]: '5' }) },
    {
      say: 'alone',
      with: pod({ annotations: { [`${K8S}pod-with-epi`]: 'true' } }),
      without: pod({ annotations: { [`${K8S}eci-use-specs`]: '2-4Gi' } }),
    },
    {
      say: 'no prefix',
      with: pod({ annotations: { 'pod-with-eip': 'true' } }),
      without: pod({ annotations: { 'example.com/eip-name': 'x' } }),
    },
    {
      say: 'a label among the annotations',
      with: asks({ 'alibabacloud.com/eci': 'true' }),
      without: asks({}, { labels: ECI }),
    },
    { say: 'capitals', with: asks({ [`${K8S}EIP-Name`]: 'x' }), without: asks({ [`${K8S}eip-name`]: 'x' }) },
    {
      say: 'the other prefix',
      with: pod({ annotations: { [`${NET}eci-with-eip`]: 'true' } }),
      without: pod({ annotations: { [`${K8S}eci-with-eip`]: 'true' } }),
    },
    {
      say: 'what is written by others',
      with: asks({ [`${K8S}allocated-eip`]: '1.1.1.1' }),
      without: asks({ [`${K8S}allocated-eipAddress`]: '1.1.1.1' }),
    },
  ],
  LegacyKey: [
    {
      with: asks({ [`${K8S}eip-charge-type`]: 'PayByTraffic' }),
      without: asks({ [`${K8S}eip-internet-charge-type`]: 'PayByTraffic' }),
    },
    {
      say: 'the slip of the documentation',
      with: asks({ [`${K8S}eip-common-bandwith-package-id`]: 'cbwp-1' }),
      without: asks({ [`${K8S}eip-common-bandwidth-package-id`]: 'cbwp-1' }),
    },
  ],
  TooLateForEci: [
    {
      with: asks({}, RUNNING),
      without: asks({}, RUNNING),
      around: { facts: { before: { app: 'web' } } },
      otherwise: { facts: { before: { ...NEW, app: 'web' } } },
    },
    {
      say: 'not on a node yet',
      with: asks({}, RUNNING),
      without: asks({}, { labels: ECI }),
      around: { facts: { before: {} } },
    },
  ],
  PackagePaidByBandwidth: [
    {
      with: asks({
        [`${K8S}eip-common-bandwidth-package-id`]: 'cbwp-1',
        [`${K8S}eip-internet-charge-type`]: 'PayByBandwidth',
      }),
      without: asks({
        [`${K8S}eip-common-bandwidth-package-id`]: 'cbwp-1',
        [`${K8S}eip-internet-charge-type`]: 'PayByTraffic',
      }),
    },
  ],
  IspNotInRegion: [
    {
      with: asks({ [`${K8S}eip-isp`]: 'BGP_PRO' }),
      without: asks({ [`${K8S}eip-isp`]: 'BGP_PRO' }),
      otherwise: { region: 'cn-hongkong' },
    },
    {
      say: 'no region is known',
      with: asks({ [`${K8S}eip-isp`]: 'BGP_PRO' }),
      without: asks({ [`${K8S}eip-isp`]: 'BGP_PRO' }),
      otherwise: { region: undefined },
    },
  ],
  FinanceCloudIsp: [
    {
      with: asks({ [`${K8S}eip-isp`]: 'BGP_FinanceCloud' }),
      without: asks({ [`${K8S}eip-isp`]: 'BGP_FinanceCloud' }),
      otherwise: { region: 'cn-hangzhou-finance' },
    },
    { say: 'by default', with: asks({}), without: asks({}), around: { region: 'cn-hangzhou-finance' }, otherwise: {} },
  ],
  SingleLineIsp: [setting(`${K8S}eip-isp`, 'ChinaTelecom_L2', 'BGP')],
  SingleLineByTraffic: [
    {
      with: asks({ [`${K8S}eip-isp`]: 'ChinaMobile' }),
      without: asks({ [`${K8S}eip-isp`]: 'ChinaMobile', [`${K8S}eip-internet-charge-type`]: 'PayByBandwidth' }),
    },
  ],
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
  ExistingEipInTwoRevisions: [
    { say: 'half and half', with: routed(50), without: routed(0), around: { facts: olderRevision() } },
    { say: 'by a tag alone', with: routed(0, 'old'), without: routed(0), around: { facts: olderRevision() } },
    {
      say: 'the older one names another EIP',
      with: routed(50),
      without: routed(50),
      around: { facts: olderRevision() },
      otherwise: { facts: olderRevision('eip-bp2') },
    },
    {
      say: 'the one that is named is the latest one',
      with: routed(50),
      without: routed(50, undefined, 'web-00001'),
      around: { facts: olderRevision() },
    },
    {
      say: 'the template asks for an EIP of each pod’s own',
      with: routed(50),
      without: routed(50, undefined, undefined, NEW),
      around: { facts: olderRevision() },
    },
    {
      say: 'a Revision of another namespace',
      with: routed(50),
      without: routed(50),
      around: { facts: olderRevision() },
      otherwise: { facts: olderRevision('eip-bp1', 'elsewhere') },
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
      with: pod({ labels: ECI, spec: { containers: [NGINX], volumes: [{ name: 'v', persistentVolumeClaim: {} }] } }),
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
};

test('every finding of the catalogue has a row, and no row is of another', (t) => {
  t.deepEqual(Object.keys(ROWS).toSorted(), FINDING_IDS.toSorted());
  for (const id of FINDING_IDS) t.true(ROWS[id].length > 0, id);
});

for (const id of FINDING_IDS)
  test(`${id}: it is found where it is, with its severity, and not in the nearest manifest without it`, (t) => {
    for (const { say = '', with: has, without, around = {}, otherwise = around } of ROWS[id]) {
      const found = evaluated(has, around).filter((it) => it.id === id);
      t.is(found.length, 1, `${say}: ${JSON.stringify(evaluated(has, around))}`);
      for (const { severity, problem, remedy } of found) {
        t.is(severity, CATALOGUE[id].severity);
        t.false(/[.;]$/.test(problem) || /[.;]$/.test(remedy), problem);
      }
      t.deepEqual(
        evaluated(without, otherwise).filter((it) => it.id === id),
        [],
        say,
      );
    }
  });

test('a misspelt key is answered with the right one', (t) => {
  const rows: readonly (readonly [string, string])[] = [
    [`${K8S}eip-bandwith`, `${K8S}eip-bandwidth`],
    [`${NET}eip-bandwith`, `${NET}eip-bandwidth`],
    [`${K8S}eip-internet-chargetype`, `${K8S}eip-internet-charge-type`],
    [`${K8S}pod-with-epi`, `${K8S}pod-with-eip`],
    [`${NET}eci-eip-instanceid`, `${K8S}eci-eip-instanceid`],
    [`${K8S}pod-eip-instance-id`, `${K8S}pod-eip-instanceid`],
    [`${K8S}/pod-with-eip`, `${K8S}pod-with-eip`],
    ['pod-with-eip', `${K8S}pod-with-eip`],
    ['alibabacloud.com/pod-with-eip', `${NET}pod-with-eip`],
    [`${K8S}pod_with_eip`, `${K8S}pod-with-eip`],
    [`${K8S}eip`, `${K8S}pod-with-eip`],
    [`${NET}with-eip`, `${NET}pod-with-eip`],
    [`${K8S}eip-id`, `${K8S}pod-eip-instanceid`],
  ];
  for (const [wrong, right] of rows) {
    const [found] = evaluated(pod({ annotations: { [wrong]: 'x' } }));
    t.is(found?.id, 'UnknownKey', wrong);
    t.is(found?.remedy, `write ${right} if that is what is meant`, wrong);
  }
  const [odd] = evaluated(service({ annotations: { [`${K8S}eip-\u001b[31m\r\n`]: 'x' } }));
  t.is(
    odd?.problem,
    'annotation "k8s.aliyun.com/eip-\\u001b[31m\\r\\n" means nothing to anybody',
    'fit for a terminal',
  );
  t.is(evaluated(pod({ annotations: { [`${K8S}eip-zzzzzzzzzzzzzzzzzzz`]: 'x' } }))[0]?.remedy, 'remove it');
});

test('what is in another namespace is not told, and counts against nobody', (t) => {
  const elsewhere = { allocationId: 'eip-bp1', kind: 'Pod', namespace: 'secret', name: 'hidden', service: undefined };
  for (const existingEips of ['any', 'firstUse', 'granted'] as const)
    for (const kind of ['Pod', 'PodEIP', 'Service'])
      t.deepEqual(
        evaluated(service({ annotations: { ...EXISTING, ...ONE } }), {
          existingEips,
          existingEipNamespaces: ['default', 'secret'],
          facts: { claims: [{ ...elsewhere, kind }] },
        }),
        [],
        `${existingEips} ${kind}`,
      );
  const here = { claims: [{ ...elsewhere, namespace: 'default' }] };
  t.regex(evaluated(service({ annotations: EXISTING }), { facts: here })[1]?.problem ?? '', /Pod hidden/);
});

test('the pods of a workload are known by their names, also where these were cut', (t) => {
  const long = 'w'.repeat(50);
  const rows: readonly (readonly [object: object, pod: string, isOwn: boolean])[] = [
    [deployment({ annotations: EXISTING, name: long }), `${long}-5d4f6c7x2x9z`, true],
    [deployment({ annotations: EXISTING, name: 'w'.repeat(70) }), `${'w'.repeat(58)}x2x9z`, true],
    [deployment({ annotations: EXISTING, name: 'w'.repeat(40) }), `${'w'.repeat(40)}-and-much-more-to-63xxxx`, false],
    [configuration({ annotations: EXISTING, name: 'web' }), 'web-00001-deployment-5d4f6c7b8-x2x9z', true],
    [configuration({ annotations: EXISTING, name: 'web' }), 'web-5d4f6c7b8-x2x9z', false],
    [statefulSet({ annotations: EXISTING, name: 'web' }), 'web-0', true],
    [statefulSet({ annotations: EXISTING, name: 'web' }), 'web-db-0', false],
  ];
  for (const [object, name, isOwn] of rows) {
    const facts = claim({ kind: 'PodEIP', service: undefined, name });
    t.is(
      evaluated(object, { facts }).some(({ id }) => id === 'EipWantedTwice'),
      !isOwn,
      name,
    );
  }
});

test('docs/findings.md is what npm run docs makes, and has the place that each finding links to', (t) => {
  const page = readFileSync('docs/findings.md', 'utf8');
  t.is(page, findingsPage());
  for (const id of FINDING_IDS) {
    t.is(docsLink(id, undefined), `docs/findings.md#${id.toLowerCase()}`);
    t.true(page.includes(`\n## ${id}\n`), id);
    for (const text of [CATALOGUE[id].what, CATALOGUE[id].remedy]) t.regex(text, /^[A-Z][^\n]*\.$/, id);
  }
});
