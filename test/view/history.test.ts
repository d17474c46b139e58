import test from 'ava';
import { createCallBudget } from '../../src/view/budget.ts';
import { createHistory, MOST_ENTRIES } from '../../src/view/history.ts';
import { systemClock } from '../../src/lib/clock.ts';

const about = (name: string, uid = name) => ({ apiVersion: 'v1', kind: 'Pod', namespace: 'a', name, uid });
const note = (text: string, type: 'Normal' | 'Warning' = 'Normal') => ({ type, reason: 'R', action: 'A', note: text });

test('a history counts what repeats and remembers the latest of each object', (t) => {
  const history = createHistory();
  history.add(about('x'), note('one'), 1);
  history.add(about('x'), note('one'), 5);
  history.add(about('y'), note('other'), 6);
  t.deepEqual(history.of('Pod', 'a/x'), [{ ...note('one'), firstAt: 1, at: 5, count: 2 }]);
  for (let at = 10; at < 100; at += 1) history.add(about('x'), note(`n${at}`), at);
  const entries = history.of('Pod', 'a/x');
  t.is(entries.length, MOST_ENTRIES);
  t.is(entries.at(-1)?.note, 'n99');
  t.deepEqual(history.of('PodEIP', 'a/x'), []);
});

test('a history forgets the object that was quiet longest, and cuts what is too long', (t) => {
  const history = createHistory(2);
  history.add(about('x'), note('x'.repeat(5_000)), 1);
  t.is(history.of('Pod', 'a/x')[0]?.note.length, 1_024);
  history.add(about('y'), note('1', 'Warning'), 2);
  history.add(about('x'), note('2', 'Warning'), 3);
  t.is(history.add(about('x'), note('2', 'Warning'), 3), undefined);
  t.deepEqual(history.add(about('z'), note('3'), 4), { kind: 'Pod', key: 'a/y' });
  t.deepEqual(history.of('Pod', 'a/y'), []);
  t.deepEqual(
    [...history.warnings('Pod')].map(({ about, entry }) => [about.name, entry.note]),
    [['x', '2']],
  );
  t.is([...history.warnings('Pod', 'a/x')].length, 1);
  t.is([...history.warnings('Pod', 'a/y')].length, 0);
});

test('the budget counts the calls of the last minute, by how they ended', (t) => {
  let now = 0;
  const budget = createCallBudget({ ...systemClock, mono: () => now });
  budget.called('Allocate', 'ok');
  now = 30_000;
  budget.called('Allocate', 'throttled');
  budget.called('Allocate', 'ok');
  budget.called('Release', 'failed');
  t.deepEqual(budget.lastMinute('Allocate'), { ok: 2, later: 0, throttled: 1, failed: 0 });
  now = 61_000;
  t.deepEqual(budget.lastMinute('Allocate'), { ok: 1, later: 0, throttled: 1, failed: 0 });
  t.deepEqual(budget.lastMinute('Release'), { ok: 0, later: 0, throttled: 0, failed: 1 });
  now = 200_000;
  t.deepEqual(budget.lastMinute('Allocate'), { ok: 0, later: 0, throttled: 0, failed: 0 });
  t.deepEqual([...budget.actions()], ['Allocate', 'Release']);
});
