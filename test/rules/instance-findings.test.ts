import test from 'ava';
import { stringify } from 'yaml';
import { explainFiles } from '../../src/cli/explain-files.ts';
import { ruleSettingsOf } from '../../src/manager/settings.ts';
import { effectivePolicy } from '../../src/policies/policy.ts';
import { readReview } from '../../src/webhook/review.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import { SERVICE_LABEL } from '../../src/api/knative.ts';
import { configOf } from '../harness/settings.ts';
import { allowing, podOf, refusalsOf } from '../virtualnode/translate/pods.ts';
import { deployment, ECI, NEW, pod } from './manifests.ts';

const KEY = 'k8s.aliyun.com/eci-ram-role-name';
const ALLOWS = { ramRoles: ['reader'] };
const config = configOf({ virtualNode: { enabled: true, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1' } });
const attack = pod({ annotations: { [KEY]: 'admin' }, labels: ECI });
const fine = pod({ annotations: { [KEY]: 'reader' }, labels: ECI });
const policy = {
  apiVersion: 'podeip-controller.alibabacloud.com/v1alpha1',
  kind: 'EipPolicy',
  metadata: { name: 'team' },
  spec: { virtualNode: ALLOWS },
};

const explained = (...objects: readonly object[]) =>
  explainFiles([{ name: 'f', read: () => objects.map((it) => stringify(it)).join('---\n') }], {
    config,
    isRegionKnown: true,
    namespace: 'default',
  }).explanations.map(({ verdict, findings }) => [
    verdict,
    ...findings.map(({ id, problem, remedy }) => `${id}: ${problem}; ${remedy}`),
  ]);

const admittedOf = (
  object: object,
  {
    labels = {},
    isKnown = true,
    oldObject,
  }: { labels?: object | undefined; isKnown?: boolean; oldObject?: object } = {},
) => {
  const change = changeOf(
    readReview({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: 'u',
        operation: oldObject ? 'UPDATE' : 'CREATE',
        resource: { group: '', version: 'v1', resource: 'pods' },
        namespace: 'default',
        object,
        oldObject,
      },
    }),
  );
  if (change.kind !== 'change') return undefined;
  const policies = [{ metadata: { name: 'team', uid: '', resourceVersion: '' }, spec: policy.spec }];
  return validate(change.change, {
    settings: {
      ...ruleSettingsOf(config),
      policy: isKnown ? effectivePolicy(policies, { name: 'default' }) : undefined,
    },
    provider: 'ours',
    namespaceLabels: isKnown ? (labels as Record<string, string>) : undefined,
    onConflict: 'refuse',
    known: {},
  });
};

const denied = (...of: Parameters<typeof admittedOf>) => admittedOf(...of)?.denied?.message;

test('explain, the webhook and the virtual node say the same of what a pod may not choose', (t) => {
  const [first] = refusalsOf(podOf({ annotations: { [KEY]: 'admin' } }), { policy: allowing(ALLOWS) });
  const sentence = `NotAllowedOnVirtualNode: annotation ${KEY}: ${first?.problem}; ${first?.remedy}`;
  t.deepEqual(explained(policy, attack), [['refused', sentence]]);
  t.is(denied(attack), sentence);
  t.deepEqual(explained(policy, fine), [['nothing']]);
  t.is(denied(fine), undefined);
});

test('an update that adds a volume of the account is judged also where nothing else of the pod can be read', (t) => {
  const nfs = { name: 'data', nfs: { server: 'nas.example.com', path: '/' } };
  // As the API server refuses it, but not what stores a template of its own, such as Knative.
  const unreadable = { env: [{ name: 'A', valueFrom: { secretKeyRef: { key: 'k' } } }] };
  for (const more of [{}, unreadable]) {
    const of = (volumes: readonly object[], image = 'nginx') =>
      deployment({ annotations: NEW, labels: ECI, spec: { containers: [{ name: 'app', image, ...more }], volumes } });
    t.regex(denied(of([nfs]), { oldObject: of([]) }) ?? 'let in', /^NotAllowedOnVirtualNode: .*nas\.example\.com/);
    const { denied: not, warnings } = admittedOf(of([nfs], 'other'), { oldObject: of([nfs]) }) ?? { warnings: [] };
    t.deepEqual([not, warnings], [undefined, []], 'what was there is not asked about');
  }
});

test('without any policy, explain refuses too', (t) => {
  t.regex(explained(fine)[0]?.[1] ?? '', /no EipPolicy of the namespace has virtualNode\.ramRoles/);
});

test('where the policies of the namespace are not known, nobody is refused at admission: the virtual node asks again', (t) => {
  t.is(denied(attack, { isKnown: false }), undefined);
});

const onNode = (spec: object, kind: 'Deployment' | 'Service' | 'DaemonSet' = 'Deployment') => ({
  apiVersion: kind === 'Service' ? 'serving.knative.dev/v1' : 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'default' },
  spec: { template: { metadata: { labels: ECI }, spec } },
});
const main = (change: object) => ({ containers: [{ name: 'main', image: 'nginx', ...change }] });
const saidOf = (object: object) => (explained(object)[0] ?? []).map((line) => line.split(';')[0] ?? '');

test('explain refuses what the virtual node would refuse, in its words, and notes what it would change', (t) => {
  const host = { ...main({}), volumes: [{ name: 'data', hostPath: { path: '/' } }] };
  const [refusal] = refusalsOf(podOf({ volumes: [{ name: 'data', hostPath: {} } as never] }));
  t.deepEqual(explained(onNode(host)), [
    ['refused', `UnsupportedByECI: ${refusal?.field}: ${refusal?.problem}; ${refusal?.remedy}`],
  ]);
  t.deepEqual(saidOf(onNode(main({ env: [{ name: 'A', value: 'x'.repeat(300) }] }))).slice(0, 1), ['refused']);
  t.deepEqual(saidOf(onNode(main({ resources: { limits: { 'nvidia.com/gpu': 1 } } }))), [
    'refused',
    'UnsupportedByECI: spec.containers[*].resources.limits[nvidia.com/gpu]: only instances of a type with GPUs have some, and no type is named',
  ]);
  t.deepEqual(saidOf(onNode(main({ startupProbe: { tcpSocket: { port: 1 } } }))), [
    'nothing',
    'ChangedForECI: spec.containers[main].startupProbe: ECI has no startup probes',
  ]);
  t.is(saidOf(onNode(main({}), 'DaemonSet'))[0], 'refused');
  t.deepEqual(
    saidOf({ ...onNode(host), spec: { template: { spec: host } } }),
    ['nothing'],
    'on a node it is none of this',
  );
});

test('of what a pod refers to nothing is known before it is there, and nothing is said', (t) => {
  const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } }];
  const claim = { name: 'c', persistentVolumeClaim: { claimName: 'c' } };
  const volumes = [{ name: 's', secret: { secretName: 's' } }, claim, { name: 'e', ephemeral: {} }];
  t.deepEqual(explained(onNode({ ...main({ env }), volumes })), [['nothing']]);
});

test('a Knative Service is judged as the pod that Knative makes of it', (t) => {
  // The sidecar makes this probe, and the port is filled in.
  t.deepEqual(saidOf(onNode(main({ readinessProbe: { httpGet: { path: '/' } } }), 'Service')), ['nothing']);
  const grpc = { readinessProbe: { grpc: {} }, ports: [{ containerPort: 9000 }] };
  t.deepEqual(explained(onNode(main(grpc), 'Service')), [
    [
      'nothing',
      'ChangedForECI: spec.containers[main].readinessProbe.grpc: ECI has no gRPC probes; the container counts as ready when port 9000 accepts connections; its health is not asked about',
    ],
  ]);
  t.deepEqual(
    explained(onNode(main({ readinessProbe: { grpc: { port: 9000 } } }))),
    explained(onNode(main(grpc), 'Service')),
  );
  t.deepEqual(
    saidOf(onNode({ ...main({}), volumes: [{ name: 'data', hostPath: { path: '/' } }] }, 'Service'))[0],
    'refused',
  );
  t.deepEqual(saidOf(onNode({ containers: [{ image: 'nginx' }] }, 'Service')), ['nothing'], 'the name is filled in');
});

test('at admission it is a warning: what becomes of a template is seen when the pod is there', (t) => {
  const unsupported = { ...pod({ annotations: { [KEY]: 'reader' }, labels: ECI }) };
  Object.assign(unsupported, { spec: { ...main({}), hostPID: true } });
  const admitted = admittedOf(unsupported);
  t.is(admitted?.denied, undefined);
  t.deepEqual(admitted?.warnings, [
    'UnsupportedByECI: spec.hostPID: true is not possible: an ECI instance has no host; leave it out',
  ]);
});

test('a spec that is none is left to the API server', (t) => {
  for (const spec of [{ containers: 'none' }, { containers: [{ name: 1 }] }, {}, { containers: [] }])
    t.deepEqual(explained(onNode(spec)), [['nothing']], JSON.stringify(spec));
});

const explainedBy = (eciProfile: boolean, ...objects: readonly object[]) => {
  const honouring = configOf({
    virtualNode: { enabled: true, eciProfile, vSwitchIDs: ['vsw-1'], securityGroupID: 'sg-1' },
    webhook: { enabled: true },
  });
  return explainFiles([{ name: 'f', read: () => objects.map((it) => stringify(it)).join('---\n') }], {
    config: honouring,
    isRegionKnown: true,
    namespace: 'default',
  });
};

test('explain says what the eci-profile adds, and judges the pod with it, where the configuration honours one', (t) => {
  const profile = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'eci-profile', namespace: 'kube-system' },
    data: {
      selectors: JSON.stringify([
        { name: 'role', objectSelector: { matchLabels: { app: 'x' } }, effect: { annotations: { [KEY]: 'admin' } } },
      ]),
    },
  };
  const labelled = pod({ annotations: {}, labels: { app: 'x' } });
  const [by] = explainedBy(true, profile, labelled).explanations;
  t.is(by?.verdict, 'refused');
  t.like(by?.target, { on: 'eci' });
  t.deepEqual(
    by?.findings.map(({ id }) => id),
    ['NotAllowedOnVirtualNode', 'ChangedForECI'],
  );
  t.is(by?.findings.at(-1)?.problem, `kube-system/eci-profile adds to the pod: role (virtual node, annotation ${KEY})`);
  for (const { explanations, problems } of [
    explainedBy(false, profile, labelled),
    explainedBy(true, { ...profile, metadata: { name: 'eci-profile', namespace: 'default' } }, labelled),
    explainedBy(true, labelled),
  ]) {
    t.deepEqual(problems, []);
    t.like(explanations, [{ verdict: 'nothing', findings: [] }]);
  }
  // Knative's own labels are on its pods only.
  const selectors = JSON.stringify([{ name: 'k', objectSelector: { matchLabels: { [SERVICE_LABEL]: 'hello' } } }]);
  const service = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'hello' },
    spec: { template: { spec: { containers: [{ image: 'hello' }] } } },
  };
  const [served] = explainedBy(true, { ...profile, data: { selectors } }, service).explanations;
  t.like(served?.target, { on: 'eci' });
  // Every namespace has its name as a label, and the webhook is not asked about two of them.
  for (const [namespace, on] of [
    ['team-a', 'eci'],
    ['kube-system', 'ecs'],
  ] as const) {
    const byName = JSON.stringify([
      { name: 'n', namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
    ]);
    const its = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
    const inIt = { ...labelled, metadata: { name: 'p', namespace } };
    const [of] = explainedBy(true, { ...profile, data: { selectors: byName } }, its, inIt).explanations;
    t.like(of?.target, { on }, namespace);
  }
  const broken = explainedBy(true, { ...profile, data: { selectors: '[{}]' } }, labelled);
  t.deepEqual(broken.problems, [
    'the ConfigMap kube-system/eci-profile is not honoured: selectors[0].name: found nothing, and Kubernetes wants a text here',
  ]);
});
