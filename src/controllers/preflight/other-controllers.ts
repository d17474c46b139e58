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
import { sleepUnlessAborted, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

/** Interval between checks, milliseconds. A check is two cheap reads; such controllers are rarely installed. */
const LOOK_MS = 30_000;
/** The interval until everything has been read once, or is known to be forbidden: no request is served before. */
const FIRST_LOOK_MS = 2_000;
const FIRST_LOOKS = 15;

/** The other controllers of EIPs in the cluster. */
export interface OtherControllers {
  /** Their names, for people; undefined before the first check. */
  readonly known: () => readonly string[] | undefined;
  /** Resolves after the first check, or after enough attempts. */
  readonly looked: Promise<void>;
  /** Repeats the check until the signal aborts. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

interface OthersParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with the names that were found, for metrics. */
  readonly seen?: ((names: readonly string[]) => void) | undefined;
}

/** The known controllers, and how each is recognised. */
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

/** The names of those that are there now, for people. Rejects with a KubeFault if one cannot be looked for. */
export const findOtherControllers = async (kube: Kube, signal: AbortSignal): Promise<readonly string[]> => {
  const there = await Promise.all(SIGNS.map(({ isThere }) => isThere(kube, signal)));
  return SIGNS.filter((_, index) => there[index]).map(({ name }) => name);
};

/**
 * Checks for other controllers of EIPs. If something cannot be read, its last known state counts and, if there is none,
 * it counts as absent: a cluster without the permission is served like one without another controller, and the log says
 * so. If the API server does not answer, the check is first repeated a few times.
 */
export const createOtherControllers = ({ kube, clock, log, seen }: OthersParts): OtherControllers => {
  let names: readonly string[] | undefined;
  let trouble = '';
  const there = new Map<string, boolean>();
  const first = Promise.withResolvers<void>();
  /** Resolves to the faults of what could not be read. */
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
      await sleepUnlessAborted(clock, isBegun ? LOOK_MS : FIRST_LOOK_MS, signal);
    }
  };
  return { known: () => names, looked: first.promise, run };
};
