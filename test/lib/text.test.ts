import test from 'ava';
import { cutAt, legible, quote, withoutEnd, withoutStart } from '../../src/lib/text.ts';

test('a text in a sentence is quoted, escaped, short and well-formed', (t) => {
  t.is(quote('a"b'), String.raw`"a\"b"`);
  t.is(quote('x'.repeat(61)), `"${'x'.repeat(60)}…"`);
  t.is(quote(`${'x'.repeat(59)}😀y`), `"${'x'.repeat(59)}\uFFFD…"`);
});

test('whatever could deceive a reader is written as its escape, and nothing else is changed', (t) => {
  t.is(legible('plain 你好 Zürich 😀'), 'plain 你好 Zürich 😀');
  t.is(legible('a\nb\r\u001b[2Jc'), String.raw`a\u000ab\u000d\u001b[2Jc`);
  t.is(legible('pay \u202eevil\u202c'), String.raw`pay \u202eevil\u202c`);
  t.is(
    legible('z\u200bero \u2066x\u2069 \u2028 \u0085 \ud800'),
    String.raw`z\u200bero \u2066x\u2069 \u2028 \u0085 \ud800`,
  );
  t.is(legible('\u{e0041}b'), String.raw`\u{e0041}b`);
  t.is(quote('a\u202eb\u0085'), String.raw`"a\u202eb\u0085"`);
  // All that is format or control, by Unicode itself.
  for (let code = 0; code <= 0x10_ff_ff; code += 1) {
    const character = String.fromCodePoint(code);
    const isSeen = !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(character);
    if ((legible(`a${character}b`) === `a${character}b`) !== isSeen) t.fail(code.toString(16));
  }
});

test('ends and beginnings are taken off, and texts are cut at the first mark', (t) => {
  t.is(withoutEnd('-a-.-', '-.'), '-a');
  t.is(withoutStart('--a-', '-'), 'a-');
  t.is(withoutEnd('---', '-') + withoutStart('---', '-'), '');
  t.deepEqual(cutAt('a:b:c', ':'), ['a', 'b:c']);
  t.deepEqual(cutAt('abc', ':'), ['abc', '']);
});
