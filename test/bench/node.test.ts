import test from 'ava';
import { EIP_FIRST_BOUND_MS, END_BOUND_MS, INSTANCE_BOUND_MS, READY_BOUND_MS } from './bed.ts';
import { NodeBed } from './node-bed.ts';

/* Bounds on calls and on virtual time, which are exact: what fails here has got slower or dearer by its shape. */

/** The value below which half of them are. */
const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? Infinity;

const atMost = (t: { true: (is: boolean, message: string) => unknown }, what: string, is: number, most: number) =>
  t.true(is <= most, `${what}: ${is}, and not at most ${most}`);

test('one pod of the virtual node waits for the next look at most, and few calls are made for it', async (t) => {
  const node = await NodeBed.create();
  const { bed } = node;
  const { address, ready } = await node.run(1);
  atMost(t, 'address', address[0]!, 1.3 * INSTANCE_BOUND_MS);
  atMost(t, 'Ready', ready[0]!, 1.1 * READY_BOUND_MS);
  await bed.idle(60_000);
  const start = bed.calls();
  t.is(start.cloud['CreateContainerGroup'], 1);
  // Once after each change: made, placed, running; and once more when no read of it can lag.
  atMost(t, 'details', start.cloud['DescribeContainerGroups']!, 7);
  const [gone] = await node.end();
  atMost(t, 'gone', gone!, 1.25 * END_BOUND_MS);
  await bed.idle(60_000);
  const { cloud, throttled } = bed.callsSince(start);
  t.is(cloud['DeleteContainerGroup'], 1);
  atMost(t, 'details until the end', cloud['DescribeContainerGroups']!, 2);
  t.is(throttled, 0);
  // At rest there is one cheap call in ten seconds while there are pods, and none without any.
  const before = bed.calls();
  await bed.idle(300_000);
  t.is(bed.callsSince(before).cloud['DescribeContainerGroupStatus'], undefined);
  await node.stop();
});

test('fifty pods of the virtual node at once are served as fast as one, and looked at together', async (t) => {
  const node = await NodeBed.create();
  const { bed } = node;
  const { address, ready } = await node.run(50);
  atMost(t, 'address, median', median(address), 1.3 * INSTANCE_BOUND_MS);
  atMost(t, 'address, last', address.at(-1)!, 1.5 * INSTANCE_BOUND_MS);
  atMost(t, 'Ready, median', median(ready), 1.1 * READY_BOUND_MS);
  await bed.idle(60_000);
  const start = bed.calls();
  t.is(start.cloud['CreateContainerGroup'], 50);
  atMost(t, 'details', start.cloud['DescribeContainerGroups']!, 40);
  const atRest = bed.calls();
  await bed.idle(300_000);
  const rest = bed.callsSince(atRest).cloud;
  atMost(t, 'looks in five minutes at rest', rest['DescribeContainerGroupStatus']!, 31);
  const gone = await node.end();
  atMost(t, 'gone, last', gone.at(-1)!, 1.3 * END_BOUND_MS);
  atMost(t, 'gone, median', median(gone), 1.25 * END_BOUND_MS);
  await bed.idle(60_000);
  const bought = await node.run(50, { isEipFirst: true });
  atMost(t, 'address, EIP bought first, median', median(bought.address), 1.45 * EIP_FIRST_BOUND_MS);
  const all = bed.calls();
  t.is(all.cloud['DeleteContainerGroup'], 50);
  t.is(all.cloud['CreateContainerGroup'], 100);
  t.is(all.throttled, 0);
  await node.stop();
});
