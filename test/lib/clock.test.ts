import test from 'ava';
import { systemClock as clock } from '../../src/lib/clock.ts';

/* Of Node's own timers about half are early, so that one of these would be. */
const MANY = Array.from({ length: 200 }, (_, index) => 20 + index * 0.37);

test('a timer is never early by the clock that deadlines are held against', async (t) => {
  const early = await Promise.all(
    MANY.map(
      (ms) =>
        new Promise<number>((resolve) => {
          const due = clock.mono() + ms;
          clock.timer(ms, () => resolve(due - clock.mono()));
        }),
    ),
  );
  t.deepEqual(
    early.filter((ms) => ms > 0),
    [],
  );
});

test('nobody wakes up before his time', async (t) => {
  const early = await Promise.all(
    MANY.map(async (ms) => {
      const due = clock.mono() + ms;
      await clock.sleep(ms);
      return due - clock.mono();
    }),
  );
  t.deepEqual(
    early.filter((ms) => ms > 0),
    [],
  );
});

test('a timer that is called off does not fire, and a sleep ends with its signal', async (t) => {
  let fired = 0;
  const cancel = clock.timer(5, () => (fired += 1));
  const never = clock.timer(2 ** 40, () => (fired += 1));
  cancel();
  const stop = new AbortController();
  const asleep = clock.sleep(2 ** 40, stop.signal);
  const why = new Error('enough');
  stop.abort(why);
  await t.throwsAsync(asleep, { is: why });
  await t.throwsAsync(clock.sleep(5, stop.signal), { is: why });
  await clock.sleep(30);
  t.is(fired, 0, 'not even one beyond what Node can count');
  never();
});
