import test from 'ava';
import { ECI_PROFILE, KEYS, OUR_VIRTUAL_NODE, VIRTUAL_NODE_TAINT } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import { readEciProfile } from '../../src/manifest/read-eci-profile.ts';
import { effectOnPod, type ProfileSelector } from '../../src/rules/eci-profile.ts';

const selectorsOf = (selectors: unknown): readonly ProfileSelector[] => {
  const read = readEciProfile(JSON.stringify(selectors));
  if (read.kind === 'broken') throw new Error(read.problems.join('\n'));
  return read.selectors;
};

interface Shape {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly spec?: Partial<Pod['spec']>;
  readonly owner?: string;
}

const podOf = ({ labels, annotations, spec = {}, owner }: Shape = {}): Pod => ({
  metadata: {
    name: 'a',
    uid: '',
    resourceVersion: '',
    labels,
    annotations,
    ...(owner !== undefined && {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: owner, name: 'o', uid: 'o', controller: true }],
    }),
  },
  spec,
});

const effect = (selectors: unknown, pod: Pod, namespaceLabels: Record<string, string> | undefined = {}) =>
  effectOnPod(selectorsOf(selectors), pod, namespaceLabels);

/** The template of ACK's page "Configure an eci-profile". */
const SAMPLE = [
  {
    name: 'selector-demo1',
    namespaceSelector: { matchLabels: { eci: 'true' } },
    objectSelector: { matchLabels: { eci: 'true' } },
    effect: {
      annotations: { 'k8s.aliyun.com/eci-use-specs': 'ecs.c6.xlarge' },
      labels: { 'created-by-eci': 'true' },
    },
  },
  { name: 'selector-demo2', objectSelector: { matchLabels: { eci: 'test' } } },
];

const ECI = { 'alibabacloud.com/eci': 'true' };
const PLACED = {
  nodeSelector: { [OUR_VIRTUAL_NODE]: 'true' },
  tolerations: [{ key: VIRTUAL_NODE_TAINT, operator: 'Exists', effect: 'NoSchedule' }],
};

test('the vendor’s sample: both selectors have to match, and one without an effect sends the pod only', (t) => {
  const both = effect(SAMPLE, podOf({ labels: { eci: 'true' } }), { eci: 'true' });
  t.deepEqual(both.effect?.annotations, {
    'k8s.aliyun.com/eci-use-specs': 'ecs.c6.xlarge',
    [ECI_PROFILE]: 'selector-demo1 (annotation k8s.aliyun.com/eci-use-specs, label created-by-eci)',
  });
  t.deepEqual(both.effect?.labels, { 'created-by-eci': 'true' });
  // Its label eci=true sends it by itself.
  t.is(both.effect?.placement, undefined);
  t.is(effect(SAMPLE, podOf({ labels: { eci: 'true' } }), { eci: 'no' }).effect, undefined);
  t.is(effect(SAMPLE, podOf({ labels: { eci: 'no' } }), { eci: 'true' }).effect, undefined);

  const sent = effect(SAMPLE, podOf({ labels: { eci: 'test' } }));
  t.like(sent.effect?.placement, PLACED);
  t.deepEqual(sent.effect?.annotations, { [ECI_PROFILE]: 'selector-demo2 (virtual node)' });
});

const EFFECT = { annotations: { a: '1' } };
const on = (matchExpressions: object[]) => [{ name: 's', objectSelector: { matchExpressions }, effect: EFFECT }];

test('labels are matched as Kubernetes matches them', (t) => {
  const cases: readonly (readonly [object[], Record<string, string>, boolean])[] = [
    [[{ key: 'usage', operator: 'In', values: ['testing', 'dev'] }], { usage: 'dev' }, true],
    [[{ key: 'usage', operator: 'In', values: ['testing'] }], { usage: 'prod' }, false],
    [[{ key: 'usage', operator: 'In', values: ['testing'] }], {}, false],
    [[{ key: 'usage', operator: 'NotIn', values: ['prod'] }], { usage: 'prod' }, false],
    [[{ key: 'usage', operator: 'NotIn', values: ['prod'] }], {}, true],
    [[{ key: 'usage', operator: 'Exists' }], { usage: '' }, true],
    [[{ key: 'usage', operator: 'Exists' }], {}, false],
    [[{ key: 'usage', operator: 'DoesNotExist' }], {}, true],
    [[{ key: 'usage', operator: 'DoesNotExist' }], { usage: '' }, false],
    [
      [
        { key: 'a', operator: 'Exists' },
        { key: 'b', operator: 'Exists' },
      ],
      { a: '' },
      false,
    ],
    [[{ key: 'toString', operator: 'Exists' }], {}, false],
  ];
  for (const [expressions, labels, isMatch] of cases)
    t.is(
      effect(on(expressions), podOf({ labels })).effect !== undefined,
      isMatch,
      JSON.stringify([expressions, labels]),
    );
});

test('the pod’s own word wins, then the first selector that says it', (t) => {
  const selectors = [
    { name: 'one', effect: { annotations: { a: '1', b: '1' }, labels: { x: '1' } } },
    { name: 'two', effect: { annotations: { a: '2', b: '2', c: '2' }, labels: { x: '2', y: '2' } } },
    { name: 'three', effect: { annotations: { a: '3' } } },
  ];
  const { effect: merged } = effect(selectors, podOf({ labels: { ...ECI, y: '0' }, annotations: { a: '0' } }));
  t.deepEqual(merged?.annotations, {
    b: '1',
    c: '2',
    [ECI_PROFILE]: 'one (annotation b, label x); two (annotation c)',
  });
  t.deepEqual(merged?.labels, { x: '1' });
});

const adding = (annotations: Record<string, string>, pod: Record<string, string>) => {
  const { effect: merged } = effect([{ name: 's', effect: { annotations } }], podOf({ labels: ECI, annotations: pod }));
  return Object.keys(merged?.annotations ?? {}).filter((key) => key !== ECI_PROFILE);
};

test('an EIP is one thing in all spellings: what a pod says of it is not contradicted', (t) => {
  for (const withEip of KEYS.withEip)
    for (const own of [...KEYS.withEip, ...KEYS.instanceId]) {
      t.deepEqual(adding({ [withEip]: 'true' }, { [own]: 'false' }), [], `${withEip} beside ${own}`);
      t.deepEqual(adding({ [KEYS.instanceId[2]]: 'eip-1' }, { [own]: 'x' }), [], own);
    }
  for (const bandwidth of KEYS.bandwidth)
    for (const own of KEYS.bandwidth) t.deepEqual(adding({ [bandwidth]: '5' }, { [own]: '1' }), []);
  const EIP = { [KEYS.withEip[2]]: 'true', [KEYS.bandwidth[1]]: '5' };
  t.deepEqual(adding(EIP, {}), Object.keys(EIP));
  t.deepEqual(adding(EIP, { [KEYS.withEip[0]]: 'true' }), [KEYS.bandwidth[1]]);
  for (const named of KEYS.instanceId) t.deepEqual(adding(EIP, { [named]: 'eip-1' }), [], 'how a new one is made');
});

test('a selector without labels means pods that go to the virtual node anyway, and moves none', (t) => {
  for (const nothing of [{}, { namespaceSelector: {}, objectSelector: { matchLabels: {}, matchExpressions: [] } }]) {
    const selectors = [{ name: 'all', ...nothing, effect: EFFECT }];
    t.is(effect(selectors, podOf()).effect, undefined);
    t.is(effect(selectors, podOf({ labels: ECI })).effect?.annotations['a'], '1');
    t.is(effect(selectors, podOf(), ECI).effect?.annotations['a'], '1', 'its namespace sends it');
    const bySelector = podOf({ spec: { nodeSelector: { type: 'virtual-kubelet' } } });
    t.is(effect(selectors, bySelector).effect?.placement, undefined);
    t.is(effect(selectors, bySelector).effect?.annotations['a'], '1');
  }
});

test('a pod is sent where nothing of it says otherwise, and told where something does', (t) => {
  const selectors = [{ name: 's', objectSelector: { matchLabels: { app: 'x' } }, effect: EFFECT }];
  const given = (shape: Shape, namespaceLabels: Record<string, string> = {}) =>
    effect(selectors, podOf({ ...shape, labels: { app: 'x', ...shape.labels } }), namespaceLabels);
  t.like(given({}).effect?.placement, PLACED);
  const tolerant = { tolerations: [{ operator: 'Exists' }], nodeSelector: { 'kubernetes.io/os': 'linux' } };
  t.deepEqual(given({ spec: tolerant }).effect?.placement, {
    ...tolerant,
    nodeSelector: { 'kubernetes.io/os': 'linux', [OUR_VIRTUAL_NODE]: 'true' },
  });
  const refused: readonly (readonly [Shape, RegExp])[] = [
    [{ labels: { 'alibabacloud.com/eci': 'false' } }, /its label alibabacloud\.com\/eci=false/],
    [{ labels: { eci: 'false' } }, /its label eci=false/],
    [{ labels: { 'alibabacloud.com/acs': 'true' } }, /Container Compute Service/],
    [{ spec: { nodeName: 'node-1' } }, /it names node node-1/],
    [{ spec: { nodeSelector: { type: 'ecs' } } }, /nodeSelector type=ecs keeps it from there/],
    [{ spec: { nodeSelector: { disktype: 'ssd' } } }, /its node selector asks for label disktype, which/],
    [{ labels: { 'alibabacloud.com/acs': 'true', ...ECI } }, /contradict/],
  ];
  for (const [shape, why] of refused) {
    const { effect: none, warnings } = given(shape);
    t.is(none, undefined, String(why));
    t.regex(warnings.join(), why);
    t.regex(warnings.join(), /^selector s of kube-system\/eci-profile selects the pod/);
  }
});

test('pods of a DaemonSet, and those that have been through it, are left alone', (t) => {
  const selectors = [{ name: 's', objectSelector: { matchLabels: { app: 'x' } }, effect: EFFECT }];
  const labels = { app: 'x' };
  t.deepEqual(effect(selectors, podOf({ labels, owner: 'DaemonSet' })), {
    effect: undefined,
    warnings: [],
    open: [],
    leftOut: [],
  });
  t.truthy(effect(selectors, podOf({ labels, owner: 'ReplicaSet' })).effect);
  t.deepEqual(effect(selectors, podOf({ labels, annotations: { [ECI_PROFILE]: 'old (annotation a)' } })), {
    effect: undefined,
    warnings: [],
    open: [],
    leftOut: [],
  });
});

test('labels that a selector adds select nothing: what matches is what the pod was made with', (t) => {
  const selectors = [
    { name: 'one', effect: { labels: { app: 'x' } } },
    { name: 'two', objectSelector: { matchLabels: { app: 'x' } }, effect: EFFECT },
  ];
  t.is(effect(selectors, podOf({ labels: ECI })).effect?.annotations['a'], undefined);
});

test('where the labels of the namespace are not known, selectors of namespaces are left out and told', (t) => {
  const selectors = [
    { name: 'by-namespace', namespaceSelector: { matchLabels: { team: 'a' } }, effect: { annotations: { n: '1' } } },
    {
      name: 'of-others',
      namespaceSelector: { matchLabels: { team: 'a' } },
      objectSelector: { matchLabels: { app: 'y' } },
    },
    { name: 'by-pod', objectSelector: { matchLabels: { app: 'x' } }, effect: EFFECT },
  ];
  const {
    effect: merged,
    warnings,
    leftOut,
  } = effectOnPod(selectorsOf(selectors), podOf({ labels: { app: 'x' } }), undefined);
  t.deepEqual(Object.keys(merged?.annotations ?? {}), ['a', ECI_PROFILE]);
  t.is(warnings.length, 1);
  t.deepEqual(leftOut, ['by-namespace']);
  t.regex(warnings.join(), /selector by-namespace .* could not be read; make the pod again/);
});
