import test from 'ava';
import { assert as assertProperty, constantFrom, dictionary, option, property, string } from 'fast-check';
import type { Node, NodeSelectorTerm, Placement, Pod, PodTemplate, Toleration } from '../../src/api/core.ts';
import { targetOf, targetOfTemplate, type Target } from '../../src/request/target.ts';

type Labels = Readonly<Record<string, string>>;

const OURS = { 'podeip-controller.alibabacloud.com/virtual-node': 'true' };
const VIRTUAL = { type: 'virtual-kubelet' };
const TAINT = 'virtual-kubelet.io/provider';

const pod = (
  spec: Placement,
  { labels, annotations }: { labels?: Labels | undefined; annotations?: Labels } = {},
): Pod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u1', resourceVersion: '1', labels, annotations },
  spec,
});
const node = (labels: Labels, taint?: string): Node => ({
  metadata: { name: 'n1', uid: 'n1', resourceVersion: '1', labels },
  spec: taint === undefined ? {} : { taints: [{ key: taint, value: 'alibabacloud', effect: 'NoSchedule' }] },
});
/** A node on which the cloud-controller-manager has written which ECS instance it is. */
const instance = (providerID: string): Node => ({ ...node({ type: 'gpu' }), spec: { providerID } });
const affinity = (...nodeSelectorTerms: NodeSelectorTerm[]): Placement => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const term = (key: string, operator: string, ...values: string[]): NodeSelectorTerm => ({
  matchExpressions: [{ key, operator, values }],
});
const tolerating = (...tolerations: Toleration[]): Placement => ({ tolerations });

/** A target in short: where, who runs it, how sure. */
const brief = (target: Target): string =>
  [target.on, ...('by' in target ? [target.by] : []), ...('certainty' in target ? [target.certainty] : [])].join(' ');

/** Templates, and where their pods will run as far as anybody can tell. */
const templates: readonly (readonly [
  title: string,
  template: PodTemplate,
  namespaceLabels: Labels,
  expected: string,
  because: RegExp,
])[] = [
  ['nothing at all', {}, {}, 'ecs inferred', /nothing sends it/],
  ['an app label', { metadata: { labels: { app: 'web' } }, spec: {} }, { team: 'a' }, 'ecs inferred', /nothing/],
  [
    'the ECI label',
    { metadata: { labels: { 'alibabacloud.com/eci': 'true' } } },
    {},
    'eci add-on inferred',
    /^label alibabacloud.com\/eci=true$/,
  ],
  ['the legacy ECI label', { metadata: { labels: { eci: 'true' } } }, {}, 'eci add-on inferred', /^label eci=true$/],
  ['an ECI label that is not true', { metadata: { labels: { eci: 'True' } } }, {}, 'ecs inferred', /nothing/],
  ['the ECI label of the namespace', {}, { 'alibabacloud.com/eci': 'true' }, 'eci add-on inferred', /^namespace label/],
  ['the legacy label of the namespace', {}, { eci: 'true' }, 'eci add-on inferred', /^namespace label eci=true$/],
  ['affinity injection', {}, { 'virtual-node-affinity-injection': 'enabled' }, 'eci add-on inferred', /injection/],
  ['affinity injection, off', {}, { 'virtual-node-affinity-injection': 'disabled' }, 'ecs inferred', /nothing/],
  [
    'a pod that contradicts its namespace',
    { metadata: { labels: { 'alibabacloud.com/eci': 'false' } } },
    { 'alibabacloud.com/eci': 'true' },
    'unknown',
    /contradict/,
  ],
  ['the ACS label', { metadata: { labels: { 'alibabacloud.com/acs': 'true' } } }, {}, 'acs inferred', /^label/],
  [
    'an ACS compute class',
    { metadata: { labels: { 'alibabacloud.com/compute-class': 'performance' } } },
    {},
    'acs inferred',
    /compute-class/,
  ],
  ['the ACS label of the namespace', {}, { 'alibabacloud.com/acs': 'true' }, 'acs inferred', /^namespace label/],
  [
    'ECI and ACS at once',
    { metadata: { labels: { 'alibabacloud.com/acs': 'true', 'alibabacloud.com/eci': 'true' } } },
    {},
    'unknown',
    /contradict/,
  ],
  [
    'the pod’s ECI before the namespace’s ACS',
    { metadata: { labels: { 'alibabacloud.com/eci': 'true' } } },
    { 'alibabacloud.com/acs': 'true' },
    'eci add-on inferred',
    /^label/,
  ],
  [
    'the pod’s ACS before the namespace’s ECI',
    { metadata: { labels: { 'alibabacloud.com/acs': 'true' } } },
    { eci: 'true' },
    'acs inferred',
    /^label/,
  ],
  ['a selector of virtual nodes', { spec: { nodeSelector: VIRTUAL } }, {}, 'eci add-on inferred', /^nodeSelector type/],
  [
    'a selector of VNodes',
    { spec: { nodeSelector: { 'k8s.aliyun.com/vnode': 'true' } } },
    {},
    'eci add-on inferred',
    /vnode/,
  ],
  ['a selector of our node', { spec: { nodeSelector: OURS } }, {}, 'eci ours inferred', /nodeSelector podeip/],
  [
    'a selector of ours beside the general one',
    { spec: { nodeSelector: { ...VIRTUAL, ...OURS } } },
    {},
    'eci ours inferred',
    /podeip/,
  ],
  ['a selector of another type', { spec: { nodeSelector: { type: 'gpu' } } }, {}, 'ecs inferred', /type=gpu/],
  [
    'a selector that contradicts the label',
    { metadata: { labels: { eci: 'true' } }, spec: { nodeSelector: { type: 'gpu' } } },
    {},
    'unknown',
    /contradict/,
  ],
  [
    'ACS on our node',
    { metadata: { labels: { 'alibabacloud.com/acs': 'true' } }, spec: { nodeSelector: OURS } },
    {},
    'unknown',
    /contradict/,
  ],
  [
    'affinity to virtual nodes',
    { spec: affinity(term('type', 'In', 'virtual-kubelet')) },
    {},
    'eci add-on inferred',
    /In/,
  ],
  [
    'affinity to VNodes',
    { spec: affinity(term('k8s.aliyun.com/vnode', 'Exists')) },
    {},
    'eci add-on inferred',
    /vnode/,
  ],
  [
    'affinity to our node',
    { spec: affinity(term(Object.keys(OURS)[0] ?? '', 'In', 'true')) },
    {},
    'eci ours inferred',
    /In/,
  ],
  ['affinity to others', { spec: affinity(term('type', 'In', 'gpu', 'cpu')) }, {}, 'ecs inferred', /gpu, cpu/],
  [
    'anti-affinity as DaemonSets have it',
    { spec: affinity(term('type', 'NotIn', 'virtual-kubelet')) },
    {},
    'ecs inferred',
    /NotIn/,
  ],
  [
    'affinity to nodes without a type',
    { spec: affinity(term('type', 'DoesNotExist')) },
    {},
    'ecs inferred',
    /DoesNotExist/,
  ],
  [
    'affinity to both kinds',
    { spec: affinity(term('type', 'In', 'virtual-kubelet', 'gpu')) },
    {},
    'ecs inferred',
    /nothing/,
  ],
  [
    'affinity to either kind, by terms',
    { spec: affinity(term('type', 'In', 'virtual-kubelet'), term('type', 'NotIn', 'virtual-kubelet')) },
    {},
    'ecs inferred',
    /nothing/,
  ],
  [
    'a term that matches nothing beside one that does',
    { spec: affinity({}, term('type', 'In', 'virtual-kubelet')) },
    {},
    'eci add-on inferred',
    /In/,
  ],
  [
    'a term by name beside one by type',
    {
      spec: affinity(
        { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] },
        term('type', 'Exists'),
      ),
    },
    {},
    'ecs inferred',
    /nothing/,
  ],
  [
    'selector and affinity that exclude each other',
    { spec: { nodeSelector: VIRTUAL, ...affinity(term('type', 'NotIn', 'virtual-kubelet')) } },
    {},
    'unknown',
    /contradict/,
  ],
  [
    'the toleration of the taint, by Exists',
    { spec: tolerating({ key: TAINT, operator: 'Exists' }) },
    {},
    'unknown',
    /tolerations/,
  ],
  [
    'the toleration of the taint, by value',
    { spec: tolerating({ key: TAINT, value: 'alibabacloud' }) },
    {},
    'unknown',
    /tolerations/,
  ],
  ['the toleration of everything', { spec: tolerating({ operator: 'Exists' }) }, {}, 'unknown', /tolerations/],
  [
    'the toleration of VNodes',
    { spec: tolerating({ key: 'k8s.aliyun.com/vnode', value: 'true' }) },
    {},
    'unknown',
    /tolerations/,
  ],
  [
    'the toleration of another cloud',
    { spec: tolerating({ key: TAINT, value: 'azure' }) },
    {},
    'ecs inferred',
    /nothing/,
  ],
  [
    'the toleration of another effect',
    { spec: tolerating({ key: TAINT, operator: 'Exists', effect: 'NoExecute' }) },
    {},
    'ecs inferred',
    /nothing/,
  ],
  [
    'toleration and label',
    { metadata: { labels: { eci: 'true' } }, spec: tolerating({ key: TAINT, operator: 'Exists' }) },
    {},
    'eci add-on inferred',
    /label/,
  ],
  [
    'toleration and selector',
    { spec: { nodeSelector: VIRTUAL, ...tolerating({ key: TAINT, operator: 'Exists' }) } },
    {},
    'eci add-on inferred',
    /nodeSelector/,
  ],
  [
    'a proof in a template, which is a copy',
    { metadata: { annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' } } },
    {},
    'ecs inferred',
    /nothing/,
  ],
  ['a node by name', { spec: { nodeName: 'n1' } }, { eci: 'true' }, 'unknown', /names node n1/],
];

for (const [title, template, namespaceLabels, expected, because] of templates) {
  test(`before there is a pod: ${title}`, (t) => {
    const target = targetOfTemplate(template, namespaceLabels);
    t.is(brief(target), expected);
    t.regex(target.because, because);
    const ours = expected.replace('add-on', 'ours');
    t.is(brief(targetOfTemplate(template, namespaceLabels, 'ours')), ours, 'with our provider in the cluster');
    if (template.spec?.nodeName !== undefined) return;
    const unscheduled = pod(template.spec ?? {}, { labels: template.metadata?.labels });
    t.is(brief(targetOf(unscheduled, undefined, namespaceLabels)), expected, 'as a pod that is not scheduled');
    t.is(brief(targetOf(unscheduled, undefined)), 'unknown', 'where the namespace is not known');
  });
}

const NODES: Readonly<Record<string, Node | 'missing' | undefined>> = {
  none: undefined,
  missing: 'missing',
  ecs: instance('cn-hangzhou.i-bp1'),
  'no instance': node({ 'kubernetes.io/os': 'linux', type: 'gpu' }, 'gpu'),
  virtual: node(VIRTUAL),
  vnode: node({ 'k8s.aliyun.com/vnode': 'true' }),
  tainted: node({}, TAINT),
  'tainted as a VNode': node({}, 'k8s.aliyun.com/vnode'),
  ours: node({ ...VIRTUAL, ...OURS }, TAINT),
};
const MARKS: Readonly<Record<string, Labels>> = {
  none: {},
  eci: { 'k8s.aliyun.com/eci-instance-id': 'eci-bp1' },
  acs: { 'alibabacloud.com/instance-id': 'acs-bp1' },
  'acs in ECI’s place': { 'k8s.aliyun.com/eci-instance-id': 'acs-bp1' },
  empty: { 'k8s.aliyun.com/eci-instance-id': '', 'alibabacloud.com/instance-id': '' },
};
const LABELS: readonly Labels[] = [
  {},
  { 'serverless.alibabacloud.com/virtual-node': 'true' },
  { 'alibabacloud.com/eci': 'true' },
  { 'alibabacloud.com/eci': 'false' },
  { 'alibabacloud.com/acs': 'true' },
  { 'alibabacloud.com/acs': 'true', 'serverless.alibabacloud.com/virtual-node': 'true' },
  { 'alibabacloud.com/acs': 'true', eci: 'true' },
];
const NAMESPACES: readonly (Labels | undefined)[] = [
  undefined,
  {},
  { eci: 'true' },
  { 'virtual-node-affinity-injection': 'enabled' },
  { 'alibabacloud.com/acs': 'true' },
];
const PLACEMENTS: readonly Placement[] = [
  {},
  { nodeSelector: VIRTUAL },
  { nodeSelector: OURS },
  tolerating({ key: TAINT, operator: 'Exists' }),
  affinity(term('type', 'NotIn', 'virtual-kubelet')),
];

test('every combination of node, marks, labels and placement: proof decides, and nothing else once there is a node', (t) => {
  let count = 0;
  for (const [nodeName, there] of Object.entries(NODES))
    for (const [mark, annotations] of Object.entries(MARKS))
      for (const labels of LABELS)
        for (const namespaceLabels of NAMESPACES)
          for (const placement of PLACEMENTS)
            for (const provider of ['add-on', 'ours'] as const) {
              count += 1;
              const spec = there === undefined ? placement : { ...placement, nodeName: 'n1' };
              const known = there === 'missing' ? undefined : there;
              const target = targetOf(pod(spec, { labels, annotations }), known, namespaceLabels, provider);
              const is = brief(target);
              const context = JSON.stringify({ nodeName, mark, labels, namespaceLabels, placement, provider, is });
              const isMarked = labels['serverless.alibabacloud.com/virtual-node'] === 'true';
              const isOurs = nodeName === 'ours';
              const isVirtualNode = ['virtual', 'vnode', 'tainted', 'tainted as a VNode'].includes(nodeName);
              const isMachine = nodeName === 'ecs' || nodeName === 'no instance';
              // Without the labels of the namespace it is the controller that asks.
              const isBelieved = isVirtualNode || (!isMachine && namespaceLabels !== undefined);
              const isVirtual = isVirtualNode || (isMarked && isBelieved);

              if (target.because === '') t.fail(`no reason: ${context}`);
              if (is === 'eci ours proved' && !isOurs) t.fail(context);
              if (isOurs) {
                if (is !== 'eci ours proved') t.fail(context);
              } else if (nodeName === 'ecs') {
                if (is !== 'ecs proved') t.fail(context);
              } else if (isMachine) {
                const hasMark = isMarked || (mark !== 'none' && mark !== 'empty');
                if (is !== (hasMark ? 'unknown' : 'ecs proved')) t.fail(context);
              } else if (mark === 'eci' && isBelieved) {
                if (target.on !== 'eci' || (target.certainty === 'proved') !== (known !== undefined)) t.fail(context);
              } else if (mark.startsWith('acs') && isBelieved) {
                if (is !== (known ? 'acs proved' : 'acs inferred')) t.fail(context);
              } else if (isVirtual) {
                const isAcs = labels['alibabacloud.com/acs'] === 'true' && labels['eci'] !== 'true';
                if (target.on !== 'eci' && target.on !== 'acs') t.fail(context);
                if (isAcs && target.on !== 'acs') t.fail(context);
              } else if (nodeName === 'missing') {
                if (is !== 'unknown') t.fail(context);
              } else if (namespaceLabels === undefined) {
                if (is !== 'unknown') t.fail(context);
              } else if (is.endsWith('proved')) t.fail(`nothing is proved before the pod is scheduled: ${context}`);
              // A node that is known and not ours is the add-on's, whatever the pod selects or the cluster usually has.
              if (known && !isOurs && target.on === 'eci' && target.by !== 'add-on') t.fail(context);
            }
  t.is(count, 9 * 5 * 7 * 5 * 5 * 2);
});

test('marks of a virtual node on a pod, which anybody may write who may edit it, prove nothing against its node', (t) => {
  const spec = { nodeName: 'n1' };
  const marks = [
    { annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-forged' } },
    { annotations: { 'alibabacloud.com/instance-id': 'acs-forged' } },
    { labels: { 'serverless.alibabacloud.com/virtual-node': 'true' } },
  ];
  for (const mark of marks) {
    for (const id of ['cn-hangzhou.i-bp1', 'alicloud://cn-beijing.i-2ze'])
      t.is(brief(targetOf(pod(spec, mark), instance(id))), 'ecs proved');
    for (const id of ['', 'i-bp1', 'cn-hangzhou.eci-1', `${'x'.repeat(100_000)}.i-1`]) {
      const target = targetOf(pod(spec, mark), instance(id));
      t.is(brief(target), 'unknown');
      t.regex(target.because, /label type=virtual-kubelet .* provider ID of an ECS instance/);
    }
    t.is(brief(targetOf(pod(spec, mark), undefined)), 'unknown', 'a node that nobody has seen');
    t.is(brief(targetOf(pod({}, mark), undefined)), 'unknown', 'no node yet');
  }
});

test('one Service may have pods on ECS and on ECI: the same template, told apart by the node alone', (t) => {
  const spec = { ...tolerating({ key: TAINT, operator: 'Exists' }), nodeName: 'n1' };
  t.is(brief(targetOf(pod(spec), node({}))), 'ecs proved');
  t.is(brief(targetOf(pod(spec), node(VIRTUAL, TAINT))), 'eci add-on inferred');
  t.is(
    brief(targetOf(pod(spec, { annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' } }), node(VIRTUAL, TAINT))),
    'eci add-on proved',
  );
});

test('whatever the labels, selectors, affinity and tolerations are, there is an answer', (t) => {
  const key = constantFrom('type', 'eci', TAINT, 'k8s.aliyun.com/vnode', '__proto__', '', ...Object.keys(OURS));
  const value = constantFrom('true', 'virtual-kubelet', 'enabled', '', 'constructor');
  const labels = option(dictionary(key, value), { nil: undefined });
  const operator = constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Equal', '');
  assertProperty(
    property(
      labels,
      labels,
      operator,
      key,
      value,
      option(string(), { nil: undefined }),
      (own, space, op, k, v, name) => {
        const spec: Placement = {
          nodeSelector: own,
          nodeName: name,
          tolerations: [{ key: k, operator: op, value: v }],
          ...affinity({ matchExpressions: [{ key: k, operator: op, values: [v] }] }, { matchExpressions: [] }),
        };
        const target = targetOf(pod(spec, { labels: own }), undefined, space);
        t.true(['ecs', 'eci', 'acs', 'unknown'].includes(target.on) && target.because !== '');
        t.not(brief(target), 'ecs proved', 'no node was seen');
      },
    ),
    { numRuns: 300 },
  );
});
