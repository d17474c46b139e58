import type { ManagerOptions } from './manager-options.ts';
import { sleepUnlessAborted } from '../lib/clock.ts';

/** Time limit of a drain, milliseconds: less than the 10 s that are promised. */
export const DRAIN_MS = 8_500;
/** What the recorder gets to write the last Events, milliseconds. */
const LAST_EVENTS_MS = 500;

interface ShutdownParts extends Pick<ManagerOptions, 'connection' | 'clock' | 'log' | 'signal'> {
  /** What stops, for reasons of signals. */
  readonly what: string;
  /** What ends the process beside the signal: the leadership is lost, or something failed for which all must stop. */
  readonly ends: readonly Promise<'lost' | { readonly error: unknown }>[];
  /** Nothing new is begun once it aborts. */
  readonly work: AbortController;
  /** Resolves once nothing is under way any more. Called when `work` has aborted. */
  readonly drained: () => Promise<unknown>;
  readonly recorder: { stop(deadlineMs: number): Promise<unknown> };
  /** Gives the Leases back, so that the next process need not wait for their end. */
  readonly release: () => Promise<unknown>;
  /** Ends the servers. */
  readonly ending: AbortController;
  /** Resolves once they have ended. */
  readonly closed: () => Promise<unknown>;
  readonly identity: { close(): Promise<unknown> } | undefined;
}

/**
 * Waits for the end of the process and stops everything in the one order in which nothing is left behind: what is under
 * way, the last Events, the Leases, the servers, the connection.
 *
 * Resolves to `lost` as soon as the leadership is lost, and stops nothing then. Rejects, after all has stopped, with
 * the error of what failed.
 */
export const shutDownAtEnd = async (parts: ShutdownParts): Promise<'stopped' | 'lost'> => {
  const { what, signal, clock, log, work, ending } = parts;
  const stopped = Promise.withResolvers<'stopped'>();
  if (signal.aborted) stopped.resolve('stopped');
  signal.addEventListener('abort', () => stopped.resolve('stopped'), { once: true });
  const how = await Promise.race([stopped.promise, ...parts.ends]);
  if (how === 'lost') return how;
  log.info({}, 'Stopping: nothing new is begun, calls to the cloud that are under way end');
  work.abort(new Error(`${what} is stopping`));
  const enough = new AbortController();
  await Promise.race([parts.drained(), sleepUnlessAborted(clock, DRAIN_MS, enough.signal)]);
  enough.abort();
  await parts.recorder.stop(LAST_EVENTS_MS);
  await parts.release();
  ending.abort(new Error(`${what} is stopping`));
  await parts.closed();
  await Promise.all([parts.connection.close(), parts.identity?.close()]);
  log.info({}, 'Stopped');
  if (how !== 'stopped') throw how.error;
  return how;
};
