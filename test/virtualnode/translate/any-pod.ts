import * as fc from 'fast-check';
import type {
  WorkloadContainer,
  EnvVar,
  WorkloadProbe,
  Volume,
  WorkloadPod,
} from '../../../src/virtualnode/workload-pod.ts';
import { knativePod } from './knative-pod.ts';
import { podOf } from './pods.ts';

/*
 * Pods as an API server lets them pass: types are right, names are unique, mounts have volumes. What ECI cannot express
 * is rarer than what it can, so that enough of them become instances.
 */

const sometimes = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
/** The first nearly always. */
const mostly = <T, U>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<U>) =>
  fc.oneof({ arbitrary: usual, weight: 60 }, { arbitrary: odd, weight: 1 });
const rarely = <T>(arbitrary: fc.Arbitrary<T>) => mostly(fc.constant(undefined), arbitrary);
const record = <T>(of: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(of);

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/);
const podName = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,240}[a-z0-9])?$/);
const text = mostly(fc.string({ maxLength: 200, unit: 'grapheme' }), fc.string({ minLength: 250, maxLength: 400 }));
const expanding = fc.constantFrom('$(A)', '$$(A)', '$(IP)', '$(', '$$$(A)$', '$()');
const variableName = mostly(fc.constantFrom('A', 'IP', 'B', 'PATH', 'X_1'), fc.constantFrom('a.b', '1A', 'a-b'));
const port = mostly(fc.integer({ min: 1, max: 65_535 }), fc.constantFrom<string | number>('http', '8080', 'no', 0));
const optional = fc.boolean();
const object = { name: fc.constantFrom('here', 'gone'), optional: fc.constant(true) };

const fieldPath = mostly(
  fc.constantFrom('metadata.name', 'metadata.uid', "metadata.labels['a']", 'spec.nodeName', 'status.hostIP'),
  fc.constantFrom('status.qosClass', 'spec', ''),
);
const resourceFieldRef = record({
  containerName: mostly(fc.constantFrom(undefined, 'c0'), fc.constant('none')),
  resource: mostly(fc.constantFrom('limits.cpu', 'requests.memory'), fc.constantFrom('limits.ephemeral-storage', 'x')),
  divisor: sometimes(fc.constantFrom('0', '1m', '1Mi', 'x')),
});
const variable: fc.Arbitrary<EnvVar> = fc.oneof(
  record({ name: variableName, value: sometimes(fc.oneof(text, mostly(fc.constant('plain'), expanding))) }),
  record({ name: fc.constant('IP'), valueFrom: fc.constant({ fieldRef: { fieldPath: 'status.podIP' } }) }),
  record({ name: variableName, valueFrom: fieldPath.map((path) => ({ fieldRef: { fieldPath: path } })) }),
  record({ name: variableName, valueFrom: record({ resourceFieldRef }) }),
  record({
    name: variableName,
    valueFrom: record({ ...object, key: fc.constantFrom('k', 'long', 'none') }).map((ref) => ({ secretKeyRef: ref })),
  }),
);

const action = mostly<WorkloadProbe, WorkloadProbe>(
  fc.oneof(
    record({ exec: record({ command: fc.array(fc.string(), { minLength: 1, maxLength: 3 }) }) }),
    record({ tcpSocket: record({ port, host: fc.constantFrom(undefined, '', '127.0.0.1') }) }),
    record({
      httpGet: record({
        port,
        path: sometimes(fc.webPath()),
        scheme: sometimes(fc.constantFrom('HTTP', 'HTTPS', 'x')),
        httpHeaders: rarely(fc.constant([{ name: 'X', value: 'y' }])),
      }),
    }),
  ),
  fc.constantFrom<WorkloadProbe>({}, { grpc: { port: 1 } }, { exec: {} }, { tcpSocket: { port: 1, host: 'h' } }),
);
const seconds = sometimes(fc.integer({ min: 0, max: 600 }));
const probe: fc.Arbitrary<WorkloadProbe> = fc
  .tuple(action, record({ initialDelaySeconds: seconds, periodSeconds: seconds, failureThreshold: seconds }))
  .map(([what, when]) => ({ ...when, ...what }));
const quantity = mostly(
  fc.constantFrom<string | number>('100m', '0.5', 1, '2', '1e0', '0', '1e-9'),
  fc.constantFrom('much', '-1', '999', ''),
);
const memory = mostly(fc.constantFrom('64Mi', '1Gi', '1e9', '100M'), fc.constantFrom('9Ti', '1 Gi'));
const quantities = fc.dictionary(fc.constantFrom('cpu', 'memory', 'example.com/x'), quantity, { maxKeys: 2 });

const containerOf = (name: string, volumes: readonly string[]): fc.Arbitrary<WorkloadContainer> =>
  record<WorkloadContainer>({
    name: fc.constant(name),
    image: mostly(fc.constantFrom('nginx', 'a.example/b@sha256:1'), fc.string({ maxLength: 300 })),
    command: sometimes(fc.array(fc.oneof(text, mostly(fc.constant('x'), expanding)), { maxLength: 4 })),
    args: sometimes(
      mostly(fc.array(text, { maxLength: 4 }), fc.array(fc.constant('x'), { minLength: 99, maxLength: 102 })),
    ),
    env: sometimes(fc.array(variable, { maxLength: 6 })),
    envFrom: sometimes(
      fc.array(record({ prefix: sometimes(fc.constant('P_')), secretRef: record(object) }), { maxLength: 2 }),
    ),
    ports: sometimes(
      fc.array(
        record({
          name: sometimes(fc.constant('http')),
          containerPort: fc.integer({ min: 1, max: 65_535 }),
          protocol: mostly(fc.constantFrom(undefined, 'TCP', 'UDP'), fc.constant('SCTP')),
        }),
        { maxLength: 2 },
      ),
    ),
    resources: sometimes(
      record({ limits: sometimes(fc.record({ cpu: quantity, memory })), requests: sometimes(quantities) }),
    ),
    readinessProbe: sometimes(probe),
    livenessProbe: sometimes(probe),
    startupProbe: rarely(probe),
    lifecycle: sometimes(
      record({ preStop: sometimes(action), postStart: sometimes(record({ sleep: record({ seconds: fc.nat(9) }) })) }),
    ),
    volumeMounts: fc.constant(volumes.map((each) => ({ name: each, mountPath: `/${each}` }))),
    securityContext: sometimes(
      record({
        runAsUser: sometimes(fc.nat(2000)),
        runAsNonRoot: sometimes(fc.boolean()),
        privileged: mostly(fc.constant(false), fc.boolean()),
        capabilities: sometimes(record({ add: mostly(fc.constant(['NET_ADMIN']), fc.constant(['ALL'])) })),
      }),
    ),
    tty: sometimes(fc.boolean()),
  });

const NOT_BEFORE_START = { lifecycle: undefined, readinessProbe: undefined, livenessProbe: undefined, tty: undefined };

const items = sometimes(fc.constant([{ key: 'k', path: 'p/k', mode: 0o400 }]));
const configMap = record({ ...object, items });
const volumeSource = mostly<object, object>(
  fc.oneof(
    record({ emptyDir: record({ medium: fc.constantFrom('', 'Memory'), sizeLimit: sometimes(fc.constant('1Gi')) }) }),
    record({ configMap }),
    record({ secret: record({ secretName: object.name, optional: object.optional, items }) }),
    record({
      downwardAPI: record({
        items: fc.array(record({ path: label, fieldRef: record({ fieldPath }) }), { maxLength: 2 }),
      }),
    }),
    record({ projected: record({ sources: fc.array(record({ configMap }), { maxLength: 3 }) }) }),
    fc.constant({ nfs: { server: 's', path: '/p' } }),
  ),
  fc.constantFrom({}, { hostPath: { path: '/' } }, { flexVolume: { driver: 'x' } }, { secret: { secretName: 'gone' } }),
);

const annotations = mostly(
  fc.constantFrom<Record<string, string>>(
    {},
    { 'k8s.aliyun.com/eci-use-specs': 'ecs.c6.large,2-4Gi' },
    { 'k8s.aliyun.com/eci-spot-strategy': 'SpotAsPriceGo', 'k8s.aliyun.com/eci-vswitch': 'vsw-2' },
    { 'k8s.aliyun.com/eci-custom-tags': 'a:1,b:2', 'kubernetes.io/egress-bandwidth': '1M' },
  ),
  fc.dictionary(fc.constantFrom('k8s.aliyun.com/eci-vswitch', 'k8s.aliyun.com/eci-custom-tags'), fc.string()),
);

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const plainPod: fc.Arbitrary<WorkloadPod> = fc
  .tuple(
    mostly(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 19, max: 22 })),
    mostly(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 19, max: 22 })),
    fc.integer({ min: 0, max: 2 }),
  )
  .chain(([containers, volumes, initContainers]) => {
    const mounted = names('v', volumes);
    const all = (prefix: string, count: number) =>
      fc.tuple(...names(prefix, count).map((name) => containerOf(name, mounted.slice(0, 2))));
    return fc.tuple(
      record({
        name: podName,
        annotations,
        containers: all('c', containers),
        initContainers: all('i', initContainers).map((list) => list.map((each) => ({ ...each, ...NOT_BEFORE_START }))),
        volumes: fc.tuple(...mounted.map((name) => volumeSource.map((source): Volume => ({ name, ...source })))),
        restartPolicy: sometimes(fc.constantFrom('Always', 'Never', 'OnFailure')),
        hostname: sometimes(label),
        hostNetwork: rarely(optional),
        dnsPolicy: sometimes(fc.constantFrom('ClusterFirst', 'Default', 'None')),
        dnsConfig: sometimes(
          record({
            nameservers: fc.array(fc.ipV4(), { minLength: 1, maxLength: 5 }),
            searches: sometimes(fc.array(label)),
          }),
        ),
        terminationGracePeriodSeconds: seconds,
        imagePullSecrets: sometimes(fc.constant([{ name: 'here' }])),
        securityContext: sometimes(
          record({ runAsUser: sometimes(fc.constant(5)), fsGroup: sometimes(fc.constant(5)) }),
        ),
      }),
    );
  })
  .map(([pod]) => podOf(pod));

/** What may be written into the variables of queue-proxy, which no API server reads. */
const anyJson = fc.oneof(
  fc.string({ maxLength: 400 }),
  fc.json({ maxDepth: 4 }),
  fc.json({ maxDepth: 2 }).map((json) => `{"httpGet":${json},"tcpSocket":${json},"periodSeconds":${json}}`),
  fc
    .json({ maxDepth: 2 })
    .map((json) => `[{"httpGet":{"port":80,"path":"/","httpHeaders":${json}}},{"grpc":{"port":${json}}}]`),
);

const podOfKnative: fc.Arbitrary<WorkloadPod> = record({
  release: fc.constantFrom('recent', 'former'),
  user: containerOf('user-container', []).map((each) => ({ ...each, env: undefined })),
  probe: mostly(fc.constantFrom('', '{"tcpSocket":{"port":8080}}', '{"httpGet":{"port":8080,"path":"/x"}}'), anyJson),
  proxyEnv: mostly(
    fc.constant({}),
    fc.dictionary(
      fc.constantFrom('SERVING_LOGGING_CONFIG', 'OBSERVABILITY_CONFIG', 'QUEUE_SERVING_PORT', 'USER_PORT'),
      anyJson,
    ),
  ),
  sidecars: fc.array(
    containerOf('side', []).map((each) => ({ ...each, name: 'side' })),
    { maxLength: 1 },
  ),
}).map(knativePod);

export const anyPod: fc.Arbitrary<WorkloadPod> = fc.oneof(
  { arbitrary: plainPod, weight: 3 },
  { arbitrary: podOfKnative, weight: 2 },
);

/** A Knative pod whose sidecar's variables are anything. */
export const strangeKnativePod: fc.Arbitrary<WorkloadPod> = fc
  .dictionary(
    fc.constantFrom(
      'SERVING_READINESS_PROBE',
      'SERVING_LOGGING_CONFIG',
      'OBSERVABILITY_CONFIG',
      'QUEUE_SERVING_PORT',
      'USER_PORT',
    ),
    anyJson,
  )
  .map((proxyEnv) => knativePod({ proxyEnv }));
