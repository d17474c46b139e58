import test from 'ava';
import { createQueue } from '../../src/kube/queue.ts';
import { runController } from '../../src/kube/reconcile-loop.ts';
import { silentLog } from '../../src/lib/log.ts';
import { ManualClock } from '../harness/clock.ts';
import { fixedRandom } from '../harness/random.ts';

test('a key that has gone a step goes before what has not begun, of its namespace and not of others', async (t) => {
  const queue = createQueue({ clock: new ManualClock(1_700_000_000_000), random: fixedRandom() });
  const order = async (): Promise<readonly string[]> => {
    const taken: string[] = [];
    while (queue.depth().ready > 0) {
      const key = (await queue.take())!;
      taken.push(key);
      queue.done(key);
    }
    return taken;
  };
  for (const key of ['a/1', 'a/2', 'b/1', 'b/2']) queue.add(key);
  t.is(await queue.take(), 'a/1');
  queue.goOn('a/1');
  queue.done('a/1');
  t.deepEqual(await order(), ['b/1', 'a/1', 'b/2', 'a/2'], 'it is the turn of the other namespace');
  for (const key of ['a/1', 'a/2', 'a/3']) queue.add(key);
  queue.goOn('a/3');
  t.deepEqual(await order(), ['a/3', 'a/1', 'a/2'], 'one that waits moves up');
  for (const key of ['a/1', 'a/2']) queue.add(key);
  queue.goOn('a/3');
  t.deepEqual(await order(), ['a/3', 'a/1', 'a/2'], 'one that did not wait');
  for (const key of ['a/3', 'a/1']) queue.add(key);
  t.deepEqual(await order(), ['a/3', 'a/1'], 'once');
  queue.add('a/1');
  t.is(await queue.take(), 'a/1');
  queue.add('a/1');
  queue.add('a/2');
  queue.goOn('a/1');
  queue.done('a/1');
  t.deepEqual(await order(), ['a/1', 'a/2'], 'also where something happened to it meanwhile');
  for (const key of ['a/1', 'a/2']) queue.add(key);
  for (const key of ['a/3', 'a/4']) queue.goOn(key);
  t.deepEqual(await order(), ['a/3', 'a/4', 'a/1', 'a/2'], 'of those that go first, too, the first goes first');
});

test('a key that comes to another lane stands in line there, however it came', async (t) => {
  const detached = new Set<string>();
  const queue = createQueue({
    clock: new ManualClock(1_700_000_000_000),
    random: fixedRandom(),
    laneOf: (key) => (detached.has(key) ? 'detach' : 'main'),
  });
  for (const key of ['a/1', 'a/2', 'a/3']) queue.add(key);
  for (const key of ['a/1', 'a/2', 'a/3']) {
    t.is(await queue.take('main'), key);
    detached.add(key);
    queue.goOn(key);
    queue.done(key);
  }
  t.is(await queue.take('detach'), 'a/1');
  queue.goOn('a/1');
  queue.done('a/1');
  t.is(await queue.take('detach'), 'a/1', 'a step within the lane');
  queue.done('a/1');
  t.is(await queue.take('detach'), 'a/2');
  queue.done('a/2');
  t.is(await queue.take('detach'), 'a/3');
});

test('a key that goes on and on gives way to the others of its namespace after ten steps', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const queue = createQueue({ clock, random: fixedRandom() });
  const stop = new AbortController();
  const runs: string[] = [];
  for (const key of ['a/on', 'a/other']) queue.add(key);
  const running = runController(
    {
      name: 'test',
      queue,
      workers: 1,
      clock,
      log: silentLog,
      reconcile: (key) => {
        runs.push(key);
        return Promise.resolve(key === 'a/on' && runs.length < 40 ? 'now' : 'done');
      },
    },
    stop.signal,
  );
  await clock.advance(1_000);
  t.is(runs.indexOf('a/other'), 11);
  t.is(runs.length, 40);
  stop.abort();
  await running;
});
