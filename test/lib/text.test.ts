import test from 'ava';
import { cutAt, quote, withoutEnd, withoutStart } from '../../src/lib/text.ts';

test('a text in a sentence is quoted, escaped, short and well-formed', (t) => {
  t.is(quote('a"b'), String.raw`"a\"b"`);
  t.is(quote('x'.repeat(61)), `"${'x'.repeat(60)}…"`);
  t.is(quote(`${'x'.repeat(59)}😀y`), `"${'x'.repeat(59)}\uFFFD…"`);
});

test('ends and beginnings are taken off, and texts are cut at the first mark', (t) => {
  t.is(withoutEnd('-a-.-', '-.'), '-a');
  t.is(withoutStart('--a-', '-'), 'a-');
  t.is(withoutEnd('---', '-') + withoutStart('---', '-'), '');
  t.deepEqual(cutAt('a:b:c', ':'), ['a', 'b:c']);
  t.deepEqual(cutAt('abc', ':'), ['abc', '']);
});
