import { AsyncLocalStorage } from 'node:async_hooks';

const preparing = new AsyncLocalStorage<() => Promise<void>>();

/**
 * Runs `work`, and `prepare` before each change that it sends to the cloud: once the turn of the change has come, so
 * that no time passes between the two. Where it rejects, the change is rejected with the same, and nothing is sent.
 */
export const preparingChanges = <T>(prepare: () => Promise<void>, work: () => Promise<T>): Promise<T> =>
  preparing.run(prepare, work);

/** Does what has to come before a change that is sent now. */
export const prepareChange = async (): Promise<void> => preparing.getStore()?.();
