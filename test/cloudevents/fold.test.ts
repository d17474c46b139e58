import test from 'ava';
import * as fc from 'fast-check';
import type { EipChange } from '../../src/cloudevents/change.ts';
import { parseChange } from '../../src/cloudevents/change.ts';
import type { Bound, EipObservation } from '../../src/cloudevents/eip-observation.ts';
import { fold, NOTHING_TOLD, type ProjectedState } from '../../src/cloudevents/fold.ts';

const bound = fc.record({
  allocationId: fc.constant('eip-1'),
  networkInterfaceId: fc.constantFrom('eni-1', 'eni-2'),
  privateIpAddress: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  podUid: fc.constantFrom('one', 'two'),
}) satisfies fc.Arbitrary<Bound>;

const trouble = fc.record({
  reason: fc.constantFrom('EipInUse', 'CloudRefused', 'ReleaseBlocked'),
  message: fc.string(),
});

/** Whatever a pass may see, likely or not. */
const observation: fc.Arbitrary<EipObservation> = fc
  .record({
    allocationType: fc.constantFrom('Auto' as const, 'Static' as const),
    parsed: fc.constantFrom('none', 'address', 'bound', 'gone'),
    bound,
    // A pass uses an address, or withdraws it, or says what is wrong.
    does: fc.constantFrom('nothing', 'use', 'withdraw', 'complain'),
    isCertain: fc.boolean(),
    isLeaving: fc.boolean(),
    isLast: fc.boolean(),
    why: trouble,
    running: fc.option(
      fc.record({ uid: fc.constantFrom('one', 'two'), address: fc.constantFrom('10.0.0.1', undefined) }),
      {
        nil: undefined,
      },
    ),
    isHandedOver: fc.boolean(),
  })
  .map(({ allocationType, parsed, bound: place, does, why, ...rest }) => ({
    ...rest,
    isUsed: does === 'use',
    // What was taken from a pod that is served is drift; from one that goes it is the course of things.
    isLeaving: does !== 'withdraw' && rest.isLeaving,
    drift: does === 'withdraw' ? why : undefined,
    trouble: does === 'complain' ? why : undefined,
    about: { namespace: 'default', pod: 'pod', podEIPUID: 'uid', managedBy: 'Controller', allocationType },
    allocationId: 'eip-1',
    address: parsed === 'none' ? undefined : parsed === 'gone' ? null : '203.0.113.1',
    statusAddress: undefined,
    bound: parsed === 'bound' ? place : undefined,
  }));

const foldAll = (
  observations: readonly EipObservation[],
  from: ProjectedState = NOTHING_TOLD,
): { told: ProjectedState; changes: EipChange[] } => {
  let told = from;
  const changes: EipChange[] = [];
  for (const [index, it] of observations.entries()) {
    const next = fold(told, it, 1_000 + index);
    told = next.told;
    changes.push(...next.changes);
  }
  return { told, changes };
};

test('whatever is seen, what is told is numbered without gaps, in the order of time, and follows the schemas', (t) => {
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 12 }), (observations) => {
      const { told, changes } = foldAll(observations);
      t.deepEqual(
        changes.map(({ sequence }) => sequence),
        changes.map((_, index) => index + 1),
      );
      t.is(told.sequence, changes.length);
      for (const [index, change] of changes.entries()) {
        t.true(change.at >= (changes[index - 1]?.at ?? 0));
        // What is written down is read as it was.
        t.deepEqual(parseChange(JSON.parse(JSON.stringify(change))), change);
      }
    }),
  );
});

test('whatever is seen, an address is bound before it is unbound, and nothing is told after its end', (t) => {
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 12 }), (observations) => {
      const { changes } = foldAll(observations);
      const kinds = changes.map(({ kind }) => kind);
      let isBound = false;
      for (const kind of kinds) {
        if (kind === 'associated') t.false(isBound);
        if (kind === 'disassociated') t.true(isBound);
        if (kind === 'associated' || kind === 'disassociated') isBound = kind === 'associated';
      }
      t.true(!kinds.includes('released') || kinds.at(-1) === 'released');
    }),
  );
});

test('what has been told is no news, to this process or to the next, which reads it from the journal', (t) => {
  fc.assert(
    fc.property(fc.array(observation, { minLength: 1, maxLength: 12 }), (observations) => {
      const { told } = foldAll(observations);
      const again = fold(JSON.parse(JSON.stringify(told)) as ProjectedState, observations.at(-1)!, 9_000);
      t.deepEqual(again.changes, []);
    }),
    { numRuns: 1_000 },
  );
});

/** An address that was bound to pod `one` at 10.0.0.1, and what is seen next. */
const unbound = (next: Partial<EipObservation>, before: Partial<EipObservation> = {}): unknown => {
  const place = { allocationId: 'eip-1', networkInterfaceId: 'eni-1', privateIpAddress: '10.0.0.1', podUid: 'one' };
  const seen: EipObservation = {
    about: { namespace: 'default', pod: 'pod', podEIPUID: 'uid', managedBy: 'Controller', allocationType: 'Static' },
    allocationId: 'eip-1',
    address: '203.0.113.1',
    statusAddress: undefined,
    bound: place,
    running: { uid: 'one', address: '10.0.0.1' },
    isHandedOver: false,
    isUsed: true,
    isCertain: true,
    isLeaving: false,
    isLast: false,
    drift: undefined,
    trouble: undefined,
  };
  const gone = { ...seen, isUsed: false, bound: undefined };
  const { changes } = foldAll([seen, { ...seen, ...before }, { ...gone, ...next }]);
  return (changes.find(({ kind }) => kind === 'disassociated')?.data as { reason?: string } | undefined)?.reason;
};

test('an event that an EIP is no longer bound says why', (t) => {
  t.is(unbound({ running: undefined, isLeaving: true }), 'PodDeleted');
  t.is(unbound({ running: { uid: 'two', address: '10.0.0.1' } }), 'PodDeleted', 'another pod has the name now');
  t.is(unbound({ isHandedOver: true }), 'HandedOver');
  t.is(unbound({ running: undefined }, { isHandedOver: true }), 'HandedOver', 'also where the pod has gone since');
  t.is(unbound({ running: { uid: 'one', address: '10.0.0.9' } }), 'Moved');
  t.is(unbound({ drift: { reason: 'EipBoundElsewhere', message: '' } }), 'Lost');
  t.is(unbound({ address: null }), 'Lost');
  t.is(unbound({}), 'Withdrawn');
});
