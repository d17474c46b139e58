import test from 'ava';
import type { PodTemplate } from '../../src/api/core.ts';
import { targetOf, targetOfTemplate } from '../../src/request/target.ts';
import { type Labels, OURS, VIRTUAL, TAINT, pod, node, affinity, term, tolerating, brief } from './target-fixture.ts';

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

test('one Service may have pods on ECS and on ECI: the same template, told apart by the node alone', (t) => {
  const spec = { ...tolerating({ key: TAINT, operator: 'Exists' }), nodeName: 'n1' };
  t.is(brief(targetOf(pod(spec), node({}))), 'ecs proved');
  t.is(brief(targetOf(pod(spec), node(VIRTUAL, TAINT))), 'eci add-on inferred');
  t.is(
    brief(targetOf(pod(spec, { annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1' } }), node(VIRTUAL, TAINT))),
    'eci add-on proved',
  );
});
