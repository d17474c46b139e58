import { knownAs, type Facts, type Questions, type SettingsFact } from '../../src/doctor/facts.ts';

const DAY_MS = 86_400_000;
export const NOW = Date.UTC(2026, 10, 30);

const settings: SettingsFact = {
  clusterID: 'c1',
  regionID: 'cn-hangzhou',
  vpcID: 'vpc-1',
  leaseNamespace: 'knative-eip-system',
  leaseName: 'knative-eip',
  hasElection: true,
  hasWebhooks: true,
  refusesConflicts: true,
  webhookConfiguration: 'knative-eip',
  makesCertificate: true,
  hasVirtualNode: true,
  honoursProfile: true,
  nodeName: 'ours',
  podCapacity: '100',
  takesOthersForGranted: false,
  eipQuota: 20,
  namespaceEips: 10,
  endpoints: {},
};

const authority = { fingerprint: 'AA:BB', from: NOW - DAY_MS, until: NOW + 300 * DAY_MS };
const webhook = (kind: string, name: string) => ({
  kind,
  name: `${name}.knative-eip.alibabacloud.com`,
  failurePolicy: 'Ignore',
  authorities: [authority],
});

/** Everything is as it should be. */
const answers: Questions = {
  configuration: { from: 'config.yaml', settings },
  apiServer: { version: 'v1.36.3', aheadMs: 400 },
  clusterUid: 'uid-1',
  definitions: [{ name: 'podeips.alibabacloud.com', isThere: true, lacking: [] }],
  deployments: [
    { namespace: 'knative-eip-system', name: 'knative-eip', isVirtualNode: false, wanted: 2, ready: 2, images: ['x'] },
  ],
  leases: [{ namespace: 'knative-eip-system', name: 'knative-eip', holder: 'a', ageMs: 3_000, durationMs: 15_000 }],
  rights: { user: 'system:serviceaccount:knative-eip-system:knative-eip', missing: [] },
  webhooks: [webhook('MutatingWebhookConfiguration', 'pods'), webhook('ValidatingWebhookConfiguration', 'pods')],
  webhookSecret: { fingerprints: ['AA:BB'] },
  webhookAnswer: { outcome: 'refused', message: 'denied the request' },
  virtualNode: {
    standing: 'ours',
    isReady: true,
    version: 'v1.36.0-knative-eip-0.1.0',
    beatAgeMs: 5_000,
    podCapacity: 100,
    pods: 3,
  },
  imageCaches: {
    isServed: true,
    rights: { user: 'system:serviceaccount:knative-eip-system:knative-eip-virtual-node', missing: [] },
    ofOthers: [],
  },
  nodeRequests: [],
  nodeCertificate: NOW + 20 * DAY_MS,
  knative: { version: '1.23.1', features: {} },
  otherControllers: [],
  addOnNodes: [],
  eciProfile: { selectors: 2, problems: [], differences: [] },
  policies: [{ name: 'team', reason: 'InForce', message: '', bandwidthPackages: ['cbwp-1'] }],
  podEips: [
    {
      namespace: 'shop',
      name: 'web',
      allocationId: 'eip-1',
      isAuto: true,
      isLeaving: false,
      reason: 'InUse',
      message: '',
      isStuck: false,
      ageMs: DAY_MS,
    },
  ],
  namespaces: [
    { name: 'shop', eips: 1, policies: [] },
    { name: 'team', eips: 1, limit: 5, policies: ['team'] },
  ],
  endpoints: [
    { product: 'vpc', host: 'vpc-vpc.cn-hangzhou.aliyuncs.com', isReached: true, kind: 'inside', aheadMs: 0 },
  ],
  credentials: { source: 'RRSA (OIDC)' },
  calls: [
    {
      action: 'DescribeEipAddresses',
      ramAction: 'vpc:DescribeEipAddresses',
      outcome: 'allowed',
      code: 'OK',
      message: '',
      isExtra: false,
    },
  ],
  account: undefined,
  eipsInAccount: 3,
  packages: [{ id: 'cbwp-1', businessStatus: 'Normal' }],
  nat: { gateways: 1, withSnat: 1 },
  otherClusters: [],
  missingEips: { asked: 1, missing: [] },
};

/** The facts of a healthy cluster, with other answers where they are given. */
export const factsOf = (over: Partial<Questions> = {}, isInPod = false): Facts => ({
  at: NOW,
  version: '0.1.0',
  namespace: 'knative-eip-system',
  isInPod,
  answers: Object.fromEntries(
    Object.entries({ ...answers, ...over }).map(([name, value]) => [name, knownAs(value)]),
  ) as unknown as Facts['answers'],
});

export const healthyAnswers = answers;
export const healthySettings = settings;
