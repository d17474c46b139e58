import test from 'ava';
import type { ContainerGroupSpec, ContainerSpec } from '../../../src/cloud/container-groups.ts';
import { tokenKey } from '../../../src/virtualnode/translate/input.ts';
import { configMap, ran, refusalsOf } from './pods.ts';
import type { InputChange } from './pods.ts';
import { filledIn, knativePod, LOGGING_CONFIG, REQUEST_LOG_TEMPLATE, TCP_PROBE } from './knative-pod.ts';
import type { KnativeChange } from './knative-pod.ts';

const input: InputChange = {
  configMaps: [configMap('kube-root-ca.crt', { 'ca.crt': 'PEM' })],
  tokens: new Map([[tokenKey({ path: 'token', expirationSeconds: 3607 }), 'jwt']]),
  eip: { autoCreateEip: true, eipBandwidth: 10 },
};

const runKnative = (change?: KnativeChange) => {
  const { spec, notes } = ran(knativePod(change), input);
  return {
    spec,
    notes: notes.map(({ field }) => field),
    user: named(spec, 'user-container'),
    proxy: named(spec, 'queue-proxy'),
  };
};

const named = ({ containers }: ContainerGroupSpec, name: string): ContainerSpec => {
  const found = containers.find((each) => each.name === name);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
};

const valueOf = ({ environmentVar = [] }: ContainerSpec, key: string): string | undefined =>
  environmentVar.flatMap((each) => (each.key === key && 'value' in each ? [each.value] : []))[0];

for (const release of ['recent', 'former'] as const)
  test(`a pod of a ${release} Knative runs as it is, and there is nothing to say about it`, (t) => {
    const { spec, notes, user, proxy } = runKnative({ release });
    t.deepEqual(notes, []);
    t.like(spec, {
      cpu: 1,
      memory: 2,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 300,
      hostName: 'hello-00001-deployment-7c9f8d6b5-x2v7k',
      eip: { autoCreateEip: true, eipBandwidth: 10 },
    });
    t.like(user, {
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, successThreshold: 1 },
      preStop: { httpGet: { path: '/wait-for-drain', port: 8022, scheme: 'HTTP', headers: [] } },
    });
    t.deepEqual(proxy.readinessProbe, {
      tcpSocket: { port: 8012 },
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    });
    for (const key of ['SERVING_POD_IP', 'HOST_IP'])
      t.deepEqual(
        proxy.environmentVar?.find((each) => each.key === key),
        { key, fieldPath: 'status.podIP' },
      );
    t.is(valueOf(proxy, 'SERVING_POD'), 'hello-00001-deployment-7c9f8d6b5-x2v7k');
    t.is(valueOf(proxy, 'SERVING_READINESS_PROBE'), TCP_PROBE);
    for (const variable of spec.containers.flatMap(({ environmentVar = [] }) => environmentVar)) {
      t.regex(variable.key, /^[A-Z_][A-Z0-9_]{0,127}$/);
      if ('value' in variable) t.true(variable.value.length <= 256, variable.key);
    }
    // Each of them is required, even where it is empty.
    for (const key of ['SERVING_LOGGING_CONFIG', 'SERVING_LOGGING_LEVEL', 'CONTAINER_CONCURRENCY', 'USER_PORT'])
      t.not(valueOf(proxy, key), undefined, key);
  });

test('the logging configuration keeps what decides what is logged where, and no key without its encoder', (t) => {
  const { proxy } = runKnative();
  t.true(LOGGING_CONFIG.length > 256);
  const config: unknown = JSON.parse(valueOf(proxy, 'SERVING_LOGGING_CONFIG') ?? '');
  t.deepEqual(config, {
    level: 'info',
    outputPaths: ['stdout'],
    errorOutputPaths: ['stderr'],
    encoding: 'json',
    encoderConfig: {
      timeKey: 'timestamp',
      levelKey: 'severity',
      nameKey: 'logger',
      messageKey: 'message',
      levelEncoder: '',
      timeEncoder: 'iso8601',
    },
  });
});

test('a logging configuration that cannot be shortened is left empty, and that is said', (t) => {
  for (const config of [JSON.stringify({ level: 'info', outputPaths: ['/'.repeat(300)] }), 'x'.repeat(300)]) {
    const { proxy, notes } = runKnative({ proxyEnv: { SERVING_LOGGING_CONFIG: config } });
    t.is(valueOf(proxy, 'SERVING_LOGGING_CONFIG'), '');
    t.deepEqual(notes, ['spec.containers[queue-proxy].env[SERVING_LOGGING_CONFIG]']);
  }
});

test('the observability configuration keeps all but the form of a request log that nobody writes', (t) => {
  const { proxy } = runKnative();
  t.deepEqual(JSON.parse(valueOf(proxy, 'OBSERVABILITY_CONFIG') ?? ''), {
    tracing: { protocol: 'none' },
    metrics: { protocol: 'none' },
    runtime: { profiling: 'disabled' },
    requestMetrics: { protocol: 'http/protobuf', endpoint: 'http://otel-collector.observability:4318/v1/metrics' },
  });
});

test('a request log that would have been written, and is not, is said', (t) => {
  const config = { metrics: { protocol: 'none' }, enableRequestLog: true, requestLogTemplate: REQUEST_LOG_TEMPLATE };
  const recent = runKnative({ proxyEnv: { OBSERVABILITY_CONFIG: JSON.stringify(config) } });
  t.deepEqual(recent.notes, ['spec.containers[queue-proxy].env[OBSERVABILITY_CONFIG]']);
  t.is(valueOf(recent.proxy, 'OBSERVABILITY_CONFIG'), '{"metrics":{"protocol":"none"}}');
  const former = runKnative({ release: 'former', proxyEnv: { SERVING_ENABLE_REQUEST_LOG: 'true' } });
  t.deepEqual(former.notes, ['spec.containers[queue-proxy].env[SERVING_REQUEST_LOG_TEMPLATE]']);
  t.is(valueOf(former.proxy, 'SERVING_REQUEST_LOG_TEMPLATE'), '');
});

test('an observability configuration that cannot be shortened exports nothing, and that is said', (t) => {
  const config = { metrics: { protocol: 'http/protobuf', endpoint: `http://${'x'.repeat(300)}` } };
  const { proxy, notes } = runKnative({ proxyEnv: { OBSERVABILITY_CONFIG: JSON.stringify(config) } });
  t.deepEqual(notes, ['spec.containers[queue-proxy].env[OBSERVABILITY_CONFIG]']);
  t.like(JSON.parse(valueOf(proxy, 'OBSERVABILITY_CONFIG') ?? ''), { metrics: { protocol: 'none' } });
});

test('other long variables of the sidecar are refused by name', (t) => {
  t.deepEqual(
    refusalsOf(knativePod({ proxyEnv: { ROOT_CA: 'P'.repeat(1200) } }), input).map(({ field }) => field),
    ['spec.containers[queue-proxy].env[ROOT_CA]'],
  );
});

const mark = [{ name: 'K-Kubelet-Probe', value: 'queue' }];
const httpGet = { path: '/ready', port: 8080, host: '127.0.0.1', scheme: 'HTTP', httpHeaders: mark };

test('the HTTP probe that Knative took from the user’s container is given back, without Knative’s mark', (t) => {
  const probe = JSON.stringify({ httpGet, periodSeconds: 5, timeoutSeconds: 2, successThreshold: 1 });
  const { user, proxy, notes } = runKnative({ probe });
  t.deepEqual(user.readinessProbe, {
    httpGet: { path: '/ready', port: 8080, scheme: 'HTTP' },
    periodSeconds: 5,
    timeoutSeconds: 2,
    successThreshold: 1,
  });
  t.is(valueOf(proxy, 'SERVING_READINESS_PROBE'), probe);
  t.deepEqual(notes, []);
});

test('a user’s own headers and gRPC become the question whether the port is open, and that is said', (t) => {
  const own = { ...httpGet, httpHeaders: [...mark, { name: 'X-Key', value: 'planted' }] };
  const http = runKnative({ probe: JSON.stringify({ httpGet: own }) });
  t.deepEqual(http.user.readinessProbe, { tcpSocket: { port: 8080 }, periodSeconds: 1 });
  t.deepEqual(http.notes, ['spec.containers[user-container].readinessProbe.httpGet.httpHeaders']);
  const grpc = runKnative({ probe: '{"grpc":{"port":8080,"service":null},"successThreshold":1}' });
  t.like(grpc.user.readinessProbe, { tcpSocket: { port: 8080 }, periodSeconds: 1 });
  t.deepEqual(grpc.notes, ['spec.containers[user-container].readinessProbe.grpc']);
  const live = runKnative({ user: { livenessProbe: { grpc: { port: 8080 }, periodSeconds: 7 } } });
  t.deepEqual(live.user.livenessProbe, { tcpSocket: { port: 8080 }, periodSeconds: 7 });
  t.deepEqual(live.notes, ['spec.containers[user-container].livenessProbe.grpc']);
});

test('a probe that is too long for the sidecar still tells the activator when the container listens', (t) => {
  const probe = JSON.stringify({ httpGet: { ...httpGet, path: `/${'x'.repeat(300)}` } });
  const { user, proxy, notes } = runKnative({ probe });
  t.is(valueOf(proxy, 'SERVING_READINESS_PROBE'), '{"tcpSocket":{"port":8080,"host":"127.0.0.1"}}');
  t.is(user.readinessProbe?.httpGet?.path.length, 301);
  t.deepEqual(notes, []);
});

test('a probe that cannot be read leaves the containers without, and where it is long the sidecar too', (t) => {
  const short = runKnative({ probe: '{"httpGet":' });
  t.is(short.user.readinessProbe, undefined);
  t.deepEqual(short.notes, []);
  const long = runKnative({ probe: 'x'.repeat(300) });
  t.is(valueOf(long.proxy, 'SERVING_READINESS_PROBE'), '');
  t.deepEqual(long.notes, ['spec.containers[queue-proxy].env[SERVING_READINESS_PROBE]']);
});

test('of several containers each gets its own probe: by port, and else by order, the one with the requests first', (t) => {
  const sidecars = [
    { name: 'cache', image: 'redis', ports: [{ containerPort: 6379 }] },
    { name: 'quiet', image: 'busybox' },
  ];
  const probe = JSON.stringify([
    { tcpSocket: { port: 6379, host: '127.0.0.1' } },
    { httpGet: { ...httpGet, port: 9000 } },
    { tcpSocket: { port: 7000, host: '127.0.0.1' }, periodSeconds: 3 },
  ]);
  const { spec, user } = runKnative({ probe, sidecars });
  t.is(user.readinessProbe?.httpGet?.port, 9000);
  t.deepEqual(named(spec, 'cache').readinessProbe, { tcpSocket: { port: 6379 }, periodSeconds: 1 });
  t.deepEqual(named(spec, 'quiet').readinessProbe, { tcpSocket: { port: 7000 }, periodSeconds: 3 });
});

test('an exec probe, which Knative leaves where it is, stays', (t) => {
  const { user } = runKnative({ user: { readinessProbe: filledIn({ exec: { command: ['true'] } }) } });
  t.deepEqual(user.readinessProbe?.exec, { command: ['true'] });
});

test('a liveness probe asks the container itself, also where Knative led it through the sidecar', (t) => {
  for (const port of [8080, 8012]) {
    const { user, notes } = runKnative({ user: { livenessProbe: filledIn({ httpGet: { ...httpGet, port } }) } });
    t.deepEqual(user.livenessProbe?.httpGet, { path: '/ready', port: 8080, scheme: 'HTTP' });
    t.deepEqual(notes, []);
  }
});

test('a startup probe becomes delays, and that is said', (t) => {
  const { user, notes } = runKnative({
    user: {
      startupProbe: filledIn({ httpGet, initialDelaySeconds: 2, failureThreshold: 30 }),
      livenessProbe: filledIn({ tcpSocket: { port: 8080 } }),
    },
  });
  t.like(user.readinessProbe, { tcpSocket: { port: 8080 }, initialDelaySeconds: 2, periodSeconds: 1 });
  t.is(user.livenessProbe?.initialDelaySeconds, 302);
  t.deepEqual(notes, ['spec.containers[user-container].startupProbe']);
});

test('without another probe the startup probe is the question of readiness', (t) => {
  const { user } = runKnative({ probe: '', user: { startupProbe: filledIn({ httpGet }) } });
  t.deepEqual(user.readinessProbe?.httpGet, { path: '/ready', port: 8080, scheme: 'HTTP' });
});

test('what the user’s container asks for is the size; the sidecar counts only where somebody chose its share', (t) => {
  const user = { resources: { requests: { cpu: '1' }, limits: { memory: '2Gi' } } };
  const pod = knativePod({ user });
  t.like(ran(pod, input).spec, { cpu: 1, memory: 2 });
  const containers = pod.spec.containers.map((each) =>
    each.name === 'queue-proxy' ? { ...each, resources: { requests: { cpu: '100m' } } } : each,
  );
  t.like(ran({ ...pod, spec: { ...pod.spec, containers } }, input).spec, { cpu: 2, memory: 2 });
});

test('HTTP/2 reaches the sidecar on its own port, and so does the question whether it listens', (t) => {
  const { proxy } = runKnative({ proxyEnv: { QUEUE_SERVING_PORT: '8013' } });
  t.deepEqual(proxy.readinessProbe?.tcpSocket, { port: 8013 });
});

test('the user’s own long variables are refused by name', (t) => {
  const pod = knativePod({ user: { env: [{ name: 'CERT', value: 'x'.repeat(300) }] } });
  t.deepEqual(
    refusalsOf(pod, input).map(({ field }) => field),
    ['spec.containers[user-container].env[CERT]'],
  );
});

test('a container that is merely called queue-proxy gets no equivalents', (t) => {
  const pod = knativePod();
  const containers = pod.spec.containers.map((each) =>
    each.name === 'queue-proxy' ? { ...each, env: each.env?.filter(({ name }) => name !== 'SERVING_POD') } : each,
  );
  t.deepEqual(
    refusalsOf({ ...pod, spec: { ...pod.spec, containers } }, input).map(({ field }) => field),
    [
      'spec.containers[queue-proxy].env[SERVING_LOGGING_CONFIG]',
      'spec.containers[queue-proxy].env[OBSERVABILITY_CONFIG]',
    ],
  );
});
