import test from 'ava';
import { assert as assertProperty, constantFrom, dictionary, option, property, string } from 'fast-check';
import type { Node, Placement } from '../../src/api/core.ts';
import { targetOf } from '../../src/request/target.ts';
import {
  type Labels,
  OURS,
  VIRTUAL,
  TAINT,
  pod,
  node,
  instance,
  affinity,
  term,
  tolerating,
  brief,
} from './target-fixture.ts';

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
