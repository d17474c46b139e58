import { request as requestInClear } from 'node:http';
import { request, type Agent } from 'node:https';
import { isIP } from 'node:net';
import { connect } from 'node:tls';

/** Port of HTTPS. */
const HTTPS = 443;

/**
 * Whether the host answers TLS with a certificate that this machine trusts. A name that leads elsewhere (a captive
 * portal, a firewall that answers for everybody) is not reached. Never rejects.
 */
export const reaches = (host: string, timeoutMs: number, port: number = HTTPS): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, servername: isIP(host) ? '' : host });
    const end = (isReached: boolean): void => {
      socket.destroy();
      resolve(isReached);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('secureConnect', () => end(socket.authorized));
    socket.once('error', () => end(false));
  });

/**
 * The same through a proxy, where the agent leads to the host by one: whether anything answers there. Never rejects.
 */
export const reachesThrough =
  (agent: Agent) =>
  (host: string, timeoutMs: number, port: number = HTTPS): Promise<boolean> =>
    new Promise((resolve) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const asked = request({ host, port, method: 'HEAD', path: '/', agent, signal }, (answer) => {
        answer.resume();
        resolve(true);
      });
      asked.once('error', () => resolve(false));
      asked.end();
    });

/**
 * The time of the server that answers there, by its header Date, milliseconds since 1970; `answered` where it says
 * none, undefined where nothing answers. Never rejects.
 */
export const serverDate = (url: string, timeoutMs: number, agent?: Agent): Promise<number | 'answered' | undefined> =>
  new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const isInClear = url.startsWith('http:');
    const options = { method: 'HEAD', signal, ...(agent && !isInClear && { agent }) };
    const asked = (isInClear ? requestInClear : request)(url, options, (answer) => {
      answer.resume();
      const date = Date.parse(answer.headers.date ?? '');
      resolve(Number.isNaN(date) ? 'answered' : date);
    });
    asked.once('error', () => resolve(undefined));
    asked.end();
  });
