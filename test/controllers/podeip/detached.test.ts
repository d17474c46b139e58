import test from 'ava';
import { awaitDetached, isSeenDetached } from '../../../src/controllers/podeip/detached.ts';
import type { ObservedState, Settings, TrackedState } from '../../../src/controllers/podeip/observation.ts';
import { situationOf } from '../../../src/controllers/podeip/situation.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { seeded } from '../../harness/random.ts';
import { ManualClock } from '../../harness/clock.ts';
import { binding, eip, NOW, podEip, settings } from './situation.ts';

const LONG = settings.readLagMs;

const detached: TrackedState = {
  quietMs: 1,
  isCertain: true,
  driftMs: 0,
  missingMs: 0,
  retainedMs: 0,
  accepted: 'Unassociate',
  inUseMs: LONG,
};

const seen = (memory: Partial<TrackedState>, status = 'Available'): ObservedState => ({
  pod: null,
  podEip: podEip(),
  node: null,
  eip: { ...eip(), status },
  memory: { ...detached, ...memory },
  now: NOW,
});

const isFree = (state: ObservedState, over: Partial<Settings> = {}): boolean =>
  isSeenDetached(situationOf(state, { ...settings, ...over }));

test('what was answered and read is over; whatever is in doubt is waited for', (t) => {
  t.true(isFree(seen({})));
  t.false(isFree(seen({}, 'InUse')), 'it is not free');
  t.false(isFree(seen({}, 'Unassociating')), 'it is not free yet');
  t.false(isFree({ ...seen({}), eip: null }), 'it is not listed');
  t.false(isFree({ ...seen({}), eip: undefined }), 'nobody has looked');
  t.false(isFree(seen({ isCertain: false })), 'a call before was not answered, or another process made it');
  t.false(isFree(seen({ accepted: 'Associate' })), 'something else was changed since');
  t.false(isFree(seen({ accepted: undefined })), 'nothing was answered');
  t.false(isFree(seen({ quietMs: 0 })), 'the reading was asked for before the answer');
  t.false(isFree(seen({ inUseMs: LONG - 1 })), 'the reading may be of the time before it was bound');
  t.false(isFree(seen({ inUseMs: undefined })), 'nobody has seen it in use');
  t.false(isFree(seen({}), { isUnelected: true }), 'another process may be at work');
});

test('since when an EIP has been seen in use is forgotten with each change but its detachment', async (t) => {
  const clock = new ManualClock(0);
  const tracker = new Tracker(clock, seeded(1));
  tracker.sawInUse('podeip', 'eip-1');
  await clock.advance(5_000);
  tracker.sawInUse('podeip', 'eip-1');
  t.is(tracker.recall('podeip').inUseMs, 5_000);
  tracker.sending('podeip', 'Unassociate');
  t.is(tracker.recall('podeip').inUseMs, 5_000);
  tracker.sending('podeip', 'Associate');
  t.is(tracker.recall('podeip').inUseMs, 0);
});

const awaited = (detachedMs: number | undefined, status = 'InUse') => {
  const state = seen({ detachedMs }, status);
  return awaitDetached(situationOf(state, settings), state.eip!)?.do;
};

test('who comes once an EIP is free does not believe a reading of the time before', async (t) => {
  const clock = new ManualClock(0);
  const tracker = new Tracker(clock, seeded(1));
  tracker.sawDetached('podeip', 'eip-1');
  t.is(tracker.detachedMs('eip-1'), undefined, 'it was not this process that had it detached');
  tracker.accepted('podeip', { do: 'Unassociate', podEip: podEip(), allocationId: 'eip-1', binding });
  tracker.sawDetached('podeip', 'eip-1');
  await clock.advance(1_000);
  t.is(tracker.detachedMs('eip-1'), 1_000);
  t.is(tracker.detachedMs('eip-2'), undefined);
  t.is(awaited(1_000), 'Wait');
  t.is(awaited(1_000, 'Available'), undefined);
  t.is(awaited(LONG), undefined, 'no reading lags as long');
  t.is(awaited(undefined), undefined);
});
