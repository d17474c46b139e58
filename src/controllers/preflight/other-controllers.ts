import { DEPLOYMENT } from '../../api/apps.ts';
import { CONFIG_MAP } from '../../api/core.ts';
import {
  ACK_EXTEND,
  hasEipPool,
  isAckExtend,
  TERWAY_CONFIG,
  TERWAY_EIP_POOL,
} from '../../rules/conflicting-controllers.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

/** Between two looks, milliseconds. Two reads that the API server answers in no time; such software comes rarely. */
const LOOK_MS = 30_000;
/**
 * As long as not everything has been seen once, and is not known to be forbidden either: nothing is served meanwhile.
 */
const FIRST_LOOK_MS = 2_000;
const FIRST_LOOKS = 15;

/** Other controllers of EIPs in the cluster. */
export interface OtherControllers {
  /** Their names as people read them; undefined as long as nobody has looked. */
  readonly known: () => readonly string[] | undefined;
  /** Resolves once somebody has looked, or tried to for long enough. */
  readonly looked: Promise<void>;
  /** Looks again and again until the signal aborts. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

interface OthersParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of what was seen, for metrics. */
  readonly seen?: ((names: readonly string[]) => void) | undefined;
}

/** What to look for, and how it is seen. */
const SIGNS: readonly {
  readonly name: string;
  readonly isThere: (kube: Kube, signal: AbortSignal) => Promise<boolean>;
}[] = [
  {
    name: ACK_EXTEND,
    isThere: async (kube, signal) =>
      (await kube.list(DEPLOYMENT, { fieldSelector: `metadata.name=${ACK_EXTEND}` }, signal)).some(
        ({ metadata: { name }, spec }) => isAckExtend({ name, replicas: spec?.replicas }),
      ),
  },
  {
    name: TERWAY_EIP_POOL,
    isThere: async (kube, signal) =>
      hasEipPool((await kube.get(CONFIG_MAP, { namespace: 'kube-system', name: TERWAY_CONFIG }, signal))?.data),
  },
];

/**
 * Looks for other controllers of EIPs. What cannot be read is taken for what was last read, and, where it never was,
 * for not there: a cluster without the permission to look is served like one without another controller, and the log
 * says so. An API server that only does not answer is asked some more times before.
 */
export const createOtherControllers = ({ kube, clock, log, seen }: OthersParts): OtherControllers => {
  let names: readonly string[] | undefined;
  let trouble = '';
  const there = new Map<string, boolean>();
  const first = Promise.withResolvers<void>();
  /** Resolves to what could not be read. */
  const look = async (signal: AbortSignal): Promise<readonly KubeFault[]> => {
    const faults = await Promise.all(
      SIGNS.map(async ({ name, isThere }) => {
        try {
          there.set(name, await isThere(kube, signal));
          return [];
        } catch (error) {
          if (signal.aborted || !(error instanceof KubeFault)) throw error;
          return [error];
        }
      }),
    );
    return faults.flat();
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
  const complain = (fault: KubeFault | undefined) => {
    if (fault && trouble !== fault.kind)
      log.warn(
        { kind: fault.kind },
        `Whether other controllers make EIPs in this cluster cannot be seen${fault.kind === 'forbidden' ? ' (apply config/rbac)' : ''}: ${fault.message}`,
      );
    trouble = fault?.kind ?? '';
  };
  const run = async (signal: AbortSignal): Promise<void> => {
    let isBegun = false;
    for (let looks = 1; !signal.aborted; looks += 1) {
      try {
        const faults = await look(signal);
        const found = SIGNS.map(({ name }) => name).filter((name) => there.get(name) === true);
        tell(found);
        names = found;
        complain(faults[0]);
        seen?.(found);
        isBegun ||= faults.every(({ kind }) => kind === 'forbidden') || looks >= FIRST_LOOKS;
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      if (isBegun) first.resolve();
      await clock.sleep(isBegun ? LOOK_MS : FIRST_LOOK_MS, signal).catch(() => undefined);
    }
  };
  return { known: () => names, looked: first.promise, run };
};
