import type { Container, EnvVar, Probe, WorkloadPod } from '../workload.ts';
import { LONGEST_VALUE } from './env.ts';
import type { Remarks } from './input.ts';

/** Name of Knative's sidecar, and the variable that it cannot be without. Source: knative/serving pkg/reconciler/revision/resources/queue.go. */
const QUEUE_PROXY = 'queue-proxy';
const QUEUE_PORT = 'QUEUE_SERVING_PORT';
const READINESS = 'SERVING_READINESS_PROBE';

/** Where queue-proxy answers requests, if the container does not say (knative.dev/networking BackendHTTPPort). */
const BACKEND_PORT = 8012;

/** The pod with the parts of Knative's that ECI cannot express said in another way. Other pods are returned as they are. */
export const withQueueProxyEquivalents = (pod: WorkloadPod, remarks: Remarks): WorkloadPod => {
  const proxy = pod.spec.containers.find(isQueueProxy);
  if (!proxy) return pod;
  const probes = userProbes(proxy);
  const containers = pod.spec.containers.map((container, index) =>
    container === proxy
      ? ofQueueProxy(proxy, remarks)
      : ofUser(container, probes, isOnly(pod, proxy) || index === 0, remarks),
  );
  return { ...pod, spec: { ...pod.spec, containers } };
};

const isOnly = ({ spec }: WorkloadPod, proxy: Container) =>
  spec.containers.every((each) => each === proxy) === false && spec.containers.length === 2;

const isQueueProxy = ({ name, env }: Container): boolean =>
  name === QUEUE_PROXY && env?.some((variable) => variable.name === 'SERVING_POD') === true;

const literal = ({ env }: Container, key: string): string | undefined => env?.find(({ name }) => name === key)?.value;

/**
 * The readiness of the sidecar is asked with the header K-Network-Probe: queue. ECI's probes have no headers, and without
 * it the sidecar hands the probe on to the user's container and counts it as a request, which would keep the Service from
 * scaling to zero. So the sidecar is Ready when it listens, and the user's container gets the probe that the sidecar would
 * have made, {@link userProbes}: the pod is Ready when both are, which is what Knative means by it.
 */
const ofQueueProxy = (proxy: Container, remarks: Remarks): Container => {
  const { readinessProbe, startupProbe: _, ...rest } = proxy;
  const port = Number(literal(proxy, QUEUE_PORT) ?? BACKEND_PORT);
  return {
    ...rest,
    env: proxy.env?.map((variable) => shortened(variable, remarks)),
    ...(readinessProbe && { readinessProbe: { ...timing(readinessProbe), tcpSocket: { port } } }),
  };
};

const timing = (probe: Probe): Probe => {
  const { httpGet: _, tcpSocket: __, exec: ___, grpc: ____, ...rest } = probe;
  return rest;
};

/** What queue-proxy would probe: one probe as JSON, or a list of them (knative/serving pkg/queue/readiness, EncodeProbe). */
const userProbes = (proxy: Container): readonly Probe[] => {
  try {
    const decoded: unknown = JSON.parse(literal(proxy, READINESS) ?? 'null');
    const list: unknown[] = Array.isArray(decoded) ? decoded : [decoded];
    return list.filter((each): each is Probe => typeof each === 'object' && each !== null);
  } catch {
    return [];
  }
};

/** The container of the user with the readiness probe that Knative took from it, as far as ECI can make it. */
const ofUser = (container: Container, probes: readonly Probe[], isMain: boolean, remarks: Remarks): Container => {
  const { startupProbe, ...rest } = container;
  const ports = new Set(container.ports?.map(({ containerPort }) => containerPort));
  const own = probes.find((probe) => ports.has(portOf(probe) ?? 0)) ?? (isMain ? probes[0] : undefined);
  const at = `spec.containers[${container.name}]`;
  const readinessProbe = container.readinessProbe ?? (own && expressible(own, at, remarks));
  if (!startupProbe) return { ...rest, ...(readinessProbe && { readinessProbe }) };
  // Not before the startup probe would have given up does a liveness probe end the container.
  const { initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 } = startupProbe;
  const longest = initialDelaySeconds + periodSeconds * failureThreshold;
  remarks.notes.push({
    field: `${at}.startupProbe`,
    problem: 'ECI has no startup probes',
    remedy: `readiness starts after ${initialDelaySeconds} s and liveness after ${longest} s in its place`,
  });
  const readiness = readinessProbe ?? expressible(startupProbe, at, remarks);
  const { livenessProbe } = rest;
  return {
    ...rest,
    readinessProbe: {
      ...readiness,
      initialDelaySeconds: Math.max(initialDelaySeconds, readiness.initialDelaySeconds ?? 0),
    },
    ...(livenessProbe && {
      livenessProbe: {
        ...livenessProbe,
        initialDelaySeconds: Math.max(longest, livenessProbe.initialDelaySeconds ?? 0),
      },
    }),
  };
};

const portOf = ({ httpGet, tcpSocket, grpc }: Probe): number | undefined => {
  const port = Number(httpGet?.port ?? tcpSocket?.port ?? grpc?.port);
  return Number.isInteger(port) ? port : undefined;
};

/** Knative's own header K-Kubelet-Probe only marks a probe and is left out; others are the user's, and gRPC becomes TCP. */
const expressible = (probe: Probe, at: string, remarks: Remarks): Probe => {
  const { httpGet, grpc } = probe;
  // Zero means to queue-proxy "as often as possible".
  const periodSeconds = Math.max(1, probe.periodSeconds ?? 10);
  if (grpc) {
    remarks.notes.push({
      field: `${at}.readinessProbe.grpc`,
      problem: 'ECI has no gRPC probes',
      remedy: `the container counts as ready when port ${grpc.port} accepts connections`,
    });
    return { ...timing(probe), periodSeconds, tcpSocket: { port: grpc.port } };
  }
  const headers = httpGet?.httpHeaders?.filter(({ name }) => name.toLowerCase() !== 'k-kubelet-probe') ?? [];
  if (!httpGet) return { ...probe, periodSeconds };
  const { httpHeaders: _, ...action } = httpGet;
  if (headers.length === 0) return { ...probe, periodSeconds, httpGet: action };
  remarks.notes.push({
    field: `${at}.readinessProbe.httpGet.httpHeaders`,
    problem: `ECI's probes send no headers (${headers.map(({ name }) => name).join(', ')})`,
    remedy: `the container counts as ready when port ${action.port} accepts connections`,
  });
  return { ...timing(probe), periodSeconds, tcpSocket: { port: action.port } };
};

/**
 * What queue-proxy does without one of its long variables (knative/serving pkg/queue/sharedmain/main.go): without a logging
 * configuration it logs as zap does in production, at SERVING_LOGGING_LEVEL; without a template it writes no request log;
 * without a readiness probe it asks the user's container nothing, whose own probe ECI makes.
 */
const DEFAULTS: Readonly<Record<string, string>> = {
  SERVING_LOGGING_CONFIG: 'its default logging configuration is used, at SERVING_LOGGING_LEVEL',
  SERVING_REQUEST_LOG_TEMPLATE: 'no request log is written',
  [READINESS]: 'ECI probes the container of the user itself',
  OBSERVABILITY_CONFIG: 'its default observability configuration is used',
};

/** Keys of zap's configuration that only shape the output; they go first. */
const LOGGING_SHAPE = ['encoderConfig', 'development', 'disableStacktrace', 'disableCaller', 'sampling'];

const shortened = (variable: EnvVar, remarks: Remarks): EnvVar => {
  const { name, value } = variable;
  const without = DEFAULTS[name];
  if (value === undefined || value.length <= LONGEST_VALUE || without === undefined) return variable;
  const short = minified(name, value);
  if (short !== undefined && short.length <= LONGEST_VALUE) return { name, value: short };
  remarks.notes.push({
    field: `spec.containers[${QUEUE_PROXY}].env[${name}]`,
    problem: `the value has ${value.length} characters, and ECI takes at most ${LONGEST_VALUE}`,
    remedy: `it is left empty: ${without}`,
  });
  return { name, value: '' };
};

/** The same JSON without white space and without what is empty; of the logging configuration without its looks. */
const minified = (name: string, value: string): string | undefined => {
  // A template's JSON is no JSON, and its spaces are the user's.
  if (name === 'SERVING_REQUEST_LOG_TEMPLATE') return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return undefined;
  }
  const compact = withoutEmpty(parsed);
  const text = JSON.stringify(compact) ?? '';
  if (text.length <= LONGEST_VALUE || name !== 'SERVING_LOGGING_CONFIG') return text;
  const essential = Object.entries(compact as object).filter(([key]) => !LOGGING_SHAPE.includes(key));
  // zap's production encoder names the time `ts` in seconds; the common keys of Knative's default stay.
  const encoderConfig = { timeKey: 'timestamp', levelKey: 'severity', messageKey: 'message', timeEncoder: 'iso8601' };
  return JSON.stringify({ ...Object.fromEntries(essential), encoderConfig });
};

const withoutEmpty = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .map(([key, inner]) => [key, withoutEmpty(inner)] as const)
    .filter(([, inner]) => inner !== '' && inner !== null && !(typeof inner === 'object' && isEmpty(inner)));
  return Object.fromEntries(kept);
};

const isEmpty = (value: object | null): boolean => value === null || Object.keys(value).length === 0;
