import type { RuleSettings } from '../../src/rules/rule.ts';
import type { ClusterFacts } from '../../src/rules/cluster-facts.ts';
import { evaluate } from '../../src/rules/evaluate.ts';
import { targetOfWorkload } from '../../src/rules/placement-facts.ts';
import { readWorkload } from '../../src/manifest/read-workload.ts';
import { ruleSettings } from '../harness/settings.ts';

export const settings = ruleSettings();

export const NEW = { 'k8s.aliyun.com/pod-with-eip': 'true' };
export const EXISTING = { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-bp1' };
export const ECI = { 'alibabacloud.com/eci': 'true' };
export const ONE = { 'autoscaling.knative.dev/max-scale': '1' };

interface Shape {
  readonly annotations?: object | undefined;
  readonly labels?: object | undefined;
  readonly spec?: object | undefined;
  /** Annotations of the object itself, where it has a template. */
  readonly outside?: object | undefined;
  /** Labels of the object itself, where it has a template. */
  readonly outsideLabels?: object | undefined;
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly owner?: string | undefined;
  readonly replicas?: number | undefined;
}

export const pod = ({ annotations, labels, spec, name = 'web', namespace = 'default', owner }: Shape): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace,
    annotations,
    labels,
    ...(owner !== undefined && {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: owner, name: 'web', uid: 'u', controller: true }],
    }),
  },
  spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
});

const templated =
  (apiVersion: string, kind: string) =>
  ({
    annotations,
    labels,
    spec,
    outside,
    outsideLabels,
    name = 'web',
    namespace = 'default',
    replicas,
  }: Shape): object => ({
    apiVersion,
    kind,
    metadata: { name, namespace, annotations: outside, labels: outsideLabels },
    spec: {
      ...(replicas !== undefined && { replicas }),
      ...(apiVersion === 'apps/v1' && { selector: { matchLabels: { app: name } } }),
      template: {
        metadata: { annotations, labels: { app: name, ...labels } },
        spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
      },
    },
  });

export const service = templated('serving.knative.dev/v1', 'Service');
export const configuration = templated('serving.knative.dev/v1', 'Configuration');
export const deployment = templated('apps/v1', 'Deployment');
export const statefulSet = templated('apps/v1', 'StatefulSet');
export const daemonSet = templated('apps/v1', 'DaemonSet');

/** Everything that there is to say about a manifest. */
export const evaluated = (
  object: object,
  { facts = {}, ...changes }: Partial<RuleSettings> & { readonly facts?: ClusterFacts } = {},
) => {
  const read = readWorkload(object);
  if (read.kind !== 'workload') throw new Error(`not a workload: ${JSON.stringify(read)}`);
  const { workload } = read;
  return evaluate({
    workload,
    target: targetOfWorkload(workload, {}, changes.instance ? 'ours' : 'add-on'),
    settings: { ...settings, ...changes },
    facts,
  });
};
