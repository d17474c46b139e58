import { POOL_OFF_SINCE } from '../../api/annotations.ts';
import { DEPLOYMENT } from '../../api/apps.ts';
import { CONFIG_MAP, POD } from '../../api/core.ts';
import { ACK_EXTEND, isAckExtend, remedyFor, TERWAY_CONFIG } from '../../rules/conflicting-controllers.ts';
import { isSwitchedOff, newestOn, processesOf, TERWAY_APPS, terwayAtWork } from '../../rules/terway-switch.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import { sleepUnlessAborted, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

/**
 * Interval between checks, milliseconds. A check is two cheap reads; such controllers are rarely installed. The pods of
 * Terway are read only from the first run of `knative-eip migrate` until all have been restarted.
 */
const LOOK_MS = 30_000;
/** The interval until everything has been read once, or is known to be forbidden: no request is served before. */
const FIRST_LOOK_MS = 2_000;
const FIRST_LOOKS = 15;

/** The other controllers of EIPs in the cluster. */
export interface OtherControllers {
  /** Their names, for people; undefined before the first check. */
  readonly known: () => readonly string[] | undefined;
  /**
   * Pods of this node that were created before may have an EIP of a Terway that has been restarted since, after its EIP
   * pool was switched off by `knative-eip migrate`; wall time, milliseconds. Undefined where nobody did that, or while
   * it is still at work.
   */
  readonly terwayUntil: (nodeName: string | undefined) => number | undefined;
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

/** What one look for something found: names, for people, and what could not be read although the names hold. */
interface Sign {
  readonly found: readonly string[];
  readonly fault?: KubeFault | undefined;
  /** See {@link OtherControllers.terwayUntil}. */
  readonly until?: OtherControllers['terwayUntil'] | undefined;
}

/** Looks for one piece of software. Rejects with a KubeFault if it cannot be said whether it is there. */
type Look = (kube: Kube, signal: AbortSignal) => Promise<Sign>;

const lookForAckExtend: Look = async (kube, signal) => {
  const deployments = await kube.list(DEPLOYMENT, { fieldSelector: `metadata.name=${ACK_EXTEND}` }, signal);
  const isThere = deployments.some(({ metadata: { name }, spec }) => isAckExtend({ name, replicas: spec?.replicas }));
  return { found: isThere ? [ACK_EXTEND] : [] };
};

/** What of Terway makes EIPs. Once all its pods are newer than a note, they stay so, and are not read again for it. */
const createTerwayLook = (): Look => {
  let settled: { readonly note: string; readonly until?: Sign['until'] } = { note: '' };
  return async (kube, signal) => {
    const configMap = await kube.get(CONFIG_MAP, { namespace: 'kube-system', name: TERWAY_CONFIG }, signal);
    const signOf = (pods: Parameters<typeof terwayAtWork>[1]): Sign => {
      const name = terwayAtWork(configMap, pods);
      return { found: name === undefined ? [] : [name] };
    };
    const without = signOf('allNewer');
    if (!configMap || without.found.length > 0 || !isSwitchedOff(configMap)) return without;
    const note = `${configMap.metadata.uid} ${configMap.metadata.annotations?.[POOL_OFF_SINCE]}`;
    if (note === settled.note) return { ...without, until: settled.until };
    try {
      const pods = await kube.list(POD, { namespace: 'kube-system', labelSelector: TERWAY_APPS }, signal);
      const processes = processesOf(pods);
      const sign = signOf(processes);
      if (sign.found.length > 0) return sign;
      settled = { note, until: (nodeName) => newestOn(processes, nodeName) };
      return { ...sign, until: settled.until };
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      return { ...signOf('unread'), fault: error };
    }
  };
};

/** The names of those that are there now, for people. Rejects with a KubeFault if one cannot be looked for. */
export const findOtherControllers = async (kube: Kube, signal: AbortSignal): Promise<readonly string[]> => {
  const signs = await Promise.all([lookForAckExtend, createTerwayLook()].map((look) => look(kube, signal)));
  for (const { fault } of signs) if (fault) throw fault;
  return signs.flatMap(({ found }) => found);
};

/**
 * Checks for other controllers of EIPs. If something cannot be read, its last known state counts and, if there is none,
 * it counts as absent: a cluster without the permission is served like one without another controller, and the log says
 * so. But once it is read that Terway's EIP pool was switched off, a Terway whose pods cannot be read counts as old. If
 * the API server does not answer, the check is first repeated a few times.
 */
export const createOtherControllers = ({ kube, clock, log, seen }: OthersParts): OtherControllers => {
  let names: readonly string[] | undefined;
  let trouble = '';
  const looks: readonly Look[] = [lookForAckExtend, createTerwayLook()];
  const there = new Map<Look, Sign>();
  const first = Promise.withResolvers<void>();
  /** Resolves to the faults of what could not be read. */
  const look = async (signal: AbortSignal): Promise<readonly KubeFault[]> => {
    const faults = await Promise.all(
      looks.map(async (lookFor) => {
        try {
          const sign = await lookFor(kube, signal);
          there.set(lookFor, sign);
          return sign.fault ? [sign.fault] : [];
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
        `${found.join(' and ')} in this cluster would buy EIPs for the same annotations: no new request is served, and nothing that was not bound before is bound, until it is gone: ${found.map(remedyFor).join('; ')} (otherEipControllers: ignore serves them nevertheless)`,
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
    for (let turn = 1; !signal.aborted; turn += 1) {
      try {
        const faults = await look(signal);
        const found = looks.flatMap((lookFor) => there.get(lookFor)?.found ?? []);
        tell(found);
        names = found;
        complain(faults[0]);
        seen?.(found);
        isBegun ||= faults.every(({ kind }) => kind === 'forbidden') || turn >= FIRST_LOOKS;
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      if (isBegun) first.resolve();
      await sleepUnlessAborted(clock, isBegun ? LOOK_MS : FIRST_LOOK_MS, signal);
    }
  };
  const terwayUntil: OtherControllers['terwayUntil'] = (nodeName) =>
    looks.map((lookFor) => there.get(lookFor)?.until?.(nodeName)).find((until) => until !== undefined);
  return { known: () => names, terwayUntil, looked: first.promise, run };
};
