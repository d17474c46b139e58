import { MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS } from '../api/admission-registration.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

interface UnservedParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** Name of both configurations. */
  readonly configuration: string;
}

/** Interval between two looks, milliseconds. */
const LOOK_MS = 60_000;

/**
 * Where the webhooks are turned off: looks whether the API server is told to call them all the same. Their failure
 * policy lets everything through then, so that nobody would notice that no pod is prepared and nothing is refused. The
 * values of ack-extend-network-controller, which have no key `webhook`, lead there. The returned function says whether
 * all is well, as far as is known; a service account that may not look was installed without config/webhook.
 */
export const lookForUnserved = (
  { kube, clock, log, configuration }: UnservedParts,
  signal: AbortSignal,
): (() => boolean) => {
  let unserved: readonly string[] = [];
  const look = async (): Promise<'again' | 'never'> => {
    const found: string[] = [];
    try {
      for (const resource of [MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS]) {
        const { webhooks = [] } = (await kube.get(resource, { name: configuration }, signal)) ?? {};
        if (webhooks.length > 0) found.push(resource.kind);
      }
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      return error.kind === 'forbidden' ? 'never' : 'again';
    }
    if (found.length > 0 && unserved.length === 0)
      log.error(
        { configuration },
        `The API server is told to call webhooks that are not served (${found.join(', ')} ${configuration}): no pod is prepared, and nothing is refused; set webhook.enabled: true, or delete them: kubectl delete -k config/webhook`,
      );
    if (found.length === 0 && unserved.length > 0) log.info({ configuration }, 'Webhooks that are not served are gone');
    unserved = found;
    return 'again';
  };
  void (async () => {
    try {
      while ((await look()) === 'again') await clock.sleep(LOOK_MS, signal);
    } catch (error) {
      if (!signal.aborted) log.error({ error }, 'It cannot be told whether webhooks are left unserved');
    }
  })();
  return () => unserved.length === 0;
};
