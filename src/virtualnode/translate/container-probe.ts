import type { ContainerHook, ContainerProbe } from '../../cloud/container-groups.ts';
import type { WorkloadContainer, Hook, HttpGet, WorkloadProbe } from '../workload-pod.ts';
import { expressibleProbe } from './expressible-probe.ts';
import type { Remarks } from './input.ts';

/** Limit on the name of a port in a message, characters; Kubernetes allows 15. */
const LONGEST_SHOWN = 30;

/**
 * The number of a port that may be given by name; undefined, and refused, if the container has no port of that name.
 */
const portOf = (
  port: number | string,
  container: WorkloadContainer,
  field: string,
  remarks: Remarks,
): number | undefined => {
  const number = typeof port === 'number' ? port : /^\d{1,5}$/.test(port) ? Number(port) : undefined;
  const found = number ?? container.ports?.find(({ name }) => name === port)?.containerPort;
  if (found === undefined || !Number.isInteger(found) || found < 1 || found > 65_535) {
    remarks.refusals.push({
      field: `${field}.port`,
      problem: `${String(port).slice(0, LONGEST_SHOWN)} is neither a port number nor the name of a port of the container`,
      remedy: 'write a number from 1 to 65535',
    });
    return undefined;
  }
  return found;
};

const schemeOf = ({ scheme }: HttpGet): 'HTTP' | 'HTTPS' => (scheme === 'HTTPS' ? 'HTTPS' : 'HTTP');

const LOCAL = new Set(['', '127.0.0.1', 'localhost']);

/** Translates a readiness or liveness probe to ECI; undefined if there is none, or if it is refused. */
export const probeOf = (
  container: WorkloadContainer,
  kind: 'readinessProbe' | 'livenessProbe',
  at: string,
  remarks: Remarks,
): ContainerProbe | undefined => {
  const written = container[kind];
  if (!written) return undefined;
  const field = `${at}.${kind}`;
  const probe = expressibleProbe(written, field, kind === 'livenessProbe', remarks);
  // By the name that its author knows, where it became another action.
  const said = (['httpGet', 'grpc', 'tcpSocket'] as const).find((each) => written[each] !== undefined) ?? 'tcpSocket';
  const action = actionOf(probe, container, { field, tcp: `.${said}` }, remarks);
  return action && { ...action, ...timingOf(probe) };
};

/** ECI's smallest period is one second, and its defaults are Kubernetes', so that undefined values are not set. */
const timingOf = ({
  initialDelaySeconds,
  periodSeconds,
  timeoutSeconds,
  successThreshold,
  failureThreshold,
}: WorkloadProbe) => ({
  ...(initialDelaySeconds !== undefined && { initialDelaySeconds }),
  ...(periodSeconds !== undefined && periodSeconds > 0 && { periodSeconds }),
  ...(timeoutSeconds !== undefined && timeoutSeconds > 0 && { timeoutSeconds }),
  ...(successThreshold !== undefined && successThreshold > 0 && { successThreshold }),
  ...(failureThreshold !== undefined && failureThreshold > 0 && { failureThreshold }),
});

const actionOf = (
  probe: WorkloadProbe,
  container: WorkloadContainer,
  { field, tcp }: { readonly field: string; readonly tcp: string },
  remarks: Remarks,
): Pick<ContainerProbe, 'exec' | 'httpGet' | 'tcpSocket'> | undefined => {
  const refuse = (part: string, problem: string, remedy: string): undefined => {
    remarks.refusals.push({ field: `${field}${part}`, problem, remedy });
    return undefined;
  };
  if (probe.exec) {
    const { command = [] } = probe.exec;
    return command[0] ? { exec: { command } } : refuse('.exec.command', 'it is empty', 'name a command');
  }
  if (probe.httpGet) {
    const { httpGet } = probe;
    if (!LOCAL.has(httpGet.host ?? ''))
      return refuse('.httpGet.host', `ECI probes the instance itself, not ${httpGet.host ?? ''}`, 'leave host out');
    const port = portOf(httpGet.port, container, `${field}.httpGet`, remarks);
    return port === undefined ? undefined : { httpGet: { path: httpGet.path ?? '/', port, scheme: schemeOf(httpGet) } };
  }
  if (probe.tcpSocket) {
    if (!LOCAL.has(probe.tcpSocket.host ?? ''))
      return refuse(
        `${tcp}.host`,
        `ECI probes the instance itself, not ${probe.tcpSocket.host ?? ''}`,
        'leave host out',
      );
    const port = portOf(probe.tcpSocket.port, container, `${field}${tcp}`, remarks);
    return port === undefined ? undefined : { tcpSocket: { port } };
  }
  return refuse('', 'the probe has no action', 'use httpGet, tcpSocket or exec');
};

/** Translates a lifecycle hook to ECI. Unlike probes, hooks may have headers there. */
export const hookOf = (
  hook: Hook | undefined,
  container: WorkloadContainer,
  field: string,
  remarks: Remarks,
): ContainerHook | undefined => {
  if (!hook) return undefined;
  if (hook.exec) return { exec: hook.exec.command ?? [] };
  if (hook.sleep) {
    const command = ['sleep', String(hook.sleep.seconds)];
    remarks.notes.push({
      field: `${field}.sleep`,
      problem: 'ECI has no hook that sleeps',
      remedy: `it runs ${command.join(' ')} in the container, whose image must have that command`,
    });
    return { exec: command };
  }
  if (hook.httpGet) {
    const { path = '/', host, httpHeaders = [] } = hook.httpGet;
    const port = portOf(hook.httpGet.port, container, `${field}.httpGet`, remarks);
    return port === undefined
      ? undefined
      : { httpGet: { ...(host && { host }), path, port, scheme: schemeOf(hook.httpGet), headers: httpHeaders } };
  }
  if (hook.tcpSocket) {
    const { host } = hook.tcpSocket;
    const port = portOf(hook.tcpSocket.port, container, `${field}.tcpSocket`, remarks);
    return port === undefined ? undefined : { tcpSocket: { ...(host && { host }), port } };
  }
  return undefined;
};
