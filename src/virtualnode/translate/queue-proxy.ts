import type { WorkloadContainer, WorkloadProbe, WorkloadPod } from '../workload-pod.ts';
import { decodedProbe } from './decoded-probe.ts';
import type { Remarks } from './input.ts';
import { shortened } from './queue-proxy-env.ts';

/**
 * Name of Knative's sidecar, and variables that identify it. Source: knative/serving
 * pkg/reconciler/revision/resources/queue.go.
 */
const QUEUE_PROXY = 'queue-proxy';
const QUEUE_PORT = 'QUEUE_SERVING_PORT';
const USER_PORT = 'USER_PORT';
const READINESS = 'SERVING_READINESS_PROBE';

/** queue-proxy's default port for requests (knative.dev/networking BackendHTTPPort). */
const BACKEND_PORT = 8012;

/**
 * Marks probes for Istio and for the user's container; it has no effect itself (knative.dev/networking pkg/http/header
 * KubeletProbeKey).
 */
const KUBELET_PROBE = 'k-kubelet-probe';

/** Whether a container is Knative's sidecar, and does not merely have its name. */
export const isQueueProxy = ({ name, env }: WorkloadContainer): boolean =>
  name === QUEUE_PROXY && env?.some((variable) => variable.name === 'SERVING_POD') === true;

/** The pod with equivalents for the parts of Knative's that ECI cannot express. Other pods are returned unchanged. */
export const withQueueProxyEquivalents = (pod: WorkloadPod, remarks: Remarks): WorkloadPod => {
  const proxy = pod.spec.containers.find(isQueueProxy);
  if (!proxy) return pod;
  const probes = probesByContainer(pod, proxy);
  const containers = pod.spec.containers.map((container) =>
    container === proxy ? ofQueueProxy(proxy, remarks) : ofUser(container, probes.get(container), proxy),
  );
  return { ...pod, spec: { ...pod.spec, containers } };
};

/** Knative's port for requests where the container names none (knative/serving pkg/apis/serving/v1). */
const DEFAULT_PORT = 8080;

/**
 * The pod that Knative makes of a template, as far as it matters here: its sidecar makes the readiness probe, to the
 * port for requests where it names none (knative/serving pkg/reconciler/revision/resources/deploy.go and queue.go).
 */
export const asKnativeMakesIt = (pod: WorkloadPod): WorkloadPod => {
  if (pod.spec.containers.some(isQueueProxy)) return pod;
  const user = pod.spec.containers.find(({ ports }) => ports?.length) ?? pod.spec.containers[0];
  const port = user?.ports?.[0]?.containerPort ?? DEFAULT_PORT;
  const toPort = (probe: WorkloadProbe): WorkloadProbe => ({
    ...probe,
    ...(probe.httpGet && { httpGet: { ...probe.httpGet, port: probe.httpGet.port || port } }),
    ...(probe.tcpSocket && { tcpSocket: { ...probe.tcpSocket, port: probe.tcpSocket.port || port } }),
    ...(probe.grpc && { grpc: { ...probe.grpc, port: probe.grpc.port || port } }),
  });
  const containers = pod.spec.containers.map(({ readinessProbe, livenessProbe, startupProbe, ...rest }) => ({
    ...rest,
    // A command is run by the kubelet, and not by the sidecar.
    ...(readinessProbe?.exec && { readinessProbe }),
    ...(livenessProbe && { livenessProbe: toPort(livenessProbe) }),
    ...(startupProbe && { startupProbe: toPort(startupProbe) }),
  }));
  const probes = pod.spec.containers.flatMap(({ readinessProbe }) =>
    readinessProbe && !readinessProbe.exec ? [toPort(readinessProbe)] : [],
  );
  const env = Object.entries({ SERVING_POD: '', [USER_PORT]: String(port), [READINESS]: JSON.stringify(probes) });
  const proxy = { name: QUEUE_PROXY, image: QUEUE_PROXY, env: env.map(([name, value]) => ({ name, value })) };
  return { ...pod, spec: { ...pod.spec, containers: [...containers, proxy] } };
};

const literal = ({ env }: WorkloadContainer, key: string): string | undefined =>
  env?.find(({ name }) => name === key)?.value;

/**
 * The readiness probe of the sidecar has the header K-Network-Probe: queue. ECI's probes have no headers. Without it,
 * the sidecar either answers 400 (pkg/queue/health ProbeHandler), or forwards the probe to the user's container and
 * counts it as a request, so that the Service would never scale to zero. Therefore the sidecar is Ready when it
 * listens, and the user's container gets the probe that the sidecar would make ({@link probesByContainer}). The pod is
 * Ready when both are, as in Knative.
 */
const ofQueueProxy = (proxy: WorkloadContainer, remarks: Remarks): WorkloadContainer => {
  const { readinessProbe, ...rest } = proxy;
  const port = Number(literal(proxy, QUEUE_PORT) ?? BACKEND_PORT);
  const env = proxy.env ?? [];
  return {
    ...rest,
    env: env.map((variable) => shortened(variable, env, `spec.containers[${QUEUE_PROXY}]`, remarks)),
    ...(readinessProbe && { readinessProbe: { ...timing(readinessProbe), tcpSocket: { port } } }),
  };
};

const timing = (probe: WorkloadProbe): WorkloadProbe => {
  const { httpGet: _, tcpSocket: __, exec: ___, grpc: ____, ...rest } = probe;
  return rest;
};

/**
 * The probes that queue-proxy would make: one as JSON, or a list of them (knative/serving pkg/queue/readiness,
 * EncodeProbe).
 */
const encodedProbes = (proxy: WorkloadContainer): readonly WorkloadProbe[] => {
  try {
    const decoded: unknown = JSON.parse(literal(proxy, READINESS) ?? 'null');
    const list: unknown[] = Array.isArray(decoded) ? decoded : [decoded];
    return list.flatMap((each) => decodedProbe(each) ?? []);
  } catch {
    return [];
  }
};

const has = ({ ports }: WorkloadContainer, port: number | undefined): boolean =>
  ports?.some(({ containerPort }) => containerPort === port) === true;

/**
 * Gives the probes that Knative took from the containers back to them: to the container with the port of the probe; any
 * others in order, beginning with the container that receives requests. The containers share their addresses, so that
 * the pod is Ready at the same time whichever of them has the probe.
 */
const probesByContainer = (
  { spec }: WorkloadPod,
  proxy: WorkloadContainer,
): ReadonlyMap<WorkloadContainer, WorkloadProbe> => {
  const userPort = Number(literal(proxy, USER_PORT));
  const users = spec.containers
    .filter((each) => each !== proxy)
    .toSorted((a, b) => +has(b, userPort) - +has(a, userPort));
  const taken = new Map<WorkloadContainer, WorkloadProbe>();
  const left: WorkloadProbe[] = [];
  for (const probe of encodedProbes(proxy)) {
    const owner = users.find((container) => !taken.has(container) && has(container, portOf(probe)));
    if (owner) taken.set(owner, probe);
    else left.push(probe);
  }
  for (const container of users) {
    const probe = taken.has(container) ? undefined : left.shift();
    if (probe) taken.set(container, probe);
  }
  return taken;
};

/** A user's container with the readiness probe that Knative took from it, and its others as the user wrote them. */
const ofUser = (
  container: WorkloadContainer,
  encoded: WorkloadProbe | undefined,
  proxy: WorkloadContainer,
): WorkloadContainer => {
  // Without a period, queue-proxy probes continuously; ECI at most once a second.
  const often = encoded && { ...encoded, periodSeconds: Math.max(1, encoded.periodSeconds ?? 0) };
  const { livenessProbe, startupProbe } = container;
  const readinessProbe = container.readinessProbe ?? (often && unmarked(often));
  return {
    ...container,
    ...(readinessProbe && { readinessProbe }),
    ...(livenessProbe && { livenessProbe: straight(livenessProbe, proxy) }),
    ...(startupProbe && { startupProbe: straight(startupProbe, proxy) }),
  };
};

/** The probe without the header by which Knative only marks it. */
const unmarked = (probe: WorkloadProbe): WorkloadProbe => {
  if (!probe.httpGet) return probe;
  const { httpHeaders = [], ...action } = probe.httpGet;
  const own = httpHeaders.filter(({ name }) => name.toLowerCase() !== KUBELET_PROBE);
  return { ...probe, httpGet: { ...action, ...(own.length > 0 && { httpHeaders: own }) } };
};

/**
 * Redirects a probe that Knative marked, or routed through the sidecar as older versions do, to the user's container.
 */
const straight = (probe: WorkloadProbe, proxy: WorkloadContainer): WorkloadProbe => {
  const { httpGet } = unmarked(probe);
  if (!httpGet) return probe;
  const isThroughProxy = String(httpGet.port) === (literal(proxy, QUEUE_PORT) ?? String(BACKEND_PORT));
  const port = isThroughProxy ? (literal(proxy, USER_PORT) ?? httpGet.port) : httpGet.port;
  return { ...probe, httpGet: { ...httpGet, port } };
};

const portOf = ({ httpGet, tcpSocket, grpc }: WorkloadProbe): number | undefined => {
  const port = Number(httpGet?.port ?? tcpSocket?.port ?? grpc?.port);
  return Number.isInteger(port) ? port : undefined;
};
