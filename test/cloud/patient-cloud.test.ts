import test from 'ava';
import { createProgress } from '../../src/cli/progress.ts';
import { CloudFault, type CloudFaultKind } from '../../src/cloud/fault.ts';
import { mayPass, patient } from '../../src/cloud/patient-cloud.ts';
import { ManualClock } from '../harness/clock.ts';
import { seeded } from '../harness/random.ts';
import { fault, notingCloud } from './noting-cloud.ts';

/** A cloud whose look-ups of interfaces fail so many times. */
const setScene = (kind: CloudFaultKind, times: number) => {
  const clock = new ManualClock();
  const told: CloudFault[] = [];
  const { cloud } = notingCloud();
  let left = times;
  let calls = 0;
  const asked = patient(
    {
      ...cloud,
      findNetworkInterfaces: async () => {
        calls += 1;
        if (left <= 0) return [];
        left -= 1;
        throw fault(kind);
      },
    },
    { clock, random: seeded(1), onTriedAgain: (it) => told.push(it) },
  );
  const where = { vpcId: 'vpc-1', privateIpAddress: '10.0.0.7' };
  return {
    clock,
    told,
    look: (signal?: AbortSignal) => asked.findNetworkInterfaces(where, signal),
    calls: () => calls,
  };
};

const KINDS: readonly CloudFaultKind[] = [
  ...(['again', 'later', 'throttled', 'unknown'] as const),
  ...(['already', 'gone', 'unrecognized', 'refused', 'quota', 'misconfigured'] as const),
];

test('what may pass is asked again, and what somebody has to mend is not', async (t) => {
  for (const [index, kind] of KINDS.entries()) {
    t.is(mayPass(kind), index < 4, kind);
    const { clock, look, calls, told } = setScene(kind, 3);
    const answer = look().catch((error: unknown) => error);
    await clock.advance(60_000);
    if (mayPass(kind)) t.deepEqual(await answer, []);
    else t.like(await answer, { kind });
    t.is(calls(), mayPass(kind) ? 4 : 1);
    t.is(told.length, calls() - 1);
  }
});

test('a call is given up after two minutes in which no call of its action succeeds', async (t) => {
  const { clock, look, calls } = setScene('throttled', Infinity);
  const answer = look().catch((error: unknown) => error);
  await clock.advance(119_000);
  const before = calls();
  t.true(before > 8, 'later and later, and no hot loop');
  await clock.advance(30_000);
  const given = await answer;
  t.true(given instanceof CloudFault);
  t.regex((given as CloudFault).message, /^x; it was asked again for 1[234]\d seconds/);
  t.true(calls() - before <= 3);
  const stop = new AbortController();
  const stopped = look(stop.signal).catch((error: unknown) => error);
  await clock.advance(10_000);
  stop.abort(new Error('Ctrl-C'));
  t.like(await stopped, { message: 'Ctrl-C' }, 'whoever waits can be stopped');
});

test('long work says how far it is: every two seconds on a terminal, elsewhere not before ten', async (t) => {
  for (const [errIsTerminal, pauseMs] of [
    [true, 2_000],
    [false, 10_000],
  ] as const) {
    const clock = new ManualClock();
    const said: string[] = [];
    const progress = createProgress({ clock, err: (text) => said.push(text), errIsTerminal });
    progress.did('EIPs read', 1, 2_000);
    await clock.advance(pauseMs - 1);
    progress.did('EIPs read', 50, 2_000);
    t.deepEqual(said, []);
    await clock.advance(1);
    progress.did('EIPs read', 100, 2_000);
    progress.did('EIPs read', 150, 2_000);
    t.deepEqual(said, ['100 of 2000 EIPs read\n']);
    for (let turn = 0; turn < 3; turn += 1) progress.triedAgain(fault('throttled'));
    t.deepEqual(said.slice(1), ['x; it is asked again\n'], 'once for many');
    t.is(progress.sofar(), '150 of 2000 EIPs read');
  }
});
