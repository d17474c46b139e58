import test from 'ava';
import * as fc from 'fast-check';
import { createBodyBudget } from '../../src/webhook/body-budget.ts';

test('whoever sends most makes room, with the largest of what they send', (t) => {
  const budget = createBodyBudget(100);
  const gone: string[] = [];
  const begin = (address: string, name: string) => budget.begin(address, () => gone.push(name));
  const [small, large, other] = [begin('a', 'small'), begin('a', 'large'), begin('b', 'other')];
  small.received(30);
  large.received(40);
  other.received(30);
  t.deepEqual(
    [small, large, other].map((body) => body.isTooMuch()),
    [false, false, false],
  );
  other.received(1);
  t.deepEqual(
    [small, large, other].map((body) => body.isTooMuch()),
    [false, true, false],
  );
  t.deepEqual(gone, ['large'], 'told at once, without another byte of it');
  large.end();
  other.received(39);
  t.false(other.isTooMuch(), 'what has ended takes no room');
  t.deepEqual(gone, ['large'], 'once');
});

test('never is more kept than there is room for, and an address with less than its share loses nothing', (t) => {
  const MOST = 1_000;
  const piece = fc.record({ address: fc.constantFrom('a', 'b', 'c'), body: fc.nat(3), bytes: fc.nat(400) });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const budget = createBodyBudget(MOST);
      const bodies = new Map<string, { body: ReturnType<typeof budget.begin>; bytes: number; address: string }>();
      for (const { address, body, bytes } of pieces) {
        const key = `${address}${body}`;
        const known = bodies.get(key) ?? { body: budget.begin(address, () => undefined), bytes: 0, address };
        bodies.set(key, known);
        if (known.body.isTooMuch()) continue;
        known.bytes = known.body.received(bytes);
        const kept = [...bodies.values()].filter((each) => !each.body.isTooMuch());
        t.true(kept.reduce((sum, each) => sum + each.bytes, 0) <= MOST);
      }
      for (const address of ['a', 'b', 'c']) {
        const own = [...bodies.values()].filter((each) => each.address === address);
        const sent = own.reduce((sum, each) => sum + each.bytes, 0);
        if (sent <= MOST / 3)
          t.false(
            own.some((each) => each.body.isTooMuch()),
            'a third is never given up',
          );
      }
    }),
    { numRuns: 300 },
  );
});
