import test from 'ava';
import { EIP_BEFORE_TRAFFIC, KEYS } from '../../src/api/annotations.ts';
import { evaluated, service } from './manifests.ts';

type Tree = Readonly<Record<string, unknown>>;

const ASKS = { 'k8s.aliyun.com/pod-with-eip': 'true' };
const spec = { containers: [{ name: 'app', image: 'nginx' }] };
const template = { metadata: {}, spec };

/** Every kind that is read, and the places in it where pods do not get annotations from. */
const KINDS: readonly (readonly [apiVersion: string, kind: string, spec: Tree, outside: readonly string[]])[] = [
  ['v1', 'Pod', spec, []],
  ['serving.knative.dev/v1', 'Revision', spec, []],
  ...(
    [
      ['serving.knative.dev/v1', 'Service'],
      ['serving.knative.dev/v1', 'Configuration'],
      ['apps/v1', 'Deployment'],
      ['apps/v1', 'StatefulSet'],
      ['apps/v1', 'ReplicaSet'],
      ['apps/v1', 'DaemonSet'],
      ['batch/v1', 'Job'],
      ['v1', 'ReplicationController'],
    ] as const
  ).map(([apiVersion, kind]) => [apiVersion, kind, { template }, ['metadata']] as const),
  [
    'batch/v1',
    'CronJob',
    { jobTemplate: { spec: { template } } },
    ['metadata', 'spec.jobTemplate.metadata', 'spec.template.metadata'],
  ],
];

const objectOf = (apiVersion: string, kind: string, its: Tree): Tree => ({
  apiVersion,
  kind,
  metadata: { name: 'web', namespace: 'default' },
  spec: its,
});

/** The same with this written at the path. */
const written = (tree: Tree, path: readonly string[], value: Tree): Tree => {
  const [first, ...rest] = path;
  if (first === undefined) return { ...tree, ...value };
  return { ...tree, [first]: written((tree[first] ?? {}) as Tree, rest, value) };
};

test('for every kind the place that is advised is one from which its pods get annotations', (t) => {
  for (const [apiVersion, kind, its, outside] of KINDS) {
    const object = objectOf(apiVersion, kind, its);
    const labels = [...outside, kind === 'Pod' || kind === 'Revision' ? 'metadata' : []].flat();
    const wrong = [
      ...outside.map((place) => ['AnnotationOnService', `${place}.annotations`] as const),
      ...labels.map((place) => ['AnnotationAsLabel', `${place}.labels`] as const),
    ];
    t.true(wrong.length > 0);
    for (const [id, place] of wrong) {
      const found = evaluated(written(object, place.split('.'), ASKS));
      t.deepEqual(
        found.map((it) => it.id),
        [id],
        `${kind} ${place}`,
      );
      const advised = /^write it into ([\w.]+)$/u.exec(found[0]?.remedy ?? '')?.[1] ?? '';
      const right = written(object, advised.split('.'), { ...ASKS, 'k8s.aliyun.com/eip-bandwidth': 'x' });
      t.deepEqual(
        evaluated(right).map((it) => it.id),
        ['InvalidBandwidth'],
        `${kind}: what is written into ${advised} is read`,
      );
    }
  }
});

test('what another object makes is not to be written into', (t) => {
  for (const [apiVersion, kind, its] of KINDS) {
    const ownerReferences = [{ apiVersion: 'x/v1', kind: 'Maker', name: 'maker', uid: 'u', controller: true }];
    const object = written(objectOf(apiVersion, kind, its), ['metadata'], { ownerReferences, labels: ASKS });
    t.is(evaluated(object)[0]?.remedy, 'write it into the annotations of the pod template of its Maker', kind);
  }
});

test('every key that is read is missed on a Service itself, and among its labels', (t) => {
  for (const key of [...Object.values(KEYS).flat(), EIP_BEFORE_TRAFFIC]) {
    t.deepEqual(
      evaluated(service({ outside: { [key]: 'true' } })).map(({ id, keys }) => [id, ...keys]),
      [['AnnotationOnService', key]],
    );
    t.deepEqual(
      evaluated(service({ outsideLabels: { [key]: 'true' } })).map(({ id, keys }) => [id, ...keys]),
      [['AnnotationAsLabel', key]],
    );
  }
});
