import test from 'ava';
import { isSeenDetached } from '../../../src/controllers/podeip/detached.ts';
import type { ObservedState, Settings, TrackedState } from '../../../src/controllers/podeip/observation.ts';
import { isReadByAnswer } from '../../../src/controllers/podeip/ownership.ts';
import { situationOf } from '../../../src/controllers/podeip/situation.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { CloudFault } from '../../../src/cloud/fault.ts';
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

test('the answer to a purchase is a reading where tags are kept, and nothing can have happened to the EIP before', (t) => {
  const memory = { ...detached, isUntouched: true, allocateTags: 'kept' } as const;
  const believes = (parts: Partial<TrackedState>, over: Partial<Settings> = {}) =>
    isReadByAnswer({ memory: { ...memory, ...parts } }, { ...settings, ...over });
  t.true(believes({}));
  t.false(believes({ isUntouched: false }), 'the answer may be that of an earlier call');
  t.false(believes({ allocateTags: 'dropped' }), 'it has no tags');
  t.false(believes({ allocateTags: undefined }), 'nobody knows whether it has tags');
  t.false(believes({ answersLate: true }), 'it cannot be bound yet');
  t.false(believes({}, { isUnelected: true }), 'another process may be at work');
});

test('once a new EIP could not be bound, the answer to a purchase is no reading any more', (t) => {
  const clock = new ManualClock(0);
  const tracker = new Tracker(clock, seeded(1));
  const fails = (kind: 'gone' | 'unknown') => {
    const fault = new CloudFault({ kind, action: 'AssociateEipAddress', code: 'X', message: '' });
    tracker.failed('podeip', { do: 'Associate', podEip: podEip(), allocationId: 'eip-1', binding }, fault);
    return tracker.recall('podeip').answersLate;
  };
  t.false(fails('gone'), 'it was not bought here');
  tracker.bought('podeip', 'eip-1');
  t.false(fails('unknown'), 'nobody knows why');
  t.true(fails('gone'));
});
