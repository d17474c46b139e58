import test from 'ava';
import { isDeeperThan } from '../../src/lib/json.ts';

test('the depth of lists and objects is that of the brackets outside of strings', (t) => {
  for (const [text, depth] of [
    ['', 0],
    ['1', 0],
    ['"[[["', 0],
    [String.raw`{"\"[":"\\","a":["]"]}`, 2],
    ['[[],[],[{}]]', 3],
    ['"[[[', 0],
    [JSON.stringify({ a: { 'b"': ['{'] } }), 3],
  ] as const) {
    t.false(isDeeperThan(depth, text), text);
    if (depth > 0) t.true(isDeeperThan(depth - 1, text), text);
  }
  t.true(isDeeperThan(64, '['.repeat(1_000_000)));
});
