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
