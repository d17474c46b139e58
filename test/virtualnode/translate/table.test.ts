import test from 'ava';
import { chooserOf, HONOURED_ANNOTATIONS, HONOURED_FIELDS } from '../../../src/request/instance-table.ts';
import { translate } from '../../../src/virtualnode/translate/group.ts';
import type { WorkloadContainer, WorkloadPod } from '../../../src/virtualnode/workload-pod.ts';
import { inputOf, podOf } from './pods.ts';

/** The paths of everything that is looked at in an object, where it is there or not; indexes are `[]`. */
const watched = <T extends object>(object: T, at: string, seen: Set<string>): T =>
  new Proxy(object, {
    get: (target, key, receiver) => {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key !== 'string') return value;
      const isIndex = Array.isArray(target) && /^\d+$/.test(key);
      const isOfArray = Array.isArray(target) && !isIndex;
      const path = isIndex ? `${at}[]` : at === '' ? key : `${at}.${key}`;
      if (!isOfArray) seen.add(path);
      return typeof value === 'object' && value !== null ? watched(value, path, seen) : value;
    },
    // What is asked for by name only; `in` and hasOwn ask so.
    getOwnPropertyDescriptor: (target, key) => {
      if (typeof key === 'string' && !Array.isArray(target)) seen.add(at === '' ? key : `${at}.${key}`);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
  });

const container: WorkloadContainer = {
  name: 'app',
  image: 'nginx',
  env: ['metadata.labels', 'spec.serviceAccountName'].map((fieldPath, n) => ({
    name: `A${n}`,
    valueFrom: { fieldRef: { fieldPath } },
  })),
  ports: [{ containerPort: 80 }],
  volumeMounts: [{ name: 'v0', mountPath: '/v0' }],
  resources: { limits: { cpu: '1' } },
  readinessProbe: { tcpSocket: { port: 80 } },
  lifecycle: { preStop: { exec: { command: ['true'] } } },
  securityContext: { runAsUser: 5 },
};

/** Everything that the type has a place for; a field that is looked at and is not in here is seen all the same. */
const whole: WorkloadPod = podOf({
  containers: [container],
  initContainers: [{ name: 'first', image: 'busybox' }],
  securityContext: { runAsUser: 1 },
  dnsConfig: { nameservers: ['10.0.0.1'] },
  imagePullSecrets: [{ name: 'key' }],
  volumes: [
    { name: 'v0', emptyDir: {} },
    { name: 'v1', configMap: { name: 'here' } },
    { name: 'v2', secret: { secretName: 'here' } },
    { name: 'v3', projected: { sources: [] } },
    { name: 'v4', downwardAPI: { items: [] } },
    { name: 'v5', nfs: { server: 's', path: '/' } },
    { name: 'v6', flexVolume: { driver: 'alicloud/disk', options: { volumeId: 'd-1' } } },
    { name: 'v7' },
  ],
});

const lookedAt = (): ReadonlySet<string> => {
  const seen = new Set<string>();
  const annotations = watched<Record<string, string>>({}, '', seen);
  const fields = new Set<string>();
  const pod = watched(whole, '', fields);
  // The annotations have a watch of their own, because their keys have dots.
  translate(
    inputOf(
      new Proxy(pod, {
        get: (target, key, receiver) =>
          key === 'metadata'
            ? new Proxy(pod.metadata, {
                get: (of, name, self) =>
                  name === 'annotations' ? annotations : (Reflect.get(of, name, self) as unknown),
              })
            : (Reflect.get(target, key, receiver) as unknown),
      }),
    ),
  );
  return new Set([...fields, ...[...seen].map((key) => `annotation ${key}`)]);
};

/** Annotations that are only looked for to say that they mean nothing here. */
const NOTED = (key: string) => /^k8s\.aliyun\.com\/(acr-|eci-|imc-|insecure-|plain-http-|pod-fail-)/.test(key);

test('every annotation that the virtual node looks at has a row that says who may choose it, and no row is of another', (t) => {
  const looked = [...lookedAt()].filter((it) => it.startsWith('annotation ')).map((it) => it.slice(11));
  const honoured = looked.filter((key) => chooserOf(key) !== undefined);
  t.deepEqual(honoured.toSorted(), [...HONOURED_ANNOTATIONS].toSorted());
  for (const key of looked.filter((it) => chooserOf(it) === undefined)) {
    const given = translate(inputOf(podOf({ annotations: { [key]: 'x' } })));
    const without = translate(inputOf(podOf()));
    if (given.kind !== 'spec' || without.kind !== 'spec') return t.fail(`${key} has no row and is not only noted`);
    t.true(NOTED(key), key);
    t.deepEqual(given.spec, without.spec, `${key} has no row and changes the instance`);
    t.true(
      given.notes.some(({ field }) => field === `metadata.annotations[${key}]`),
      `${key} is not noted`,
    );
  }
});

const hasRow = (path: string) =>
  HONOURED_FIELDS.some((row) => path === row || path.startsWith(`${row}.`) || path.startsWith(`${row}[`));

test('every field that the virtual node looks at has a row that says who may choose it, and no row is of another', (t) => {
  const fields = [...lookedAt()].filter((it) => !it.startsWith('annotation '));
  const isInner = (path: string) =>
    fields.some((other) => other !== path && (other.startsWith(`${path}.`) || other.startsWith(`${path}[`)));
  t.deepEqual(
    fields.filter((path) => !hasRow(path) && !isInner(path) && !path.endsWith('[]')),
    [],
    'looked at without a row in src/request/instance-table.ts',
  );
  t.deepEqual(
    HONOURED_FIELDS.filter((row) => !fields.includes(row)),
    [],
    'a row of something that nobody looks at',
  );
});
