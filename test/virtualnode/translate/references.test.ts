import test from 'ava';
import type { ContainerGroupVolume } from '../../../src/cloud/container-group-volume.ts';
import type { ContainerEnv } from '../../../src/cloud/container-groups.ts';
import { tokenKey } from '../../../src/virtualnode/translate/input.ts';
import type { WorkloadContainer, EnvVar, Volume } from '../../../src/virtualnode/workload-pod.ts';
import { app, base64, configMap, missingOf, podOf, POD_UID, ran, ranApp, refusalsOf, secret } from './pods.ts';
import type { InputChange, PodChange } from './pods.ts';

const input: InputChange = {
  configMaps: [
    configMap('conf', { mode: 'fast', 'app.yaml': 'a: 1', GREETING: 'hello' }, { 'logo.png': base64('\u0000png') }),
  ],
  secrets: [secret('keys', { token: 'planted-token', USER: 'planted-user' })],
};

const variables = (env: readonly EnvVar[], change: Partial<WorkloadContainer> = {}, pod?: PodChange) =>
  ranApp({ env, ...change }, input, pod).environmentVar ?? [];

const ip = (key: string): ContainerEnv => ({ key, fieldPath: 'status.podIP' });

const metadata = { labels: { b: '2', a: 'say "1"' }, annotations: { note: 'n' } };
const resources = { limits: { cpu: '1500m', memory: '1Gi' } };
const field = (fieldPath: string): EnvVar => ({ name: 'A', valueFrom: { fieldRef: { fieldPath } } });
const resource = (name: string, divisor?: string): EnvVar => ({
  name: 'A',
  valueFrom: { resourceFieldRef: { resource: name, divisor } },
});

const values: readonly (readonly [title: string, variable: EnvVar, expected: string])[] = [
  ['a value', { name: 'A', value: 'x' }, 'x'],
  ['no value', { name: 'A' }, ''],
  ['a dollar sign that is doubled', { name: 'A', value: '$$(B)' }, '$(B)'],
  ['a name that nobody has', { name: 'A', value: '$(NOBODY)/$' }, '$(NOBODY)/$'],
  ['the name of the pod', field('metadata.name'), 'web-0'],
  ['its namespace', field('metadata.namespace'), 'shop'],
  ['its UID', field('metadata.uid'), POD_UID],
  ['one of its labels', field("metadata.labels['b']"), '2'],
  ['one of its annotations', field("metadata.annotations['note']"), 'n'],
  ['a label that it has not', field("metadata.labels['none']"), ''],
  ['its node', field('spec.nodeName'), 'vnode-1'],
  ['its service account', field('spec.serviceAccountName'), 'default'],
  ['a limit, in whole units', resource('limits.cpu'), '2'],
  ['a limit, in thousandths', resource('limits.cpu', '1m'), '1500'],
  ['a limit of memory', resource('limits.memory', '1Mi'), '1024'],
  ['a request that is its limit', resource('requests.cpu', '1m'), '1500'],
  ['a request that is none', resource('requests.ephemeral-storage', '0'), '0'],
  ['a key of a ConfigMap', { name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'mode' } } }, 'fast'],
  ['a key of a Secret', { name: 'A', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } }, 'planted-token'],
];

for (const [title, variable, expected] of values)
  test(`a variable gets ${title}`, (t) => {
    t.deepEqual(variables([variable], { resources }, metadata), [{ key: 'A', value: expected }]);
  });

test('without a limit the instance is the limit, as the node is in Kubernetes', (t) => {
  const env = [resource('limits.cpu', '1m'), { ...resource('limits.memory', '1Mi'), name: 'B' }];
  t.deepEqual(variables(env), [
    { key: 'A', value: '1000' },
    { key: 'B', value: '2048' },
  ]);
  const pod = podOf({ containers: [app({ env })], annotations: { 'k8s.aliyun.com/eci-use-specs': 'ecs.c6.large' } });
  t.deepEqual(
    refusalsOf(pod).map((each) => each.field),
    ['spec.containers[app].env[A]', 'spec.containers[app].env[B]'],
  );
});

test('the address of the instance is for ECI to fill in, also as that of its host, and through another variable', (t) => {
  const env: EnvVar[] = [
    field('status.podIP'),
    { ...field('status.hostIP'), name: 'HOST' },
    { name: 'SAME', value: '$(A)' },
  ];
  t.deepEqual(variables(env), [ip('A'), ip('HOST'), ip('SAME')]);
  const onHost = ranApp({ env }, { settings: { hostIP: '10.9.9.9' } }).environmentVar;
  t.deepEqual(onHost?.[1], { key: 'HOST', value: '10.9.9.9' });
});

test('references come before variables, which may use and replace them', (t) => {
  const container: Partial<WorkloadContainer> = {
    envFrom: [{ prefix: 'C_', configMapRef: { name: 'conf' } }, { secretRef: { name: 'keys' } }],
    env: [
      { name: 'USER', value: 'me' },
      { name: 'LINE', value: '$(C_GREETING), $(USER)' },
    ],
    command: ['$(LINE)'],
    args: ['$$(LINE)', '$(NOBODY)'],
    volumeMounts: [{ name: 'v', mountPath: '/v', subPathExpr: 'of-$(USER)' }],
  };
  const { spec, notes } = ran(podOf({ containers: [app(container)], volumes: [{ name: 'v', emptyDir: {} }] }), input);
  t.like(spec.containers[0], {
    environmentVar: [
      { key: 'C_mode', value: 'fast' },
      { key: 'C_GREETING', value: 'hello' },
      { key: 'token', value: 'planted-token' },
      { key: 'USER', value: 'me' },
      { key: 'LINE', value: 'hello, me' },
    ],
    command: ['hello, me'],
    arg: ['$(LINE)', '$(NOBODY)'],
    volumeMount: [{ name: 'v', mountPath: '/v', subPath: 'of-me' }],
  });
  t.regex(notes.map(({ problem }) => problem).join(), /C_app\.yaml of conf is no name of a variable and is left out/);
});

test('names of variables with - and . are passed on, as the vendor’s own samples need them', (t) => {
  const env = [
    { name: 'aliyun_logs_app-stdout', value: 'stdout' },
    { name: 'spring.profiles.active', value: 'prod' },
  ];
  t.deepEqual(
    ranApp({ env }).environmentVar,
    env.map(({ name, value }) => ({ key: name, value })),
  );
});

test('a startup probe becomes delays of the others, or is the readiness probe, and that is said', (t) => {
  const startupProbe = { httpGet: { path: '/up', port: 80 }, initialDelaySeconds: 2, failureThreshold: 30 };
  const livenessProbe = { tcpSocket: { port: 80 }, initialDelaySeconds: 5 };
  const { spec, notes } = ran(podOf({ containers: [app({ startupProbe, livenessProbe })] }));
  t.like(spec.containers[0], {
    readinessProbe: { httpGet: { path: '/up', port: 80 }, initialDelaySeconds: 2 },
    livenessProbe: { tcpSocket: { port: 80 }, initialDelaySeconds: 302 },
  });
  t.deepEqual(
    notes.map(({ field }) => field),
    ['spec.containers[app].startupProbe'],
  );
  const readinessProbe = { exec: { command: ['true'] } };
  t.like(ranApp({ startupProbe, readinessProbe }).readinessProbe, {
    exec: { command: ['true'] },
    initialDelaySeconds: 2,
  });
});

test('the variables of the cluster’s Services come first, and the container’s own replace them', (t) => {
  const serviceEnvironment = new Map([
    ['KUBERNETES_SERVICE_HOST', '172.21.0.1'],
    ['KUBERNETES_SERVICE_PORT', '443'],
  ]);
  const env: EnvVar[] = [
    { name: 'API', value: 'https://$(KUBERNETES_SERVICE_HOST)' },
    { name: 'KUBERNETES_SERVICE_PORT', value: '6443' },
  ];
  t.deepEqual(ranApp({ env }, { settings: { serviceEnvironment } }).environmentVar, [
    { key: 'KUBERNETES_SERVICE_HOST', value: '172.21.0.1' },
    { key: 'KUBERNETES_SERVICE_PORT', value: '6443' },
    { key: 'API', value: 'https://172.21.0.1' },
  ]);
});

const sources: readonly (readonly [title: string, volume: object, expected: object])[] = [
  ['an empty directory', { emptyDir: {} }, { emptyDir: {} }],
  [
    'one in memory, limited',
    { emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
    { emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
  ],
  [
    'a ConfigMap, binary data too',
    { configMap: { name: 'conf', defaultMode: 0o600 } },
    {
      configFiles: {
        defaultMode: 0o600,
        files: [
          { path: 'logo.png', content: base64('\u0000png') },
          { path: 'mode', content: base64('fast') },
          { path: 'app.yaml', content: base64('a: 1') },
          { path: 'GREETING', content: base64('hello') },
        ],
      },
    },
  ],
  [
    'keys of a Secret, at paths and with modes of their own',
    { secret: { secretName: 'keys', items: [{ key: 'token', path: 'a/token', mode: 0o400 }] } },
    {
      configFiles: { defaultMode: 0o644, files: [{ path: 'a/token', content: base64('planted-token'), mode: 0o400 }] },
    },
  ],
  [
    'fields of the pod',
    {
      downwardAPI: {
        items: [
          { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
          { path: 'cpu', resourceFieldRef: { containerName: 'app', resource: 'limits.cpu', divisor: '1m' } },
        ],
      },
    },
    {
      configFiles: {
        defaultMode: 0o644,
        files: [
          { path: 'labels', content: base64('a="say \\"1\\""\nb="2"') },
          { path: 'cpu', content: base64('1500') },
        ],
      },
    },
  ],
  ['NFS', { nfs: { server: 's', path: '/p', readOnly: true } }, { nfs: { server: 's', path: '/p', readOnly: true } }],
  [
    'a flex volume of Alibaba Cloud',
    { flexVolume: { driver: 'alicloud/disk', fsType: 'ext4', options: { volumeId: 'd-1' } } },
    { flexVolume: { driver: 'alicloud/disk', fsType: 'ext4', options: '{"volumeId":"d-1"}' } },
  ],
  ['a ConfigMap that may be missing', { configMap: { name: 'none', optional: true } }, { emptyDir: {} }],
];

const plain = (volumes: readonly ContainerGroupVolume[] | undefined): unknown =>
  JSON.parse(JSON.stringify(volumes ?? []));

for (const [title, volume, expected] of sources)
  test(`a volume is ${title}`, (t) => {
    const pod = podOf({ ...metadata, containers: [app({ resources })], volumes: [{ name: 'v', ...volume }] });
    t.deepEqual(plain(ran(pod, input).spec.volumes), [{ name: 'v', ...expected }]);
  });

test('a file of more bytes than ECI documents is given to it all the same, and that is said', (t) => {
  const volumes = [{ name: 'v', configMap: { name: 'big' } }];
  const notesOf = (bytes: number) =>
    ran(podOf({ volumes }), { configMaps: [configMap('big', { 'a.bin': 'x'.repeat(bytes) })] }).notes;
  t.deepEqual(notesOf(32_768), []);
  t.deepEqual(
    notesOf(600_000).map(({ field, problem }) => `${field} ${problem}`),
    [
      "spec.volumes[v].a.bin the file has 600000 bytes, and ECI's documents let it have 32768: the instance may be refused",
    ],
  );
});

const projection = { path: 'token', expirationSeconds: 3607 };
const apiAccess: Volume = {
  name: 'kube-api-access-x2v7k',
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: projection },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      { secret: { name: 'keys', items: [{ key: 'token', path: 'namespace' }] } },
    ],
  },
};

test('the projected volume of a service account is files in the request; of two with one path the later counts', (t) => {
  const { spec } = ran(podOf({ volumes: [apiAccess] }), {
    ...input,
    configMaps: [configMap('kube-root-ca.crt', { 'ca.crt': 'PEM' })],
    tokens: new Map([[tokenKey(projection), 'planted-jwt']]),
  });
  t.deepEqual(plain(spec.volumes), [
    {
      name: 'kube-api-access-x2v7k',
      configFiles: {
        defaultMode: 420,
        files: [
          { path: 'token', content: base64('planted-jwt') },
          { path: 'ca.crt', content: base64('PEM') },
          { path: 'namespace', content: base64('planted-token') },
        ],
      },
    },
  ]);
});

test('tokens of different audience or life are different', (t) => {
  const keys = [{ path: 'a' }, { path: 'a', audience: 'x' }, { path: 'a', expirationSeconds: 600 }].map(tokenKey);
  t.is(new Set(keys).size, 3);
  t.is(keys[0], tokenKey({ path: 'b', expirationSeconds: 3600, audience: '' }));
});

const mount = (volume: object): PodChange => ({ volumes: [{ name: 'v', ...volume }] });
const env = (...of: readonly EnvVar[]): PodChange => ({ containers: [app({ env: of })] });
const missing: readonly (readonly [pod: PodChange, field: string, says: RegExp])[] = [
  [
    env({ name: 'A', valueFrom: { configMapKeyRef: { name: 'none', key: 'k' } } }),
    'spec.containers[app].env[A]',
    /no key k in a ConfigMap none/,
  ],
  [
    env({ name: 'A', valueFrom: { secretKeyRef: { name: 'keys', key: 'k' } } }),
    'spec.containers[app].env[A]',
    /no key k in a Secret keys/,
  ],
  [
    { containers: [app({ envFrom: [{ configMapRef: { name: 'none' } }] })] },
    'spec.containers[app].envFrom',
    /no ConfigMap none/,
  ],
  [
    { containers: [app({ envFrom: [{ secretRef: { name: 'none' } }] })] },
    'spec.containers[app].envFrom',
    /no Secret none/,
  ],
  [mount({ configMap: { name: 'none' } }), 'spec.volumes[v]', /no ConfigMap none/],
  [mount({ secret: { secretName: 'none' } }), 'spec.volumes[v]', /no Secret none/],
  [
    mount({ secret: { secretName: 'keys', items: [{ key: 'k', path: 'k' }] } }),
    'spec.volumes[v]',
    /no key k in Secret keys/,
  ],
  [
    mount({ projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }),
    'spec.volumes[v]',
    /no token of the service account default/,
  ],
];

for (const [pod, at, says] of missing)
  test(`waited for: ${at}, ${says.source}`, (t) => {
    const found = missingOf(podOf(pod), input);
    t.deepEqual(
      found.map((each) => each.field),
      [at],
    );
    t.regex(found[0]?.problem ?? '', says);
    t.notRegex(JSON.stringify(found), /planted/);
  });

test('what is optional is not waited for', (t) => {
  const optional = true;
  const container: Partial<WorkloadContainer> = {
    envFrom: [{ configMapRef: { name: 'none', optional } }, { secretRef: { name: 'none', optional } }],
    env: [
      { name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'none', optional } } },
      { name: 'B', valueFrom: { secretKeyRef: { name: 'none', key: 'none', optional } } },
    ],
  };
  t.is(ranApp(container, input).environmentVar, undefined);
});

const refs = (name: string, key: string): EnvVar => ({ name, valueFrom: { secretKeyRef: { name: 'keys', key } } });

test('the content of a Secret is in no message', (t) => {
  const secrets = [secret('keys', { long: `planted-${'x'.repeat(300)}`, ip: 'planted $(IP)' })];
  const pod = podOf({
    ...env(refs('LONG', 'long'), field('status.podIP'), refs('S', 'ip'), { name: 'T', value: '$(S)$(LONG)$(A)' }),
    imagePullSecrets: [{ name: 'keys' }],
  });
  const refusals = refusalsOf(pod, { secrets });
  t.deepEqual(
    refusals.map((each) => each.field),
    ['spec.containers[app].env[T]', 'spec.containers[app].env[LONG]', 'spec.containers[app].env[T]'],
  );
  t.notRegex(JSON.stringify(refusals), /planted/);
});

const pull = (...secrets: readonly ReturnType<typeof secret>[]) =>
  ran(podOf({ imagePullSecrets: [...secrets.map(({ metadata: { name } }) => ({ name })), { name: 'none' }] }), {
    secrets,
  });

test('pull secrets of both kinds become credentials, the first for a server; one that is missing is no reason to wait', (t) => {
  const auth = base64('robot:pass:word');
  const { spec, notes } = pull(
    secret('new', {
      '.dockerconfigjson': JSON.stringify({
        auths: { 'https://a.example/v1/': { username: 'u', password: 'planted' }, 'b.example': { auth } },
      }),
    }),
    secret('old', { '.dockercfg': JSON.stringify({ 'a.example': { auth }, 'c.example:5000': { auth }, empty: null }) }),
  );
  const robot = { userName: 'robot', password: 'pass:word' };
  t.deepEqual(spec.registryCredentials, [
    { server: 'a.example', userName: 'u', password: 'planted' },
    { server: 'b.example', ...robot },
    { server: 'c.example:5000', ...robot },
  ]);
  t.deepEqual(notes, []);
});

test('a pull secret that cannot be read is left out aloud', (t) => {
  const { spec, notes } = pull(
    secret('broken', { '.dockerconfigjson': '{"auths": planted' }),
    secret('other', { a: 'b' }),
  );
  t.is(spec.registryCredentials, undefined);
  t.deepEqual(
    notes.map((each) => each.field),
    ['spec.imagePullSecrets[broken]', 'spec.imagePullSecrets[other]'],
  );
  t.notRegex(JSON.stringify(notes), /planted/);
});
