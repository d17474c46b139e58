import test from 'ava';
import { MOST_READS, runSteps, TooManyReads, type StepLoop } from '../../src/kube/step-loop.ts';

/** What was read, in order. */
type Observed = readonly string[];
type Read = { readonly do: 'Read'; readonly what: string };
type Action = { readonly do: 'Act'; readonly on: string };
type Result = { readonly do: 'Wait' | 'Done' };
type Step = Read | Action | Result;
type Loop = StepLoop<Observed, Read, Action, Result, string>;

const never = () => Promise.reject(new Error('must not be called'));

/** Reads `plan`, one after the other, and ends in `last`; notes what the parts were called with. */
const scripted = (plan: readonly string[], last: Action | Result, parts: Partial<Loop> = {}) => {
  const calls: string[] = [];
  const loop: Loop = {
    decide: (observed): Step => {
      const what = plan[observed.length];
      return what === undefined ? last : { do: 'Read', what };
    },
    isRead: (step) => step.do === 'Read',
    isResult: (step) => step.do !== 'Act',
    read: (step, observed) => {
      calls.push(`read ${step.what} after ${observed.join()}`);
      return Promise.resolve([...observed, step.what]);
    },
    act: (step, observed) => {
      calls.push(`act on ${step.on} after ${observed.join()}`);
      return Promise.resolve('acted');
    },
    settle: (step, observed) => {
      calls.push(`settle ${step.do} after ${observed.join()}`);
      return Promise.resolve('settled');
    },
    ...parts,
  };
  return { loop, calls };
};

const act: Action = { do: 'Act', on: 'x' };
const open = () => new AbortController().signal;

test('reads what the decision asks for, decides anew with it, and acts once', async (t) => {
  const { loop, calls } = scripted(['a', 'b'], act);
  t.is(await runSteps(loop, [], open()), 'acted');
  t.deepEqual(calls, ['read a after ', 'read b after a', 'act on x after a,b']);
});

test('settles where there is nothing to do', async (t) => {
  const { loop, calls } = scripted(['a'], { do: 'Wait' });
  t.is(await runSteps(loop, [], open()), 'settled');
  t.deepEqual(calls, ['read a after ', 'settle Wait after a']);
});

test('as many reads as there may be are made, and one more is an error that lists them', async (t) => {
  const most = Array.from({ length: MOST_READS }, (_, at) => `r${at}`);
  t.is(await runSteps(scripted(most, act).loop, [], open()), 'acted');
  const { loop, calls } = scripted([...most, 'beyond'], act);
  const error = await t.throwsAsync(runSteps(loop, [], open()), { instanceOf: TooManyReads });
  t.is(calls.length, MOST_READS);
  t.deepEqual(
    error?.reads,
    Array.from({ length: MOST_READS + 1 }, () => 'Read'),
  );
  t.regex(error?.message ?? '', /^No step after 16 reads; please report it: Read, Read,/u);
});

test('a decision that asks for the same again and again is ended', async (t) => {
  const { loop } = scripted([], act, { decide: () => ({ do: 'Read', what: 'same' }) });
  await t.throwsAsync(runSteps(loop, [], open()), { instanceOf: TooManyReads });
});

const mostReads = (observed: Observed) => (observed.includes('list') ? 3 : 1);

test('how often may be read can follow from what is observed', async (t) => {
  t.is(await runSteps(scripted(['list', 'one', 'two'], act, { mostReads }).loop, [], open()), 'acted');
  await t.throwsAsync(runSteps(scripted(['one', 'two'], act, { mostReads }).loop, [], open()), {
    message: 'No step after 1 reads; please report it: Read, Read',
  });
});

test('whoever hears of a step first may hold it back, an action and a result alike', async (t) => {
  for (const last of [act, { do: 'Done' }] as const) {
    const heard: unknown[] = [];
    const beforeStep = (step: Action | Result, observed: Observed) => {
      heard.push([step, observed]);
      return Promise.resolve('held');
    };
    const { loop } = scripted(['a'], last, { beforeStep, act: never, settle: never });
    t.is(await runSteps(loop, [], open()), 'held');
    t.deepEqual(heard, [[last, ['a']]]);
  }
  const { loop } = scripted([], act, { beforeStep: () => Promise.resolve(undefined) });
  t.is(await runSteps(loop, [], open()), 'acted');
});

test('nothing is done after the stop, but a result is still settled', async (t) => {
  const stopped = AbortSignal.abort(new Error('stop'));
  const { loop, calls } = scripted([], act, { fence: () => 'never asked' });
  await t.throwsAsync(runSteps(loop, [], stopped), { message: 'stop' });
  t.deepEqual(calls, []);
  t.is(await runSteps(scripted([], { do: 'Done' }).loop, [], stopped), 'settled');
});

test('the fence is asked last, and only of actions', async (t) => {
  const { loop } = scripted(['a'], act, { fence: () => 'fenced', act: never });
  t.is(await runSteps(loop, [], open()), 'fenced');
  t.is(await runSteps(scripted([], act, { fence: () => undefined }).loop, [], open()), 'acted');
  t.is(await runSteps(scripted([], { do: 'Done' }, { fence: () => 'fenced' }).loop, [], open()), 'settled');
});

test('an error of any part goes to the caller, or to who knows what it comes to, with what was observed by then', async (t) => {
  const failing = { read: never, act: never, settle: never, beforeStep: never };
  const ends: readonly (readonly [keyof typeof failing, readonly string[], Action | Result, Observed])[] = [
    ['read', ['a'], act, []],
    ['beforeStep', ['a'], act, ['a']],
    ['act', ['a', 'b'], act, ['a', 'b']],
    ['settle', ['a'], { do: 'Done' }, ['a']],
  ];
  for (const [part, plan, last, known] of ends) {
    const parts = { [part]: failing[part] };
    await t.throwsAsync(runSteps(scripted(plan, last, parts).loop, [], open()), { message: 'must not be called' });
    let seen: Observed | undefined;
    let underWay: Step | undefined;
    const failed: Loop['failed'] = (_error, { step, observed }) => {
      seen = observed;
      underWay = step;
      return Promise.resolve('mended');
    };
    t.is(await runSteps(scripted(plan, last, { ...parts, failed }).loop, [], open()), 'mended', part);
    t.deepEqual(seen, known, part);
    t.deepEqual(underWay, part === 'read' ? { do: 'Read', what: 'a' } : last, part);
  }
});

test('whoever counts successes hears of each read and action that succeeded, and of no other', async (t) => {
  const heard: string[] = [];
  const succeeded: Loop['succeeded'] = (step, observed) =>
    void heard.push(`${step.do === 'Read' ? step.what : step.do} with ${observed.join()}`);
  await runSteps(scripted(['a', 'b'], act, { succeeded }).loop, [], open());
  t.deepEqual(heard.splice(0), ['a with a', 'b with a,b', 'Act with a,b']);
  await runSteps(scripted(['a'], { do: 'Done' }, { succeeded }).loop, [], open());
  await runSteps(scripted([], act, { succeeded, fence: () => 'fenced' }).loop, [], open());
  await t.throwsAsync(runSteps(scripted([], act, { succeeded, act: never }).loop, [], open()));
  await t.throwsAsync(runSteps(scripted(['b'], act, { succeeded, read: never }).loop, [], open()));
  t.deepEqual(heard, ['a with a']);
});
