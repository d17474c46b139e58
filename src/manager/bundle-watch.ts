import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../api/admission-registration.ts';
import { UNAUTHORIZED } from '../kube/fault.ts';
import type { KubeTransport } from '../kube/port.ts';
import { createReflector } from '../kube/reflector.ts';
import type { Clock } from '../lib/clock.ts';
import { silentLog, type Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { FollowBundles } from '../webhook/rotation.ts';

interface BundleWatchOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Name of both configurations. */
  readonly configuration: string;
}

/** What cannot be watched is looked at each minute all the same, so that it is no hurry to try again; milliseconds. */
const AGAIN = { baseMs: 1_000, capMs: 300_000 };

/** Watches the two webhook configurations, each by its name: RBAC allows a watch of one name. */
export const watchBundles =
  ({ log, configuration, ...ports }: BundleWatchOptions): FollowBundles =>
  async (changed, signal) => {
    /** What is wrong with each of the two watches, until it works again. */
    const troubles = new Map<string, string>();
    const reflectors = [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS].map((resource) =>
      createReflector({
        ...ports,
        log: silentLog,
        resource,
        fieldSelector: `metadata.name=${configuration}`,
        backoff: AGAIN,
        keep: ({ metadata: { name, uid, resourceVersion }, webhooks = [] }) => ({
          metadata: { name, uid, resourceVersion },
          bundles: webhooks.map(({ clientConfig }) => clientConfig.caBundle ?? ''),
        }),
        onWatch: () => void troubles.delete(resource.plural),
        onTrouble: ({ kind, status, message }) => {
          if (kind === 'expired') return;
          const isSaid = [...troubles.values()].includes(kind);
          troubles.set(resource.plural, kind);
          if (isSaid) return;
          const hint = kind === 'forbidden' && status !== UNAUTHORIZED ? '; apply config/webhook' : '';
          log.warn(
            { kind },
            `The webhook configurations cannot be watched${hint} (retrying): until then a caBundle that somebody changes is put right within a minute: ${message}`,
          );
        },
      }),
    );
    for (const reflector of reflectors)
      reflector.subscribe(({ type, object }) => {
        if (type !== 'deleted') changed(object.bundles);
      });
    await Promise.all(reflectors.map((reflector) => reflector.run(signal)));
  };
