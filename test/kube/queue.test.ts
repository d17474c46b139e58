import test from 'ava';
import * as fc from 'fast-check';
import { runController } from '../../src/kube/reconcile-loop.ts';
import type { Requeue } from '../../src/kube/reconcile-loop.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import { createQueue } from '../../src/kube/queue.ts';
import { silentLog } from '../../src/lib/log.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { ManualClock, settled } from '../harness/clock.ts';
import { fixedRandom } from '../harness/random.ts';

const setUp = (observer = {}) => {
  const clock = new ManualClock(1_700_000_000_000);
  const queue = createQueue({ clock, random: fixedRandom(), backoff: { baseMs: 100, capMs: 1000 }, observer });
  return { clock, queue };
};

test('a key is handed out once however often it is added, and again if it was added meanwhile', async (t) => {
  const { queue } = setUp();
  queue.add('a');
  queue.add('b');
  queue.add('a');
  t.is(await queue.take(), 'a');
  t.is(await queue.take(), 'b');
  t.is(queue.depth().ready, 0);
  queue.add('a');
  const again = queue.take();
  await settled();
  t.is(queue.depth().processing, 2);
  t.is(await Promise.race([again, Promise.resolve('nothing yet')]), 'nothing yet');
  queue.done('a');
  t.is(await again, 'a');
  queue.done('a');
  queue.done('b');
  queue.done('b');
  t.is(queue.depth().processing, 0);
});

test('live keys go before the others, a key can move up, and neither can starve the other', async (t) => {
  const { queue } = setUp();
  for (let n = 0; n < 3; n += 1) queue.add(`r${n}`, 'resync');
  queue.add('r2', 'live');
  queue.add('l', 'live');
  const order = [];
  for (let n = 0; n < 4; n += 1) order.push(await queue.take());
  t.deepEqual(order, ['r2', 'l', 'r0', 'r1']);

  queue.add('patient', 'resync');
  let turns = 0;
  for (let key: string | undefined = ''; key !== 'patient'; turns += 1) {
    queue.add(`live-${turns}`);
    queue.add(`more-${turns}`);
    key = await queue.take();
    queue.done(key!);
  }
  t.is(turns, 16);
});

test('what comes back to be rechecked stands behind what just happened', async (t) => {
  const { clock, queue } = setUp();
  queue.addAfter('recheck', 60_000);
  queue.addAfter('poll', 59_999);
  await clock.advance(60_000);
  queue.add('new');
  t.deepEqual([await queue.take(), await queue.take(), await queue.take()], ['poll', 'new', 'recheck']);
});

test('of two deadlines the earlier counts, and being added now ends the wait', async (t) => {
  const { clock, queue } = setUp();
  queue.addAfter('a', 500);
  queue.addAfter('a', 200);
  queue.addAfter('a', 900);
  queue.addAfter('b', 300);
  queue.addAfter('c', 250);
  queue.add('c');
  t.is(await queue.take(), 'c');
  queue.done('c');
  const taken: [string, number][] = [];
  const takeOne = async () => {
    const key = (await queue.take())!;
    taken.push([key, clock.mono()]);
    queue.done(key);
  };
  const both = Promise.all([takeOne(), takeOne()]);
  await clock.advance(1000);
  await both;
  t.deepEqual(taken, [
    ['a', 200],
    ['b', 300],
  ]);
  t.is(queue.depth().delayed, 0);
  queue.addAfter('a', 500);
  queue.addAfter('a', 200);
  const once = queue.take();
  clock.freeze(1000);
  await clock.advance(0);
  queue.done((await once)!);
  t.is(queue.depth().ready, 0, 'a deadline that was brought forward is not kept as well');
  queue.addAfter('far', 40 * 24 * 3600_000);
  t.is(queue.depth().delayed, 1);
});

test('failures of a key wait longer and longer until they are forgotten', (t) => {
  const retries: number[] = [];
  const { queue } = setUp({ retried: (_: number, failures: number) => retries.push(failures) });
  t.deepEqual(
    [0, 1, 2, 3, 4].map(() => queue.retry('a')),
    [75, 150, 300, 600, 750],
  );
  t.is(queue.retry('b'), 75);
  t.is(queue.retry('c', 5000), 5000, 'never sooner than the server asked');
  t.is(queue.depth().failing, 3);
  queue.forget('a');
  t.is(queue.retry('a'), 75);
  t.deepEqual(retries, [1, 2, 3, 4, 5, 1, 1, 1]);
});

test('a shutdown drops or finishes what waits, takes nothing more, and resolves when the last key is given back', async (t) => {
  for (const mode of ['drop', 'finish'] as const) {
    const waits: number[] = [];
    const { clock, queue } = setUp({ taken: (waitedMs: number) => waits.push(waitedMs) });
    queue.add('a');
    queue.add('b');
    queue.addAfter('later', 10);
    t.is(await queue.take(), 'a');
    await clock.advance(5);
    t.is(queue.depth().oldestMs, 5);
    let over = false;
    const end = queue.shutDown(mode).then(() => (over = true));
    queue.add('c');
    queue.addAfter('d', 1);
    if (mode === 'finish') {
      t.is(await queue.take(), 'b');
      t.deepEqual(waits, [0, 5]);
      queue.done('b');
    }
    await clock.advance(100);
    t.false(over);
    queue.done('a');
    await end;
    t.is(await queue.take(), undefined);
  }
});

test('whatever happens in whatever order, a key is never run twice at once and no addition is lost', async (t) => {
  const keys = fc.constantFrom('a', 'b', 'c', 'd');
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key: keys, live: fc.boolean() }),
    fc.record({ do: fc.constant('after' as const), key: keys, ms: fc.nat(50) }),
    fc.record({ do: fc.constant('finish' as const), which: fc.nat(3), fails: fc.boolean() }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.nat(40) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
      const { clock, queue } = setUp();
      const running: string[] = [];
      // For each key the latest moment at which a run was asked for, and the moment when its last run began.
      const wanted = new Map<string, number>();
      const begun = new Map<string, number>();
      let order = 0;
      const work = async () => {
        for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
          if (running.includes(key)) throw new Error(`${key} runs twice`);
          running.push(key);
          begun.set(key, (order += 1));
        }
      };
      const finish = (index: number, fails: boolean) => {
        const key = running.splice(index, 1)[0];
        if (key === undefined) return;
        if (fails) {
          queue.retry(key);
          wanted.set(key, (order += 1));
        }
        queue.done(key);
      };
      // As many takers as there are steps, so that only `running` limits the parallelism.
      const all = Array.from({ length: workers }, work);
      for (const one of steps) {
        if (one.do === 'add') {
          wanted.set(one.key, (order += 1));
          queue.add(one.key, one.live ? 'live' : 'resync');
        } else if (one.do === 'after') {
          wanted.set(one.key, (order += 1));
          queue.addAfter(one.key, one.ms);
        } else if (one.do === 'finish') {
          finish(one.which % Math.max(1, running.length), one.fails);
        } else {
          await clock.advance(one.ms);
        }
        await settled();
      }
      for (
        let round = 0;
        round < 200 && (running.length > 0 || queue.depth().ready + queue.depth().delayed > 0);
        round += 1
      ) {
        finish(0, false);
        await clock.advance(20);
      }
      for (const [key, at] of wanted) if ((begun.get(key) ?? 0) < at) throw new Error(`${key} was lost`);
      void queue.shutDown('drop');
      await Promise.all(all);
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test('each outcome of a reconcile brings its key back when it asked for it', async (t) => {
  const { clock, queue } = setUp();
  const log = recordingLog();
  const runs: [string, number][] = [];
  const outcomes: Record<string, (Requeue | Error)[]> = {
    once: ['done'],
    step: ['now', 'now', 'done'],
    later: [{ afterMs: 700 }, 'done'],
    unlucky: ['backoff', 'backoff', 'done'],
    broken: [new Error('boom'), new KubeFault({ kind: 'throttled', message: 'slow down', retryAfterMs: 3000 }), 'done'],
  };
  const observed: string[] = [];
  const stop = new AbortController();
  const controller = runController(
    {
      name: 'test',
      queue,
      workers: 2,
      clock,
      log,
      observe: ({ outcome }) => observed.push(outcome),
      reconcile: async (key) => {
        await settled();
        runs.push([key, clock.mono()]);
        const next = outcomes[key]!.shift()!;
        if (next instanceof Error) throw next;
        return next;
      },
    },
    stop.signal,
  );
  for (const key of Object.keys(outcomes)) queue.add(key);
  for (let n = 0; n < 40; n += 1) await settled();
  for (let n = 0; n < 200; n += 1) await clock.advance(25);
  const at = (key: string) => runs.filter(([run]) => run === key).map(([, ms]) => ms);
  t.deepEqual(at('once'), [0]);
  t.deepEqual(at('step'), [0, 0, 0]);
  t.deepEqual(at('later'), [0, 700]);
  t.deepEqual(at('unlucky'), [0, 75, 225]);
  t.deepEqual(at('broken'), [0, 75, 3075]);
  t.is(queue.depth().failing, 0);
  t.deepEqual(observed.toSorted(), [
    'after',
    'backoff',
    'backoff',
    'done',
    'done',
    'done',
    'done',
    'done',
    'error',
    'error',
    'now',
    'now',
  ]);
  const warnings = log.lines.filter((line) => line.startsWith('warn'));
  t.is(warnings.length, 2);
  t.regex(warnings[0]!, /"key":"broken","error":"boom","retryInMs":75/);
  stop.abort(new Error('stop'));
  await controller;
});

test('a controller that is stopped starts nothing more and ends with the reconciles under way', async (t) => {
  const { clock, queue } = setUp();
  const stop = new AbortController();
  const held = Promise.withResolvers<Requeue>();
  const started: string[] = [];
  let over = false;
  const controller = runController(
    {
      name: 'test',
      queue,
      workers: 2,
      clock,
      log: silentLog,
      reconcile: (key) => {
        started.push(key);
        if (key === 'sync') throw new Error('thrown before the first await');
        return held.promise;
      },
    },
    stop.signal,
  ).then(() => (over = true));
  for (const key of ['a', 'sync', 'b', 'c']) queue.add(key);
  await settled();
  t.deepEqual(started, ['a', 'sync', 'b'], 'a key that hangs does not hold up the others');
  stop.abort(new Error('stop'));
  await clock.advance(10_000);
  t.false(over);
  held.resolve('now');
  await controller;
  t.deepEqual(started, ['a', 'sync', 'b']);
});

test('keys of the express lane have workers of their own, and a key changes its lane while it waits', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const urgent = new Set<string>(['fast']);
  const queue = createQueue({
    clock,
    random: fixedRandom(),
    laneOf: (key) => (urgent.has(key) ? 'priority' : 'main'),
  });
  queue.add('slow');
  queue.add('fast');
  t.is(await queue.take('priority'), 'fast');
  const next = queue.take('priority');
  await settled();
  t.is(queue.depth().ready, 1, 'what is in the other lane is not taken');
  urgent.add('slow');
  queue.add('slow');
  t.is(await next, 'slow');
  t.is(queue.depth().ready, 0);
  // While it is processed it may come back in the other lane; it is not run twice.
  urgent.delete('slow');
  queue.add('slow');
  queue.done('slow');
  t.is(await queue.take('main'), 'slow');
  const last = [queue.take('main'), queue.take('priority')];
  const down = queue.shutDown('drop');
  queue.done('slow');
  queue.done('fast');
  t.deepEqual(await Promise.all(last), [undefined, undefined]);
  await down;
});

test('a lane without room hands nothing out until it has some, and the others go on', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  let room = 1;
  const queue = createQueue({
    clock,
    random: fixedRandom(),
    laneOf: (key) => (key.startsWith('buy') ? 'purchase' : 'main'),
    roomOf: (lane) => (lane === 'purchase' ? room : Infinity),
  });
  const taken: string[] = [];
  for (const lane of ['purchase', 'purchase', 'purchase', 'main'] as const)
    void queue.take(lane).then((key) => taken.push(key ?? 'none'));
  for (const key of ['buy-1', 'buy-2', 'buy-3', 'look']) queue.add(key);
  await clock.advance(60_000);
  t.deepEqual(taken, ['buy-1', 'look']);
  queue.done('buy-1');
  await settled();
  t.deepEqual(taken, ['buy-1', 'look', 'buy-2'], 'one that is given back leaves its room to the next');
  room = 2;
  await clock.advance(100);
  t.deepEqual(taken, ['buy-1', 'look', 'buy-2', 'buy-3']);
  for (const key of ['buy-2', 'buy-3', 'look']) queue.done(key);
  room = 0;
  queue.add('buy-4');
  const last = queue.take('purchase');
  await queue.shutDown('drop');
  t.is(await last, undefined);
});

test('a key that never comes to rest is slowed down and said to be so, once', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const queue = createQueue({ clock, random: fixedRandom(), backoff: { baseMs: 1_000, capMs: 60_000 } });
  const log = recordingLog();
  const stop = new AbortController();
  let runs = 0;
  const running = runController(
    {
      name: 'test',
      queue,
      workers: 1,
      clock,
      log,
      reconcile: () => {
        runs += 1;
        return Promise.resolve<Requeue>('now');
      },
    },
    stop.signal,
  );
  queue.add('round and round');
  for (let turn = 0; turn < 500; turn += 1) await settled();
  t.is(runs, 101, 'then it waits');
  await clock.advance(200_000);
  t.true(runs > 101 && runs < 120, `${runs} runs`);
  t.is(log.lines.filter((line) => line.startsWith('error')).length, 1);
  stop.abort();
  await running;
});
