import { raceAbort } from './deadline.ts';
import type { Kube, KubeObject, ListOptions, Resource } from './port.ts';

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
export const sharingLists = (kube: Kube): Kube => {
  const flights = new Map<string, Flights>();

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
    flying.next ??= flying.under.then(take, take);
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
