import { NAMESPACE } from '../api/core.ts';
import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import { OPEN } from '../cloud/fence.ts';
import { proxyAgentOf, sendThrough } from '../cloud/proxy.ts';
import { createKube } from '../kube/client.ts';
import { connect, KubeconfigError } from '../kube/connect.ts';
import type { Kube } from '../kube/port.ts';
import { chooseEndpoints, configuredCloud } from '../manager/cloud-wiring.ts';
import type { PlanOptions, RunControllerOptions } from './shell.ts';

/** What commands have in common that show a plan, ask, and carry it out: `drain`, `migrate` and, in part, `probe`. */

type ClusterOptions = PlanOptions & Pick<RunControllerOptions, 'config' | 'kubeconfig' | 'log'>;

/**
 * Connects to the cluster for the time of `work`, and resolves to its exit code; to 2 where the kubeconfig is wrong.
 *
 * @param whyStopped what is said of an error that ends the work with exit code 1; undefined for one that nobody expects
 */
export const onCluster = async (
  { config, kubeconfig, clock, err, env }: ClusterOptions,
  work: (kube: Kube) => Promise<number>,
  whyStopped: (error: unknown) => string | undefined,
): Promise<number> => {
  try {
    const connection = await connect({ kubeconfigPath: kubeconfig, env });
    try {
      const limits = { qps: config.kubeClientQPS, burst: config.kubeClientBurst };
      return await work(createKube({ transport: connection.calls, clock, ...limits }));
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (error instanceof KubeconfigError) {
      err(`knative-eip: ${error.message}\n`);
      return 2;
    }
    const why = whyStopped(error);
    if (why === undefined) throw error;
    err(why);
    return 1;
  }
};

/** The UID of the namespace kube-system, which names the cluster. */
export const clusterUidNow = async (kube: Kube, signal: AbortSignal): Promise<string> => {
  const system = await kube.get(NAMESPACE, { name: 'kube-system' }, signal);
  if (!system) throw new Error('there is no namespace kube-system, whose UID names the cluster');
  return system.metadata.uid;
};

/** The cloud as the controller would ask it. Once the signal aborts, nothing is changed in it. */
export const connectCloud = async (
  { config, clock, log, env }: ClusterOptions,
  signal: AbortSignal,
): Promise<AssembledCloud> => {
  const proxy = proxyAgentOf(env);
  if (proxy) await sendThrough(proxy);
  const endpointChoice = chooseEndpoints(config, { clock, log, proxy });
  const mayMutate = () => (signal.aborted ? { kind: 'leadershipUncertain' as const } : OPEN);
  return configuredCloud({ config, clock, env, endpointChoice }, { mayMutate });
};

interface Question {
  /** What it is about, in sentences; empty where the plan that was shown says it. */
  readonly about: string;
  /** What --dry-run shows. */
  readonly preview: string;
  /** What is said where the answer is no. */
  readonly declined: string;
}

/**
 * Asks whether to begin, unless --yes says so. Undefined where it may begin; otherwise the exit code: 1 for a no, 2
 * where nobody can be asked.
 */
export const askToBegin = async (
  { yes, ask, err }: Pick<PlanOptions, 'yes' | 'ask' | 'err'>,
  { about, preview, declined }: Question,
  signal: AbortSignal,
): Promise<number | undefined> => {
  if (yes) return undefined;
  if (!ask) {
    err(`knative-eip: nobody can be asked here; write --yes to begin, or --dry-run to see ${preview}\n`);
    return 2;
  }
  const answer = await ask(`${about}Begin? [yes/no] `, signal);
  if (answer.trim() === 'yes') return undefined;
  err(`${declined}\n`);
  return 1;
};
