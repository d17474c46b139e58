import test from 'ava';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { KEYS } from '../../src/api/annotations.ts';
import type { Node, Pod } from '../../src/api/core.ts';
import type { EipPolicySpec } from '../../src/api/eippolicy.ts';
import type { Finding } from '../../src/api/finding.ts';
import { explainFiles } from '../../src/cli/explain-files.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { settingsOf } from '../../src/manager/settings.ts';
import { readReview } from '../../src/webhook/review.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import { ACK_EXTEND, TERWAY_CONFIG, TERWAY_EIP_POOL } from '../../src/rules/conflicting-controllers.ts';
import { effectivePolicy } from '../../src/policies/policy.ts';
import { findingBeside } from '../../src/controllers/podeip/beside-others.ts';
import { PodRequest } from '../../src/controllers/podeip/pod-request.ts';
import { underPolicy } from '../../src/policies/policy.ts';
import { configOf } from '../harness/settings.ts';

const K8S = 'k8s.aliyun.com/';
const VALUES = [
  'true',
  'false',
  'True',
  '',
  '5',
  '5M',
  '201',
  '501',
  'PayByTraffic',
  'PayByBandwidth',
  'PrePaid',
  'PostPaid',
  'BGP',
  'BGP_PRO',
  'BGP_FinanceCloud',
  'ChinaTelecom_L2',
  'bgp',
  'eip-bp1',
  'eip-bp2',
  'cbwp-1',
  'rg-1',
  'pippool-1',
  'name',
  '{"a":"b"}',
  '{}',
  '[]',
  'AntiDDoS_Enhanced',
  'wait',
  'ready',
  'Follow',
  'Never',
  '10m',
  '-5m',
  '\u0000',
  'x'.repeat(300),
];
const OTHERS = [
  `${K8S}eip-bandwith`,
  `${K8S}eip-charge-type`,
  `${K8S}pod-with-epi`,
  'pod-with-eip',
  'autoscaling.knative.dev/max-scale',
  'autoscaling.knative.dev/min-scale',
  'knative.aliyun.com/reserve-instance',
  'team',
];
const annotations = fc.dictionary(
  fc.oneof(fc.constantFrom(...Object.values(KEYS).flat()), fc.constantFrom(...OTHERS)),
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...VALUES) }, fc.string(), fc.constantFrom('1', '2', 'enable')),
  { maxKeys: 6, noNullPrototype: true },
);
const asked = fc
  .tuple(
    annotations,
    fc.constantFrom(
      {},
      { [`${K8S}pod-with-eip`]: 'true' },
      { [`${K8S}pod-with-eip`]: 'true', [`${K8S}eip-resource-group-id`]: 'rg-1' },
      { [`${K8S}eci-eip-instanceid`]: 'eip-bp1' },
    ),
  )
  .map(([some, asks]) => ({ ...asks, ...some }));

const owners = [undefined, 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'CloneSet'];
const labels = fc.constantFrom<Record<string, string>>(
  {},
  {
    'serving.knative.dev/service': 'web',
    'serving.knative.dev/serviceUID': 'u',
    'serving.knative.dev/revision': 'web-1',
  },
);

/** Where it runs: what the manifest says, and the node that the scheduler then takes. */
const places: readonly { readonly labels: Record<string, string>; readonly node: Node }[] = [
  {
    labels: {},
    node: { metadata: { name: 'n', uid: 'n', resourceVersion: '1', labels: { 'kubernetes.io/os': 'linux' } } },
  },
  {
    labels: { 'alibabacloud.com/eci': 'true' },
    node: { metadata: { name: 'n', uid: 'n', resourceVersion: '1', labels: { type: 'virtual-kubelet' } } },
  },
];

const TEAM = { team: 'web' };
/** What the policies of a cluster may say; the namespace has the label of {@link TEAM}. */
const policySpecs = fc.constantFrom<readonly EipPolicySpec[]>(
  [],
  [{ limits: { eips: 0 } }],
  [{ namespaceSelector: { matchLabels: TEAM }, limits: { eips: 1 } }],
  [{ namespaces: ['default'], limits: { bandwidthMbps: 4 } }, { limits: { bandwidthMbps: 9 } }],
  [
    {
      namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['web'] }] },
      limits: { eips: 0 },
    },
  ],
  [{ bandwidthPackages: ['cbwp-2'], resourceGroups: [], defaults: { bandwidth: 3, bandwidthPackage: 'cbwp-1' } }],
  [
    {
      existingEips: { ids: ['eip-bp2'], tags: [TEAM] },
      defaults: { isp: 'BGP_PRO', internetChargeType: 'PayByBandwidth' },
    },
  ],
  [{ namespaces: ['other'], limits: { eips: 0 } }, { limits: { eips: 2, bandwidthMbps: 300 } }],
);

const input = fc.record({
  annotations: asked,
  labels,
  owner: fc.constantFrom(...owners),
  place: fc.constantFrom(...places),
  hostNetwork: fc.boolean(),
  policies: policySpecs,
  enableVirtualNode: fc.boolean(),
  region: fc.constantFrom('cn-hangzhou', 'cn-hongkong', 'cn-hangzhou-finance'),
  existingEips: fc.constantFrom('any' as const, 'granted' as const),
  otherControllers: fc.constantFrom<readonly string[]>(
    [],
    [ACK_EXTEND],
    [TERWAY_EIP_POOL],
    [ACK_EXTEND, TERWAY_EIP_POOL],
  ),
});

/** What an installation of each leaves in the cluster. */
const SIGNS: Readonly<Record<string, object>> = {
  [ACK_EXTEND]: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: ACK_EXTEND, namespace: 'kube-system' },
    spec: {},
  },
  [TERWAY_EIP_POOL]: {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: TERWAY_CONFIG, namespace: 'kube-system' },
    data: { eni_conf: '{ "version": "1", "enable_eip_pool": "true" }' },
  },
};

/** Of what few values are drawn for, each is made once. */
const madeOnce = <K, V>(make: (key: K) => V): ((key: K) => V) => {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
};

const signOf = madeOnce((name: string) => stringify(SIGNS[name]));

/** The policies as manifests, with the namespace, and what they say of it. */
const policiesOf = madeOnce((specs: readonly EipPolicySpec[]) => {
  const names = specs.map((_, index) => `p${index}`);
  const policies = specs.map((spec, index) => ({
    metadata: { name: names[index] ?? '', uid: 'u', resourceVersion: '1' },
    spec,
  }));
  return {
    manifests: [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels: TEAM } },
      ...specs.map((spec, index) => ({
        apiVersion: 'podeip-controller.alibabacloud.com/v1alpha1',
        kind: 'EipPolicy',
        metadata: { name: names[index] },
        spec,
      })),
    ].map((manifest) => stringify(manifest)),
    effective: effectivePolicy(policies, { name: 'default', labels: TEAM }),
  };
});

type Drawn = Pick<ConfigInput, 'regionID' | 'enableVirtualNode' | 'existingEips'>;
const configFor = madeOnce((drawn: string) =>
  configOf({ ...(JSON.parse(drawn) as Drawn), networkController: { customStatefulWorkloadKinds: ['CloneSet'] } }),
);

/** What people are told of a finding. */
const inShort = (found: readonly Pick<Finding, 'id' | 'severity' | 'keys' | 'problem' | 'remedy'>[]) =>
  found.map(({ id, severity, keys, problem, remedy }) => ({ id, severity, keys, problem, remedy }));

const isOfOthers = ({ id }: Pick<Finding, 'id'>) => id === 'OtherEipController';

test('explain, the webhook and the controller find the same in the same pod', (t) => {
  let refused = 0;
  let warned = 0;
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(input, (it) => {
      const { region: regionID, enableVirtualNode, existingEips } = it;
      const config = configFor(JSON.stringify({ regionID, enableVirtualNode, existingEips } satisfies Drawn));
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: 'web',
          namespace: 'default',
          uid: 'u',
          resourceVersion: '1',
          annotations: it.annotations,
          labels: { ...it.labels, ...it.place.labels },
          ...(it.owner !== undefined && {
            ownerReferences: [{ apiVersion: 'apps/v1', kind: it.owner, name: 'web', uid: 'o', controller: true }],
          }),
        },
        spec: { hostNetwork: it.hostNetwork },
      };

      const { otherControllers } = it;
      const { manifests, effective } = policiesOf(it.policies);
      const text = [stringify(pod), ...otherControllers.map(signOf), ...manifests].join('---\n');
      const { explanations, problems } = explainFiles([{ name: 'pod.yaml', read: () => text }], {
        config,
        isRegionKnown: true,
        namespace: 'default',
      });
      t.deepEqual(problems, []);
      const explained = inShort(explanations[0]?.findings ?? []);

      for (const { id } of explained) seen.set(id, (seen.get(id) ?? 0) + 1);
      const settings = underPolicy(settingsOf(config, ''), effective);
      const bound: Pod = { ...pod, spec: { ...pod.spec, nodeName: 'n' } };
      const asked = new PodRequest(bound, it.place.node, settings);
      t.deepEqual(
        inShort(asked.findings),
        explained.filter((each) => !isOfOthers(each)),
      );
      if (asked.plan.how === 'podeip') {
        const beside = findingBeside(otherControllers, asked.target);
        t.deepEqual(inShort(beside ? [beside] : []), explained.filter(isOfOthers));
      }

      const change = changeOf(
        readReview({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          request: {
            uid: 'r',
            operation: 'CREATE',
            resource: { group: '', version: 'v1', resource: 'pods' },
            namespace: 'default',
            object: JSON.parse(JSON.stringify(pod)) as unknown,
          },
        }),
      );
      const told = explained.filter(({ severity }) => severity !== 'note');
      if (change.kind !== 'change') {
        t.deepEqual(told, [], 'the webhook does not evaluate what has nothing to say about EIPs');
        return;
      }
      const { denied, warnings } = validate(change.change, {
        settings,
        provider: 'add-on',
        namespaceLabels: TEAM,
        onConflict: 'refuse',
        known: { otherControllers },
      });
      const line = ({ id, problem, remedy }: (typeof told)[number]) => `${id}: ${problem}; ${remedy}`;
      const refusals = told.filter(({ severity }) => severity === 'refuse');
      t.is(denied !== undefined, refusals.length > 0 && it.owner === undefined);
      if (denied) refused += 1;
      if (warnings.length > 0) warned += 1;
      t.is(denied?.message ?? '', it.owner === undefined ? refusals.map(line).join('. ') : '');
      t.deepEqual(warnings, told.filter((each) => !denied || each.severity !== 'refuse').map(line));
    }),
    { numRuns: 5_500 },
  );
  t.true(refused > 300 && warned > 300, `${refused} refused, ${warned} with warnings: both are tried`);
  for (const id of ['QuotaOfNamespaceExceeded', 'UncountedOnEci', 'NotAllowedByPolicy', 'GrantNeeded'])
    t.true((seen.get(id) ?? 0) > 30, `${id} is tried, ${seen.get(id)} times`);
});

test('explain and the webhook find the same in the same template', (t) => {
  const kinds = [
    ['serving.knative.dev/v1', 'Service'],
    ['serving.knative.dev/v1', 'Configuration'],
    ['apps/v1', 'Deployment'],
    ['apps/v1', 'StatefulSet'],
  ] as const;
  const config = configOf();
  fc.assert(
    fc.property(
      fc.record({
        kind: fc.constantFrom(...kinds),
        annotations: asked,
        outside: annotations,
        replicas: fc.constantFrom(undefined, 0, 1, 2),
        place: fc.constantFrom(...places),
        hostNetwork: fc.boolean(),
        policies: policySpecs,
      }),
      ({ kind: [apiVersion, kind], replicas, place, hostNetwork, policies, ...it }) => {
        const object = {
          apiVersion,
          kind,
          metadata: { name: 'web', namespace: 'default', annotations: it.outside },
          spec: {
            replicas: replicas ?? null,
            template: { metadata: { annotations: it.annotations, labels: place.labels }, spec: { hostNetwork } },
          },
        };
        const { manifests, effective } = policiesOf(policies);
        const text = [stringify(object), ...manifests].join('---\n');
        const { explanations } = explainFiles([{ name: 'k.yaml', read: () => text }], {
          config,
          isRegionKnown: true,
          namespace: 'default',
        });
        const told = inShort(explanations[0]?.findings ?? []).filter(({ severity }) => severity !== 'note');
        const change = changeOf({
          uid: 'r',
          operation: 'CREATE',
          resource: 'x/y',
          subResource: '',
          namespace: 'default',
          object,
          oldObject: undefined,
        });
        if (change.kind !== 'change') return void t.deepEqual(told, []);
        const facts = { provider: 'add-on', namespaceLabels: TEAM, onConflict: 'warn', known: {} } as const;
        const { denied, warnings } = validate(change.change, {
          ...facts,
          settings: underPolicy(settingsOf(config, ''), effective),
        });
        t.is(denied, undefined);
        t.deepEqual(
          warnings,
          told.map(({ id, problem, remedy }) => `${id}: ${problem}; ${remedy}`),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});
