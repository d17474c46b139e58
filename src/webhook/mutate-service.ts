import { EIP_BEFORE_TRAFFIC } from '../api/annotations.ts';
import { parseAnnotations } from '../request/parse.ts';
import { targetOfTemplate } from '../request/target.ts';
import type { AdmittedService } from '../manifest/read-admitted.ts';
import type { AdmissionFacts } from './mutate-pod.ts';
import { pointer, UNCHANGED, type Admitted } from './review.ts';

/**
 * Knative's default. Source: knative/serving pkg/networking, DefaultUserPort, via pkg/apis/serving/v1 revision_helpers.
 */
const DEFAULT_PORT = 8080;

/**
 * The startup probe for a container without one. It succeeds when the port is open, which is also what Knative's
 * default readiness probe waits for. It may fail for ten minutes, Knative's progress deadline, so that it kills no
 * application that could start before.
 */
const startupProbe = (port: number) => ({
  tcpSocket: { port },
  periodSeconds: 1,
  timeoutSeconds: 1,
  failureThreshold: 600,
});

const warn = (warning: string): Admitted => ({ patch: [], warnings: [`${EIP_BEFORE_TRAFFIC}: ${warning}`] });

/**
 * Implements `eip-before-traffic: "true"`: no request reaches a pod before its address is there. When a Service scales
 * from zero, Knative's activator sends requests to pods that are not Ready yet, as soon as their queue-proxy answers
 * and regardless of readiness gates, unless a container has a startup probe or the user's container has an exec
 * readiness probe (knative/serving pkg/activator/net, revision_backends.go). So the user's container gets a startup
 * probe if there is none of these. Pure and total.
 */
export const admitService = (service: AdmittedService, facts: AdmissionFacts): Admitted => {
  const { template } = service.spec;
  const annotations = template?.metadata?.annotations ?? {};
  const text = Object.hasOwn(annotations, EIP_BEFORE_TRAFFIC) ? annotations[EIP_BEFORE_TRAFFIC] : undefined;
  if (text === undefined || text === 'false' || service.metadata.deletionTimestamp !== undefined) return UNCHANGED;
  if (text !== 'true') return warn(`${JSON.stringify(text.slice(0, 40))} is neither "true" nor "false"; write "true"`);
  if (!parseAnnotations(annotations, facts.settings.defaults).wanted)
    return warn('the template asks for no address, so nothing is waited for; ask for one, or remove the annotation');
  const target = targetOfTemplate({ ...template }, facts.namespaceLabels ?? {}, facts.provider);
  if (target.on === 'eci' || target.on === 'acs')
    return warn(`it has no effect where the address is there before the container is (${target.because})`);
  return probed(template?.spec?.containers ?? []);
};

/**
 * Adds a startup probe to the container that serves requests, unless one of the probes that the activator waits for
 * exists.
 */
const probed = (containers: readonly Container[]): Admitted => {
  if (containers.some((container) => container.startupProbe)) return UNCHANGED;
  const index = userContainerOf(containers);
  const users = containers[index];
  if (!users || (users.readinessProbe?.exec ?? undefined) !== undefined) return UNCHANGED;
  const value = startupProbe(users.ports?.[0]?.containerPort ?? DEFAULT_PORT);
  const path = pointer('spec', 'template', 'spec', 'containers', String(index), 'startupProbe');
  return { patch: [{ op: 'add', path, value }], warnings: [] };
};

type Container = NonNullable<
  NonNullable<NonNullable<AdmittedService['spec']['template']>['spec']>['containers']
>[number];

/** The index of the container that serves requests: the one with a port, or the only one. */
const userContainerOf = (containers: readonly Container[]): number =>
  Math.max(
    0,
    containers.findIndex(({ ports }) => (ports?.length ?? 0) > 0),
  );
