import { CONFIG_MAP, type ConfigMap } from '../api/core.ts';
import type { Kube } from '../kube/port.ts';
import { parseChange, type EipChange } from './change.ts';
import { NOTHING_TOLD, type ProjectedState } from './fold.ts';

/** The stored state of one address: what has been reported, and what has not been delivered yet. */
export interface Journal {
  readonly podEip: { readonly namespace: string; readonly name: string };
  readonly told: ProjectedState;
  /** Changes that are not delivered yet, in the order in which they happened. */
  readonly changes: readonly EipChange[];
}

/** Label of the ConfigMaps; its value is the UID of the PodEIP. */
const LABEL = 'podeip-controller.alibabacloud.com/events-of';

/** A journal as it is stored, with what the next write needs. */
export interface Stored {
  readonly podEipUid: string;
  readonly journal: Journal;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Why a part of it could not be read. */
  readonly unreadable: string | undefined;
}

/**
 * Stores the journals, one ConfigMap for each PodEIP. They are not in the PodEIP itself: some PodEIPs have no
 * finalizer, so that deleting one would drop undelivered events; and each write of a journal would conflict with the
 * next write of the reconciler, which names the resourceVersion that it has read. Every write names the version that it
 * replaces, so that a former leader's write is refused.
 */
export const createJournals = (kube: Kube, namespace: string) => {
  return {
    list: async (signal: AbortSignal): Promise<readonly Stored[]> => {
      const all = await kube.list(CONFIG_MAP, { namespace, labelSelector: LABEL }, signal);
      return all.map(storedOf);
    },
    get: async (podEipUid: string, signal: AbortSignal): Promise<Stored | undefined> => {
      const found = await kube.get(CONFIG_MAP, { namespace, name: nameOf(podEipUid) }, signal);
      return found && storedOf(found);
    },
    create: async (podEipUid: string, journal: Journal, signal: AbortSignal): Promise<Stored> => {
      const metadata = { name: nameOf(podEipUid), namespace, labels: { [LABEL]: podEipUid } };
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: dataOf(journal) };
      return storedOf(await kube.create(CONFIG_MAP, object, signal));
    },
    write: async (before: Stored, journal: Journal, signal: AbortSignal): Promise<Stored> => {
      const { podEipUid, uid, resourceVersion } = before;
      const body = { metadata: { uid, resourceVersion }, data: dataOf(journal) };
      const ref = { namespace, name: nameOf(podEipUid) };
      return storedOf(await kube.patch(CONFIG_MAP, ref, { type: 'merge', body }, signal));
    },
    remove: async ({ podEipUid, uid, resourceVersion }: Stored, signal: AbortSignal): Promise<void> => {
      await kube.delete(CONFIG_MAP, { namespace, name: nameOf(podEipUid) }, { uid, resourceVersion }, signal);
    },
  };
};

const nameOf = (podEipUid: string) => `knative-eip-events-${podEipUid}`;

const dataOf = ({ podEip, told, changes }: Journal) => ({
  podEIP: `${podEip.namespace}/${podEip.name}`,
  told: JSON.stringify(told),
  changes: JSON.stringify(changes),
});

export type Journals = ReturnType<typeof createJournals>;

const storedOf = ({ metadata, data = {} }: ConfigMap): Stored => {
  const [namespace = '', name = ''] = (data['podEIP'] ?? '').split('/');
  const podEipUid = metadata.labels?.[LABEL] ?? '';
  const told = parse(data['told']);
  const changes = parse(data['changes']);
  const read = Array.isArray(changes) ? changes.map(parseChange) : [];
  const isBroken = !isTold(told) || !Array.isArray(changes) || read.includes(undefined);
  return {
    podEipUid,
    journal: {
      podEip: { namespace, name },
      told: isTold(told) ? told : NOTHING_TOLD,
      changes: read.filter((change) => change !== undefined),
    },
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    unreadable: isBroken ? `ConfigMap ${metadata.name}` : undefined,
  };
};

const parse = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined;
  }
};

const isTold = (value: unknown): value is ProjectedState => {
  const it = value as Partial<Record<keyof ProjectedState, unknown>> | null | undefined;
  return Number.isSafeInteger(it?.sequence) && typeof it?.at === 'number';
};
