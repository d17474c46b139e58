import type { HttpGet, WorkloadProbe } from '../workload-pod.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a probe from a text that no API server has validated; undefined if it has no httpGet, tcpSocket or grpc with a
 * port. Fields that do not conform to core/v1 are left out.
 */
export const decodedProbe = (value: unknown): WorkloadProbe | undefined => {
  if (!isObject(value)) return undefined;
  const timing = Object.fromEntries(
    TIMES.flatMap((key) => {
      const seconds = value[key];
      return typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= 0 ? [[key, seconds] as const] : [];
    }),
  );
  const { httpGet, tcpSocket, grpc } = value;
  if (isObject(httpGet)) {
    const action = httpGetOf(httpGet);
    return action && { ...timing, httpGet: action };
  }
  if (isObject(tcpSocket)) {
    const port = portOf(tcpSocket);
    return port === undefined ? undefined : { ...timing, tcpSocket: { port } };
  }
  const port = isObject(grpc) ? Number(portOf(grpc)) : Number.NaN;
  return Number.isInteger(port) ? { ...timing, grpc: { port } } : undefined;
};

const TIMES = [
  'initialDelaySeconds',
  'periodSeconds',
  'timeoutSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const portOf = ({ port }: Json): number | string | undefined =>
  typeof port === 'number' || typeof port === 'string' ? port : undefined;

const httpGetOf = (given: Json): HttpGet | undefined => {
  const port = portOf(given);
  if (port === undefined) return undefined;
  const { path, scheme, httpHeaders } = given;
  const headers = (Array.isArray(httpHeaders) ? (httpHeaders as unknown[]) : []).filter(isObject).flatMap((header) => {
    const { name, value } = header;
    return typeof name === 'string' ? [{ name, value: typeof value === 'string' ? value : '' }] : [];
  });
  return {
    port,
    ...(typeof path === 'string' && { path }),
    ...(typeof scheme === 'string' && { scheme }),
    ...(headers.length > 0 && { httpHeaders: headers }),
  };
};
