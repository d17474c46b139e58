import type { Clock } from '../lib/clock.ts';
import { raceAbort } from './deadline.ts';
import type { Kube, KubeObject, ListOptions, Resource } from './port.ts';

/**
 * So long the next list waits for the one that is under way; milliseconds. What was read before it gets no older than
 * with a list of one's own, also where an answer never comes.
 */
const PATIENCE_MS = 500;

/** One list that is under way, and the one that follows it. */
interface Flights {
  under: Promise<unknown>;
  next: Promise<unknown> | undefined;
}

/**
 * The same client, with one list of a kind for all who ask for it at the same time: whoever asks while one is under way
 * waits for the next, which begins after he has asked, so that it is as new as one of his own. A hundred pods that need
 * the same list cost two. Lists are given up by nobody: one who stops waiting leaves it to the others.
 */
export const sharingLists = (kube: Kube, clock: Clock): Kube => {
  const flights = new Map<string, Flights>();

  /** Settles with the list, or once it has taken too long for those who wait for the next. */
  const overOr = (under: Promise<unknown>): Promise<unknown> =>
    new Promise((resolve) => {
      const cancel = clock.timer(PATIENCE_MS, () => resolve(undefined));
      const over = () => {
        cancel();
        resolve(undefined);
      };
      under.then(over, over);
    });

  const begin = (key: string, list: () => Promise<unknown>): Promise<unknown> => {
    const mine: Flights = { under: list(), next: undefined };
    flights.set(key, mine);
    const land = () => {
      if (flights.get(key) === mine && !mine.next) flights.delete(key);
    };
    mine.under.then(land, land);
    return mine.under;
  };

  const join = (key: string, list: () => Promise<unknown>): Promise<unknown> => {
    const flying = flights.get(key);
    if (!flying) return begin(key, list);
    const take = () => begin(key, list);
    flying.next ??= overOr(flying.under).then(take, take);
    return flying.next;
  };

  return {
    ...kube,
    list: <T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}, signal?: AbortSignal) => {
      const { namespace, labelSelector, fieldSelector } = options;
      const { group, version, plural } = resource;
      const key = JSON.stringify([group, version, plural, namespace, labelSelector, fieldSelector]);
      const listed = join(key, () => kube.list(resource, options)) as Promise<readonly T[]>;
      return signal ? raceAbort(listed, signal) : listed;
    },
  };
};
