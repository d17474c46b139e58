import test from 'ava';
import { batched } from '../../src/cloud/batch.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import type { CloudFaultKind } from '../../src/cloud/fault.ts';
import { rememberPackages } from '../../src/cloud/package-cache.ts';
import { ManualClock } from '../harness/clock.ts';
import { fault, eip, notingCloud } from './noting-cloud.ts';

test('describes that come together become one call of at most fifty IDs', async (t) => {
  const clock = new ManualClock(0);
  const { cloud, calls } = notingCloud((ids) =>
    Promise.resolve(new Map(ids.filter((id) => id !== 'eip-3').map((id) => [id, eip(id)]))),
  );
  const folding = batched(cloud, clock);
  const lone = folding.describeEip('eip-0');
  await clock.advance(0);
  t.is((await lone)?.allocationId, 'eip-0');
  t.deepEqual(calls.splice(0), ['eip-0'], 'who is alone waits for nobody');
  const few = Promise.all(['eip-1', 'eip-2', 'eip-3', 'eip-1'].map((id) => folding.describeEip(id)));
  await clock.advance(19);
  t.deepEqual(calls, []);
  await clock.advance(1);
  t.deepEqual(
    (await few).map((found) => found?.allocationId),
    ['eip-1', 'eip-2', undefined, 'eip-1'],
  );
  t.deepEqual(calls, ['eip-1,eip-2,eip-3']);

  calls.length = 0;
  await clock.advance(20);
  const both = Promise.all(['eip-1', 'eip-2'].map((id) => folding.describeEip(id)));
  await clock.advance(0);
  await both;
  t.deepEqual(calls.splice(0), ['eip-1,eip-2'], 'who ask in the same moment go together');
  const many = Promise.all(Array.from({ length: 120 }, (_, n) => folding.describeEip(`eip-${n}`)));
  await clock.advance(0);
  t.deepEqual(
    calls.map((ids) => ids.split(',').length),
    [50, 50],
  );
  await clock.advance(20);
  t.is((await many).filter((found) => found !== undefined).length, 119);
  t.is(calls.length, 3);
});

test('the fewer calls of the minute are left, the longer a describe waits for others, who go along', async (t) => {
  const waits: number[] = [];
  for (const left of [300, 180, 179, 60, 59, 0]) {
    const clock = new ManualClock(0);
    const { cloud, calls } = notingCloud((ids) => Promise.resolve(new Map(ids.map((id) => [id, eip(id)]))));
    const folding = batched(cloud, clock, { left: () => left, perMinute: () => 600 });
    void folding.describeEip('eip-0');
    await clock.advance(0);
    const both = [folding.describeEip('eip-1')];
    let waitedMs = 0;
    for (; calls.length < 2 && waitedMs < 1_000; waitedMs += 10) {
      await clock.advance(10);
      if (waitedMs === 0) both.push(folding.describeEip('eip-2'));
    }
    await Promise.all(both);
    t.deepEqual(calls, ['eip-0', 'eip-1,eip-2'], 'who is alone waits for nobody');
    waits.push(waitedMs);
  }
  t.deepEqual(waits, [20, 20, 100, 100, 250, 250]);
});

test('a fault goes to everybody in the batch, but one that blames the request is narrowed to the ID', async (t) => {
  const clock = new ManualClock(0);
  let kind: CloudFaultKind = 'throttled';
  const { cloud, calls } = notingCloud((ids) =>
    ids.includes('eip-bad') ? Promise.reject(fault(kind)) : Promise.resolve(new Map(ids.map((id) => [id, eip(id)]))),
  );
  const folding = batched(cloud, clock);
  const together = () => Promise.allSettled(['eip-1', 'eip-bad'].map((id) => folding.describeEip(id)));
  let results = together();
  await clock.advance(20);
  t.deepEqual(
    (await results).map(({ status }) => status),
    ['rejected', 'rejected'],
  );

  kind = 'refused';
  calls.length = 0;
  results = together();
  await clock.advance(20);
  t.deepEqual(
    (await results).map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  t.deepEqual(calls, ['eip-1,eip-bad', 'eip-1', 'eip-bad']);

  // What is no ID at all never gets into a list.
  calls.length = 0;
  await folding.describeEip('eip-1,eip-2');
  t.deepEqual(calls, ['eip-1,eip-2']);
});

test('an EIP that cannot be read spoils nobody else’s answer, is named, and travels alone until it can be read', async (t) => {
  const clock = new ManualClock(0);
  const bad = new Set(['eip-bad']);
  const { cloud, calls } = notingCloud((ids) =>
    ids.some((id) => bad.has(id))
      ? Promise.reject(
          new CloudFault({ kind: 'later', action: 'DescribeEipAddresses', code: 'UnreadableAnswer', message: 'odd' }),
        )
      : Promise.resolve(new Map(ids.map((id) => [id, eip(id)]))),
  );
  const folding = batched(cloud, clock);
  const ask = async (...ids: string[]) => {
    calls.length = 0;
    const results = Promise.allSettled(ids.map((id) => folding.describeEip(id)));
    await clock.advance(20);
    return (await results).map((it) => (it.status === 'fulfilled' ? it.value?.allocationId : String(it.reason)));
  };
  const many = Array.from({ length: 49 }, (_, n) => `eip-${n}`);
  t.deepEqual(await ask('eip-bad', ...many), ['CloudFault: eip-bad: odd', ...many]);
  t.is(calls.length, 51, 'one by one, once');

  t.deepEqual(await ask('eip-bad', ...many), ['CloudFault: eip-bad: odd', ...many]);
  t.deepEqual(calls, ['eip-bad', many.join(',')]);

  bad.clear();
  t.deepEqual(await ask('eip-bad', 'eip-1'), ['eip-bad', 'eip-1']);
  t.deepEqual(await ask('eip-bad', 'eip-1'), ['eip-bad', 'eip-1']);
  t.deepEqual(calls, ['eip-bad,eip-1'], 'in company again');

  // Nothing that comes can be read: not each of them asks on its own.
  for (const id of many) bad.add(id);
  t.deepEqual(
    await ask(...many),
    many.map((id, n) => (n < 3 ? `CloudFault: ${id}: odd` : 'CloudFault: odd')),
  );
  t.deepEqual(calls, [many.join(','), 'eip-0', 'eip-1', 'eip-2']);
  t.deepEqual(await ask('eip-3'), ['CloudFault: eip-3: odd']);
});

test('one who aborts leaves the batch alone, and the call is given up when all have left', async (t) => {
  const clock = new ManualClock(0);
  let batchSignal: AbortSignal | undefined;
  const { cloud, calls } = notingCloud((ids, signal) => {
    batchSignal = signal;
    return Promise.resolve(new Map(ids.map((id) => [id, eip(id)])));
  });
  const folding = batched(cloud, clock);
  const abort = new AbortController();
  const leaving = t.throwsAsync(folding.describeEip('eip-1', abort.signal), { message: 'enough' });
  const staying = folding.describeEip('eip-2');
  abort.abort(new Error('enough'));
  await leaving;
  await clock.advance(20);
  t.is((await staying)?.allocationId, 'eip-2');
  t.deepEqual(calls, ['eip-2']);
  t.false(batchSignal?.aborted);

  calls.length = 0;
  const all = new AbortController();
  const gone = t.throwsAsync(folding.describeEip('eip-1', all.signal), { message: 'all' });
  all.abort(new Error('all'));
  await gone;
  await clock.advance(100);
  t.deepEqual(calls, []);
  await t.throwsAsync(folding.describeEip('eip-1', all.signal), { message: 'all' });
});

test('what was answered about a bandwidth package is good for less than a minute, a lasting refusal too', async (t) => {
  const clock = new ManualClock(0);
  const { cloud, calls } = notingCloud();
  let fault: CloudFault | undefined;
  const remembering = rememberPackages(
    {
      ...cloud,
      findBandwidthPackage: (id) => {
        calls.push(id);
        return fault ? Promise.reject(fault) : Promise.resolve(undefined);
      },
    },
    clock,
  );
  const find = (id: string, signal?: AbortSignal) => remembering.findBandwidthPackage(id, signal);
  await Promise.all([find('cbwp-1'), find('cbwp-1'), find('cbwp-2')]);
  await clock.advance(54_000);
  await find('cbwp-1');
  t.deepEqual(calls, ['cbwp-1', 'cbwp-2']);
  await clock.advance(2_000);
  await find('cbwp-1');
  t.deepEqual(calls, ['cbwp-1', 'cbwp-2', 'cbwp-1']);
  for (const [kind, more] of [
    ['misconfigured', 1],
    ['throttled', 2],
  ] as const) {
    await clock.advance(60_000);
    const before = calls.length;
    fault = new CloudFault({ kind, action: 'DescribeCommonBandwidthPackages', code: 'X', message: 'X' });
    await t.throwsAsync(() => find('cbwp-1'), { is: fault });
    await t.throwsAsync(() => find('cbwp-1'), { is: fault });
    t.is(calls.length - before, more, kind);
  }
  fault = undefined;
  await t.throwsAsync(() => find('cbwp-3', AbortSignal.abort(new Error('stopping'))), { message: 'stopping' });
});
