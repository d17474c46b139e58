import test from 'ava';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { TrackedState } from '../../../src/controllers/podeip/observation.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { CloudFault, type CloudFaultKind } from '../../../src/cloud/fault.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { ManualClock } from '../../harness/clock.ts';
import { podEip, quiet, seen, settings } from './situation.ts';

const ENDING = podEip({ allocationID: 'eip-1', isEnding: true });
const BY_THIS_PROCESS: TrackedState = {
  ...quiet,
  isCertain: true,
  hasSent: true,
  bought: 'eip-1',
  purchases: 1,
  accepted: 'Release',
  released: 'eip-1',
  allocateTags: 'kept',
};

/** What comes before the PodEIP goes, once a look shows that its EIP has gone. */
const next = (memory: Partial<TrackedState> = {}, isUnelected = false): string =>
  decide(seen({ pod: null, podEip: ENDING, eip: null, memory: { ...BY_THIS_PROCESS, ...memory } }), {
    ...settings,
    isUnelected,
  }).do;

test('who has bought the one EIP of a PodEIP himself and released it looks for no other, and everybody else does', (t) => {
  t.is(next(), 'RemoveFinalizer');
  const others: Readonly<Record<string, string>> = {
    'a process beside it': next({}, true),
    'it has not created the PodEIP, or a call had no answer': next({ isCertain: false }),
    'it has bought none': next({ bought: undefined, purchases: 0 }),
    'it was given another': next({ bought: 'eip-2' }),
    'it has bought two': next({ purchases: 2 }),
    'the cloud says that there is none to release': next({ accepted: undefined }),
    'somebody else has released it': next({ accepted: undefined, released: undefined }),
  };
  for (const [why, step] of Object.entries(others)) t.is(step, 'ReadTaggedEips', why);
});

const knows = (happens: (tracker: Tracker) => void): string => {
  const clock = new ManualClock(0);
  const tracker = new Tracker(clock, systemRandom);
  const uid = ENDING.metadata.uid;
  tracker.created(uid);
  happens(tracker);
  tracker.sending(uid, 'Release');
  tracker.accepted(uid, { do: 'Release', podEip: ENDING, allocationId: 'eip-1' });
  return next({ ...tracker.recall(uid), quietMs: 60_000, ageMs: 60_000, allocateTags: 'kept' });
};
const buys = (tracker: Tracker, allocationId: string): void => tracker.bought(ENDING.metadata.uid, allocationId);
const fails = (tracker: Tracker, kind: CloudFaultKind): void =>
  tracker.failed(
    ENDING.metadata.uid,
    { do: 'Release', podEip: ENDING, allocationId: 'eip-1' },
    new CloudFault({ kind, action: 'ReleaseEipAddress', code: 'Some', message: 'some' }),
  );

test('what a process knows of its purchases ends with the first one that may be another', (t) => {
  t.is(
    knows((tracker) => buys(tracker, 'eip-1')),
    'RemoveFinalizer',
  );
  t.is(
    knows((tracker) => {
      buys(tracker, 'eip-1');
      buys(tracker, 'eip-1');
    }),
    'RemoveFinalizer',
    'the same token has the same answer',
  );
  t.is(
    knows((tracker) => {
      buys(tracker, 'eip-0');
      buys(tracker, 'eip-1');
    }),
    'ReadTaggedEips',
  );
  t.is(
    knows((tracker) => {
      buys(tracker, 'eip-1');
      fails(tracker, 'unknown');
    }),
    'ReadTaggedEips',
    'a call without an answer',
  );
  t.is(
    knows((tracker) => {
      buys(tracker, 'eip-1');
      tracker.lostTrack(ENDING.metadata.uid);
    }),
    'ReadTaggedEips',
  );
});
