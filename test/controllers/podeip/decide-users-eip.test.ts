import { KEYS, TAG_ALLOW_NAMESPACES } from '../../../src/api/annotations.ts';
import * as the from './situation.ts';
import { bound, boundElsewhere, justStarted, eip, eni, pod, podEip, usersEip } from './situation.ts';
import { testDecisions } from './decisions.ts';

const allocationID = 'eip-1';
const allocationId = allocationID;
const bindings = [the.binding];
const users = podEip({ request: the.existing, allocationID, bindings });
const wanted = podEip({ request: the.existing });
/** Of whatever pod had the EIP until a moment ago. */
const justDetached = { ...the.quiet, detachedMs: 1_000 };
const wantsUsers = pod({ annotations: the.EXISTING });

/* Each row is one line of the decision about an EIP that a user has named. */
testDecisions([
  [
    'an edited allocationID is not guessed at',
    { pod: wantsUsers, podEip: podEip({ request: the.existing, allocationID: 'eip-2' }) },
    { do: 'Fail', reason: 'RecordTampered' },
  ],
  [
    'until it is won another one may be named',
    { pod: pod({ annotations: { [KEYS.instanceId[0]]: 'eip-2' } }), podEip: wanted },
    { do: 'Claim', request: { kind: 'existing', allocationId: 'eip-2' } },
  ],
  [
    'a correction that is wrong is said',
    { pod: pod({ annotations: { [KEYS.instanceId[0]]: 'x' } }), podEip: wanted },
    { do: 'Fail', reason: 'InvalidId' },
  ],
  ['the user’s EIP is looked at', { pod: wantsUsers, podEip: wanted }, { do: 'ReadEip', allocationId }],
  [
    'a reading of another EIP, which was named before, says nothing of it',
    { pod: wantsUsers, podEip: wanted, eip: usersEip({ allocationId: 'eip-2' }) },
    { do: 'ReadEip', allocationId },
  ],
  [
    'one that is free since a moment ago may still be read in use, and is waited for',
    { pod: wantsUsers, podEip: wanted, eip: usersEip(boundElsewhere), competitors: [], memory: justDetached },
    { do: 'Wait', reason: 'InTransition' },
  ],
  [
    'also once it is won',
    {
      pod: wantsUsers,
      podEip: podEip({ request: the.existing, allocationID }),
      eip: usersEip(boundElsewhere),
      competitors: [],
      memory: justDetached,
    },
    { do: 'Wait', reason: 'InTransition' },
  ],
  ['it must exist', { pod: wantsUsers, podEip: wanted, eip: null }, { do: 'Fail', reason: 'EipNotFound' }],
  ['one of ours cannot be named', { pod: wantsUsers, podEip: wanted, eip: eip() }, { reason: 'EipReserved' }],
  [
    'one of another service cannot be named',
    { pod: wantsUsers, podEip: wanted, eip: usersEip({ serviceManaged: true }) },
    { do: 'Fail', reason: 'EipReserved' },
  ],
  [
    'who may not name it is not told that it is ours',
    { pod: wantsUsers, podEip: wanted, eip: eip() },
    { do: 'Fail', reason: 'EipNotGranted' },
    { existingEipNamespaces: [] },
  ],
  [
    'who may not name it is not told that it is another service’s',
    { pod: wantsUsers, podEip: wanted, eip: usersEip({ serviceManaged: true }) },
    { do: 'Fail', reason: 'EipNotGranted' },
    { existingEipNamespaces: [] },
  ],
  [
    'one that is not granted cannot be named',
    { pod: wantsUsers, podEip: wanted, eip: usersEip() },
    { do: 'Fail', reason: 'EipNotGranted' },
    { existingEipNamespaces: [] },
  ],
  [
    'its own tag grants it',
    { pod: wantsUsers, podEip: wanted, eip: usersEip({ tags: new Map([[TAG_ALLOW_NAMESPACES, 'x default']]) }) },
    { do: 'ReadCompetingClaims' },
    { existingEipNamespaces: [] },
  ],
  [
    'a grant that is withdrawn takes effect',
    { pod: wantsUsers, podEip: users, eip: usersEip(bound), competitors: [] },
    { do: 'Unassociate', binding: the.binding },
    { existingEipNamespaces: [] },
  ],
  [
    'nor before the pod is told',
    { pod: pod({ annotations: the.EXISTING, isTold: true }), podEip: users, eip: usersEip(bound), competitors: [] },
    { do: 'Unpublish' },
    { existingEipNamespaces: [] },
  ],
  [
    'and once it is detached another namespace can have it',
    { pod: wantsUsers, podEip: users, eip: usersEip() },
    { do: 'Unclaim', allocationId },
    { existingEipNamespaces: [] },
  ],
  [
    'but not while a request may still bind it',
    { pod: wantsUsers, podEip: users, eip: usersEip(), memory: justStarted },
    { do: 'Fail', reason: 'EipNotGranted' },
    { existingEipNamespaces: [] },
  ],
  [
    'competing claims are looked for',
    { pod: wantsUsers, podEip: wanted, eip: usersEip() },
    { do: 'ReadCompetingClaims' },
  ],
  [
    'who comes second gets nothing',
    { pod: wantsUsers, podEip: wanted, eip: usersEip(), competitors: [{ podEip: users, pod: null }] },
    { do: 'Fail', reason: 'EipClaimed' },
  ],
  [
    'it is not taken from where it is',
    { pod: wantsUsers, podEip: wanted, eip: usersEip(boundElsewhere), competitors: [] },
    { do: 'Fail', reason: 'EipInUse' },
  ],
  [
    'it must rest before it is won',
    { pod: wantsUsers, podEip: wanted, eip: usersEip({ status: 'Unassociating' }), competitors: [] },
    { do: 'Wait', reason: 'InTransition' },
  ],
  [
    'a free one is won by writing it down',
    { pod: wantsUsers, podEip: wanted, eip: usersEip(), competitors: [] },
    { do: 'Record', allocationId },
  ],
  [
    'once it is won it is put to use',
    { pod: wantsUsers, podEip: users, eip: usersEip(), interfaces: [eni()] },
    { do: 'Associate', binding: the.binding },
  ],
]);
