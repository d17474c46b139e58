import { AsyncLocalStorage } from 'node:async_hooks';

const collecting = new AsyncLocalStorage<Set<string>>();

/** Adds the ID of a request to the cloud that was answered to the collection under way; without one, does nothing. */
export const noteRequest = (id: string): void => void collecting.getStore()?.add(id);

/**
 * Runs `work` and resolves to its result with the IDs of the requests that were answered on its behalf, in order: what
 * the provider's audit log and support know a change by. They are about the call and not about its result, and so are
 * not part of the results of calls. Calls that were folded into another one may be missing.
 */
export const collectRequests = async <T>(
  work: () => Promise<T>,
): Promise<{ result: T; requestIds: readonly string[] }> => {
  const ids = new Set<string>();
  return { result: await collecting.run(ids, work), requestIds: [...ids] };
};

/** Runs `work`, whose requests are no part of a collection under way: they only look at what was done. */
export const withoutCollecting = <T>(work: () => Promise<T>): Promise<T> => collecting.run(new Set(), work);
