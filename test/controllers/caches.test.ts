import test from 'ava';
import { BINDINGS, QUIET_SINCE, SUCCESSOR_UID } from '../../src/api/annotations.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { enqueueChanges, type Caches } from '../../src/controllers/caches.ts';
import type { WorkQueue } from '../../src/kube/queue.ts';
import type { StoreEvent } from '../../src/kube/mirror.ts';

type Listener = (event: StoreEvent<PodEip>) => void;

const podEip = (resourceVersion: string, annotations: Readonly<Record<string, string>>): PodEip => ({
  apiVersion: 'alibabacloud.com/v1beta1',
  kind: 'PodEIP',
  metadata: { namespace: 'default', name: 'a', uid: 'uid', resourceVersion, annotations },
  spec: { allocationID: 'eip-1', allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
});

/** The keys that are queued at an event of a PodEIP, with others of its Service. */
const queuedAt = (
  event: Pick<StoreEvent<PodEip>, 'type' | 'old' | 'object'>,
  others: readonly PodEip[] = [],
): string[] => {
  const listeners: Listener[] = [];
  const added: string[] = [];
  const none = { subscribe: () => undefined, store: { by: () => [] } };
  const by = (index: string, value: string) =>
    index === 'successor' ? others.filter(({ metadata }) => metadata.annotations?.[SUCCESSOR_UID] === value) : [];
  const podEips = { store: { by }, subscribe: (listener: Listener) => void listeners.push(listener) };
  const queue = { add: (key: string) => void added.push(key) };
  enqueueChanges(
    { pods: none, nodes: none, podEips } as unknown as Caches,
    queue as unknown as WorkQueue,
    () => undefined,
  );
  for (const listener of listeners) listener({ from: 'watch', ...event });
  return added;
};

/** The same where a PodEIP becomes another. */
const queuedByChange = (old: PodEip, object: PodEip): string[] => queuedAt({ type: 'updated', old, object });

/** The same with other annotations. */
const queuedBy = (before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] =>
  queuedByChange(podEip('1', before), podEip('2', after));

test('a PodEIP is looked at again for every note but that of its quiet, which is written before each attempt', (t) => {
  t.deepEqual(queuedBy({}, { [QUIET_SINCE]: 'changing 1' }), []);
  t.deepEqual(queuedBy({ [QUIET_SINCE]: 'changing 1' }, { [QUIET_SINCE]: 'changing 2' }), []);
  t.deepEqual(queuedBy({ [QUIET_SINCE]: 'changing 2' }, {}), []);
  t.deepEqual(queuedBy({}, { [BINDINGS]: '[]' }), ['default/a']);
  t.deepEqual(queuedBy({}, { [QUIET_SINCE]: 'changing 1', [BINDINGS]: '[]' }), ['default/a']);
});

const ready = (resourceVersion: string, reason: string): PodEip => ({
  ...podEip(resourceVersion, {}),
  status: {
    conditions: [
      { type: 'Ready', status: reason === 'InUse' ? 'True' : 'False', reason, message: '', lastTransitionTime: '' },
    ],
  },
});

test('a status is no reason to look, but one that takes an address out of use: it may be of a process that is dead', (t) => {
  t.deepEqual(queuedByChange(ready('1', 'InTransition'), ready('2', 'InUse')), []);
  t.deepEqual(queuedByChange(ready('1', 'InTransition'), ready('2', 'EipNotVisibleYet')), []);
  t.deepEqual(queuedByChange(ready('1', 'InUse'), ready('2', 'InUse')), []);
  t.deepEqual(queuedByChange(ready('1', 'InUse'), ready('2', 'EipNotVisibleYet')), ['default/a']);
});

test('one that is named a successor is not looked at again before that one has its EIP, or is gone', (t) => {
  const named = { [SUCCESSOR_UID]: 'next' };
  t.deepEqual(queuedBy({}, named), []);
  t.deepEqual(queuedBy({}, { ...named, [BINDINGS]: '[]' }), ['default/a'], 'something else has changed, too');
  t.deepEqual(queuedBy(named, {}), ['default/a'], 'it has none any more');
  t.deepEqual(queuedBy({ [SUCCESSOR_UID]: 'other' }, named), ['default/a']);

  const next = (allocationID: string): PodEip => {
    const { metadata, spec, ...rest } = podEip('1', {});
    return { ...rest, metadata: { ...metadata, name: 'b', uid: 'next' }, spec: { ...spec, allocationID } };
  };
  const others = [podEip('1', named), podEip('1', { [SUCCESSOR_UID]: 'other' }), podEip('1', {})].map((it, index) => ({
    ...it,
    metadata: { ...it.metadata, name: `p${index}` },
  }));
  const [before, after] = [next(''), next('eip-1')];
  t.deepEqual(queuedAt({ type: 'updated', old: before, object: after }, others), ['default/b', 'default/p0']);
  t.deepEqual(queuedAt({ type: 'deleted', object: before }, others), ['default/b', 'default/p0']);
  t.deepEqual(queuedAt({ type: 'added', object: after }, others), ['default/b', 'default/p0'], 'the watch had ended');
  t.deepEqual(queuedAt({ type: 'added', object: before }, others), ['default/b']);
});
