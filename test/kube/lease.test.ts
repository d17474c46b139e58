import test from 'ava';
import * as fc from 'fast-check';
import { createKube } from '../../src/kube/client.ts';
import { createElection } from '../../src/kube/lease.ts';
import type { Election, ElectionOptions } from '../../src/kube/lease.ts';
import { microTime } from '../../src/kube/microtime.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { answer, MemoryApi, status } from './memory-api.ts';
import { ManualClock, settled } from '../harness/clock.ts';
import { fixedRandom } from '../harness/random.ts';

const LEASE_PATH = '/apis/coordination.k8s.io/v1/namespaces/system/leases/knative-eip';

interface Candidate extends Election {
  readonly lost: string[];
  readonly crash: () => void;
  readonly end: Promise<string>;
}

const candidate = (api: MemoryApi, clock: Clock, identity: string, more: Partial<ElectionOptions> = {}): Candidate => {
  const lost: string[] = [];
  const life = new AbortController();
  const election = createElection({
    kube: createKube({ transport: api.transport, clock, qps: 0, timeoutMs: 60_000 }),
    clock,
    random: fixedRandom(),
    log: silentLog,
    namespace: 'system',
    name: 'knative-eip',
    identity,
    onLost: (why) => lost.push(why),
    ...more,
  });
  const end = election.run(life.signal);
  return { ...election, lost, end, crash: () => life.abort(new Error('crash')) };
};

const specOf = (api: MemoryApi) => api.objects.get(LEASE_PATH)?.['spec'] as Record<string, unknown>;
const edit = (api: MemoryApi, change: object) =>
  api.edit(LEASE_PATH, (lease) => Object.assign(lease['spec'] as object, change));

test('times have six fractional digits, as the API server demands', (t) => {
  t.is(microTime(1_700_000_000_482), '2023-11-14T22:13:20.482000Z');
  t.is(microTime(0.9), '1970-01-01T00:00:00.000000Z');
});

test('the first candidate creates the Lease and renews it every two seconds', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  const a = candidate(api, clock, 'a');
  await a.acquired;
  t.deepEqual(specOf(api), {
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    acquireTime: '2023-11-14T22:13:20.000000Z',
    renewTime: '2023-11-14T22:13:20.000000Z',
    leaseTransitions: 0,
  });
  t.true(a.isLeader());
  t.is(a.remainingMs(), 15_000);
  await clock.advance(7000);
  t.is(a.remainingMs(), 14_000);
  t.is(specOf(api)['renewTime'], '2023-11-14T22:13:26.000000Z');
  t.is(specOf(api)['acquireTime'], '2023-11-14T22:13:20.000000Z');
  a.crash();
  t.is(await a.end, 'aborted');
  t.deepEqual(a.lost, [], 'a crash calls nothing');
  t.is(a.remainingMs(), 0);
});

test('after a crash a candidate takes over when the record has not changed for its duration, whatever the clocks say', async (t) => {
  for (const skew of [-3600_000, 0, 3600_000]) {
    const clock = new ManualClock(1_700_000_000_000);
    const api = new MemoryApi();
    const a = candidate(api, clock, 'a');
    await a.acquired;
    const b = candidate(api, clock.skewed(skew), 'b');
    await clock.advance(30_000);
    t.true(a.isLeader());
    t.false(b.isLeader());
    t.is(b.holder(), 'a');
    a.crash();
    // b looks every 550 ms. It has seen the last renewal (of second 30) within that, and waits 15 s from there on: no
    // longer, although its next look would be later.
    await clock.advance(14_999);
    t.false(b.isLeader());
    await clock.advance(551);
    t.true(b.isLeader());
    t.is(b.epoch(), 1);
    t.is(specOf(api)['holderIdentity'], 'b');
    b.crash();
  }
});

test('a lead counts from the moment when its renewal was sent, not from the answer', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  api.before = async ({ method }) => {
    if (method !== 'GET') await clock.sleep(3000);
    return undefined;
  };
  const a = candidate(api, clock, 'a');
  await clock.advance(3000);
  t.is(a.remainingMs(), 12_000);
  a.crash();
});

test('of two who try at the same moment one loses the race, without an error', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  // Both read before either writes: first that there is no Lease, later that it is free.
  let reads: (() => void)[] = [];
  api.before = async ({ method }) => {
    if (method !== 'GET') return undefined;
    const seen = structuredClone(api.objects.get(LEASE_PATH));
    await new Promise<void>((resolve) => {
      reads.push(resolve);
      if (reads.length < 2) return;
      for (const go of reads) go();
      reads = [];
    });
    return seen === undefined ? status(404, 'NotFound', LEASE_PATH) : answer(200, seen);
  };
  const both = [candidate(api, clock, 'a'), candidate(api, clock, 'b')];
  await settled();
  t.is(both.filter((one) => one.isLeader()).length, 1);
  t.deepEqual(
    api.requests.map(({ method }) => method),
    ['GET', 'GET', 'POST', 'POST'],
  );
  for (const one of both) one.crash();

  edit(api, { holderIdentity: '' });
  api.requests.length = 0;
  reads = [];
  const again = [candidate(api, clock, 'c'), candidate(api, clock, 'd')];
  await settled();
  t.is(again.filter((one) => one.isLeader()).length, 1);
  t.deepEqual(
    api.requests.map(({ method }) => method),
    ['GET', 'GET', 'PUT', 'PUT'],
  );
  for (const one of again) one.crash();
});

test('a leader that cannot renew gives up before anybody else may lead, and says so once', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  const a = candidate(api, clock, 'a');
  await a.acquired;
  // Half of the calls hang, the others are refused.
  let calls = 0;
  api.before = () =>
    (calls += 1) % 2 === 1 ? new Promise(() => undefined) : status(503, 'ServiceUnavailable', LEASE_PATH);
  await clock.advance(9999);
  t.true(a.isLeader());
  t.deepEqual(a.lost, []);
  await clock.advance(1);
  t.is(await a.end, 'lost');
  t.deepEqual(a.lost, ['it was not renewed within 10000 ms']);
  t.is(a.remainingMs(), 0);
  await clock.advance(60_000);
  t.is(a.lost.length, 1);
});

test('a process that was stopped for a while does not believe that it still leads', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  const a = candidate(api, clock, 'a');
  await a.acquired;
  clock.freeze(15_000);
  t.false(a.isLeader());
  t.is(a.remainingMs(), 0);
  await clock.advance(0);
  t.is(await a.end, 'lost');
});

test('a Lease that somebody deletes is made again; one that somebody edits is kept or lost by what it says', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  const a = candidate(api, clock, 'a');
  await a.acquired;
  const b = candidate(api, clock, 'b');
  await clock.advance(1000);
  api.objects.delete(LEASE_PATH);
  await clock.advance(5000);
  t.is(specOf(api)['holderIdentity'], 'a', 'b has seen a lead and waits');
  t.true(a.isLeader());
  t.false(b.isLeader());

  edit(api, { renewTime: null, leaseDurationSeconds: 0, acquireTime: null });
  await clock.advance(5000);
  t.true(a.isLeader(), 'nonsense is overwritten');
  t.is(specOf(api)['leaseDurationSeconds'], 15);
  t.false(b.isLeader(), 'and does not look like an expired Lease');

  edit(api, { holderIdentity: 'somebody' });
  await clock.advance(2000);
  t.is(await a.end, 'lost');
  t.deepEqual(a.lost, ['somebody holds the Lease']);
  await clock.advance(2000);
  t.is(b.holder(), 'somebody');
  api.objects.delete(LEASE_PATH);
  await clock.advance(10_000);
  t.false(b.isLeader(), 'whoever held it until it was deleted still believes in it');
  await clock.advance(10_000);
  t.true(b.isLeader());
  b.crash();
});

test('a release hands over at once, and the Lease is renewed until then', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  const a = candidate(api, clock, 'a');
  await a.acquired;
  const b = candidate(api, clock, 'b');
  await clock.advance(40_000);
  t.true(a.isLeader());
  await a.release();
  t.is(await a.end, 'released');
  t.deepEqual(a.lost, []);
  t.is(specOf(api)['holderIdentity'], '');
  t.false(a.isLeader());
  await clock.advance(600);
  t.true(b.isLeader());
  await b.release();

  const idle = candidate(api, clock, 'c');
  await settled();
  const d = candidate(api, clock, 'd');
  await d.release();
  t.is(specOf(api)['holderIdentity'], 'c', 'who does not lead releases nothing');
  api.before = () => status(503, 'ServiceUnavailable', LEASE_PATH);
  await t.notThrowsAsync(idle.release());
});

test('who waits looks twice a second while the API server answers, and far less often where it does not', async (t) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  const a = candidate(api, clock, 'a');
  await a.acquired;
  let looks = 0;
  let isDown = false;
  api.before = () => {
    looks += 1;
    return isDown ? status(503, 'ServiceUnavailable', LEASE_PATH) : undefined;
  };
  a.crash();
  const b = candidate(api, clock, 'b');
  await clock.advance(11_000);
  t.is(looks, 1 + 11_000 / 550);
  isDown = true;
  looks = 0;
  await clock.advance(32_000);
  t.is(looks, 32_000 / 3_200);
  isDown = false;
  // It is over long since: the first look that is answered takes it.
  await clock.advance(3_200);
  t.true(b.isLeader());
  b.crash();
});

test('durations that leave no room for a late renewal are refused', (t) => {
  const api = new MemoryApi();
  for (const wrong of [
    { renewDeadlineMs: 15_000 },
    { retryPeriodMs: 9000 },
    { leaseDurationMs: 500, renewDeadlineMs: 400, retryPeriodMs: 1 },
  ])
    t.throws(() => candidate(api, new ManualClock(1_700_000_000_000), 'a', wrong), {
      message: /leaseDuration .* > renewDeadline .* > 1\.2 × retryPeriod/,
    });
});

test('whatever fails and whoever crashes, two candidates never count on the Lease at the same time', async (t) => {
  const fate = fc.constantFrom('pass', 'pass', 'pass', 'fail', 'hang', 'lost reply', 'slow');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fate, { minLength: 1, maxLength: 40 }),
      fc.array(
        fc.record({ afterMs: fc.nat(20_000), who: fc.nat(1), how: fc.constantFrom('crash', 'release', 'wait') }),
        {
          maxLength: 6,
        },
      ),
      fc.integer({ min: -60_000, max: 60_000 }),
      async (fates, incidents, skew) => {
        const clock = new ManualClock(1_700_000_000_000);
        const api = new MemoryApi();
        let calls = 0;
        api.before = async (request) => {
          const fate = fates[(calls += 1) % fates.length];
          if (fate === 'fail') return status(500, 'InternalError', LEASE_PATH);
          if (fate === 'hang') return new Promise(() => undefined);
          if (fate === 'slow') await clock.sleep(3000);
          if (fate === 'lost reply') {
            api.before = () => undefined;
            await api.transport({ ...request, signal: undefined });
            api.before = before;
            return status(504, 'Timeout', LEASE_PATH);
          }
          return undefined;
        };
        const before = api.before;
        let born = 0;
        const spawn = () => candidate(api, born % 2 === 0 ? clock : clock.skewed(skew), `c${(born += 1)}`);
        const living = [spawn(), spawn()];
        const everybody = [...living];
        const pass = async (ms: number) => {
          for (let left = ms; left > 0; left -= 500) {
            await clock.advance(Math.min(500, left));
            const leaders = everybody.filter((one) => one.remainingMs() > 0);
            if (leaders.length > 1) throw new Error('two leaders');
          }
        };
        for (const { afterMs, who, how } of incidents) {
          await pass(afterMs);
          if (how === 'crash') living[who]!.crash();
          if (how === 'release') void living[who]!.release();
          if (how !== 'wait') everybody.push((living[who] = spawn()));
        }
        await pass(5000);
        // When the trouble is over, somebody leads.
        api.before = () => undefined;
        for (const [index, one] of living.entries()) if (one.lost.length > 0) everybody.push((living[index] = spawn()));
        await pass(45_000);
        if (!everybody.some((one) => one.isLeader())) throw new Error('nobody leads');
        for (const one of everybody) one.crash();
      },
    ),
    { numRuns: 40 },
  );
  t.pass();
});
