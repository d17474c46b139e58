import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import { portOf, type Container, type Probe } from './pod.ts';

const opens = async (host: string, port: number, signal: AbortSignal): Promise<boolean> => {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal });
    return true;
  } finally {
    socket.destroy();
  }
};

/** As a kubelet: any status from 200 to 399 is success, and nobody verifies the certificate. */
const answers = (
  host: string,
  port: number,
  { path = '/', scheme = 'HTTP', httpHeaders = [] }: NonNullable<Probe['httpGet']>,
  signal: AbortSignal,
): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const headers = {
      'user-agent': 'kube-probe/1.36',
      ...Object.fromEntries(httpHeaders.map(({ name, value }) => [name.toLowerCase(), value])),
    };
    const options = { host, port, path, headers, signal, agent: false };
    const sent =
      scheme.toUpperCase() === 'HTTPS' ? requestHttps({ ...options, rejectUnauthorized: false }) : requestHttp(options);
    sent.on('response', (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      resolve(statusCode >= 200 && statusCode < 400);
    });
    sent.on('error', reject);
    sent.end();
  });

/** Tries a probe once. Whatever goes wrong is a failure of the probe, as for a kubelet. */
export const tryProbe = async (probe: Probe, container: Container, host: string): Promise<boolean> => {
  const { httpGet, tcpSocket, timeoutSeconds = 1 } = probe;
  const signal = AbortSignal.timeout(timeoutSeconds * 1_000);
  try {
    if (httpGet) return await answers(host, portOf(container, httpGet.port), httpGet, signal);
    if (tcpSocket) return await opens(host, portOf(container, tcpSocket.port), signal);
  } catch {
    return false;
  }
  throw new Error(`container ${container.name}: the stand-in for a kubelet has only HTTP and TCP probes`);
};
