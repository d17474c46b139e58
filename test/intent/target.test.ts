import test from 'ava';
import type { Node, Pod } from '../../src/api/core.ts';
import { OUR_VIRTUAL_NODE } from '../../src/api/annotations.ts';
import { expectedTarget, targetOf, type Target, type Template } from '../../src/intent/target.ts';

const node = (labels: Record<string, string>, taints: string[] = []): Node => ({
  metadata: { name: 'n', uid: 'n', resourceVersion: '1', labels },
  spec: { taints: taints.map((key) => ({ key, effect: 'NoSchedule' })) },
});
const pod = (labels: Record<string, string>, annotations: Record<string, string>, nodeName?: string): Pod => ({
  metadata: { name: 'p', namespace: 'default', uid: 'p', resourceVersion: '1', labels, annotations },
  spec: { nodeName },
});

const nodes: readonly (readonly [name: string, node: Node | undefined, isVirtual: boolean])[] = [
  ['not known', undefined, false],
  ['ECS', node({ 'kubernetes.io/os': 'linux' }), false],
  ['virtual by label', node({ type: 'virtual-kubelet' }), true],
  ['self-managed', node({ 'k8s.aliyun.com/vnode': 'true' }), true],
  ['virtual by taint', node({}, ['virtual-kubelet.io/provider']), true],
  ['ours', node({ type: 'virtual-kubelet', [OUR_VIRTUAL_NODE]: 'true' }), true],
];
const labels: readonly Record<string, string>[] = [
  {},
  { 'alibabacloud.com/eci': 'true' },
  { 'serverless.alibabacloud.com/virtual-node': 'true' },
  { 'alibabacloud.com/acs': 'true' },
  { 'serverless.alibabacloud.com/virtual-node': 'true', 'alibabacloud.com/compute-class': 'general-purpose' },
];
const annotations: readonly Record<string, string>[] = [
  {},
  { 'k8s.aliyun.com/eci-instance-id': 'eci-1' },
  { 'alibabacloud.com/instance-id': 'acs-1' },
];

test('where a pod runs: every kind of node with every mark on the pod', (t) => {
  let count = 0;
  for (const [name, on, isVirtual] of nodes)
    for (const pods of labels)
      for (const notes of annotations)
        for (const isBound of [true, false]) {
          count += 1;
          const target = targetOf(pod(pods, notes, isBound ? 'n' : undefined), on);
          const said = JSON.stringify({ name, pods, notes, isBound, target });
          const hasInstance = notes['k8s.aliyun.com/eci-instance-id'] !== undefined;
          const isMarked = pods['serverless.alibabacloud.com/virtual-node'] === 'true';
          t.not(target.because, '', said);
          if (hasInstance) t.is(target.on, 'eci', said);
          else if (!isBound) t.is(target.on, 'unknown', said);
          else if (on === undefined && !isMarked) t.is(target.on, 'unknown', said);
          else if (!isVirtual && !isMarked) t.is(target.on, 'ecs', said);
          else if (name === 'ours') t.like(target, { on: 'eci', by: 'ours' }, said);
          else {
            const isAcs =
              pods['alibabacloud.com/acs'] === 'true' ||
              pods['alibabacloud.com/compute-class'] !== undefined ||
              notes['alibabacloud.com/instance-id'] !== undefined;
            t.like(target, isAcs ? { on: 'acs' } : { on: 'eci', by: 'add-on' }, said);
          }
        }
  t.is(count, 180);
});

test('the label eci alone proves nothing about a pod that was scheduled', (t) => {
  t.is(targetOf(pod({ 'alibabacloud.com/eci': 'true' }, {}, 'n'), node({})).on, 'ecs');
});

const affinity = (operator: string, ...terms: string[][]): Template => ({
  spec: {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: terms.map((values) => ({ matchExpressions: [{ key: 'type', operator, values }] })),
        },
      },
    },
  },
});

const templates: readonly (readonly [Template, Record<string, string> | undefined, Target['on']])[] = [
  [{}, undefined, 'unknown'],
  [{ metadata: { labels: { 'alibabacloud.com/eci': 'true' } } }, undefined, 'eci'],
  [{ metadata: { labels: { eci: 'true' } } }, undefined, 'eci'],
  [{ metadata: { labels: { 'alibabacloud.com/eci': 'false' } } }, { 'alibabacloud.com/eci': 'true' }, 'ecs'],
  [{}, { 'alibabacloud.com/eci': 'true' }, 'eci'],
  [{}, { eci: 'true' }, 'eci'],
  [{}, { 'virtual-node-affinity-injection': 'enabled' }, 'eci'],
  [{}, { team: 'web' }, 'unknown'],
  [{ spec: { nodeSelector: { type: 'virtual-kubelet' } } }, undefined, 'eci'],
  [{ spec: { nodeSelector: { 'k8s.aliyun.com/vnode': 'true' } } }, undefined, 'eci'],
  [{ spec: { nodeSelector: { disk: 'ssd' } } }, undefined, 'unknown'],
  [affinity('In', ['virtual-kubelet']), undefined, 'eci'],
  [affinity('In', ['virtual-kubelet', 'other']), undefined, 'unknown'],
  [affinity('NotIn', ['virtual-kubelet']), { eci: 'true' }, 'ecs'],
  [affinity('In', ['virtual-kubelet'], ['other']), undefined, 'unknown'],
  [{ metadata: { labels: { 'alibabacloud.com/acs': 'true', 'alibabacloud.com/eci': 'true' } } }, undefined, 'acs'],
  [{ metadata: { labels: { 'alibabacloud.com/compute-class': 'gpu' } } }, { eci: 'true' }, 'acs'],
];

test('where the pods of a template are going to run is inferred from what is written, and from nothing else', (t) => {
  for (const [template, namespace, on] of templates)
    t.is(expectedTarget(template, namespace).on, on, JSON.stringify([template, namespace]));
});
