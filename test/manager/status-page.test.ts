import test from 'ava';
import type { Caches } from '../../src/controllers/caches.ts';
import { createStatus } from '../../src/manager/status-page.ts';
import { ManualClock } from '../harness/clock.ts';
import { configOf } from '../harness/settings.ts';

test('the status page says that Allocate drops tags once that is known', (t) => {
  const none = { subscribe: () => () => undefined, store: new Map() };
  const feed = createStatus({
    config: configOf(),
    version: '0',
    clock: new ManualClock(0),
    caches: { podEips: none, pods: none, all: [] } as unknown as Caches,
    services: undefined,
    election: undefined,
    endpoints: () => [],
    quota: () => undefined,
  });
  t.false(feed.status.overview().areTagsDropped);
  feed.tagsDropped();
  t.true(feed.status.overview().areTagsDropped);
});
