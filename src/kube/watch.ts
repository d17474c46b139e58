import type { Clock } from '../lib/clock.ts';
import { raceAbort } from './deadline.ts';
import { KubeFault } from './fault.ts';
import type { KubeObject, KubeTransport } from './port.ts';
import { faultOfAnswer, faultOfError, faultOfStatus } from './api-status.ts';

/** An event of a watch. A bookmark carries nothing but its resource version. ERROR events are thrown as faults. */
interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

interface WatchOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  /** Path and query of the watch request. */
  readonly path: string;
  /** A watch that is silent for so long is given up: its connection may be dead without anybody knowing. */
  readonly idleMs: number;
  /** How long the watch may last, whatever the server says. */
  readonly maxMs: number;
  /** Called when the server has accepted the watch. */
  readonly onOpen?: (() => void) | undefined;
}

/**
 * One watch request. Ends when the server ends it, after `idleMs` of silence and after `maxMs`; throws
 * {@link KubeFault} when it is refused or breaks, and the signal's reason as soon as `signal` aborts.
 */
export async function* watch<T extends KubeObject>(
  { transport, clock, path, idleMs, maxMs, onOpen }: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void> {
  signal.throwIfAborted();
  const scope = new AbortController();
  const abort = () => scope.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  let heardAt = clock.mono();
  const endsAt = heardAt + maxMs;
  let over = false;
  // One timer that asks when the last line came, rather than one per line.
  const left = () => Math.min(heardAt + idleMs, endsAt) - clock.mono();
  const guard = (): (() => void) =>
    clock.timer(left(), () => {
      if (left() > 0) {
        cancel = guard();
      } else {
        over = true;
        scope.abort(new Error('The watch is over.'));
      }
    });
  let cancel = guard();
  try {
    const response = await raceAbort(
      transport({ method: 'GET', path, accept: 'application/json', signal: scope.signal }),
      scope.signal,
    );
    if (response.status !== 200)
      throw faultOfAnswer(response, await raceAbort(response.text(), scope.signal), clock.now());
    heardAt = clock.mono();
    onOpen?.();
    const lines = response.lines()[Symbol.asyncIterator]();
    for (;;) {
      const line = await raceAbort(lines.next(), scope.signal);
      if (line.done === true) return;
      heardAt = clock.mono();
      if (line.value !== '') yield parseEvent<T>(line.value);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (over) return;
    throw faultOfError(error);
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
    // Also where the reader left early: nothing may stay open behind it.
    scope.abort(new Error('The watch has ended.'));
  }
}

const parseEvent = <T>(line: string): WatchEvent<T> => {
  let event: { type?: unknown; object?: unknown };
  try {
    event = JSON.parse(line) as typeof event;
  } catch {
    throw new KubeFault({ kind: 'unavailable', message: 'The watch broke off within a line.' });
  }
  const { type, object } = event;
  if (type === 'ERROR') throw faultOfStatus(object);
  const known = type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK';
  if (!known || typeof object !== 'object' || object === null || !('metadata' in object))
    throw new KubeFault({ kind: 'unavailable', message: `The watch sent an event of unknown type ${String(type)}.` });
  return { type, object: object as T };
};
