import { createKube } from '../kube/client.ts';
import { createElection, type Election } from '../kube/lease.ts';
import type { ManagerOptions } from './manager-options.ts';

type ElectionParts = Pick<ManagerOptions, 'config' | 'connection' | 'clock' | 'random' | 'log'>;

/**
 * The election as it is configured; undefined if this process is the only one. It has a client of its own, so that a
 * renewal does not wait behind reconciles.
 *
 * @param name of the Lease
 */
export const electionOf = (
  { config, connection, clock, random, log }: ElectionParts,
  name: string,
): Election | undefined => {
  const { enabled, namespace, identity, ...seconds } = config.leaderElection;
  if (!enabled) return undefined;
  return createElection({
    kube: createKube({ transport: connection.calls, clock, timeoutMs: seconds.retryPeriodSeconds * 2_000 }),
    clock,
    random,
    log,
    namespace,
    name,
    // A name alone would be the same after a restart of the container.
    identity: `${identity ?? 'knative-eip'}_${random.uuid()}`,
    leaseDurationMs: seconds.leaseDurationSeconds * 1_000,
    renewDeadlineMs: seconds.renewDeadlineSeconds * 1_000,
    retryPeriodMs: seconds.retryPeriodSeconds * 1_000,
  });
};
