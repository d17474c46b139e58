import test from 'ava';
import { Bed } from './bed.ts';

test('a thousand EIPs at rest cost a page of a hundred every ten minutes and no write, and nobody waits behind them', async (t) => {
  const bed = await Bed.create();
  await bed.attach(1_000);
  await bed.idle(1_800_000);
  const before = bed.calls();
  await bed.idle(3_600_000);
  const { cloud, kubeReads, kubeWrites } = bed.callsSince(before);
  // Ten pages, the free EIPs, and the count for the metrics once a minute.
  t.deepEqual(Object.keys(cloud), ['DescribeEipAddresses']);
  t.true(cloud['DescribeEipAddresses']! <= 6 * 11 + 61, `${cloud['DescribeEipAddresses']} calls to the cloud`);
  t.true(kubeReads <= 300, `${kubeReads} reads`);
  t.is(kubeWrites, 0);
  const [ms] = await bed.attach(1);
  const empty = await Bed.create();
  // The first pod of a process costs one look more.
  await empty.attach(1);
  await empty.idle(60_000);
  const [aloneMs] = await empty.attach(1);
  // By chance a look comes a moment sooner or later; a wait would take longer.
  t.true(ms! <= aloneMs! + 100, `${ms} ms, and ${aloneMs} in an empty cluster`);
  await empty.stop();
  await bed.stop();
});
