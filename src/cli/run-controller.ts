import { connect, KubeconfigError } from '../kube/connect.ts';
import { systemClock } from '../lib/clock.ts';
import { systemRandom } from '../lib/random.ts';
import { ServeError } from '../web/http-server.ts';
import { startManager } from '../manager/manager.ts';
import type { RunController } from './shell.ts';
import { nodeVersion } from './version.ts';

/**
 * `knative-eip controller`. 0 after a stop, 1 where it could not begin, 2 where the kubeconfig is wrong. A lost
 * leadership ends the process at once, so that the old leader's calls do not run beside the new leader's.
 */
export const runControllerCommand: RunController = async ({ config, kubeconfig, log, version, signal }) => {
  try {
    const connection = await connect(kubeconfig === undefined ? {} : { kubeconfigPath: kubeconfig });
    log.info({ server: connection.server, version }, 'Starting');
    const { url, ended } = await startManager({
      config,
      connection,
      clock: systemClock,
      random: systemRandom,
      log,
      version,
      nodeVersion: nodeVersion(),
      env: process.env,
      signal,
    });
    log.info({ url }, 'Serving /metrics, /healthz and /readyz');
    if ((await ended) === 'lost') {
      log.error({}, 'The leadership was lost; the process ends and may be started again');
      process.exit(1);
    }
    return 0;
  } catch (error) {
    if (error instanceof KubeconfigError) {
      log.error({}, error.message);
      return 2;
    }
    if (error instanceof ServeError) {
      log.error({}, error.message);
      return 1;
    }
    throw error;
  }
};
