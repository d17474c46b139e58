import test from 'ava';
import { rollout, ROLLOUT_BOUND_MS, wakeUp } from './handover-bed.ts';

test('in a rollout the EIP that a user named is without a pod for little more than the cloud needs', async (t) => {
  const { unboundAfterMs, withoutAddressMs, toldAfterMs } = await rollout();
  t.true(unboundAfterMs <= 500, 'it is unbound at once');
  t.true(withoutAddressMs <= 1.1 * ROLLOUT_BOUND_MS, `${withoutAddressMs} ms`);
  t.true(toldAfterMs <= 250, 'and the next pod hears of it');
});

for (const [when, laterMs, pods] of [
  ['a pod that comes a while after', 20_000, 1],
  ['a pod that comes at the same moment as', 0, 1],
  ['fifty pods that come a while after', 20_000, 50],
] as const)
  test(`EIPs that are kept are had by ${when} the end of those before in little more than the cloud needs`, async (t) => {
    const { servedAfterMs, boundMs, purchasesMs, bought } = await wakeUp(laterMs, { pods });
    const [last = Infinity, purchase = 0] = [servedAfterMs.at(-1), purchasesMs.at(-1)];
    t.true(last <= 1.25 * boundMs, `${last} ms, ${(last / boundMs).toFixed(2)} times the bound`);
    if (laterMs > 0) t.true(last < purchase, `${last} ms, and ${purchase} for a purchase`);
    t.is(bought, pods);
  });
