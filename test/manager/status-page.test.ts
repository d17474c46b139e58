import test from 'ava';
import type { Caches } from '../../src/controllers/caches.ts';
import { callEndOf, createStatus } from '../../src/manager/status-page.ts';
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

test('a cloud that says not now, or that it is so already, has not failed', (t) => {
  const ends = {
    success: 'ok',
    already: 'ok',
    gone: 'ok',
    again: 'later',
    later: 'later',
    throttled: 'throttled',
    unknown: 'failed',
    refused: 'failed',
    quota: 'failed',
    misconfigured: 'failed',
  } as const;
  for (const outcome of Object.keys(ends) as (keyof typeof ends)[]) t.is(callEndOf(outcome), ends[outcome], outcome);
});
