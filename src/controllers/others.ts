import { DEPLOYMENT } from '../api/apps.ts';
import { ACK_EXTEND, hasEipPool, isAckExtend, TERWAY_CONFIG, TERWAY_EIP_POOL } from '../guard/other-controllers.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | undefined;
}

export const CONFIG_MAP: Resource<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

/** Between two looks, milliseconds. Two reads that the API server answers in no time; such software comes rarely. */
const LOOK_MS = 30_000;

/** Other controllers of EIPs in the cluster. */
export interface OtherControllers {
  /** Their names as people read them; undefined as long as nobody has looked. */
  readonly known: () => readonly string[] | undefined;
  /** Resolves once somebody has looked, or tried to. */
  readonly looked: Promise<void>;
  /** Looks again and again until the signal aborts. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface OthersParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of what was seen, for metrics. */
  readonly seen?: ((names: readonly string[]) => void) | undefined;
}

/**
 * Looks for other controllers of EIPs. What cannot be read is taken for what was last read, and, where it never was, for
 * not there: a cluster without the permission to look is served like one without another controller, and the log says so.
 */
export const createOtherControllers = ({ kube, clock, log, seen }: OthersParts): OtherControllers => {
  let names: readonly string[] | undefined;
  let trouble = '';
  const first = Promise.withResolvers<void>();
  const look = async (signal: AbortSignal): Promise<readonly string[]> => {
    const [deployments, config] = await Promise.all([
      kube.list(DEPLOYMENT, { fieldSelector: `metadata.name=${ACK_EXTEND}` }, signal),
      kube.get(CONFIG_MAP, { namespace: 'kube-system', name: TERWAY_CONFIG }, signal),
    ]);
    const isThere = deployments.some(({ metadata: { name }, spec }) => isAckExtend({ name, replicas: spec?.replicas }));
    return [...(isThere ? [ACK_EXTEND] : []), ...(hasEipPool(config?.data) ? [TERWAY_EIP_POOL] : [])];
  };
  const tell = (found: readonly string[]) => {
    if (found.join() === (names ?? []).join()) return;
    if (found.length > 0)
      log.error(
        { others: found },
        `${found.join(' and ')} in this cluster would buy EIPs for the same annotations: no new request is served until it is turned off or uninstalled (otherEipControllers: ignore serves them nevertheless)`,
      );
    else log.info({}, 'No other controller of EIPs is in the cluster any more: requests are served again');
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      try {
        const found = await look(signal);
        tell(found);
        names = found;
        trouble = '';
        seen?.(found);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof KubeFault)) throw error;
        names ??= [];
        if (trouble !== error.kind)
          log.warn(
            { kind: error.kind },
            `Whether other controllers make EIPs in this cluster cannot be seen${error.kind === 'forbidden' ? ' (apply config/rbac)' : ''}: ${error.message}`,
          );
        trouble = error.kind;
      }
      first.resolve();
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    }
  };
  return { known: () => names, looked: first.promise, run };
};
