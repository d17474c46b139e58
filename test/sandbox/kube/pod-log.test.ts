import test from 'ava';
import { Storage, type StoredChange } from '../../../src/sandbox/kube/storage.ts';
import type { Backend, RequestTarget } from '../../../src/sandbox/kube/backend.ts';
import { builtInKinds } from '../../../src/sandbox/kube/builtin.ts';
import { podLog } from '../../../src/sandbox/kube/pod-log.ts';
import { Registry } from '../../../src/sandbox/kube/served-kinds.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../harness/random.ts';

/** Counts who listens. */
class CountingStorage extends Storage {
  listeners = 0;

  override subscribe(listener: (change: StoredChange) => void): () => void {
    this.listeners += 1;
    const stop = super.subscribe(listener);
    return () => {
      this.listeners -= 1;
      stop();
    };
  }
}

const stage = () => {
  const storage = new CountingStorage(10);
  const registry = new Registry(builtInKinds(() => '10.0.0.1'));
  const kind = registry.find('', 'v1', 'pods')!;
  storage.put(kind.store, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-0', namespace: 'default', uid: 'u', resourceVersion: '', creationTimestamp: '' },
    spec: { containers: [{ name: 'app', image: 'nginx' }] },
  });
  const backend: Backend = {
    storage,
    registry,
    clock: new ManualClock(),
    random: seeded(1),
    admission: undefined,
    validation: undefined,
    warn: () => undefined,
  };
  const target: RequestTarget = { kind, namespace: 'default', name: 'web-0', subresource: 'log' };
  return {
    storage,
    follow: (signal: AbortSignal) => podLog(backend, target, new URLSearchParams({ follow: 'true' }), signal),
  };
};

test('who follows a log listens until it is cut off, and whoever has gone before it begins does not listen at all', async (t) => {
  const { storage, follow } = stage();
  const leaving = new AbortController();
  const stream = follow(leaving.signal);
  t.is(storage.listeners, 1);
  leaving.abort();
  t.is(storage.listeners, 0);
  t.deepEqual(await Array.fromAsync(stream), []);

  t.deepEqual(await Array.fromAsync(follow(AbortSignal.abort())), []);
  t.is(storage.listeners, 0);
});
