import test from 'ava';
import { decideScale, initialScaleOf, type Load } from '../../../src/sandbox/knative/scale-bounds.ts';
import type { ResourceCondition } from '../../../src/sandbox/knative/resources.ts';

const ACTIVE: ResourceCondition = { type: 'Active', status: 'True' };
const QUEUED: ResourceCondition = { type: 'Active', status: 'Unknown', reason: 'Queued' };
const NO_TRAFFIC: ResourceCondition = { type: 'Active', status: 'False', reason: 'NoTraffic' };
const TIMED_OUT: ResourceCondition = { type: 'Active', status: 'False', reason: 'TimedOut' };
const HOUR = 3_600_000;

/** A Revision with one pod that has run for an hour, without any request. */
const idle: Load = {
  annotations: {},
  reachability: 'Reachable',
  ready: 1,
  active: ACTIVE,
  activeForMs: HOUR,
  isInitialized: true,
  inFlight: 0,
  idleMs: Infinity,
  containerConcurrency: 0,
  stableWindowMs: 60_000,
  progressDeadlineMs: 600_000,
  hasTimedOut: false,
};

const key = (name: string, value: string) => ({ [`autoscaling.knative.dev/${name}`]: value });

/** What the load leads to: desired scale, replicas where they are set, status and reason of Active. */
const decided = (load: Partial<Load>): string => {
  const { desired, replicas, active } = decideScale({ ...idle, ...load });
  return `${desired} ${replicas ?? 'as is'} ${active.reason ?? active.status}`;
};

const situations: readonly (readonly [title: string, load: Partial<Load>, expected: string])[] = [
  ['an idle Revision becomes inactive before its pods go', {}, '0 as is NoTraffic'],
  ['the pods of an inactive Revision go', { active: NO_TRAFFIC, activeForMs: 0 }, '0 0 NoTraffic'],
  ['a Revision that was asked within the window stays', { idleMs: 59_000 }, '1 1 True'],
  ['a Revision that has been active for less than the window stays', { activeForMs: 59_000 }, '1 1 True'],
  ['the annotation sets the window', { annotations: key('window', '10s'), activeForMs: 11_000 }, '0 as is NoTraffic'],
  [
    'the annotation sets no window under six seconds',
    { annotations: key('window', '1s'), activeForMs: 5_000 },
    '1 1 True',
  ],
  ['min-scale holds an idle Revision up', { annotations: key('min-scale', '2'), ready: 2 }, '2 2 True'],
  ['min-scale counts in its older spelling too', { annotations: key('minScale', '2'), ready: 2 }, '2 2 True'],
  [
    'min-scale does not count where no Route leads',
    { annotations: key('min-scale', '2'), ready: 2, reachability: 'Unreachable' },
    '0 as is NoTraffic',
  ],
  ['a Revision is not active with fewer pods than min-scale', { annotations: key('min-scale', '2') }, '2 2 Queued'],
  ['a request wakes an inactive Revision', { active: NO_TRAFFIC, ready: 0, inFlight: 1, idleMs: 0 }, '1 1 Queued'],
  [
    'a request makes an inactive Revision active at once while its pod is still there',
    { active: NO_TRAFFIC, inFlight: 1, idleMs: 0 },
    '1 1 True',
  ],
  ['a pod takes 70 requests at once', { inFlight: 71, idleMs: 0 }, '2 2 True'],
  [
    'a pod takes 70 % of the requests that its Revision allows at once',
    { inFlight: 15, idleMs: 0, containerConcurrency: 10 },
    '3 3 True',
  ],
  ['max-scale bounds what requests need', { inFlight: 700, idleMs: 0, annotations: key('max-scale', '4') }, '4 4 True'],
  ['max-scale zero is no bound', { inFlight: 700, idleMs: 0, annotations: key('max-scale', '0') }, '10 10 True'],
  [
    'pods are kept for the retention period',
    { active: NO_TRAFFIC, activeForMs: 1_000, annotations: key('scale-to-zero-pod-retention-period', '1m') },
    '0 as is NoTraffic',
  ],
  [
    'pods go after the retention period',
    { active: NO_TRAFFIC, activeForMs: 60_000, annotations: key('scale-to-zero-pod-retention-period', '1m') },
    '0 0 NoTraffic',
  ],
  ['a new Revision starts a pod', { active: undefined, activeForMs: 0, ready: 0, isInitialized: false }, '1 1 Queued'],
  [
    'a new Revision starts with its initial scale',
    { active: QUEUED, activeForMs: 0, ready: 1, isInitialized: false, annotations: key('initial-scale', '3') },
    '3 3 Queued',
  ],
  ['a pod on its way up is let up', { active: QUEUED, activeForMs: 1_000, ready: 0 }, '-1 as is Queued'],
  ['a pod that has come up has its window', { active: QUEUED, activeForMs: 1_000 }, '1 as is True'],
  [
    'a Revision is given up 30 seconds after its progress deadline',
    { active: QUEUED, activeForMs: 630_000, ready: 0, isInitialized: false },
    '0 0 TimedOut',
  ],
  [
    'a Revision that was given up rests for a look of the autoscaler',
    {
      active: TIMED_OUT,
      activeForMs: 1_000,
      ready: 0,
      isInitialized: false,
      hasTimedOut: true,
      annotations: key('min-scale', '1'),
    },
    '0 0 TimedOut',
  ],
  [
    'a Revision that was given up is tried again for min-scale',
    {
      active: TIMED_OUT,
      activeForMs: 2_000,
      ready: 0,
      isInitialized: false,
      hasTimedOut: true,
      annotations: key('min-scale', '1'),
    },
    '1 1 Queued',
  ],
  [
    'a Revision that is tried again for min-scale is never given up again',
    {
      active: QUEUED,
      activeForMs: HOUR,
      ready: 0,
      isInitialized: false,
      hasTimedOut: true,
      annotations: key('min-scale', '1'),
    },
    '1 1 Queued',
  ],
  [
    'a Revision that was given up stays down without min-scale',
    { active: TIMED_OUT, activeForMs: HOUR, ready: 0, isInitialized: false, hasTimedOut: true },
    '0 0 TimedOut',
  ],
  [
    'a Revision that is tried again ends where no Route leads any more',
    {
      active: QUEUED,
      activeForMs: HOUR,
      ready: 0,
      isInitialized: false,
      hasTimedOut: true,
      reachability: 'Unreachable',
    },
    '0 0 TimedOut',
  ],
];

for (const [title, load, expected] of situations) test(title, (t) => t.is(decided(load), expected));

const after = (load: Partial<Load>): number | undefined => decideScale({ ...idle, ...load }).afterMs;

test('what will happen by itself is looked at when it is due', (t) => {
  t.is(after({ idleMs: 50_000 }), 10_000);
  t.is(after({ active: QUEUED, activeForMs: 600_000, ready: 0, isInitialized: false }), 30_000);
  t.is(after({ annotations: key('min-scale', '1') }), undefined);
  t.is(after({ active: NO_TRAFFIC }), undefined);
});

test('a new Revision starts one pod at least, whatever it says', (t) => {
  t.is(initialScaleOf(undefined), 1);
  t.is(initialScaleOf(key('initial-scale', '0')), 1);
  t.is(initialScaleOf(key('initialScale', '4')), 4);
});
