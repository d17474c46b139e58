import test from 'ava';
import { assert as assertProperty, boolean, constantFrom, option, property, record } from 'fast-check';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { ObservedState } from '../../../src/controllers/podeip/observation.ts';
import * as the from './situation.ts';
import {
  bound,
  boundElsewhere,
  justStarted,
  eip,
  eni,
  pod,
  podEip,
  quiet,
  seen,
  settings,
  usersEip,
} from './situation.ts';

const bandwidthPackageId = 'cbwp-1';
const allocationID = 'eip-1';
const allocationId = allocationID;
const bindings = [the.binding];
const ours = podEip({ allocationID, bindings });
const ending = podEip({ allocationID, bindings, isEnding: true });
const users = podEip({ request: the.existing, allocationID, bindings });
const usersEnding = podEip({ request: the.existing, allocationID, bindings, isEnding: true });
const wanted = podEip({ request: the.existing });
const wantsUsers = pod({ annotations: the.EXISTING });
const other = { uid: 'another' };

/** Each row is one line of the way back. */
const rows: readonly (readonly [title: string, situation: Partial<ObservedState>, wanted: object])[] = [
  [
    'without a finalizer nothing is held',
    { podEip: podEip({ isEnding: true, hasFinalizer: false }) },
    { reason: 'Released' },
  ],
  [
    'the pod is told first',
    { pod: pod({ isTold: true, isGated: true }), podEip: ending },
    { do: 'Unpublish', isGated: true },
  ],
  ['a pod of the same name is not told', { pod: pod({ ...other, isTold: true }), podEip: ending }, { do: 'ReadEip' }],
  ['a lost purchase is looked for', { pod: null, podEip: podEip({ isEnding: true }) }, { do: 'ReadTaggedEips' }],
  [
    'a lost purchase is written down',
    { pod: null, podEip: podEip({ isEnding: true }), tagged: [eip()] },
    { do: 'Record', allocationId },
  ],
  [
    'nothing found proves nothing at once',
    { pod: null, podEip: podEip({ isEnding: true }), tagged: [], memory: { ...justStarted, quietMs: 4_000 } },
    { do: 'Wait', reason: 'Settling', ms: 6_000 },
  ],
  [
    'nothing found is the truth later',
    { pod: null, podEip: podEip({ isEnding: true }), tagged: [] },
    { do: 'RemoveFinalizer', because: 'no EIP was bought' },
  ],
  [
    'nothing found is the truth for who sent nothing',
    {
      pod: null,
      podEip: podEip({ isEnding: true }),
      tagged: [],
      memory: { ...justStarted, isCertain: true, quietMs: 2_000 },
    },
    { do: 'RemoveFinalizer' },
  ],
  ['the EIP is looked at before it goes', { pod: null, podEip: ending }, { do: 'ReadEip', allocationId }],
  [
    'one that is not listed may be new after all',
    { pod: null, podEip: ending, eip: null, memory: justStarted },
    { reason: 'Settling' },
  ],
  ['one that is gone may have a twin', { pod: null, podEip: ending, eip: null }, { do: 'ReadMarkedEips' }],
  [
    'one that was released may have a twin',
    { pod: null, podEip: ending, eip: null, memory: { ...justStarted, released: allocationId } },
    { do: 'ReadMarkedEips' },
  ],
  [
    'one that was bought a moment ago is not missed by a look that may be older',
    { pod: null, podEip: ending, eip: null, memory: { ...justStarted, released: allocationId, ageMs: 500 } },
    { reason: 'Releasing', ms: 1_500 },
  ],
  [
    'a twin goes too',
    { pod: null, podEip: ending, eip: null, tagged: [eip({ allocationId: 'eip-2' })] },
    { do: 'Record', allocationId: 'eip-2' },
  ],
  [
    'two reads that differ prove nothing',
    { pod: null, podEip: ending, eip: null, tagged: [eip()] },
    { reason: 'Releasing' },
  ],
  [
    'with nothing left the finalizer goes',
    { pod: null, podEip: ending, eip: null, tagged: [] },
    { do: 'RemoveFinalizer' },
  ],
  [
    'one without tags is looked at again',
    { pod: null, podEip: ending, eip: usersEip(), memory: justStarted },
    { do: 'Wait', reason: 'Settling' },
  ],
  [
    'one without tags is never released',
    { pod: null, podEip: ending, eip: usersEip(), tagged: [] },
    { do: 'RemoveFinalizer' },
  ],
  ['ours is detached', { pod: null, podEip: ending, eip: eip(bound) }, { do: 'Unassociate', binding: the.binding }],
  [
    'it is detached once',
    { pod: null, podEip: ending, eip: eip(bound), memory: { ...justStarted, accepted: 'Unassociate' } },
    { do: 'Wait', reason: 'InTransition' },
  ],
  [
    'a foreign binding is not undone',
    { pod: null, podEip: ending, eip: eip(boundElsewhere) },
    { reason: 'ReleaseBlocked' },
  ],
  [
    'a transition ends first',
    { pod: null, podEip: ending, eip: eip({ status: 'Unassociating' }) },
    { reason: 'InTransition' },
  ],
  [
    'what was released may still be listed',
    { pod: null, podEip: ending, eip: eip(), memory: { ...justStarted, released: allocationId } },
    { do: 'Wait', reason: 'Releasing' },
  ],
  [
    'a lock blocks',
    { pod: null, podEip: ending, eip: eip({ lockReasons: ['security'] }) },
    { reason: 'ReleaseBlocked' },
  ],
  [
    'protection blocks',
    { pod: null, podEip: ending, eip: eip({ deletionProtection: true }) },
    { reason: 'ReleaseBlocked' },
  ],
  [
    'a subscription blocks',
    { pod: null, podEip: ending, eip: eip({ chargeType: 'PrePaid' }) },
    { reason: 'ReleaseBlocked' },
  ],
  [
    'a contiguous group blocks',
    { pod: null, podEip: ending, eip: eip({ segmentInstanceId: 'eipsg-1' }) },
    { reason: 'ReleaseBlocked' },
  ],
  [
    'another service blocks',
    { pod: null, podEip: ending, eip: eip({ serviceManaged: true }) },
    { reason: 'ReleaseBlocked' },
  ],
  [
    'it leaves its package',
    { pod: null, podEip: ending, eip: eip({ bandwidthPackageId }) },
    { do: 'LeaveBandwidthPackage', bandwidthPackageId },
  ],
  [
    'it leaves once',
    {
      pod: null,
      podEip: ending,
      eip: eip({ bandwidthPackageId }),
      memory: { ...justStarted, accepted: 'LeaveBandwidthPackage' },
    },
    { do: 'Wait', reason: 'InTransition' },
  ],
  ['free and ours, it is released', { pod: null, podEip: ending, eip: eip() }, { do: 'Release', allocationId }],
  [
    'the user’s that was never won needs nothing',
    { pod: null, podEip: podEip({ request: the.existing, isEnding: true }) },
    { do: 'RemoveFinalizer' },
  ],
  [
    'the user’s that was never sent anywhere needs nothing',
    { pod: null, podEip: podEip({ request: the.existing, allocationID, isEnding: true }) },
    { do: 'RemoveFinalizer' },
  ],
  ['the user’s is looked at', { pod: null, podEip: usersEnding }, { do: 'ReadEip', allocationId }],
  [
    'the user’s is looked up first',
    { pod: null, podEip: usersEnding, eip: usersEip(bound) },
    { do: 'ReadCompetingClaims' },
  ],
  [
    'the user’s is detached',
    { pod: null, podEip: usersEnding, eip: usersEip(bound), competitors: [] },
    { do: 'Unassociate' },
  ],
  [
    'the user’s that is bound elsewhere stays there',
    { pod: null, podEip: usersEnding, eip: usersEip(boundElsewhere) },
    { do: 'RemoveFinalizer' },
  ],
  [
    'the user’s that moves is waited for',
    { pod: null, podEip: usersEnding, eip: usersEip({ status: 'Unassociating' }) },
    { do: 'Wait', reason: 'InTransition' },
  ],
  [
    'a late binding of the user’s is waited for',
    { pod: null, podEip: usersEnding, eip: usersEip(), memory: justStarted },
    { do: 'Wait', reason: 'Settling' },
  ],
  ['the user’s stays', { pod: null, podEip: usersEnding, eip: usersEip() }, { do: 'RemoveFinalizer' }],
  ['the user’s that is gone needs nothing', { pod: null, podEip: usersEnding, eip: null }, { do: 'RemoveFinalizer' }],
];

for (const [title, situation, step] of rows) {
  test(`${title}: ${Object.values(step)
    .filter((value) => typeof value === 'string')
    .join(' ')}`, (t) => {
    t.like(decide(seen(situation), settings), step);
  });
}

test('nothing is ever released that does not carry our tags, nor anything that the user named', (t) => {
  const situations = record({
    pod: constantFrom(null, pod(), pod({ isEnding: true }), wantsUsers),
    podEip: constantFrom(ours, ending, users, usersEnding, wanted, podEip({ isEnding: true })),
    eip: option(constantFrom(eip(), usersEip(), eip(bound), usersEip(bound), eip(boundElsewhere))),
    tagged: constantFrom([], [eip()]),
    competitors: constantFrom([], [{ podEip: users, pod: null }]),
    interfaces: constantFrom([], [eni()]),
    memory: record({ isCertain: boolean(), quietMs: constantFrom(0, 60_000) }),
  });
  assertProperty(
    property(situations, ({ memory, ...situation }) => {
      const step = decide(seen({ ...situation, memory: { ...quiet, ...memory } }), settings);
      if (step.do !== 'Release') return true;
      return situation.podEip === ending && situation.eip?.tags.get('knative-eip/podeip-uid') === 'podeip';
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});
