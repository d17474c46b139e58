import test from 'ava';
import { EXTERNAL_CONTROLLER } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { laneOf, roomOf } from '../../src/controllers/work-order.ts';
import { existing, pod, podEip } from './podeip/situation.ts';

const NO_EIP = podEip({});
const HAS_EIP = podEip({ allocationID: 'eip-1' });
const READY: PodEip = {
  ...HAS_EIP,
  status: { conditions: [{ type: 'Ready', status: 'True', reason: 'InUse', message: '', lastTransitionTime: '' }] },
};
const BEING_DELETED: PodEip = { ...READY, metadata: { ...READY.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' } };
const BOUND: PodEip = { ...BEING_DELETED, status: { ...READY.status, status: 'InUse' } };
const IN_USE: PodEip = { ...READY, status: { ...READY.status, status: 'InUse' } };
const KEPT: PodEip = { ...podEip({ allocationID: 'eip-1', podUid: '' }), status: { status: 'InUse' } };
const ENDED: Pod = { ...pod(), status: { phase: 'Succeeded' } };
const OTHER: Pod = { ...pod(), metadata: { ...pod().metadata, uid: 'another pod of the same name' } };

test('what goes back, what is under way and what is to be bought for have workers of their own, and the rest others', (t) => {
  const lanes = {
    newcomer: laneOf({ pod: pod(), podEip: undefined }),
    'asks for a new EIP': laneOf({ pod: pod(), podEip: NO_EIP }),
    'names an EIP': laneOf({ pod: pod(), podEip: podEip({ request: existing }) }),
    'is recorded only': laneOf({
      pod: pod(),
      podEip: podEip({ controller: EXTERNAL_CONTROLLER, hasFinalizer: false }),
    }),
    'has an EIP': laneOf({ pod: pod(), podEip: HAS_EIP }),
    'has its address': laneOf({ pod: pod(), podEip: READY }),
    'is being deleted, still bound': laneOf({ pod: pod(), podEip: BOUND }),
    'is being deleted, detached': laneOf({ pod: pod(), podEip: BOUND, isDetached: true }),
    'is being deleted': laneOf({ pod: pod(), podEip: BEING_DELETED }),
    'pod has ended': laneOf({ pod: ENDED, podEip: READY }),
    'pod is gone': laneOf({ pod: undefined, podEip: READY }),
    'pod is another': laneOf({ pod: OTHER, podEip: READY }),
    'pod is gone, the PodEIP does not say so': laneOf({ pod: undefined, podEip: IN_USE }),
    'pod is gone, still bound': laneOf({ pod: undefined, podEip: KEPT }),
    'nothing is there': laneOf({ pod: undefined, podEip: undefined }),
  };
  t.deepEqual(lanes, {
    newcomer: 'main',
    'asks for a new EIP': 'purchase',
    'names an EIP': 'main',
    'is recorded only': 'main',
    'has an EIP': 'started',
    'has its address': 'main',
    'is being deleted, still bound': 'detach',
    'is being deleted, detached': 'priority',
    'is being deleted': 'priority',
    'pod has ended': 'priority',
    'pod is gone': 'priority',
    'pod is another': 'priority',
    'pod is gone, the PodEIP does not say so': 'priority',
    'pod is gone, still bound': 'detach',
    'nothing is there': 'main',
  });
});

const FRESH = { waitedMs: 0, processing: 0 };

const calls = (left: number, underWay = 0, { perMinute = 120, pace = 1, waiting = 0 } = {}) => ({
  left: () => left,
  underWay: () => underWay,
  perMinute: () => perMinute,
  pace: () => pace,
  waiting: () => waiting,
});

test('as many are worked on that need a new EIP as may be bought now, so that none sleeps over what it has seen', (t) => {
  t.is(roomOf('purchase', calls(5), FRESH), 6);
  t.is(roomOf('purchase', calls(0), FRESH), 1, 'the next turn finds somebody');
  t.is(roomOf('purchase', calls(5, 30), FRESH), 36, 'who only waits for an answer takes no room of others');
  t.is(
    roomOf(
      'detach',
      {
        ...calls(0),
        left: (action) => (action === 'UnassociateEipAddress' ? 3 : 0),
        underWay: (action) => (action === 'UnassociateEipAddress' ? 1 : 0),
      },
      FRESH,
    ),
    5,
  );
  t.is(roomOf('started', calls(0), FRESH), Infinity);
});

const rooms = (waitedMs: number, rate = {}) =>
  [0, 1, 3, 5, 6, 10].map((left) => roomOf('detach', calls(left, 2, rate), { waitedMs, processing: 3 }));

test('who has waited long waits an eighth longer, and goes with others, as far as the rate brings any in that time', (t) => {
  t.deepEqual(rooms(7_000), [3, 4, 6, 8, 9, 13], 'nobody else comes in 0.9 s');
  t.deepEqual(rooms(15_000), [2, 2, 5, 7, 8, 12], 'three come in 1.9 s');
  t.deepEqual(rooms(30_000), [2, 2, 2, 2, 8, 12], 'six come in 3 s');
  t.deepEqual(rooms(3_600_000), [2, 2, 2, 2, 8, 12], 'and nobody waits longer');
  t.deepEqual(rooms(30_000, { waiting: 1 }), [2, 2, 2, 2, 8, 12], 'one that waits is of the lane');
  t.deepEqual(rooms(30_000, { waiting: 2 }), [3, 4, 6, 8, 9, 13], 'beside others who wait it stands in line');
  t.deepEqual(rooms(30_000, { pace: 0.5 }), [2, 2, 5, 7, 8, 12], 'three, where the cloud has throttled');
  t.deepEqual(rooms(30_000, { perMinute: 12 }), [3, 4, 6, 8, 9, 13], 'none, with a tenth of the account');
});
