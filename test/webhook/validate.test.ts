import test from 'ava';
import { readReview, writeReview } from '../../src/webhook/review.ts';
import { changeOf, validate, type ValidationFacts } from '../../src/webhook/validate.ts';
import { deployment, EXISTING, NEW, ONE, pod, service, settings } from '../rules/manifests.ts';
import { GATED, rolledOutBy } from '../rules/rollout-pairs.ts';

const facts: ValidationFacts = {
  settings,
  provider: 'add-on',
  namespaceLabels: {},
  onConflict: 'refuse',
  known: {},
};
const BAD = { ...NEW, 'k8s.aliyun.com/eip-bandwidth': '501' };
const WORSE = { ...BAD, 'k8s.aliyun.com/eip-isp': 'bgp' };

const answer = (object: unknown, oldObject?: unknown, given = facts) => {
  const change = changeOf(
    readReview({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: 'u',
        operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
        resource: { group: 'serving.knative.dev', version: 'v1', resource: 'services' },
        namespace: 'default',
        object,
        oldObject,
      },
    }),
  );
  if (change.kind === 'unreadable') throw new Error(JSON.stringify(change));
  return change.kind === 'change' ? validate(change.change, given) : undefined;
};

test('a contradiction is refused with 403 and the sentence of the catalogue; its owner is told what to write', (t) => {
  const admitted = answer(service({ annotations: BAD }));
  t.deepEqual(admitted?.denied, {
    code: 403,
    reason: 'Forbidden',
    message:
      'InvalidBandwidth: annotation k8s.aliyun.com/eip-bandwidth: "501" is no bandwidth that PayByTraffic allows; write a whole number of Mbit/s from 1 to 200, such as "5"',
  });
  t.like(writeReview('u', admitted ?? { patch: [], warnings: [] }), {
    response: { uid: 'u', allowed: false, status: { status: 'Failure', code: 403, reason: 'Forbidden' } },
  });
});

test('all that is refused is said at once, and what is only odd beside it as warnings', (t) => {
  const { denied, warnings } = answer(service({ annotations: { ...WORSE, 'k8s.aliyun.com/eip-nam': 'x' } })) ?? {};
  t.regex(denied?.message ?? '', /^InvalidBandwidth: .*\. InvalidIsp: /);
  t.is(warnings?.length, 1);
  t.regex(warnings?.[0] ?? '', /^UnknownKey: /);
});

test('an EIP that something else names is refused with 409', (t) => {
  const claims = [{ allocationId: 'eip-bp1', kind: 'Service', namespace: 'default', name: 'other', service: 'other' }];
  const object = service({ annotations: { ...EXISTING, ...ONE } });
  t.is(answer(object), answer(object, undefined, { ...facts, known: { claims: [] } }), 'nothing to say without it');
  const { denied } = answer(object, undefined, { ...facts, known: { claims } }) ?? {};
  t.like(denied, { code: 409, reason: 'Conflict' });
  t.regex(denied?.message ?? '', /Service other/);
});

test('with onConflict: warn the same is let in with the same sentences', (t) => {
  const refused = answer(service({ annotations: BAD }));
  const { denied, warnings } = answer(service({ annotations: BAD }), undefined, { ...facts, onConflict: 'warn' }) ?? {};
  t.is(denied, undefined);
  t.deepEqual(warnings, [refused?.denied?.message]);
});

test('what has an owner is told and never refused: the owner was asked, and its pods must be able to come back', (t) => {
  for (const owner of ['ReplicaSet', 'StatefulSet', 'DaemonSet']) {
    const { denied, warnings } = answer(pod({ annotations: BAD, owner })) ?? {};
    t.is(denied, undefined);
    t.is(warnings?.length, 1);
  }
  t.truthy(answer(pod({ annotations: BAD }))?.denied);
});

test('every kind that makes pods is judged', (t) => {
  const template = { metadata: { annotations: BAD }, spec: { containers: [{ name: 'app', image: 'nginx' }] } };
  const jobTemplate = { spec: { template } };
  for (const [apiVersion, kind, spec] of [
    ['apps/v1', 'Deployment', { template }],
    ['apps/v1', 'StatefulSet', { template }],
    ['apps/v1', 'ReplicaSet', { template }],
    ['apps/v1', 'DaemonSet', { template }],
    ['batch/v1', 'Job', { template }],
    ['batch/v1', 'CronJob', { jobTemplate }],
    ['v1', 'ReplicationController', { template }],
  ] as const)
    t.regex(
      answer({ apiVersion, kind, metadata: { name: 'web', namespace: 'default' }, spec })?.denied?.message ?? '',
      /^InvalidBandwidth/,
      kind,
    );
});

const GATED_ONE = { annotations: EXISTING, spec: GATED };

/** Old, new, and what becomes of the change. */
const CHANGES: readonly (readonly [
  say: string,
  before: object,
  after: object,
  becomes: 'refused' | 'warned' | 'unasked',
])[] = [
  ['nothing changes', service({ annotations: BAD }), service({ annotations: BAD }), 'unasked'],
  [
    'another image',
    service({ annotations: BAD, spec: { containers: [{ image: 'old' }] } }),
    service({ annotations: BAD, spec: { containers: [{ image: 'new' }] } }),
    'unasked',
  ],
  [
    'other annotations',
    service({ annotations: BAD }),
    service({
      annotations: { ...BAD, 'example.com/team': 'web' },
      outside: { 'serving.knative.dev/lastModifier': 'x' },
    }),
    'unasked',
  ],
  [
    'a rolling update comes in',
    rolledOutBy({ type: 'Recreate' }, GATED_ONE),
    rolledOutBy(undefined, GATED_ONE),
    'warned',
  ],
  ['a readiness gate comes in', deployment({ annotations: EXISTING }), deployment(GATED_ONE), 'warned'],
  ['a key comes in as a label', service({}), service({ labels: { 'k8s.aliyun.com/eci-with-eip': 'true' } }), 'warned'],
  [
    'a key was a label before',
    deployment({ outsideLabels: NEW }),
    deployment({ outsideLabels: { ...NEW, team: 'web' } }),
    'unasked',
  ],
  ['the violation comes in', service({ annotations: NEW }), service({ annotations: BAD }), 'refused'],
  [
    'the violation becomes another',
    service({ annotations: BAD }),
    service({ annotations: { ...BAD, 'k8s.aliyun.com/eip-bandwidth': '502' } }),
    'refused',
  ],
  ['one violation more', service({ annotations: BAD }), service({ annotations: WORSE }), 'refused'],
  ['one of two is taken away', service({ annotations: WORSE }), service({ annotations: BAD }), 'warned'],
  ['all are taken away', service({ annotations: WORSE }), service({ annotations: NEW }), 'unasked'],
  [
    'one pod becomes two',
    deployment({ annotations: EXISTING, replicas: 1 }),
    deployment({ annotations: EXISTING, replicas: 2 }),
    'refused',
  ],
  [
    'two pods become three',
    deployment({ annotations: EXISTING, replicas: 2 }),
    deployment({ annotations: EXISTING, replicas: 3 }),
    'refused',
  ],
  [
    'five pods become three',
    deployment({ annotations: EXISTING, replicas: 5 }),
    deployment({ annotations: EXISTING, replicas: 3 }),
    'warned',
  ],
  [
    'five pods become three, of another EIP',
    deployment({ annotations: EXISTING, replicas: 5 }),
    deployment({ annotations: { 'k8s.aliyun.com/pod-eip-instanceid': 'eip-bp2' }, replicas: 3 }),
    'refused',
  ],
  [
    'Knative keeps five pods, then three',
    service({ annotations: { ...EXISTING, 'autoscaling.knative.dev/min-scale': '5' } }),
    service({ annotations: { ...EXISTING, 'autoscaling.knative.dev/min-scale': '3' } }),
    'warned',
  ],
  [
    'the bound of scale goes',
    service({ annotations: { ...EXISTING, ...ONE } }),
    service({ annotations: EXISTING }),
    'warned',
  ],
  ['nothing about EIPs is left', service({ annotations: BAD }), service({}), 'unasked'],
];

for (const [say, before, after, becomes] of CHANGES)
  test(`an update is refused for what it brings, never for what was there: ${say}`, (t) => {
    const admitted = answer(after, before);
    const what = admitted?.denied ? 'refused' : admitted && admitted.warnings.length > 0 ? 'warned' : 'unasked';
    t.is(what, becomes, JSON.stringify(admitted));
  });

test('what is on its way out is left alone, so that finalizers can come off', (t) => {
  const going = {
    ...service({ annotations: WORSE }),
    metadata: { name: 'web', deletionTimestamp: '2026-01-01T00:00:00Z' },
  };
  t.is(answer(going), undefined);
  t.is(answer(going, service({ annotations: NEW })), undefined);
});

test('annotations that come to a pod which ECI runs already are let in with a warning', (t) => {
  const running = {
    labels: { 'serverless.alibabacloud.com/virtual-node': 'true' },
    spec: { nodeName: 'virtual-kubelet-cn-hangzhou-j' },
  };
  const { denied, warnings } = answer(pod({ annotations: NEW, ...running }), pod(running)) ?? {};
  t.is(denied, undefined);
  t.regex(warnings?.join() ?? '', /^TooLateForEci: /);
});
