import test from 'ava';
import { OwnWrites } from '../../src/virtualnode/own-writes.ts';

const written = (resourceVersion: string) => ({ metadata: { resourceVersion } });

test('an event of an own write is no news, whether it comes before the answer or after it', async (t) => {
  const others: string[] = [];
  const writes = new OwnWrites((uid) => others.push(uid));
  const answer = Promise.withResolvers<ReturnType<typeof written>>();
  const early = writes.send('a', () => answer.promise);
  t.true(writes.isOwn('a', '5'));
  answer.resolve(written('5'));
  await early;
  t.false(writes.isOwn('a', '6'), 'the next change is of somebody else');

  await writes.send('a', () => Promise.resolve(written('7')));
  t.false(writes.isOwn('b', '7'), 'another object');
  t.true(writes.isOwn('a', '7'));
  t.false(writes.isOwn('a', '7'), 'said once');
  t.deepEqual(others, []);
});

test('what somebody else writes meanwhile is news, and so is everything where the own write got no answer', async (t) => {
  const others: string[] = [];
  const writes = new OwnWrites((uid) => others.push(uid));
  await writes.send('a', () => {
    writes.isOwn('a', '4');
    writes.isOwn('a', '5');
    return Promise.resolve(written('5'));
  });
  t.deepEqual(others, ['a']);
  const lost = writes.send('b', () => {
    writes.isOwn('b', '8');
    return Promise.reject(new Error('no answer'));
  });
  await t.throwsAsync(lost, { message: 'no answer' });
  t.deepEqual(others, ['a', 'b']);
  t.false(writes.isOwn('b', '9'));
});
