import { CloudFault } from '../cloud/fault.ts';
import type { FaultHistory } from '../cloud/fault-history.ts';
import { KubeFault } from '../kube/fault.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/*
 * What ECI has for a cluster, and for which there is no object any more. Passes look for it, for as long as the process
 * lives; what two passes in a row have seen is deleted.
 */

interface PassTimes {
  /** Delays before the first pass, and between passes; milliseconds. */
  readonly firstMs: number;
  readonly periodMs: number;
  /** What is looked for, for people: "… could not be looked for". */
  readonly what: string;
}

/**
 * Makes one pass after the other until the signal aborts; never rejects.
 *
 * @param pass is given what the last one that succeeded resolved to, and its number from 1; rejects with anything
 */
export const runPasses = async <Seen>(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  { firstMs, periodMs, what }: PassTimes,
  pass: (before: Seen | undefined, attempt: number) => Promise<Seen>,
  signal: AbortSignal,
): Promise<void> => {
  let seen: Seen | undefined;
  for (let attempt = 1; ; attempt += 1) {
    await sleepUnlessAborted(clock, attempt === 1 ? firstMs : periodMs, signal);
    if (signal.aborted) return;
    try {
      seen = await pass(seen, attempt);
    } catch (error) {
      if (signal.aborted) return;
      const isFault = error instanceof CloudFault || error instanceof KubeFault;
      const message = error instanceof Error ? error.message : String(error);
      log[isFault ? 'warn' : 'error'](
        isFault ? { kind: error.kind } : { error },
        `${what} could not be looked for; the next pass tries again: ${message}`,
      );
    }
  }
};

/** Something in the account that no object stands for. */
interface Orphan {
  readonly id: string;
  /** What it is, for people: "a container group that has no pod". */
  readonly what: string;
  /** It costs nothing: that it goes is nothing to warn of. */
  readonly isHarmless: boolean;
  /** For the log. */
  readonly fields: Readonly<Record<string, unknown>>;
}

interface DeletionPorts {
  readonly log: Log;
  /** By the IDs of orphans. */
  readonly faults: FaultHistory;
  /** Has one deleted; rejects with a CloudFault. */
  readonly remove: (id: string) => Promise<void>;
}

/** The step of {@link FaultHistory}. */
const DELETE = 'DeleteOrphan';

/**
 * Deletes those of the orphans that were seen before. One that cannot be deleted keeps no other from going, and is told
 * once for each answer.
 *
 * @param before the IDs that are left of the pass before
 * @returns the IDs that are left, and the deleted orphans
 */
export const deleteSeenBefore = async (
  { log, faults, remove }: DeletionPorts,
  orphans: readonly Orphan[],
  before: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<{ readonly left: ReadonlySet<string>; readonly deleted: readonly Orphan[] }> => {
  const left = new Set<string>();
  const deleted: Orphan[] = [];
  faults.keep((id) => before.has(id));
  for (const orphan of orphans) {
    const { id, what, isHarmless, fields } = orphan;
    if (!before.has(id)) {
      if (!isHarmless) log.warn(fields, `This is ${what}; it is deleted if that is still so at the next pass`);
      left.add(id);
      continue;
    }
    try {
      await remove(id);
      log[isHarmless ? 'info' : 'warn'](fields, `Deleted ${what}`);
      deleted.push(orphan);
    } catch (error) {
      if (signal.aborted || !(error instanceof CloudFault)) throw error;
      const { isUnreported } = faults.failed(id, DELETE, error, { needsSomebody: true });
      const { kind, code, requestId } = error;
      const line = `It was to be deleted and stays, ${what}: ${error.message}`;
      log[isUnreported ? 'warn' : 'debug']({ ...fields, kind, code, requestId }, line);
      left.add(id);
    }
  }
  return { left, deleted };
};
