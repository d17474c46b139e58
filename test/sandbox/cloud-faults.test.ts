import test from 'ava';
import { array, assert, nat, property } from 'fast-check';
import { EventQueue } from '../../src/sandbox/cloud/event-queue.ts';
import type { Fault } from '../../src/sandbox/cloud/injected-faults.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { bench } from './cloud-bench.ts';
import { seeded } from '../harness/random.ts';

const second = { InstanceId: 'eni-1', InstanceType: 'NetworkInterface', PrivateIpAddress: '10.0.0.2' };

test('a fault decides separately whether a call takes effect and what the caller hears', async (t) => {
  const cases: readonly [string, Fault, number | 'SyntaxError', string | undefined, number][] = [
    [
      'error before the effect',
      { effect: 'never', answer: { code: 'ServiceUnavailable' } },
      503,
      'ServiceUnavailable',
      0,
    ],
    ['error after the effect', { answer: { code: 'InternalError' } }, 500, 'InternalError', 1],
    [
      'an error of its own',
      { effect: 'never', answer: { code: 'InsufficientBalance', status: 402 } },
      402,
      'InsufficientBalance',
      0,
    ],
    ['lost request', { effect: 'never', answer: 'drop' }, 0, 'Dropped', 0],
    ['lost reply', { answer: 'drop' }, 0, 'Dropped', 1],
    ['garbage', { answer: { garbage: 'html' } }, 'SyntaxError', undefined, 1],
  ];
  for (const [title, fault, status, code, effects] of cases) {
    const at = bench();
    at.cloud.inject({ action: 'AllocateEipAddress', fault });
    if (status === 'SyntaxError') await t.throwsAsync(at.call('AllocateEipAddress'), { name: status }, title);
    else t.like(await at.call('AllocateEipAddress'), { status, code }, title);
    t.is(at.cloud.eips().length, effects, title);
    t.is(at.cloud.ledger().length, effects, title);
    t.is((await at.call('AllocateEipAddress')).status, 200, `${title}: only once`);
  }
});

test('a late effect comes in its own time, in the world of that time, and holds its client token until then', async (t) => {
  const at = bench();
  const token = { ClientToken: 'a' };
  at.cloud.inject({ action: 'AllocateEipAddress', fault: { effect: { afterMs: 8000 }, answer: 'drop' } });
  t.is((await at.call('AllocateEipAddress', token)).code, 'Dropped');
  t.is((await at.call('AllocateEipAddress', token)).code, 'LastTokenProcessing');
  await at.clock.advance(7999);
  t.is(at.cloud.eips().length, 0);
  await at.clock.advance(20_001);
  t.is(at.cloud.eips().length, 1);
  t.is(at.cloud.ledger()[0]?.at, Date.UTC(2026, 10, 20, 12, 0, 8), 'its time is not that of the look');
  const replay = await at.call('AllocateEipAddress', token);
  t.is(replay.body['AllocationId'], at.cloud.eips()[0]?.allocationId);

  // An unassociate that arrives late finds another binding, and its compare-and-swap refuses.
  const AllocationId = at.cloud.eips()[0]!.allocationId;
  at.cloud.world.human.associate(AllocationId, 'eni-1', '10.0.0.2');
  at.cloud.inject({ action: 'UnassociateEipAddress', fault: { effect: { afterMs: 1000 } } });
  const late = at.call('UnassociateEipAddress', { AllocationId, ...second });
  at.cloud.world.human.associate(AllocationId, 'eni-1', '10.0.0.3');
  await at.clock.advance(1000);
  t.is((await late).code, 'InvalidBindInstance.NotFound');
  t.is(at.cloud.eips()[0]?.binding?.privateIpAddress, '10.0.0.3');
});

test('a stall holds back the answer, not the effect', async (t) => {
  const at = bench();
  at.cloud.inject({ action: '*', fault: { stallMs: 5000 } });
  let answered = false;
  const call = at.call('AllocateEipAddress').then((result) => {
    answered = true;
    return result;
  });
  await at.clock.advance(4999);
  t.false(answered);
  t.is(at.cloud.eips().length, 1);
  await at.clock.advance(1);
  t.is((await call).status, 200);

  // In process, the caller gives up on the cloud's clock.
  at.cloud.inject({ action: '*', fault: { stallMs: 5000 } });
  const given = callApi(at.cloud)({ action: 'DescribeEipAddresses', version: '2016-04-28' }, { query: {} }, {});
  const ended = t.throwsAsync(given, { name: 'RequestTimeoutError' });
  await at.clock.advance(3000);
  await ended;
});

test('rules count, choose, last and can be taken back', async (t) => {
  const at = bench({ quota: 100 });
  const codes = async (n: number, parameters = {}) => {
    const seen: (string | undefined)[] = [];
    for (let i = 0; i < n; i++) seen.push((await at.call('AllocateEipAddress', parameters)).code);
    return seen;
  };
  const busy: Fault = { effect: 'never', answer: { code: 'OperationFailed.SystemBusy' } };
  const code = 'OperationFailed.SystemBusy';
  at.cloud.inject({ action: 'AllocateEipAddress', nth: 2, times: 2, fault: busy });
  t.deepEqual(await codes(4), [undefined, code, code, undefined]);
  const stop = at.cloud.inject({
    action: 'AllocateEipAddress',
    times: Infinity,
    when: ({ parameters, caller }) => parameters.get('Name') === 'unlucky' && caller === 'test',
    fault: busy,
  });
  t.deepEqual(await codes(1), [undefined]);
  t.deepEqual(await codes(3, { Name: 'unlucky' }), [code, code, code]);
  stop();
  t.deepEqual(await codes(1, { Name: 'unlucky' }), [undefined]);
  at.cloud.inject({
    action: '*',
    times: 2,
    fault: { effect: 'never', answer: { code: 'Throttling.User', retryAfterMs: 700 } },
  });
  t.like(await at.call('AllocateEipAddress'), { status: 400, code: 'Throttling.User', retryAfter: '700' });
  t.deepEqual(await codes(2), ['Throttling.User', undefined]);
  t.throws(() => at.cloud.inject({ action: '*', fault: { effect: 'never' } }), { instanceOf: RangeError });
  t.deepEqual(at.cloud.calls()['AllocateEipAddress'], { OK: 5, [code]: 5, 'Throttling.User': 2 });
});

test('an action beyond its rate is refused until its minute is over', async (t) => {
  const at = bench({ quota: 1000 });
  for (let n = 0; n < 120; n++) t.is((await at.call('AllocateEipAddress')).status, 200);
  await at.clock.advance(20_000);
  t.like(await at.call('AllocateEipAddress'), { status: 400, code: 'Throttling.User', retryAfter: '40000' });
  t.is((await at.call('DescribeEipAddresses')).status, 200, 'each action has a rate of its own');
  t.is(at.cloud.eips().length, 120);
  await at.clock.advance(40_000);
  t.is((await at.call('AllocateEipAddress')).status, 200);
  at.cloud.setLimits('AllocateEipAddress', 1);
  t.is((await at.call('AllocateEipAddress')).code, 'Throttling.User');
  at.cloud.setLimits('AllocateEipAddress', undefined);
  t.is((await at.call('AllocateEipAddress')).status, 200);
});

test('reads lag as far as they are told, and go back in time only when they may', async (t) => {
  for (const monotonic of [true, false]) {
    const at = bench({ readLag: { maxMs: 10_000, monotonic }, limits: {} });
    const id = await at.allocate();
    const names: number[] = [];
    for (let n = 1; n <= 200; n++) {
      await at.call('ModifyEipAddressAttribute', { AllocationId: id, Name: String(n) });
      await at.clock.advance(100);
      names.push(Number((await at.describe(id))?.['Name'] || 0));
    }
    const backwards = names.some((name, index) => name < (names[index - 1] ?? 0));
    t.is(backwards, !monotonic);
    t.true(names.every((name, index) => name <= index + 1 && name >= index + 1 - 101));
    t.true(names.some((name, index) => name < index + 1));
    await at.call('ReleaseEipAddress', { AllocationId: id });
    await at.clock.advance(10_001);
    t.is(await at.describe(id), undefined);
  }
});

test('an interface that goes takes the bindings with it, also those under way', async (t) => {
  const at = bench({ transitions: { associate: { minMs: 1000, maxMs: 1000 } } });
  const { world } = at.cloud;
  const AllocationId = await at.allocate();
  await at.call('AssociateEipAddress', { AllocationId, ...second });
  world.removePrivateIp('eni-1', '10.0.0.2');
  t.is(at.cloud.eips()[0]?.status, 'Available');
  await at.clock.advance(5000);
  t.is(at.cloud.eips()[0]?.status, 'Available', 'the overtaken task ends without effect');
  await at.call('AssociateEipAddress', { AllocationId, ...second, PrivateIpAddress: '10.0.0.3' });
  await at.clock.advance(1000);
  t.is(at.cloud.eips()[0]?.status, 'InUse');
  world.removeNetworkInterface('eni-1');
  t.like(at.cloud.eips()[0], { status: 'Available', binding: undefined });
  t.deepEqual(
    at.cloud.ledger().map(({ action, caller, binding }) => [action, caller, binding?.privateIpAddress]),
    [
      ['AllocateEipAddress', 'test', undefined],
      ['AssociateEipAddress', 'test', '10.0.0.2'],
      ['UnassociateEipAddress', 'cloud', '10.0.0.2'],
      ['AssociateEipAddress', 'test', '10.0.0.3'],
      ['UnassociateEipAddress', 'cloud', '10.0.0.3'],
    ],
  );
});

test('humans act behind the API, and the ledger says that it was they', async (t) => {
  const at = bench();
  const { human } = at.cloud.world;
  const eip = at.cloud.world.addEip({ name: 'theirs', tags: { owner: 'them' } });
  human.associate(eip.allocationId, 'eni-1', '10.0.0.1');
  t.like(await at.describe(eip.allocationId), {
    Status: 'InUse',
    InstanceId: 'eni-1',
    PrivateIpAddress: '',
    Name: 'theirs',
  });
  human.tag(eip.allocationId, { more: 'x' });
  human.untag(eip.allocationId, ['owner']);
  t.deepEqual([...at.cloud.eips()[0]!.tags], [['more', 'x']]);
  human.untag(eip.allocationId);
  t.is(at.cloud.eips()[0]!.tags.size, 0);
  human.unassociate(eip.allocationId);
  human.release(eip.allocationId);
  t.is(await at.describe(eip.allocationId), undefined);
  t.true(
    at.cloud.ledger().every(({ caller, allocationId }) => caller === 'human' && allocationId === eip.allocationId),
  );
  t.deepEqual(
    at.cloud.ledger().map(({ sequence }) => sequence),
    [0, 1, 2, 3, 4, 5],
  );
  t.throws(() => human.release(eip.allocationId), { instanceOf: RangeError });
});

const run = async (seed: number) => {
  const at = bench({ latency: 'realistic', random: seeded(seed) });
  const calls = Array.from({ length: 5 }, (_, n) => at.call('AllocateEipAddress', { Name: `n${n}` }));
  await at.clock.advance(60_000);
  const bodies = (await Promise.all(calls)).map(({ body }) => body);
  return JSON.stringify([bodies, at.cloud.eips(), at.cloud.ledger()]);
};

test('the same seed and the same calls give the same cloud, down to the request IDs', async (t) => {
  t.is(await run(7), await run(7));
  t.not(await run(7), await run(8));
});

test('the event queue goes in the order of its times, and of its entries where the times are equal', (t) => {
  assert(
    property(array(nat(20)), nat(25), (times, now) => {
      const eventQueue = new EventQueue();
      const happened: [number, number][] = [];
      for (const [entry, time] of times.entries()) eventQueue.at(time, (at) => happened.push([at, entry]));
      eventQueue.catchUp(now);
      const expected = times
        .map((time, entry): [number, number] => [time, entry])
        .filter(([time]) => time <= now)
        .sort(([one, first], [other, then]) => one - other || first - then);
      t.deepEqual(happened, expected);
      eventQueue.catchUp(30);
      t.is(happened.length, times.length);
    }),
  );
});

test('an EIP that loses its network interface while it leaves a bandwidth package leaves it all the same', async (t) => {
  const transitions = { bandwidthPackage: { minMs: 1_000, maxMs: 1_000 } };
  const at = bench({ transitions });
  at.cloud.world.addBandwidthPackage('cbwp-1');
  const id = await at.allocate();
  const membership = { IpInstanceId: id, BandwidthPackageId: 'cbwp-1' };
  await at.call('AddCommonBandwidthPackageIp', { ...membership, IpType: 'EIP' });
  await at.clock.advance(1_000);
  at.cloud.world.human.associate(id, 'eni-1', '10.0.0.2');
  t.is((await at.call('RemoveCommonBandwidthPackageIp', membership)).code, undefined);
  at.cloud.world.removeNetworkInterface('eni-1');
  await at.clock.advance(1_000);
  t.like(await at.describe(id), { Status: 'Available', BandwidthPackageId: '' });
  t.is((await at.call('ReleaseEipAddress', { AllocationId: id })).code, undefined);
});
