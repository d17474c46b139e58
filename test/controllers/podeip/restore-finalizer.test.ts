import test from 'ava';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { ManualClock } from '../../harness/clock.ts';
import { fixedRandom } from '../../harness/random.ts';
import { podEip, seen, settings } from './situation.ts';

test('a finalizer that is taken off again and again is put back more and more rarely', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, fixedRandom());
  let restores = 0;
  // Other software takes it off each time within the second.
  for (let second = 0; second < 600; second += 1) {
    const step = decide(seen({ podEip: podEip({ hasFinalizer: false }), memory: tracker.recall('podeip') }), settings);
    if (step.do === 'RestoreFinalizer') {
      restores += 1;
      tracker.restored('podeip');
    } else {
      // Nothing goes on without it: nothing is bought, nor bound.
      t.like(step, { do: 'Fail', reason: 'RecordTampered' });
    }
    await clock.advance(1_000);
  }
  t.true(restores > 5 && restores < 20, String(restores));
});

test('one that is taken off for the first time in a while is put back at once', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, fixedRandom());
  for (let day = 0; day < 3; day += 1) {
    t.is(tracker.recall('podeip').restoreInMs, 0);
    tracker.restored('podeip');
    t.is(tracker.recall('podeip').restoreInMs, 0, 'it may have been an accident');
    await clock.advance(86_400_000);
  }
  tracker.restored('podeip');
  tracker.restored('podeip');
  t.is(tracker.recall('podeip').restoreInMs, 5_000);
});
