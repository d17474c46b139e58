import { readFileSync } from 'node:fs';
import test from 'ava';
import type { DoctorSeverity } from '../../src/doctor/check.ts';
import { TESTED_KNATIVE } from '../../src/doctor/checks-of-nodes.ts';
import { CHECKS, diagnose, DIAGNOSIS_IDS, type DiagnosisId } from '../../src/doctor/diagnose.ts';
import {
  couldNotBeRead,
  QUESTIONS,
  type CallOutcome,
  type Questions,
  type QuestionName,
} from '../../src/doctor/facts.ts';
import { factsOf, healthyAnswers, healthySettings, NOW } from './healthy.ts';

const DAY_MS = 86_400_000;
const { webhooks, leases, deployments, podEips, policies, virtualNode, imageCaches, endpoints, calls } = healthyAnswers;

const withSettings = (over: object): Partial<Questions> => ({
  configuration: { from: 'config.yaml', settings: { ...healthySettings, ...over } },
});
const withWebhooks = (over: object): Partial<Questions> => ({
  webhooks: webhooks.map((each) => ({ ...each, ...over })),
});
const withNode = (over: object): Partial<Questions> => ({ virtualNode: { ...virtualNode!, ...over } });
const withCaches = (over: object): Partial<Questions> => ({ imageCaches: { ...imageCaches!, ...over } });
const withCall = (outcome: CallOutcome, code: string): Partial<Questions> => ({
  calls: calls.map((each) => ({ ...each, outcome, code })),
});
const withPolicy = (reason: string): Partial<Questions> => ({
  policies: policies.map((each) => ({ ...each, reason, message: 'a sentence' })),
});
const authority = (from: number, until: number) => [{ fingerprint: 'AA:BB', from: NOW + from, until: NOW + until }];

const nodeRequest = (isGenuine: boolean) => ({
  name: 'node-csr-ours-1',
  user: 'somebody',
  signer: 'a-signer',
  isGenuine,
});

interface Case {
  readonly over: Partial<Questions>;
  readonly isInPod?: boolean;
  /** @default 'error' */
  readonly severity?: DoctorSeverity;
  /** What the evidence must show. */
  readonly seen: string;
}

/** For each check, what it finds; and the more of them where it has several ways. */
const CASES: Readonly<Record<DiagnosisId, readonly Case[]>> = {
  'api-server-too-old': [{ over: { apiServer: { version: 'v1.29.4' }, virtualNode: undefined }, seen: 'v1.29.4' }],
  'api-server-clock-skew': [
    { over: { apiServer: { version: 'v1.36.0', aheadMs: 61_000 } }, severity: 'warning', seen: '61 s' },
    { over: { apiServer: { version: 'v1.36.0', aheadMs: -300_000 } }, severity: 'warning', seen: '300 s' },
  ],
  'configuration-unreadable': [
    { over: { configuration: { from: 'cm', problem: 'cm:1:2: regionID: missing' } }, seen: 'regionID: missing' },
  ],
  'controller-not-installed': [
    { over: { deployments: [], leases: [] }, seen: 'no Deployment' },
    { over: { deployments: [], leases: leases.map((each) => ({ ...each, ageMs: 60_000 })) }, seen: 'nobody renews' },
  ],
  'deployment-not-ready': [
    { over: { deployments: deployments.map((each) => ({ ...each, ready: 0 })) }, seen: '0 of 2' },
    { over: { deployments: deployments.map((each) => ({ ...each, ready: 1 })) }, severity: 'warning', seen: '1 of 2' },
  ],
  'deployment-stopped': [
    { over: { deployments: deployments.map((each) => ({ ...each, wanted: 0, ready: 0 })) }, seen: 'is 0' },
  ],
  'no-leader': [
    { over: { leases: [] }, seen: 'there is no Lease' },
    { over: { leases: leases.map((each) => ({ ...each, ageMs: 90_000 })) }, seen: '90 s ago' },
    { over: { leases: leases.map((each) => ({ ...each, ageMs: undefined })) }, seen: 'nobody has renewed' },
    { over: { leases: leases.map((each) => ({ ...each, holder: '' })) }, seen: 'of nobody' },
  ],
  'two-installations': [
    {
      over: { leases: [...leases, ...leases.map((each) => ({ ...each, namespace: 'other' }))] },
      seen: 'other/knative-eip',
    },
  ],
  'crd-missing': [
    { over: { definitions: [{ name: 'podeips.alibabacloud.com', isThere: false, lacking: [] }] }, seen: 'podeips' },
  ],
  'crd-outdated': [
    {
      over: { definitions: [{ name: 'podeips.alibabacloud.com', isThere: true, lacking: ['status.conditions'] }] },
      seen: 'status.conditions',
    },
  ],
  'controller-rights-missing': [{ over: { rights: { user: 'u', missing: ['watch pods'] } }, seen: 'watch pods' }],
  'other-controller': [
    { over: { otherControllers: ['ack-extend-network-controller'] }, seen: 'ack-extend' },
    { over: { otherControllers: ['Terway from before its EIP pool was switched off'] }, seen: 'Terway from before' },
    {
      over: { otherControllers: ['the EIP pool of Terway'], ...withSettings({ takesOthersForGranted: true }) },
      severity: 'warning',
      seen: 'ignore',
    },
  ],
  'webhooks-not-installed': [{ over: { webhooks: [] }, severity: 'warning', seen: 'no configuration knative-eip' }],
  'webhooks-not-served': [
    { over: withSettings({ hasWebhooks: false, hasVirtualNode: false }), seen: 'webhook.enabled is false' },
  ],
  'webhook-not-answering': [
    { over: { webhookAnswer: { outcome: 'letIn', message: '' } }, seen: 'let in' },
    { over: { webhookAnswer: { outcome: 'warned', message: '' } }, seen: 'let in' },
    { over: { webhookAnswer: { outcome: 'failed', message: 'x509: unknown authority' } }, seen: 'x509' },
  ],
  'webhook-bundle-missing': [{ over: withWebhooks({ authorities: [], problem: 'caBundle is empty' }), seen: 'empty' }],
  'webhook-bundle-wrong': [{ over: { webhookSecret: { fingerprints: ['CC:DD'] } }, seen: 'AA:BB' }],
  'webhook-bundle-expired': [
    { over: withWebhooks({ authorities: authority(-9 * DAY_MS, -DAY_MS) }), seen: '2026-11-29' },
    { over: withWebhooks({ authorities: authority(DAY_MS, 9 * DAY_MS) }), seen: '2026-12-01' },
  ],
  'webhook-bundle-expires': [
    {
      over: withWebhooks({ authorities: authority(-9 * DAY_MS, 3 * DAY_MS) }),
      severity: 'warning',
      seen: '2026-12-03',
    },
  ],
  'webhook-failure-policy': [{ over: withWebhooks({ failurePolicy: 'Fail' }), severity: 'warning', seen: 'is Fail' }],
  'virtual-node-missing': [
    { over: withNode({ standing: 'absent' }), seen: 'there is no Node ours' },
    { over: withNode({ standing: 'another' }), seen: 'does not have the label' },
  ],
  'virtual-node-silent': [
    { over: withNode({ beatAgeMs: 41_000 }), seen: '41 s ago' },
    { over: withNode({ beatAgeMs: undefined }), seen: 'there is no Lease' },
    { over: withNode({ isReady: false }), seen: 'not True' },
  ],
  'virtual-node-version': [
    { over: withNode({ version: 'v1.35.0-knative-eip-0.1.0' }), severity: 'warning', seen: 'v1.35.0' },
  ],
  'virtual-node-full': [
    { over: withNode({ pods: 90 }), severity: 'warning', seen: '90 of 100' },
    { over: withNode({ pods: 100 }), seen: '100 of 100' },
  ],
  'node-certificate-not-approved': [
    { over: { nodeRequests: [nodeRequest(true)] }, seen: 'node-csr-ours-1 (of somebody, to a-signer) is pending' },
    { over: { nodeRequests: [nodeRequest(false)] }, severity: 'warning', seen: 'node-csr-ours-1 (of somebody, to a' },
  ],
  'node-certificate-ends': [
    { over: { nodeCertificate: NOW + DAY_MS }, severity: 'warning', seen: '2026-12-01' },
    { over: { nodeCertificate: NOW - DAY_MS }, seen: '2026-11-29' },
  ],
  'eci-profile-broken': [
    {
      over: { eciProfile: { selectors: 0, problems: ['selectors[0].name: is empty'], differences: [] } },
      seen: 'selectors[0].name: is empty',
    },
  ],
  'eci-profile-ignored': [
    { over: withSettings({ honoursProfile: false }), severity: 'warning', seen: 'it has 2 selectors' },
    {
      over: {
        ...withSettings({ honoursProfile: false }),
        eciProfile: { selectors: 0, problems: ['selectors is not JSON'], differences: [] },
      },
      severity: 'warning',
      seen: 'it has broken selectors',
    },
  ],
  'eci-profile-differs': [
    {
      over: { eciProfile: { selectors: 0, problems: [], differences: ['vSwitchIds is vsw-2'] } },
      severity: 'info',
      seen: 'vSwitchIds is vsw-2',
    },
  ],
  'image-cache-crd-missing': [
    { over: withCaches({ isServed: false }), seen: 'imagecaches.eci.alibabacloud.com' },
    { over: withCaches({ isServed: false, rights: { user: 'u', missing: ['watch imagecaches'] } }), seen: 'no Custom' },
  ],
  'image-cache-rights-missing': [
    {
      over: withCaches({ rights: { user: 'u', missing: ['watch imagecaches'] } }),
      seen: 'u may not watch imagecaches',
    },
    { over: withCaches({ isServed: undefined, rights: { user: 'u', missing: ['patch imagecaches'] } }), seen: 'patch' },
  ],
  'image-cache-of-another': [{ over: withCaches({ ofOthers: ['old'] }), severity: 'warning', seen: 'ImageCache old' }],
  'add-on-beside': [{ over: { addOnNodes: ['virtual-kubelet-h'] }, seen: 'virtual-kubelet-h' }],
  'add-on-unserved': [
    {
      over: {
        addOnNodes: ['virtual-kubelet-h'],
        webhooks: [],
        ...withSettings({ hasVirtualNode: false, hasWebhooks: false }),
      },
      severity: 'info',
      seen: 'virtual-kubelet-h',
    },
  ],
  'knative-untested': [
    { over: { knative: { version: 'v1.9.0', features: {} } }, severity: 'warning', seen: 'v1.9.0' },
    { over: { knative: { version: '1.24.0', features: {} } }, severity: 'warning', seen: '1.24.0' },
  ],
  'knative-feature-off': [
    {
      over: { webhooks: [], ...withSettings({ hasWebhooks: false }) },
      severity: 'warning',
      seen: 'kubernetes.podspec-nodeselector is disabled',
    },
  ],
  'cloud-unreachable': [
    { over: { endpoints: endpoints.map((each) => ({ ...each, isReached: false, kind: 'public' })) }, seen: 'neither' },
    {
      over: { endpoints: endpoints.map((each) => ({ ...each, isReached: false, kind: 'configured' })) },
      seen: 'of the conf',
    },
  ],
  'vpc-endpoint-unreached': [
    {
      over: { endpoints: endpoints.map((each) => ({ ...each, kind: 'public' })) },
      isInPod: true,
      severity: 'warning',
      seen: 'vpc:',
    },
  ],
  'cloud-clock-skew': [
    { over: { endpoints: endpoints.map((each) => ({ ...each, aheadMs: -120_000 })) }, seen: '120 s behind' },
    { over: withCall('untimely', 'InvalidTimeStamp.Expired'), seen: 'InvalidTimeStamp' },
  ],
  'credentials-refused': [
    { over: { credentials: { source: 'RRSA (OIDC)', problem: 'no token' } }, seen: 'no token' },
    { over: withCall('refusedKey', 'InvalidAccessKeyId.NotFound'), seen: 'InvalidAccessKeyId' },
  ],
  'ram-action-missing': [
    { over: withCall('denied', 'Forbidden.RAM'), seen: 'vpc:DescribeEipAddresses (Forbidden.RAM)' },
  ],
  'ram-action-refused': [
    {
      over: {
        podEips: podEips.map((each) => ({
          ...each,
          refusedAction: 'vpc:AssociateEipAddress',
          message: 'AssociateEipAddress: Forbidden.RAM',
        })),
      },
      seen: 'AssociateEipAddress: Forbidden.RAM',
    },
  ],
  'wrong-account': [{ over: { account: 'None of the nodes is an instance' }, seen: 'None of the nodes' }],
  'cluster-id-shared': [{ over: { otherClusters: ['uid-2'] }, seen: 'uid-2' }],
  'eip-quota-used': [
    { over: { eipsInAccount: 16 }, severity: 'warning', seen: '16 of 20' },
    { over: { eipsInAccount: 20 }, seen: '20 of 20' },
    {
      over: { eipsInAccount: 25, ...withSettings({ eipQuota: undefined }) },
      severity: 'warning',
      seen: 'the usual quota',
    },
  ],
  'cloud-throttled': [{ over: withCall('throttled', 'Throttling.User'), severity: 'warning', seen: 'Throttling.User' }],
  'bandwidth-package-unusable': [
    { over: { packages: [] }, seen: 'there is no cbwp-1' },
    { over: { packages: [{ id: 'cbwp-1', businessStatus: 'FinancialLocked' }] }, seen: 'FinancialLocked' },
  ],
  'no-way-to-registries': [{ over: { nat: { gateways: 1, withSnat: 0 } }, severity: 'info', seen: '1 NAT' }],
  'policies-contradict': [{ over: withPolicy('Contradicted'), severity: 'warning', seen: 'a sentence' }],
  'policy-selects-nothing': [{ over: withPolicy('NoNamespace'), severity: 'warning', seen: 'a sentence' }],
  'policy-not-understood': [{ over: withPolicy('FieldNotUnderstood'), severity: 'warning', seen: 'a sentence' }],
  'namespace-at-limit': [
    {
      over: { namespaces: [{ name: 'team', eips: 5, limit: 5, policies: ['team'] }] },
      severity: 'warning',
      seen: '5 of 5',
    },
  ],
  'namespace-at-default-cap': [
    { over: { namespaces: [{ name: 'shop', eips: 10, policies: [] }] }, severity: 'warning', seen: '10 of 10' },
  ],
  'podeips-stuck': [
    {
      over: {
        podEips: podEips.map((each) => ({ ...each, isStuck: true, reason: 'EipLocked', message: 'it is locked' })),
      },
      seen: 'shop/web: it is locked',
    },
  ],
  'recorded-eips-missing': [{ over: { missingEips: { asked: 3, missing: ['eip-1'] } }, seen: '1 of 3' }],
};

test('a healthy cluster has no finding, every check is made, and each part is well', (t) => {
  const { findings, unasked, made, well } = diagnose(factsOf());
  t.deepEqual(findings, []);
  t.deepEqual(unasked, []);
  t.is(made, DIAGNOSIS_IDS.length);
  t.is(
    well.reduce((sum, { checks }) => sum + checks, 0),
    made,
  );
});

for (const [id, cases] of Object.entries(CASES))
  test(`${id} is found, alone, with its value`, (t) => {
    for (const { over, isInPod, severity = 'error', seen } of cases) {
      const { findings } = diagnose(factsOf(over, isInPod));
      t.deepEqual(
        findings.map((each) => [each.id, each.severity]),
        [[id as DiagnosisId, severity]],
        JSON.stringify(over),
      );
      t.true(findings[0]?.evidence.includes(seen), findings[0]?.evidence);
      for (const sentence of [findings[0]?.problem, findings[0]?.remedy]) t.regex(sentence ?? '', /\S.*[^.\s]$/u);
    }
  });

const remedyOf = (isByHelm: boolean) =>
  diagnose(
    factsOf({ definitions: [{ name: 'podeips.alibabacloud.com', isThere: true, isByHelm, lacking: ['status'] }] }),
  ).findings[0]?.remedy ?? '';

test('what Helm owns is mended by Helm', (t) => {
  t.regex(remedyOf(true), /^helm upgrade .*crds\.enabled/u);
  t.regex(remedyOf(false), /^kubectl apply --server-side -k config\/crd/u);
});

test('what is not a fault is none: the same values on the other side of each bound', (t) => {
  const fine: readonly Partial<Questions>[] = [
    { apiServer: { version: 'v1.30.0' }, virtualNode: undefined },
    { apiServer: { version: 'v1.36.0', aheadMs: 59_000 } },
    { deployments: [] },
    { configuration: undefined },
    { knative: undefined },
    { imageCaches: undefined },
    withCaches({ rights: undefined }),
    { knative: { features: {} } },
    { webhookAnswer: { outcome: 'warned', message: '' }, ...withSettings({ refusesConflicts: false }) },
    { webhookAnswer: undefined, webhookSecret: undefined },
    { webhookSecret: { fingerprints: ['CC'] }, ...withSettings({ makesCertificate: false }) },
    withSettings({ hasVirtualNode: false }),
    withSettings({ hasElection: false }),
    {
      webhooks: webhooks.map((each) => ({
        ...each,
        name: 'workloads.knative-eip.alibabacloud.com',
        failurePolicy: 'Fail',
      })),
    },
    withNode({ pods: 89 }),
    { eipsInAccount: 15 },
    { podEips: podEips.map((each) => ({ ...each, isStuck: true, ageMs: 59_999 })) },
    { namespaces: [{ name: 'shop', eips: 9, policies: [] }] },
    { namespaces: [{ name: 'shop', eips: 1_000, policies: [] }], ...withSettings({ namespaceEips: 0 }) },
    { calls: calls.map((each) => ({ ...each, outcome: 'denied', isExtra: true })) },
    { endpoints: endpoints.map((each) => ({ ...each, kind: 'public' })) },
    { knative: { version: 'v1.23.9', features: {} } },
  ];
  for (const over of fine) t.deepEqual(diagnose(factsOf(over)).findings, [], JSON.stringify(over));
});

test('a question without an answer leaves out the checks that need it, and is said with its reason', (t) => {
  for (const question of Object.keys(QUESTIONS) as QuestionName[]) {
    const facts = factsOf();
    const answers = { ...facts.answers, [question]: couldNotBeRead('nobody may') };
    const { findings, unasked, made } = diagnose({ ...facts, answers });
    t.deepEqual(findings, [], question);
    t.deepEqual(unasked, [{ question, what: QUESTIONS[question], why: 'nobody may' }]);
    t.is(made, DIAGNOSIS_IDS.filter((id) => !CHECKS[id].needs.includes(question)).length);
  }
});

test('errors come before warnings, and these before what is worth knowing', (t) => {
  const { findings, well } = diagnose(
    factsOf({
      nat: { gateways: 0, withSnat: 0 },
      ...withWebhooks({ failurePolicy: 'Fail' }),
      otherClusters: ['uid-2'],
    }),
  );
  t.deepEqual(
    findings.map(({ id }) => id),
    ['cluster-id-shared', 'webhook-failure-policy', 'no-way-to-registries'],
  );
  t.false(well.some(({ area }) => area === 'webhooks' || area === 'cloud'));
});

test('the versions of Knative that count as tried are those of docs/compatibility.md', (t) => {
  const page = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');
  t.regex(page, new RegExp(String.raw`^\| Knative Serving +\| ${TESTED_KNATIVE.to} +\|`, 'mu'));
});
