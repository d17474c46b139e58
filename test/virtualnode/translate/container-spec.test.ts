import test from 'ava';
import type { ContainerSpec } from '../../../src/cloud/container-groups.ts';
import type { WorkloadContainer } from '../../../src/virtualnode/workload-pod.ts';
import { app, podOf, ran, ranApp } from './pods.ts';
import type { PodChange } from './pods.ts';

interface ContainerRow {
  readonly title: string;
  readonly container: Partial<WorkloadContainer>;
  readonly pod?: PodChange;
  readonly spec: Partial<ContainerSpec>;
}

const ports = [{ name: 'http', containerPort: 8080 }];

const containerRows: readonly ContainerRow[] = [
  {
    title: 'command, args and the rest that is the same in both',
    container: {
      command: ['sh', '-c'],
      args: ['sleep 1'],
      imagePullPolicy: 'Always',
      workingDir: '/work',
      stdin: true,
      stdinOnce: true,
      tty: true,
      terminationMessagePath: '/dev/end',
      terminationMessagePolicy: 'FallbackToLogsOnError',
    },
    spec: {
      command: ['sh', '-c'],
      arg: ['sleep 1'],
      imagePullPolicy: 'Always',
      workingDir: '/work',
      stdin: true,
      stdinOnce: true,
      tty: true,
      terminationMessagePath: '/dev/end',
      terminationMessagePolicy: 'FallbackToLogsOnError',
    },
  },
  {
    title: 'limits, in vCPU and GiB',
    container: { resources: { limits: { cpu: '250m', memory: '300Mi' } } },
    spec: { cpu: 0.25, memory: 0.293 },
  },
  {
    title: 'a request bounds nobody',
    container: { resources: { requests: { cpu: '2', memory: '4Gi' } } },
    spec: { cpu: undefined, memory: undefined },
  },
  {
    title: 'GPUs',
    container: { resources: { limits: { 'nvidia.com/gpu': '1' } } },
    pod: { annotations: { 'k8s.aliyun.com/eci-use-specs': 'ecs.gn6i-c4g1.xlarge' } },
    spec: { gpu: 1 },
  },
  {
    title: 'ports',
    container: { ports: [...ports, { containerPort: 53, protocol: 'UDP' }] },
    spec: {
      port: [
        { port: 8080, protocol: 'TCP' },
        { port: 53, protocol: 'UDP' },
      ],
    },
  },
  {
    title: 'an HTTP probe on a named port',
    container: {
      ports,
      readinessProbe: {
        httpGet: { path: '/ready', port: 'http', scheme: 'HTTPS' },
        initialDelaySeconds: 1,
        periodSeconds: 2,
        timeoutSeconds: 3,
        successThreshold: 4,
        failureThreshold: 5,
      },
    },
    spec: {
      readinessProbe: {
        httpGet: { path: '/ready', port: 8080, scheme: 'HTTPS' },
        initialDelaySeconds: 1,
        periodSeconds: 2,
        timeoutSeconds: 3,
        successThreshold: 4,
        failureThreshold: 5,
      },
    },
  },
  {
    title: 'an HTTP probe with defaults, and times of zero that mean them',
    container: { livenessProbe: { httpGet: { port: 80 }, periodSeconds: 0, timeoutSeconds: 0, failureThreshold: 0 } },
    spec: { livenessProbe: { httpGet: { path: '/', port: 80, scheme: 'HTTP' } } },
  },
  {
    title: 'a TCP probe of the instance itself',
    container: { readinessProbe: { tcpSocket: { port: '81', host: '127.0.0.1' } } },
    spec: { readinessProbe: { tcpSocket: { port: 81 } } },
  },
  {
    title: 'an exec probe',
    container: { livenessProbe: { exec: { command: ['true'] } } },
    spec: { livenessProbe: { exec: { command: ['true'] } } },
  },
  {
    title: 'hooks, which may have headers and hosts',
    container: {
      ports,
      lifecycle: {
        postStart: { exec: { command: ['echo'] } },
        preStop: { httpGet: { port: 'http', host: 'h', httpHeaders: [{ name: 'X', value: 'y' }] } },
      },
    },
    spec: {
      postStart: { exec: ['echo'] },
      preStop: {
        httpGet: { host: 'h', path: '/', port: 8080, scheme: 'HTTP', headers: [{ name: 'X', value: 'y' }] },
      },
    },
  },
  {
    title: 'a TCP hook',
    container: { lifecycle: { preStop: { tcpSocket: { port: 9, host: 'h' } } } },
    spec: { preStop: { tcpSocket: { port: 9, host: 'h' } } },
  },
  {
    title: 'its own security context before the pod’s',
    container: {
      securityContext: {
        runAsUser: 0,
        runAsGroup: 5,
        readOnlyRootFilesystem: true,
        capabilities: { add: ['NET_ADMIN'] },
      },
    },
    pod: { securityContext: { runAsUser: 1, runAsGroup: 2, runAsNonRoot: false } },
    spec: {
      runAsUser: 0,
      runAsGroup: 5,
      runAsNonRoot: false,
      readOnlyRootFilesystem: true,
      addCapabilities: ['NET_ADMIN'],
    },
  },
];

for (const { title, container, pod, spec } of containerRows)
  test(`of a container: ${title}`, (t) => {
    const result = ran(podOf({ containers: [app(container)], ...pod }));
    t.like(result.spec.containers[0], spec);
    t.deepEqual(result.notes, []);
  });

test('a hook that sleeps becomes the command, and what that needs is said', (t) => {
  const { spec, notes } = ran(podOf({ containers: [app({ lifecycle: { preStop: { sleep: { seconds: 5 } } } })] }));
  t.deepEqual(spec.containers[0]?.preStop, { exec: ['sleep', '5'] });
  t.deepEqual(
    notes.map(({ field }) => field),
    ['spec.containers[app].lifecycle.preStop.sleep'],
  );
});

test('a group of files is left out, and that is said', (t) => {
  const { notes } = ran(podOf({ securityContext: { fsGroup: 0, supplementalGroups: [] } }));
  t.deepEqual(
    notes.map(({ field }) => field),
    ['spec.securityContext.fsGroup'],
  );
});

type Resources = Readonly<Record<string, string | number>>;

const sizes: readonly (readonly [what: string, requests: readonly Resources[], cpu: number, memory: number])[] = [
  ['nothing', [{}], 1, 2],
  ['a little', [{ cpu: '1m' }], 0.25, 0.5],
  ['memory alone', [{ memory: '3Gi' }], 1, 4],
  [
    'the sum',
    [
      { cpu: '500m', memory: '1Gi' },
      { cpu: '500m', memory: '1Gi' },
    ],
    1,
    2,
  ],
  ['ten tenths', Array.from({ length: 10 }, () => ({ cpu: 0.1 })), 1, 2],
  ['cpu alone, two GiB for each', [{ cpu: '2' }], 2, 4],
  ['cpu between two sizes', [{ cpu: '5' }], 8, 16],
  ['little memory', [{ cpu: '2', memory: '200Mi' }], 2, 1],
  ['memory between two sizes', [{ cpu: '2', memory: '9Gi' }], 2, 16],
  ['a ratio that the size does not have', [{ cpu: '250m', memory: '5Gi' }], 1, 8],
  ['the largest', [{ cpu: '64', memory: '512Gi' }], 64, 512],
  ['an exponent', [{ cpu: '1e0', memory: '2e9' }], 1, 2],
];

for (const [what, requests, cpu, memory] of sizes)
  test(`the instance is the smallest that holds ${what}: ${cpu} vCPU and ${memory} GiB`, (t) => {
    const containers = requests.map((each, index) => app({ name: `c${index}`, resources: { requests: each } }));
    t.like(ran(podOf({ containers })).spec, { cpu, memory });
  });

test('a container that says so has no part in the size', (t) => {
  const ignored = { name: '__ECI_RESOURCE_IGNORE__', value: 'TRUE' };
  const resources = { requests: { cpu: '1', memory: '2Gi' } };
  const containers = [app({ resources }), app({ name: 'side', resources, env: [ignored] })];
  t.like(ran(podOf({ containers })).spec, { cpu: 1, memory: 2 });
});

test('a limit above the request and an init container above the sum count', (t) => {
  const resources = { requests: { cpu: '1' }, limits: { cpu: '2' } };
  t.like(ran(podOf({ containers: [app({ resources })] })).spec, { cpu: 2, memory: 4 });
  const initContainers = [{ name: 'first', image: 'busybox', resources: { requests: { cpu: '4' } } }];
  t.like(ran(podOf({ initContainers })).spec, { cpu: 4, memory: 8 });
});

test('a container without variables, ports and mounts has none on the wire', (t) => {
  t.deepEqual(ranApp({ env: [], ports: [], volumeMounts: [], command: [] }), { name: 'app', image: 'nginx:1.29' });
});
