import type { FindingId } from '../../src/api/finding.ts';
import { deployment, ECI, EXISTING, NEW, pod, service, statefulSet } from './manifests.ts';
import { type Pair, K8S, NET, asks, names } from './catalogue-pairs.ts';

/** A pod that ECI runs. */
const RUNNING = {
  labels: { ...ECI, 'serverless.alibabacloud.com/virtual-node': 'true' },
  spec: { nodeName: 'virtual-kubelet-cn-hangzhou-j' },
};

const setting = (key: string, wrong: string, right: string): Pair => ({
  with: asks({ [key]: wrong }),
  without: asks({ [key]: right }),
});

/** Findings in the annotations alone. */
export const REQUEST_PAIRS = {
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
  AnnotationAsLabel: [
    {
      with: pod({ labels: { [`${K8S}eci-with-eip`]: 'true' } }),
      // Other keys that mention an EIP are somebody else's.
      without: pod({ labels: { 'example.com/eip': 'true', 'k8s.aliyun.com/eci-use-specs': '2-4Gi' } }),
    },
    {
      say: 'beside the annotation',
      with: asks({}, { labels: { [`${K8S}eip-bandwidth`]: '10' } }),
      without: asks({ [`${K8S}eip-bandwidth`]: '10' }, { labels: { [`${K8S}eip-bandwidth`]: '10' } }),
    },
    ...[service, deployment, statefulSet].flatMap((make) =>
      [{ labels: { [`${K8S}eci-with-eip`]: 'true' } }, { outsideLabels: { [`${K8S}eci-with-eip`]: 'true' } }].map(
        (labels) => ({
          say: Object.keys(labels).join(),
          with: make(labels),
          without: make({ ...labels, annotations: { [`${K8S}eci-with-eip`]: 'true' } }),
        }),
      ),
    ),
  ],
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
} satisfies Partial<Record<FindingId, readonly Pair[]>>;
