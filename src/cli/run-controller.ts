import { connect, KubeconfigError } from '../kube/connect.ts';
import { systemClock } from '../lib/clock.ts';
import { systemRandom } from '../lib/random.ts';
import { ServeError } from '../web/listen.ts';
import { startManager } from '../manager/manager.ts';
import type { RunController } from './shell.ts';
import { nodeVersion } from './version.ts';

/**
 * `knative-eip controller`. Exit code 0 after a stop, 1 if it could not start, 2 if the kubeconfig is wrong. When the
 * leadership is lost the process exits at once, so that its calls do not overlap with the new leader's.
 */
export const runControllerCommand: RunController = async ({ config, kubeconfig, only, log, version, signal }) => {
  try {
    const connection = await connect({ kubeconfigPath: kubeconfig, env: process.env });
    log.info({ server: connection.server, version }, 'Starting');
    if (only === 'virtual-node' && !config.virtualNode.enabled) {
      log.error({}, 'There is nothing to run: virtualNode.enabled is false in the configuration; set it to true');
      return 2;
    }
    const start =
      only === 'virtual-node' ? (await import('../manager/virtual-node-manager.ts')).startVirtualNode : startManager;
    const { urls, ended } = await start({
      config,
      connection,
      clock: systemClock,
      random: systemRandom,
      log,
      version,
      nodeVersion: nodeVersion(),
      env: process.env,
      runs: only,
      signal,
    });
    log.info({ ...urls }, 'Serving health, metrics and the status page');
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
