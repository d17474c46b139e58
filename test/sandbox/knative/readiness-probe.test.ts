import test from 'ava';
import { encodedReadinessProbe, type ReadinessProbe } from '../../../src/sandbox/knative/readiness-probe.ts';
import { podSpecOf } from '../../../src/sandbox/knative/podspec.ts';
import type { Container, Revision } from '../../../src/sandbox/knative/resources.ts';
import { podOf, ran } from '../../virtualnode/translate/pods.ts';

/** What Knative 1.23 tells queue-proxy, for each probe that a user may write. */
const ENCODED: readonly (readonly [ReadinessProbe | undefined, object])[] = [
  [undefined, { tcpSocket: { host: '127.0.0.1', port: 8080 }, successThreshold: 1 }],
  [
    { httpGet: { path: '/ready' } as ReadinessProbe['httpGet'] },
    { httpGet: { path: '/ready', host: '127.0.0.1', port: 8080, scheme: 'HTTP' }, successThreshold: 1 },
  ],
  [
    { httpGet: { port: 9000, scheme: 'HTTPS' }, periodSeconds: 5 },
    {
      httpGet: { port: 9000, host: '127.0.0.1', scheme: 'HTTPS' },
      periodSeconds: 5,
      successThreshold: 1,
      failureThreshold: 3,
      timeoutSeconds: 1,
    },
  ],
  [
    { tcpSocket: {}, successThreshold: 2 },
    { tcpSocket: { host: '127.0.0.1', port: 8080 }, successThreshold: 2 },
  ],
  [{ grpc: { port: 9000 } }, { grpc: { port: 9000, service: '' }, successThreshold: 1 }],
  [{ exec: { command: ['true'] } }, { tcpSocket: { host: '127.0.0.1', port: 8080 }, successThreshold: 1 }],
];

test('queue-proxy is told the probe of the container with the defaults of Knative', (t) => {
  for (const [readinessProbe, encoded] of ENCODED)
    t.deepEqual(JSON.parse(encodedReadinessProbe({ readinessProbe }, 8080)), encoded);
});

test('a readiness probe of a Knative Service reaches the container on an instance of ECI', (t) => {
  const user: Container = {
    name: 'user-container',
    image: 'hello',
    ports: [{ containerPort: 9000 }],
    readinessProbe: { httpGet: { path: '/ready' } as ReadinessProbe['httpGet'], periodSeconds: 5 },
  };
  const revision = {
    metadata: { name: 'hello-00001', namespace: 'shop', uid: 'u', resourceVersion: '1' },
    spec: { containers: [user] },
  } as Revision;
  const pod = podOf(podSpecOf(revision));
  t.is(
    pod.spec.containers.find(({ name }) => name === 'user-container')?.readinessProbe,
    undefined,
    'Knative takes it',
  );
  const made = ran(pod).spec.containers.find(({ name }) => name === 'user-container');
  t.like(made?.readinessProbe, {
    httpGet: { path: '/ready', port: 9000, scheme: 'HTTP' },
    periodSeconds: 5,
  });
});
