import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import type { KubeObject, Resource } from '../../src/kube/port.ts';
import { EVENT, type KubeEvent } from '../../src/kube/recorder.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { FollowContext } from '../../src/sandbox/cluster/follow-objects.ts';
import { LABEL } from '../../src/sandbox/knative/child-metadata.ts';
import { KUBELET_POD, type KubeletPod } from './cluster/pod.ts';

/** From when to when something was so; wall-clock milliseconds. `to` is infinite while it is. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The life of one pod as a watch shows it. */
export interface PodHistory {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: string;
  readonly createdAt: number;
  /** When its condition Ready was True. */
  readonly ready: readonly Span[];
  /** When it said so of each public address. */
  readonly addresses: readonly (Span & { readonly address: string })[];
  /** Deletion was asked for; infinite while it was not. */
  readonly toldAt: number;
  /** Its containers had ended. */
  readonly endedAt: number;
  /** The object was gone. */
  readonly goneAt: number;
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] };
type Record = Mutable<Omit<PodHistory, 'ready' | 'addresses'>> & {
  ready: Mutable<Span>[];
  addresses: Mutable<Span & { address: string }>[];
};

const isReady = ({ status }: KubeletPod): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

const close = (span: Mutable<Span> | undefined, now: number): void => {
  if (span?.to === Infinity) span.to = now;
};

/** Adds what a pod shows now to its history. */
const add = (history: Record, pod: KubeletPod, now: number): void => {
  const { deletionTimestamp, annotations } = pod.metadata;
  const hasEnded = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  if (deletionTimestamp !== undefined && history.toldAt === Infinity) history.toldAt = now;
  if (hasEnded && history.endedAt === Infinity) history.endedAt = now;
  const ready = history.ready.at(-1);
  if (!isReady(pod)) close(ready, now);
  else if (ready?.to !== Infinity) history.ready.push({ from: now, to: Infinity });
  // A pod whose containers have ended uses no address.
  const address = hasEnded ? undefined : annotations?.[ALLOCATED_ADDRESS];
  const last = history.addresses.at(-1);
  if (last?.to === Infinity && last.address === address) return;
  close(last, now);
  if (address) history.addresses.push({ address, from: now, to: Infinity });
};

export type Recorder = ReturnType<typeof record>;

/** Watches pods of Knative Services and Events from now on. */
export const record = (context: FollowContext, signal: AbortSignal) => {
  const histories = new Map<string, Record>();
  const events: { readonly at: number; readonly event: KubeEvent; readonly isNew: boolean }[] = [];
  const watch = <T extends KubeObject>(resource: Resource<T>, labelSelector?: string) =>
    createReflector<T, T>({ ...context, log: silentLog, resource, labelSelector, keep: (object) => object });

  const pods = watch(KUBELET_POD, LABEL.revision);
  pods.subscribe(({ type, object }) => {
    const { namespace = '', name, uid, labels } = object.metadata;
    const now = Date.now();
    const known = histories.get(uid);
    const history = known ?? {
      namespace,
      name,
      uid,
      revision: labels?.[LABEL.revision] ?? '',
      createdAt: now,
      ready: [],
      addresses: [],
      toldAt: Infinity,
      endedAt: Infinity,
      goneAt: Infinity,
    };
    histories.set(uid, history);
    if (type !== 'deleted') return add(history, object, now);
    history.goneAt = now;
    close(history.ready.at(-1), now);
    close(history.addresses.at(-1), now);
  });

  const reflector = watch(EVENT);
  reflector.subscribe(({ type, object }) => {
    if (type === 'deleted' || !object.reportingController?.includes('knative-eip')) return;
    events.push({ at: Date.now(), event: object, isNew: type === 'added' });
  });

  return {
    ended: Promise.all([pods.run(signal), reflector.run(signal)]),
    /** Oldest first. */
    pods: (namespace: string): readonly PodHistory[] =>
      [...histories.values()].filter((it) => it.namespace === namespace),
    /** The product's Events on objects of the namespace, each once. */
    events: (namespace: string): readonly KubeEvent[] =>
      events.filter(({ event, isNew }) => isNew && event.metadata.namespace === namespace).map(({ event }) => event),
  };
};

/** Pairs of pods that said of the same address at the same time that they have it. */
export const sharedAddresses = (pods: readonly PodHistory[]): readonly string[] => {
  const spans = pods.flatMap(({ name, addresses }) => addresses.map((span) => ({ name, ...span })));
  return spans.flatMap((one, index) =>
    spans
      .slice(index + 1)
      .filter(
        (other) =>
          other.name !== one.name && other.address === one.address && other.from < one.to && one.from < other.to,
      )
      .map((other) => `${one.address} on ${one.name} and ${other.name}`),
  );
};

/**
 * How long no pod said of the address that it has it, between the first and the last time that one did; milliseconds.
 */
export const timeWithout = (pods: readonly PodHistory[], address: string): number => {
  const spans = pods
    .flatMap(({ addresses }) => addresses)
    .filter((it) => it.address === address)
    .toSorted((a, b) => a.from - b.from);
  let until = spans[0]?.to ?? 0;
  let without = 0;
  for (const { from, to } of spans) {
    if (from > until) without += from - until;
    until = Math.max(until, to);
  }
  return without;
};
