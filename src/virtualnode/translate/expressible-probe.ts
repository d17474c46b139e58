import type { WorkloadProbe } from '../workload-pod.ts';
import type { Remarks } from './input.ts';

/**
 * Headers of a probe without which a server answers no worse: what the answer is to look like, and who asks (RFC 9110,
 * 10.1.5 and 12.5; RFC 9111, 5.2 and 5.4). All others may be what the server wants to see, as Host and Authorization.
 */
const WITHOUT_CONSEQUENCE: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'connection',
  'pragma',
  'user-agent',
]);

/**
 * The probe as far as ECI can make it, which has no gRPC probes, and whose HTTP probes send no headers. Of a probe that
 * it cannot make the question is left whether the port is open: that is weaker and never stricter, so that nothing is
 * ended or kept from its Service that the written probe would have passed. An HTTP probe without a header that the
 * server wants to see could be.
 */
export const expressibleProbe = (
  probe: WorkloadProbe,
  field: string,
  isLiveness: boolean,
  remarks: Remarks,
): WorkloadProbe => {
  const { grpc, httpGet, ...timing } = probe;
  const note = (part: string, problem: string, remedy: string) =>
    remarks.notes.push({ field: `${field}.${part}`, problem, remedy });
  if (grpc) {
    const asked = grpc.service ? `the health of the service ${grpc.service.slice(0, LONGEST_SHOWN)}` : 'its health';
    note('grpc', 'ECI has no gRPC probes', `${openPort(grpc.port, isLiveness)}; ${asked} is not asked about`);
    return { ...timing, tcpSocket: { port: grpc.port } };
  }
  const { httpHeaders = [], ...action } = httpGet ?? { port: 0 };
  if (!httpGet || httpHeaders.length === 0) return probe;
  const names = httpHeaders.map(({ name }) => name);
  const part = 'httpGet.httpHeaders';
  const problem = `ECI's probes send no headers (${names.join(', ').slice(0, LONGEST_SHOWN)})`;
  if (names.every((name) => WITHOUT_CONSEQUENCE.has(name.toLowerCase()))) {
    note(part, problem, 'the probe is made without them');
    return { ...timing, httpGet: action };
  }
  const { host, port } = action;
  note(part, problem, `${openPort(port, isLiveness)}; probe a path that needs none, or use exec, for more`);
  return { ...timing, tcpSocket: { port, ...(host !== undefined && { host }) } };
};

/** Limit on what the author wrote in a message, characters. */
const LONGEST_SHOWN = 100;

const openPort = (port: number | string, isLiveness: boolean): string =>
  isLiveness
    ? `the container is restarted only when port ${port} accepts no connections, and not when it hangs and still does`
    : `the container counts as ready when port ${port} accepts connections`;
