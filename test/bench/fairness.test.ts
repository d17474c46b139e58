import test from 'ava';
import { PODEIP } from '../../src/api/podeip.ts';
import { Bed } from './bed.ts';

/* What one namespace waits for another: in virtual time, with the account's rates, which are what is scarce. */

const CROWD = 240;

test('a namespace with two hundred and forty pods does not hold up one with a single pod', async (t) => {
  const quiet = await Bed.create();
  const [aloneMs = Infinity] = await quiet.attach(1, 'team-b');
  await quiet.stop();

  const bed = await Bed.create();
  const { cloud, kube } = bed.world;
  const crowd = await bed.begin(CROWD, 'team-a');
  /** How many EIPs were bought for others between the start of a pod of the namespace and the purchase of its own. */
  const boughtBefore = async (namespace: string): Promise<readonly [count: number, ms: number]> => {
    const before = cloud.ledger().at(-1)?.sequence ?? -1;
    const [ms = Infinity] = await bed.attach(1, namespace);
    const [podEip] = await kube.list(PODEIP, { namespace });
    const bought = cloud.ledger().filter((it) => it.action === 'AllocateEipAddress' && it.sequence > before);
    return [bought.findIndex(({ allocationId }) => allocationId === podEip?.spec.allocationID), ms];
  };

  // What may be bought at once is used up, and each purchase waits for its turn.
  await bed.idle(20_000);
  t.true(crowd.filter((name) => bed.isServed(name)).length < CROWD / 2, 'it is a crowd');
  const [first, besideMs] = await boughtBefore('team-b');
  t.true(besideMs <= 2.1 * aloneMs, `${besideMs} ms beside the crowd, ${aloneMs} ms alone`);
  t.true(first >= 0 && first <= 4, `${first} were bought before`);
  // The account's minute is used up, and nobody can buy anything before it is over.
  await bed.idle(5_000);
  const [second] = await boughtBefore('team-c');
  t.true(second >= 0 && second <= 4, `${second} were bought before, once it went on`);
  t.true(
    crowd.some((name) => !bed.isServed(name)),
    'the crowd still waits',
  );
  t.is(bed.calls().throttled, 0);
  await bed.stop();
});
