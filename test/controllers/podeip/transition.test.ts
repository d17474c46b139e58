import test from 'ava';
import { asOf, transitionOf } from '../../../src/controllers/podeip/transition.ts';
import { inTransition, wait } from '../../../src/controllers/podeip/step.ts';
import type { TrackedState } from '../../../src/controllers/podeip/observation.ts';
import { eip } from './situation.ts';

const memory = (parts: Partial<TrackedState> = {}): TrackedState => ({
  quietMs: 200,
  isCertain: true,
  driftMs: 0,
  missingMs: 0,
  retainedMs: 0,
  ...parts,
});

const AT = 10_000;
const MOVING = ['Associating', 'Unassociating', 'Available', 'InUse', 'Releasing'] as const;
const CHANGES = [undefined, 'Associate', 'Unassociate', 'ForceDetach', 'LeaveBandwidthPackage'] as const;

test('what a result waits for is what the last change leads to, and otherwise what the EIP is on its way to', (t) => {
  const goals = CHANGES.map((accepted) =>
    MOVING.map((status) => {
      const reading = { ...eip(), status };
      const found = transitionOf(inTransition(reading), { eip: reading, memory: memory({ accepted }) }, AT);
      return found && `${found.goal} since ${found.since}`;
    }),
  );
  t.deepEqual(goals, [
    ['InUse since 10000', 'Available since 10000', undefined, undefined, undefined],
    ['InUse since 9800', 'InUse since 9800', 'InUse since 9800', undefined, 'InUse since 9800'],
    ['Available since 9800', 'Available since 9800', undefined, 'Available since 9800', 'Available since 9800'],
    ['Available since 9800', 'Available since 9800', undefined, 'Available since 9800', 'Available since 9800'],
    ['InUse since 10000', 'Available since 10000', undefined, undefined, undefined],
  ]);
});

test('a change of long ago, another wait and an EIP that nobody has read are looked at by the turn itself', (t) => {
  const moving = { ...eip(), status: 'Unassociating' };
  const old = memory({ accepted: 'Associate', quietMs: 60_000 });
  t.is(transitionOf(inTransition(moving), { eip: moving, memory: old }, AT)?.goal, 'Available');
  const settling = wait('Settling', '', 1_000);
  t.is(transitionOf(settling, { eip: moving, memory: memory() }, AT), undefined);
  for (const none of [null, undefined])
    t.is(transitionOf(inTransition(moving), { eip: none, memory: memory({ accepted: 'Associate' }) }, AT), undefined);
});

test('a reading that another has made says nothing of the time after it was asked for', (t) => {
  const before = memory({ quietMs: 200, ageMs: 900, inUseMs: 3_100 });
  t.deepEqual(asOf(before, 150), memory({ quietMs: 50, ageMs: 750, inUseMs: 2_950 }));
  t.deepEqual(asOf(memory({ quietMs: 100 }), 150), memory({ quietMs: 0, inUseMs: 0 }));
});
