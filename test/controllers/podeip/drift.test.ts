import test from 'ava';
import type { PodEip } from '../../../src/api/podeip.ts';
import { remember } from '../../../src/controllers/podeip/observe.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../harness/random.ts';
import { binding, bound, eip, pod, podEip, seen, settings } from './situation.ts';

/** A PodEIP that has told its pod of the address then. */
const told = (lastTransitionTime: string): PodEip => {
  const its = podEip({ allocationID: 'eip-1', bindings: [binding] });
  const ready = { type: 'Ready', status: 'True', lastTransitionTime, reason: 'InUse', message: '' } as const;
  return { ...its, status: { conditions: [ready] } };
};

test('how long the cloud shows something else than the pod was told begins anew when the pod is told anew', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const driftMs = (at: string, is = eip()) => {
    remember('eip-1', seen({ pod: pod({ isTold: true }), podEip: told(at), eip: is }), { tracker, settings });
    return tracker.recall('podeip').driftMs;
  };
  t.is(driftMs('12:00'), 0);
  await clock.advance(900);
  t.is(driftMs('12:00'), 900);
  // A process beside this one has found out and put it right; the reading may be of before.
  t.is(driftMs('12:01'), 0);
  await clock.advance(500);
  t.is(driftMs('12:01'), 500);
  t.is(driftMs('12:01', eip(bound)), 0, 'it is as the pod was told');
});
