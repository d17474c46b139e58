import { AsyncLocalStorage } from 'node:async_hooks';

const owners = new AsyncLocalStorage<string>();

/**
 * Runs `work` on behalf of an owner, for example a namespace: where calls that it makes have to wait for something that
 * is scarce, owners take turns. Nothing else depends on it.
 */
export const onBehalfOf = <T>(owner: string, work: () => Promise<T>): Promise<T> => owners.run(owner, work);

/** Runs what several owners wait for together, such as a look-up that they share: on behalf of none of them alone. */
export const onBehalfOfMany = <T>(work: () => Promise<T>): Promise<T> => owners.run('(several)', work);

/** On whose behalf the code at hand runs; empty where on nobody's. */
export const currentOwner = (): string => owners.getStore() ?? '';
