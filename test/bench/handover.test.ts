import test from 'ava';
import { rollout, ROLLOUT_BOUND_MS, wakeUp } from './handover-bed.ts';

test('in a rollout the EIP that a user named is without a pod for little more than the cloud needs', async (t) => {
  const { unboundAfterMs, withoutAddressMs, toldAfterMs } = await rollout();
  t.true(unboundAfterMs <= 500, 'it is unbound at once');
  t.true(withoutAddressMs <= 1.1 * ROLLOUT_BOUND_MS, `${withoutAddressMs} ms`);
  t.true(toldAfterMs <= 250, 'and the next pod hears of it');
});

for (const [when, laterMs] of [
  ['a while after', 20_000],
  ['at the same moment as', 0],
] as const)
  test(`an EIP that is kept is had by a pod that comes ${when} the end of the one before in little more than the cloud needs`, async (t) => {
    const { servedAfterMs, boundMs, bought } = await wakeUp(laterMs);
    t.true(
      servedAfterMs <= 1.2 * boundMs,
      `${servedAfterMs} ms, ${(servedAfterMs / boundMs).toFixed(2)} times the bound`,
    );
    t.is(bought, 1);
  });
