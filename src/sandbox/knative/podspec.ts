import { LABEL } from './child-metadata.ts';
import { encodedReadinessProbe } from './readiness-probe.ts';
import type { Container, Revision } from './resources.ts';

const QUEUE_PROXY_IMAGE = 'gcr.io/knative-releases/knative.dev/serving/cmd/queue:v1.23.0';

const USER_PORT = 8080;

/**
 * The pod of a Revision: its containers, with Knative's environment and the hook that lets requests end, and
 * queue-proxy. Source: knative/serving pkg/reconciler/revision/resources/deploy.go and queue.go.
 */
export const podSpecOf = ({ metadata, spec }: Revision): { readonly [field: string]: unknown } => {
  const { containers, timeoutSeconds = 300, containerConcurrency = 0, ...rest } = spec;
  const labels = metadata.labels ?? {};
  const serving = containers.find(({ ports }) => ports?.some(({ containerPort }) => containerPort)) ?? containers[0];
  const port = serving?.ports?.find(({ containerPort }) => containerPort)?.containerPort ?? USER_PORT;
  const user = (container: Container): object => {
    const { readinessProbe, ...others } = container;
    return {
      ...others,
      // Probes of HTTP, TCP and gRPC are queue-proxy's to make; those that run a command stay with the kubelet.
      ...(readinessProbe?.exec === undefined ? {} : { readinessProbe }),
      env: [
        ...(container.env ?? []),
        { name: 'PORT', value: String(port) },
        { name: 'K_REVISION', value: metadata.name },
        { name: 'K_CONFIGURATION', value: labels[LABEL.configuration] ?? '' },
        { name: 'K_SERVICE', value: labels[LABEL.service] ?? '' },
      ],
      lifecycle: { preStop: { httpGet: { port: 8022, path: '/wait-for-drain', scheme: 'HTTP' } } },
      terminationMessagePolicy: 'FallbackToLogsOnError',
    };
  };
  const queueProxy = {
    name: 'queue-proxy',
    image: QUEUE_PROXY_IMAGE,
    ports: [
      { name: 'http-queueadm', containerPort: 8022 },
      { name: 'http-autometric', containerPort: 9090 },
      { name: 'http-usermetric', containerPort: 9091 },
      { name: 'queue-port', containerPort: 8012 },
      { name: 'https-port', containerPort: 8112 },
    ],
    resources: { requests: { cpu: '25m' } },
    readinessProbe: {
      httpGet: { port: 8012, httpHeaders: [{ name: 'K-Network-Probe', value: 'queue' }] },
      periodSeconds: 10,
    },
    env: [
      { name: 'SERVING_NAMESPACE', value: metadata.namespace ?? '' },
      { name: 'SERVING_SERVICE', value: labels[LABEL.service] ?? '' },
      { name: 'SERVING_CONFIGURATION', value: labels[LABEL.configuration] ?? '' },
      { name: 'SERVING_REVISION', value: metadata.name },
      { name: 'QUEUE_SERVING_PORT', value: '8012' },
      { name: 'USER_PORT', value: String(port) },
      { name: 'SERVING_READINESS_PROBE', value: encodedReadinessProbe(serving ?? {}, port) },
      { name: 'CONTAINER_CONCURRENCY', value: String(containerConcurrency) },
      { name: 'REVISION_TIMEOUT_SECONDS', value: String(timeoutSeconds) },
      { name: 'SERVING_POD', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'SERVING_POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
      { name: 'HOST_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.hostIP' } } },
    ],
  };
  const { idleTimeoutSeconds: _idle, responseStartTimeoutSeconds: _start, ...podFields } = rest;
  return {
    ...podFields,
    containers: [...containers.map(user), queueProxy],
    terminationGracePeriodSeconds: timeoutSeconds,
  };
};
