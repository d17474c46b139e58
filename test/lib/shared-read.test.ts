import test from 'ava';
import { sharedRead } from '../../src/lib/shared-read.ts';
import { settled } from '../harness/clock.ts';

test('whoever asks hears what was read after he asked, and all who ask meanwhile ask once', async (t) => {
  const answers: ((says: string) => void)[] = [];
  const asked: string[] = [];
  const read = sharedRead((key) => {
    asked.push(key);
    return new Promise<string>((resolve) => answers.push(resolve));
  });
  const first = read('a');
  const later = [read('a'), read('a'), read('a')];
  const other = read('b');
  t.deepEqual(asked, ['a', 'b'], 'a read that began before is no answer to those who ask now');
  answers[0]?.('old');
  t.is(await first, 'old');
  answers[1]?.('of b');
  t.is(await other, 'of b');
  await settled();
  t.deepEqual(asked, ['a', 'b', 'a']);
  answers[2]?.('new');
  t.deepEqual(await Promise.all(later), ['new', 'new', 'new']);
  await settled();
  void read('a');
  t.is(asked.length, 4, 'nothing is kept');
});

test('a read that fails fails those who waited for it, and the next one is made all the same', async (t) => {
  let reads = 0;
  const read = sharedRead(() => {
    reads += 1;
    return reads === 3 ? Promise.resolve('there') : Promise.reject(new Error(`no ${reads}`));
  });
  const [first, second, third] = [read('a'), read('a'), read('a')];
  await t.throwsAsync(first, { message: 'no 1' });
  await t.throwsAsync(second, { message: 'no 2' });
  await t.throwsAsync(third, { message: 'no 2' });
  t.is(await read('a'), 'there');
});
