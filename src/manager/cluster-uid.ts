import { NAMESPACE } from '../api/core.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';

const BACKOFF = { baseMs: 250, capMs: 60_000 };

/** Resolves when `work` does, or rejects as soon as the signal aborts. */
export const unlessStopped = async (signal: AbortSignal, work: Promise<unknown>): Promise<void> => {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason as Error);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

/** The UID of the namespace kube-system, which identifies the cluster. Retries until the API server answers. */
export const findClusterUid = async (
  {
    kube,
    clock,
    random,
    log,
  }: { readonly kube: Kube; readonly clock: Clock; readonly random: Random; readonly log: Log },
  signal: AbortSignal,
): Promise<string> => {
  for (let failures = 0; ; failures += 1) {
    try {
      const namespace = await kube.get(NAMESPACE, { name: 'kube-system' }, signal);
      if (namespace) return namespace.metadata.uid;
      log.error({}, 'There is no namespace kube-system, whose UID names the cluster; waiting for it');
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      log.error({ kind: error.kind }, `The UID of the namespace kube-system cannot be read: ${error.message}`);
    }
    await clock.sleep(backoffMs(BACKOFF, failures, random), signal);
  }
};
