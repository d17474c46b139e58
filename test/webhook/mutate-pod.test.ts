import test from 'ava';
import * as fc from 'fast-check';
import { ECI_KEYS, KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import { REVISION_LABEL } from '../../src/api/knative.ts';
import { admitPod, type AdmissionFacts } from '../../src/webhook/mutate-pod.ts';
import { UNCHANGED } from '../../src/webhook/review.ts';
import { parseAnnotations } from '../../src/request/parse.ts';
import { jsonPatch } from '../../src/sandbox/kube/patch.ts';
import { ruleSettings } from '../harness/settings.ts';

const GATE = { conditionType: READINESS_GATE };

const facts = (changes: Partial<AdmissionFacts> = {}): AdmissionFacts => ({
  settings: ruleSettings(),
  namespaceLabels: {},
  provider: 'add-on',
  ...changes,
});

interface Shape {
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly spec?: Partial<Pod['spec']>;
}

const podOf = ({ annotations, labels = { [REVISION_LABEL]: 'hello-00001' }, spec = {} }: Shape): Pod => ({
  metadata: { name: '', uid: '', resourceVersion: '', annotations, labels },
  spec,
});

/** What becomes of the pod, by the API server's own rules of patching. */
const after = (pod: Pod, given: AdmissionFacts): Pod => jsonPatch(pod, admitPod(pod, given).patch) as Pod;

const NEW = { 'k8s.aliyun.com/pod-with-eip': 'true' };
const ECI = { 'alibabacloud.com/eci': 'true' };
const TOLERANT = { tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }] };

test('a pod that mentions no EIP is left alone, whatever else is on it', (t) => {
  for (const annotations of [undefined, {}, { 'k8s.aliyun.com/eci-use-specs': '2-4Gi', app: 'x' }])
    t.is(admitPod(podOf({ annotations, labels: ECI, spec: TOLERANT } as Shape), facts()), UNCHANGED);
});

const isGated = ({ spec }: Pod) => spec.readinessGates?.some(({ conditionType }) => conditionType === READINESS_GATE);

/** Where it will run, what it asks for, whether Knative made it → gate and canonical keys. */
const TABLE: readonly {
  readonly say: string;
  readonly pod: Shape;
  readonly facts?: Partial<AdmissionFacts>;
  readonly gate: boolean;
  readonly canonical: boolean;
}[] = [
  { say: 'Knative, ECS, new', pod: { annotations: NEW }, gate: true, canonical: false },
  {
    say: 'Knative, ECS, existing',
    pod: { annotations: { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-1' } },
    gate: true,
    canonical: false,
  },
  {
    say: 'Knative, ECS, existing, taken once the pod before it is gone',
    pod: { annotations: { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-1', 'k8s.aliyun.com/eip-handover': 'wait' } },
    gate: false,
    canonical: false,
  },
  { say: 'not Knative, ECS', pod: { annotations: NEW, labels: {} }, gate: false, canonical: false },
  {
    say: 'Knative, ECI by the pod’s label',
    pod: { annotations: NEW, labels: { [REVISION_LABEL]: 'r', ...ECI } },
    gate: false,
    canonical: true,
  },
  {
    say: 'Knative, ECI by its namespace’s label',
    pod: { annotations: NEW },
    facts: { namespaceLabels: ECI },
    gate: false,
    canonical: true,
  },
  {
    say: 'not Knative, ECI by its namespace’s label',
    pod: { annotations: NEW, labels: {} },
    facts: { namespaceLabels: ECI },
    gate: false,
    canonical: true,
  },
  {
    say: 'Knative, tolerates virtual nodes and may end anywhere',
    pod: { annotations: NEW, spec: TOLERANT },
    gate: true,
    canonical: true,
  },
  {
    say: 'Knative, the labels of the namespace could not be read',
    pod: { annotations: NEW },
    facts: { namespaceLabels: undefined },
    gate: true,
    canonical: true,
  },
  {
    say: 'Knative, ECI, served by the controller',
    pod: { annotations: NEW },
    facts: { namespaceLabels: ECI, settings: { ...facts().settings, enableVirtualNode: true } },
    gate: true,
    canonical: false,
  },
  {
    say: 'Knative, ECI, in ECI’s own words although the controller serves the others',
    pod: { annotations: { [ECI_KEYS.withEip]: 'true' } },
    facts: { namespaceLabels: ECI, settings: { ...facts().settings, enableVirtualNode: true } },
    gate: false,
    canonical: true,
  },
  {
    say: 'Knative, our own virtual node',
    pod: { annotations: NEW, labels: { [REVISION_LABEL]: 'r', ...ECI } },
    facts: { provider: 'ours' },
    gate: false,
    canonical: false,
  },
  {
    say: 'Knative, our own virtual node, existing: bound once the instance runs',
    pod: { annotations: { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-1' }, labels: { [REVISION_LABEL]: 'r', ...ECI } },
    facts: { provider: 'ours' },
    gate: true,
    canonical: false,
  },
  {
    say: 'Knative, ACS',
    pod: { annotations: NEW, labels: { [REVISION_LABEL]: 'r', 'alibabacloud.com/acs': 'true' } },
    gate: false,
    canonical: false,
  },
  {
    say: 'Knative, refused',
    pod: { annotations: { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '0' } },
    gate: false,
    canonical: false,
  },
  {
    say: 'Knative, expressly none',
    pod: { annotations: { 'k8s.aliyun.com/pod-with-eip': 'false' } },
    gate: false,
    canonical: false,
  },
  {
    say: 'Knative, on the network of its node',
    pod: { annotations: NEW, spec: { hostNetwork: true } },
    gate: false,
    canonical: false,
  },
];

for (const row of TABLE)
  test(`${row.say}: ${row.gate ? 'a' : 'no'} gate, ${row.canonical ? 'the' : 'no'} keys of ECI`, (t) => {
    const pod = podOf(row.pod);
    const given = facts(row.facts);
    const result = after(pod, given);
    t.is(isGated(result) ?? false, row.gate);
    const written = Object.keys(result.metadata.annotations ?? {}).filter(
      (key) => result.metadata.annotations?.[key] !== pod.metadata.annotations?.[key],
    );
    const isThere = [ECI_KEYS.withEip, ECI_KEYS.instanceId].some((key) =>
      Object.hasOwn(result.metadata.annotations ?? {}, key),
    );
    t.is(row.canonical ? isThere : written.length > 0, row.canonical);
    t.deepEqual(admitPod(result, given).patch, [], 'a second call changes nothing');
  });

test('a label sends a pod to our own virtual node, with whatever it demands and tolerates already, and nowhere without one', (t) => {
  const ours = facts({ provider: 'ours' });
  const node = { 'podeip-controller.alibabacloud.com/virtual-node': 'true' };
  const toleration = { key: 'virtual-kubelet.io/provider', operator: 'Exists', effect: 'NoSchedule' };
  const sent = (spec: Shape['spec'], given = ours, annotations: Record<string, string> = NEW) =>
    after(podOf({ annotations, labels: ECI, ...(spec && { spec }) }), given).spec;
  t.deepEqual(sent({}), { nodeSelector: node, tolerations: [toleration] });
  t.deepEqual(sent({}, ours, {}), { nodeSelector: node, tolerations: [toleration] }, 'also one that wants no address');
  const other = { key: 'x', operator: 'Exists' };
  t.deepEqual(sent({ nodeSelector: { a: 'b' }, tolerations: [other] }), {
    nodeSelector: { a: 'b', ...node },
    tolerations: [other, toleration],
  });
  t.deepEqual(sent({ nodeSelector: { type: 'virtual-kubelet' }, ...TOLERANT }), {
    nodeSelector: { type: 'virtual-kubelet' },
    ...TOLERANT,
  });
  t.deepEqual(sent({ nodeName: 'node-1' }), { nodeName: 'node-1' });
  t.deepEqual(sent({}, facts()), {}, 'the cluster’s add-on sends its pods itself');
  t.deepEqual(after(podOf({ annotations: {}, labels: {} }), ours).spec, {});
});

test('every spelling becomes the keys that ECI honours, and texts that it would misread are corrected', (t) => {
  const pod = podOf({
    annotations: {
      'network.alibabacloud.com/pod-with-eip': 'true',
      'network.alibabacloud.com/eip-bandwidth': '10M',
      'k8s.aliyun.com/eip-charge-type': 'PayByBandwidth',
      app: 'mine',
    },
  });
  const { metadata } = after(pod, facts({ namespaceLabels: ECI }));
  t.deepEqual(metadata.annotations, {
    app: 'mine',
    'network.alibabacloud.com/pod-with-eip': 'true',
    'network.alibabacloud.com/eip-bandwidth': '10',
    'k8s.aliyun.com/eip-charge-type': 'PayByBandwidth',
    [ECI_KEYS.withEip]: 'true',
    [ECI_KEYS.bandwidth]: '10',
    [ECI_KEYS.internetChargeType]: 'PayByBandwidth',
    [ECI_KEYS.isp]: 'BGP',
  });
});

test('what is refused is taken out of the keys that the add-on acts on, and stays refused for whoever reads the pod', (t) => {
  const [net, k8s, eci] = KEYS.withEip;
  const bad = { 'k8s.aliyun.com/eip-bandwidth': '0' };
  const named = { [ECI_KEYS.instanceId]: 'eip-bp1' };
  const rows: readonly (readonly [given: Record<string, string>, becomes: Record<string, string>])[] = [
    [
      { [eci]: 'true', ...bad },
      { [net]: 'true', ...bad },
    ],
    [
      { [eci]: 'true', [k8s]: 'true', ...bad },
      { [k8s]: 'true', ...bad },
    ],
    [{ [eci]: 'True' }, { [net]: 'True' }],
    [
      { [eci]: 'true', ...named },
      { [net]: 'true', [KEYS.instanceId[0]]: 'eip-bp1' },
    ],
    // Spellings that disagree go on disagreeing.
    [
      { [eci]: 'true', [k8s]: 'false' },
      { [net]: 'true', [k8s]: 'false' },
    ],
    [
      { [eci]: 'true', [net]: 'false', [k8s]: 'false' },
      { [net]: 'false', [k8s]: 'true' },
    ],
    [
      { [eci]: 'true', [net]: 'true', [k8s]: 'false' },
      { [net]: 'true', [k8s]: 'false' },
    ],
  ];
  for (const [annotations, becomes] of rows)
    for (const where of [facts({ namespaceLabels: ECI }), facts({ namespaceLabels: undefined })]) {
      const pod = podOf({ annotations });
      const { metadata } = after(pod, where);
      t.deepEqual(metadata.annotations, becomes);
      t.true(admitPod(pod, where).warnings.length > 0);
      const read = parseAnnotations(metadata.annotations, where.settings.defaults);
      t.true(read.wanted && read.request === undefined, JSON.stringify(becomes));
    }
  // Nobody but the add-on acts on its keys, and what is fine, or asks for nothing, stays as it is.
  const ours = facts({ namespaceLabels: ECI, provider: 'ours' });
  t.deepEqual(after(podOf({ annotations: { [eci]: 'true', ...bad } }), ours).metadata.annotations, {
    [eci]: 'true',
    ...bad,
  });
  t.deepEqual(after(podOf({ annotations: { [eci]: 'false' } }), facts({ namespaceLabels: ECI })).metadata.annotations, {
    [eci]: 'false',
  });
});

test('an EIP that only its own tag could grant is not named to the add-on, which looks at no tag', (t) => {
  const [net, k8s, eci] = KEYS.instanceId;
  const granted = { ...facts().settings, existingEips: 'granted' as const };
  const named = (annotations: Record<string, string>, around: Partial<AdmissionFacts>) => {
    const pod = podOf({ annotations });
    const placed = { ...pod, metadata: { ...pod.metadata, namespace: 'default' } };
    const result = after(placed, facts({ settings: granted, ...around }));
    const isGivenToAddOn = result.metadata.annotations?.[eci] !== undefined;
    if (!isGivenToAddOn) t.falsy(isGated(result), 'on ECI nobody would open it');
    t.deepEqual(admitPod(result, facts({ settings: granted, ...around })).patch, []);
    return result.metadata.annotations;
  };
  for (const where of [{ namespaceLabels: ECI }, { namespaceLabels: undefined }]) {
    t.deepEqual(named({ [k8s]: 'eip-1' }, where), { [k8s]: 'eip-1' });
    t.deepEqual(named({ [eci]: 'eip-1' }, where), { [net]: 'eip-1' });
    for (const open of [{ existingEipNamespaces: ['default'] }, { existingEips: 'any' as const }])
      t.is(named({ [k8s]: 'eip-1' }, { ...where, settings: { ...granted, ...open } })?.[eci], 'eip-1');
  }
});

test('an EIP of another namespace is not named to the add-on, which asks nobody whose it is', (t) => {
  const [net, , eci] = KEYS.instanceId;
  const settings = { ...facts().settings, existingEips: 'firstUse' as const };
  const named = (foreignEips: readonly string[], where: Partial<AdmissionFacts>) => {
    const pod = podOf({ annotations: { [eci]: 'eip-1' } });
    const placed = { ...pod, metadata: { ...pod.metadata, namespace: 'default' } };
    return after(placed, facts({ ...where, settings: { ...settings, foreignEips } })).metadata.annotations;
  };
  for (const where of [{ namespaceLabels: ECI }, { namespaceLabels: undefined }]) {
    t.deepEqual(named(['eip-1'], where), { [net]: 'eip-1' });
    t.is(named([], where)?.[eci], 'eip-1');
    t.is(named(['eip-2'], where)?.[eci], 'eip-1');
  }
});

test('an EIP that has to be counted is not asked for from the add-on, where the pod may end there', (t) => {
  const [net, , eci] = KEYS.withEip;
  const policy = { names: ['few'], limits: { eips: 3 }, defaults: {} };
  const settings = { ...facts().settings, policy };
  for (const where of [{ pod: TOLERANT }, { pod: {}, namespaceLabels: undefined }]) {
    const around = facts({ ...where, settings });
    const result = after(podOf({ annotations: NEW, spec: where.pod }), around);
    t.deepEqual(result.metadata.annotations, NEW);
    // There nobody would open it.
    t.falsy(isGated(result));
    const told = after(podOf({ annotations: { [eci]: 'true' }, spec: where.pod }), around);
    t.deepEqual(told.metadata.annotations, { [net]: 'true' });
    // The controller serves it wherever it runs, and counts it.
    const served = facts({ ...where, settings: { ...settings, enableVirtualNode: true } });
    const counted = after(podOf({ annotations: { [eci]: 'true' }, spec: where.pod }), served);
    t.deepEqual(counted.metadata.annotations, { [net]: 'true' });
    t.true(isGated(counted));
  }
  t.is(after(podOf({ annotations: NEW, spec: TOLERANT }), facts()).metadata.annotations?.[eci], 'true');
});

test('gates of others stay, before ours', (t) => {
  const other = { conditionType: 'cloud.example.com/lb' };
  const pod = podOf({ annotations: NEW, spec: { readinessGates: [other] } });
  t.deepEqual(after(pod, facts()).spec.readinessGates, [other, GATE]);
});

test('what is refused, or means nothing on ECI, is said where kubectl prints it', (t) => {
  const refused = admitPod(podOf({ annotations: { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '0' } }), facts());
  t.regex(refused.warnings.join('\n'), /^InvalidBandwidth: annotation k8s\.aliyun\.com\/eip-bandwidth: "0"/u);
  const ignored = admitPod(
    podOf({ annotations: { ...NEW, 'k8s.aliyun.com/eip-name': 'mine' } }),
    facts({ namespaceLabels: ECI }),
  );
  t.regex(ignored.warnings.join('\n'), /^NotHonouredByEci: /u);
});

test('whatever the annotations and labels are, there is an answer, and the second one changes nothing', (t) => {
  const key = fc.constantFrom(...new Set([...Object.values(KEYS).flat(), 'app', '__proto__', 'k8s.aliyun.com/a~b/c']));
  const text = fc.oneof(
    fc.constantFrom('true', 'false', '5', '5M', '200', 'eip-1', 'BGP', 'wait', 'Never', '10m'),
    fc.string({ unit: 'grapheme' }),
  );
  const labels = fc.dictionary(
    fc.constantFrom(REVISION_LABEL, 'alibabacloud.com/eci', 'alibabacloud.com/acs', 'eci'),
    fc.constantFrom('true', 'false', 'x'),
  );
  fc.assert(
    fc.property(
      fc.dictionary(key, text),
      labels,
      fc.option(labels, { nil: undefined }),
      fc.constantFrom<AdmissionFacts['provider']>('add-on', 'ours'),
      fc.boolean(),
      (annotations, podLabels, namespaceLabels, provider, enableVirtualNode) => {
        const given = facts({ namespaceLabels, provider, settings: { ...facts().settings, enableVirtualNode } });
        const once = after(podOf({ annotations, labels: podLabels }), given);
        return admitPod(once, given).patch.length === 0;
      },
    ),
    { numRuns: 3_000 },
  );
  t.pass();
});
