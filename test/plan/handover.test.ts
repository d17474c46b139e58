import test from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import { CONFIGURATION_GENERATION, POD_TEMPLATE_HASH, SERVICE_UID } from '../../src/api/knative.ts';
import type { Pod } from '../../src/api/core.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import { isSameService, outranks } from '../../src/plan/handover.ts';
import type { Rival } from '../../src/plan/seen.ts';
import { apply, settle, type State } from './model.ts';
import { bound, EXISTING, existing, NOW, place, pod, podEip, quiet, settings, usersEip } from './situation.ts';

/** One of the pods of a Service that want the same EIP. */
interface Contender {
  readonly service?: string;
  readonly namespace?: string;
  readonly generation: number;
  readonly hash: string;
  readonly createdAt: string;
  readonly isEnding: boolean;
  readonly isReady: boolean;
}

const labelsOf = ({ service = 'service', generation, hash }: Contender) => ({
  [SERVICE_UID]: service,
  [CONFIGURATION_GENERATION]: String(generation),
  [POD_TEMPLATE_HASH]: hash,
});

const podOf = (it: Contender, uid: string, annotations: Readonly<Record<string, string>> = EXISTING): Pod => {
  const base = pod({ uid, annotations, labels: labelsOf(it), isEnding: it.isEnding });
  const conditions = [{ type: 'ContainersReady', status: it.isReady ? 'True' : 'False' }];
  return {
    ...base,
    metadata: { ...base.metadata, name: uid, creationTimestamp: it.createdAt },
    status: { ...base.status, conditions },
  };
};

const podEipOf = (it: Contender, uid: string, parts: Parameters<typeof podEip>[0] = {}): PodEip => {
  const base = podEip({ request: existing, podUid: uid, ...parts });
  const namespace = it.namespace ?? base.metadata.namespace;
  return { ...base, metadata: { ...base.metadata, name: uid, uid: `${uid}-eip`, namespace, labels: labelsOf(it) } };
};

const rivalOf = (it: Contender): Rival => ({
  podEip: podEipOf(it, 'old', { allocationID: 'eip-1', places: [{ ...place, podUid: 'old' }] }),
  pod: podOf(it, 'old'),
});

const all: readonly Contender[] = [1, 2].flatMap((generation) =>
  ['x', 'y'].flatMap((hash) =>
    ['2026-11-21T10:00:00Z', '2026-11-21T11:00:00Z'].flatMap((createdAt) =>
      [true, false].flatMap((isEnding) =>
        [true, false].map((isReady) => ({ generation, hash, createdAt, isEnding, isReady })),
      ),
    ),
  ),
);

const beats = (a: Contender, b: Contender): boolean =>
  outranks(podEipOf(a, 'a'), podOf(a, 'a'), { podEip: podEipOf(b, 'b'), pod: podOf(b, 'b') });

test('who goes before whom is a strict order: nobody before himself, no two before each other, no circles', (t) => {
  for (const a of all) {
    t.false(beats(a, a));
    for (const b of all) {
      t.false(beats(a, b) && beats(b, a));
      for (const c of all) if (beats(a, b) && beats(b, c)) t.false(beats(c, a));
    }
  }
});

test('a running pod goes before one that is ending, then the newer Revision, then the later template', (t) => {
  const one: Contender = {
    generation: 1,
    hash: 'x',
    createdAt: '2026-11-21T10:00:00Z',
    isEnding: false,
    isReady: true,
  };
  const later = '2026-11-21T11:00:00Z';
  t.true(beats(one, { ...one, isEnding: true }));
  t.true(beats(one, { ...one, generation: 2, isEnding: true }));
  t.true(beats({ ...one, generation: 2 }, { ...one, createdAt: later }));
  t.true(beats({ ...one, hash: 'y', createdAt: later }, one));
  t.false(beats({ ...one, createdAt: later }, one), 'a second pod of the same template');
  t.false(beats({ ...one, isEnding: true }, one));
  t.false(beats({ ...one, isEnding: true, generation: 2 }, { ...one, isEnding: true }));
  for (const other of [{ service: 'other' }, { service: '' }, { namespace: 'elsewhere' }])
    t.false(beats({ ...one, generation: 2, ...other }, one), JSON.stringify(other));
  const alone = podEipOf({ ...one, service: '' }, 'a');
  t.false(isSameService(alone, podEipOf({ ...one, service: '' }, 'b')), 'no Service is not the same Service');
});

/** Steps until nothing is left to do; the names of the steps. */
const run = (state: State): { steps: string[]; state: State } => {
  const steps: string[] = [];
  let now = state;
  for (let count = 0; count < 20; count += 1) {
    const { step } = settle(now, settings);
    if (step.do === 'Wait' || step.do === 'Fail' || step.do === 'Done') {
      steps.push(`${step.do} ${step.reason}`);
      return { steps, state: now };
    }
    steps.push(step.do);
    now = apply(step, now);
  }
  throw new Error(`it does not come to rest: ${steps.join(' ')}`);
};

test('every pair of pods of one Service: the EIP goes to whom the order says, once its containers are ready', (t) => {
  const heldByRival = usersEip({ ...bound });
  for (const mine of all.filter(({ isEnding }) => !isEnding))
    for (const theirs of all)
      for (const mode of ['ready', 'wait', undefined]) {
        const annotations = { ...EXISTING, ...(mode !== undefined && { [KEYS.handover[1]]: mode }) };
        const state: State = {
          pod: podOf(mine, 'new', annotations),
          podEip: podEipOf(mine, 'new', { allocationID: '' }),
          eip: heldByRival,
          memory: quiet,
          now: NOW,
          rivals: [rivalOf(theirs)],
        };
        const { steps } = run(state);
        const said = JSON.stringify({ mine, theirs, mode, steps });
        const mayTake = beats(mine, theirs);
        if (mayTake && mine.isReady && mode !== 'wait') t.deepEqual(steps.slice(0, 2), ['Record', 'Supplant'], said);
        else if (mayTake && mode === 'wait') t.deepEqual(steps, ['Record', 'Wait EipClaimed'], said);
        else t.deepEqual(steps, [mayTake ? 'Wait EipClaimed' : 'Fail EipClaimed'], said);
      }
});

test('of two that have written the EIP down, the one behind gives way, and the other waits for what is being deleted', (t) => {
  const old: Contender = {
    generation: 1,
    hash: 'x',
    createdAt: '2026-11-21T10:00:00Z',
    isEnding: false,
    isReady: true,
  };
  const newer = { ...old, generation: 2 };
  const state = (mine: Contender, rival: Rival): State => ({
    pod: podOf(mine, 'new'),
    podEip: podEipOf(mine, 'new', { allocationID: 'eip-1' }),
    eip: usersEip(),
    memory: quiet,
    now: NOW,
    rivals: [rival],
  });
  const recorded = (it: Contender): Rival => ({
    podEip: podEipOf(it, 'old', { allocationID: 'eip-1' }),
    pod: podOf(it, 'old'),
  });
  t.is(settle(state(old, recorded(newer)), settings).step.do, 'Yield');
  t.is(settle(state(old, rivalOf(newer)), settings).step.do, 'Yield');
  t.like(settle(state(newer, recorded(old)), settings).step, { do: 'Wait', reason: 'EipClaimed' });
  t.like(settle(state(newer, rivalOf(old)), settings).step, { do: 'Supplant' });
  const leaving = rivalOf(old);
  const metadata = { ...leaving.podEip.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' };
  t.like(settle(state(newer, { ...leaving, podEip: { ...leaving.podEip, metadata } }), settings).step, {
    do: 'Wait',
    reason: 'EipClaimed',
  });
});

test('an EIP that is bound where the rival did not put it is not taken from there', (t) => {
  const old: Contender = {
    generation: 1,
    hash: 'x',
    createdAt: '2026-11-21T10:00:00Z',
    isEnding: false,
    isReady: true,
  };
  const newer = { ...old, generation: 2 };
  const { steps } = run({
    pod: podOf(newer, 'new'),
    podEip: podEipOf(newer, 'new', { allocationID: '' }),
    eip: usersEip({ ...bound, instanceId: 'eni-of-somebody' }),
    memory: quiet,
    now: NOW,
    rivals: [rivalOf(old)],
  });
  t.deepEqual(steps, ['Fail EipInUse']);
});
