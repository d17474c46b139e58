import test from 'ava';
import {
  BINDINGS,
  CONTROLLER,
  GENERATION,
  GONE_SINCE,
  POD_UID,
  REQUEST,
  TAG_CLUSTER_UID,
  TAG_PODEIP_UID,
} from '../../../src/api/annotations.ts';
import { CRD } from '../../../src/api/apiextensions.ts';
import { PODEIP, type PodEipStatus } from '../../../src/api/podeip.ts';
import { readRecord } from '../../../src/controllers/podeip/record.ts';
import { statusOf } from '../../../src/controllers/podeip/status.ts';
import { definitionOf } from '../../harness/cluster.ts';
import * as the from './situation.ts';
import { CLUSTER_UID } from '../../harness/settings.ts';
import { cpuMs } from '../../harness/cpu.ts';
import { row, allocationID, bindings, existing, next, noted, withType, unmarked, kube } from './bad-podeip-fixture.ts';

const anothers = the.eip({
  tags: new Map([
    [TAG_CLUSTER_UID, CLUSTER_UID],
    [TAG_PODEIP_UID, 'another'],
  ]),
});

test.before(async () => {
  await kube.create(CRD, definitionOf(PODEIP));
});

row(86, 'the EIP of another PodEIP is not used, detached or released on the word of the spec', (t) => {
  const podEip = the.podEip({ allocationID });
  const ending = the.podEip({ allocationID, bindings, isEnding: true });
  for (const eip of [anothers, { ...anothers, ...the.bound }]) {
    t.like(next({ podEip, eip, tagged: [] }), { do: 'Fail', reason: 'EipNotOurs' });
    t.like(next({ podEip: ending, eip, tagged: [] }), { do: 'RemoveFinalizer' });
  }
  const pod = the.pod({ annotations: the.EXISTING });
  t.like(next({ pod, podEip: the.podEip({ request: existing }), eip: anothers }), {
    do: 'Fail',
    reason: 'EipReserved',
  });
  // Not even where the notes say that it was attached to where it is.
  const forged = the.podEip({ request: existing, allocationID, bindings });
  const boundForAnother = { ...anothers, ...the.bound };
  t.like(next({ pod, podEip: forged, eip: boundForAnother }), { do: 'Fail', reason: 'EipReserved' });
  const forgedEnding = the.podEip({ request: existing, allocationID, bindings, isEnding: true });
  t.like(next({ podEip: forgedEnding, eip: boundForAnother }), { do: 'RemoveFinalizer' });
  t.like(next({ pod, podEip: the.podEip({ request: existing, allocationID: 'eip-2' }) }), {
    do: 'Fail',
    reason: 'RecordTampered',
  });
});

row(
  87,
  'a type that is flipped makes no EIP of the user’s one to release, and makes one that was bought the user’s',
  (t) => {
    const users = withType(the.podEip({ request: existing, allocationID, bindings, isEnding: true }), { type: 'Auto' });
    t.like(next({ podEip: users, eip: the.usersEip(the.bound), competitors: [] }), { do: 'Unassociate' });
    t.like(next({ podEip: users, eip: the.usersEip() }), { do: 'RemoveFinalizer' });
    // Not even where the user's EIP carries tags that name this PodEIP.
    t.like(next({ podEip: users, eip: the.eip() }), { do: 'RemoveFinalizer' });
    const bought = withType(the.podEip({ allocationID, isEnding: true }), { type: 'Static' });
    t.like(next({ podEip: bought, eip: the.eip() }), { do: 'Untag' });
    t.like(next({ podEip: bought, eip: the.usersEip() }), {
      do: 'RemoveFinalizer',
      because: 'eip-1 is kept, as type Static says',
    });
    t.like(next({ podEip: bought, eip: null }), { do: 'Wait', reason: 'EipNotVisibleYet' });
    // Without the note the type decides how it ends, and the tags decide whether anything is released.
    const flipped = withType(the.podEip({ request: undefined, allocationID, isEnding: true }), { type: 'Auto' });
    t.like(next({ podEip: flipped, eip: the.usersEip(), tagged: [] }), { do: 'RemoveFinalizer' });
  },
);

row(91, 'a PodEIP whose name is no pod’s goes if it is ours, and is left alone if it is not', (t) => {
  const podEip = the.podEip({ allocationID, bindings });
  t.like(next({ pod: null, podEip }), { do: 'Retire' });
  t.like(next({ pod: null, podEip: unmarked(podEip) }), { do: 'Fail', reason: 'NotManagedHere' });
});

/** Notes as nobody writes them who means well. */
const FORGED: readonly Readonly<Record<string, string>>[] = [
  { 'podeip-controller.alibabacloud.com/phase': 'Released' },
  { [POD_UID]: 'victim' },
  { [POD_UID]: '' },
  { [POD_UID]: 'x'.repeat(100_000) },
  ...['NaN', '-1', '0', '1e308', '9'.repeat(400), '1.5', '0x10', '', ' ', '{}'].map((it) => ({ [GENERATION]: it })),
  ...[
    '',
    'null',
    '{}',
    '[[]]',
    '[null]',
    '{',
    '[{"networkInterfaceId":5}]',
    '['.repeat(100_000),
    JSON.stringify([{ ...the.binding, networkInterfaceId: 'eni-of-others' }]),
    JSON.stringify(Array.from({ length: 1_000 }, (_, n) => ({ ...the.binding, networkInterfaceId: `eni-${n}` }))),
  ].map((it) => ({ [BINDINGS]: it })),
  ...[
    '',
    'null',
    '[]',
    '{"kind":"existing"}',
    '{"kind":"existing","allocationId":"eip-victim"}',
    '{"kind":"new"}',
    JSON.stringify({ ...the.fresh, bandwidthMbps: '5' }),
    JSON.stringify({ ...the.fresh, bandwidthMbps: -5 }),
    JSON.stringify({ ...the.fresh, tags: [['a', 'b', 'c']] }),
    JSON.stringify({ ...the.fresh, __proto__: { kind: 'existing' } }),
    `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
  ].map((it) => ({ [REQUEST]: it })),
  ...['', 'yesterday', '-271821-04-20T00:00:00Z', '+275760-09-13T00:00:00Z', '9999-12-31T23:59:59Z'].map((it) => ({
    [POD_UID]: '',
    [GONE_SINCE]: it,
  })),
];

row(93, 'forged notes give one step each, and release nothing that does not carry the tags', (t) => {
  const pods = [
    null,
    the.pod(),
    the.pod({ annotations: the.EXISTING }),
    the.pod({ uid: 'another', owner: 'StatefulSet' }),
  ];
  const eips = [undefined, null, the.usersEip(), the.usersEip(the.bound), anothers, { ...anothers, ...the.bound }];
  const releases = [{ strategy: 'Follow' }, { strategy: 'Never' }, { strategy: 'TTL', releaseAfter: '10m' }] as const;
  for (const annotations of FORGED)
    for (const pod of pods)
      for (const eip of eips)
        for (const release of releases)
          for (const isEnding of [false, true])
            for (const memory of [the.quiet, the.justStarted]) {
              const podEip = noted(annotations, the.podEip({ allocationID, bindings, release, isEnding }));
              const say = JSON.stringify(annotations).slice(0, 100);
              const begun = cpuMs();
              const step = next({ pod, podEip, eip, memory, competitors: [], tagged: [], interfaces: [the.eni()] });
              if (step.do === 'Release') t.fail(`${say}: releases ${step.allocationId}`);
              if (step.do === 'Tag' || step.do === 'Associate') t.fail(`${say}: ${step.do}`);
              if (cpuMs() - begun > 1_000) t.fail(`${say}: takes ${cpuMs() - begun} ms`);
            }
  t.like(next({ podEip: noted({ [POD_UID]: 'victim' }) }), { do: 'Retire' });
  t.like(next({ podEip: noted({ [REQUEST]: '{"kind":"new"}' }) }), { do: 'Fail', reason: 'RecordTampered' });
  for (const forged of ['NaN', '-1', '1e308', '9'.repeat(400)])
    t.is(readRecord(noted({ [GENERATION]: forged })).generation, 1, forged);
  // A time to come counts from now on.
  const ahead = withType(noted({ [POD_UID]: '', [GONE_SINCE]: '+275760-09-13T00:00:00Z' }), {
    releaseStrategy: 'TTL',
    releaseAfter: '10m',
  });
  t.like(next({ pod: null, podEip: ahead, eip: the.eip() }), { do: 'Wait', reason: 'Kept', ms: 600_000 });
});

row(94, 'nothing is decided by a forged status, which is set right by what the cloud says', (t) => {
  const forged: readonly PodEipStatus[] = [
    { status: 'InUse', eipAddress: '198.51.100.7', privateIPAddress: '10.0.0.9', networkInterfaceID: 'eni-victim' },
    { status: 'Released', podLastSeen: 'never', managedBy: 'me' },
    { podLastSeen: '+275760-09-13T00:00:00Z', conditions: [] },
    {
      conditions: [{ type: 'Ready', status: 'True', reason: 'InUse', message: '', lastTransitionTime: 'soon' }],
    },
  ];
  const eips = [undefined, null, the.eip(), the.eip(the.bound), the.usersEip(the.boundElsewhere)];
  for (const isEnding of [false, true])
    for (const eip of eips) {
      const podEip = the.podEip({ allocationID, bindings, isEnding });
      const wanted = next({ podEip, eip, interfaces: [the.eni()] });
      for (const status of forged) {
        const its = { ...podEip, status };
        const carried = 'podEip' in wanted ? { ...wanted, podEip: its } : wanted;
        t.deepEqual(next({ podEip: its, eip, interfaces: [the.eni()] }), carried);
        if (eip !== undefined) {
          const seen = the.seen({ podEip, eip });
          const readiness = { isReady: false, reason: 'Pending', message: '' } as const;
          const after = statusOf({ ...podEip, status }, seen, readiness, { now: the.NOW, refreshMs: 600_000 });
          // No pod has been told of it: what the EIP's address is, the condition says.
          t.is(after.eipAddress, undefined);
          const said = after.conditions?.find(({ type }) => type === 'Allocated')?.message ?? '';
          // Of one that does not carry its tags nothing is shown.
          const shown = eip?.tags.size ? eip : undefined;
          t.is(said.endsWith(`(${eip?.ipAddress})`), shown !== undefined);
          t.is(after.status, shown?.status);
          t.not(after.networkInterfaceID, 'eni-victim');
          t.is(after.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
        }
      }
    }
});

row(97, 'of two PodEIPs with one EIP one has it, and the other is told', (t) => {
  const pod = the.pod({ annotations: the.EXISTING });
  const mine = the.podEip({ request: existing });
  const theirs = the.podEip({ request: existing, allocationID, bindings });
  const competitor = { ...theirs, metadata: { ...theirs.metadata, uid: 'competitor', name: 'b', namespace: 'other' } };
  const competitors = [{ podEip: competitor, pod: null }];
  t.like(next({ pod, podEip: mine, eip: the.usersEip(), competitors }), { do: 'Fail', reason: 'EipClaimed' });
  // Both have written it down.
  const both = the.podEip({ request: existing, allocationID });
  t.like(next({ pod, podEip: both, eip: the.usersEip(), competitors }), { do: 'Unclaim' });
  // One was bought for one of them: the tags say which.
  t.like(next({ podEip: the.podEip({ allocationID }), eip: anothers, tagged: [] }), {
    do: 'Fail',
    reason: 'EipNotOurs',
  });
  t.like(next({ podEip: the.podEip({ allocationID, bindings }), eip: the.eip(the.bound) }), { do: 'Publish' });
});

row(
  98,
  'what another controller made is left alone until an operator says otherwise, and taken over with proof',
  (t) => {
    const podEip = unmarked(the.podEip({ allocationID }));
    const eip = the.usersEip();
    t.like(next({ podEip, eip }), { do: 'Fail', reason: 'NotManagedHere' });
    t.like(next({ pod: null, podEip, eip }), { do: 'Fail', reason: 'NotManagedHere' });
    const adopting = { adoptBefore: the.NOW };
    t.like(next({ podEip, eip }, adopting), { do: 'Adopt', podUid: 'pod' });
    t.like(next({ podEip, eip, otherControllers: ['ack-extend-network-controller'] }, adopting), {
      do: 'Fail',
      reason: 'NotManagedHere',
    });
    // Described without an address it is at the primary one, and only the interface says whether the pod has that.
    const { networkInterfaceId, privateIpAddress } = the.binding;
    const status = { networkInterfaceID: networkInterfaceId, privateIPAddress: privateIpAddress };
    const bound = { ...podEip, status };
    const atPrimary = { ...the.usersEip(), ...the.bound, privateIpAddress: '' };
    t.like(next({ podEip: bound, eip: atPrimary }, adopting), {
      do: 'ReadInterfaces',
      privateIpAddress,
    });
    for (const [interfaces, isPrimary] of [
      [[the.eni({ primaryIpAddress: privateIpAddress })], true],
      [[the.eni({})], false],
      [[], false],
    ] as const)
      t.like(next({ podEip: bound, eip: atPrimary, interfaces }, adopting), {
        do: 'Adopt',
        bindings: [{ privateIpAddress, isPrimary }],
      });
    t.like(next({ podEip, eip: anothers }, adopting), { do: 'Fail', reason: 'NotManagedHere' });
    t.like(next({ podEip, eip: null }, adopting), { do: 'Fail', reason: 'EipNotFound' });
    for (const creationTimestamp of ['2026-11-22T00:00:00Z', 'yesterday', ''])
      t.like(next({ podEip: { ...podEip, metadata: { ...podEip.metadata, creationTimestamp } }, eip }, adopting), {
        reason: 'NotManagedHere',
      });
    // Not even where the PodEIP says itself that it was taken over, for it may say anything.
    for (const isEnding of [false, true]) {
      const forged = the.podEip({ allocationID, isAdopted: true, isEnding });
      const said = isEnding ? { do: 'RemoveFinalizer' } : { do: 'Fail', reason: 'EipNotOurs' };
      t.like(next({ podEip: forged, eip, tagged: [] }), said);
      const young = { ...forged, metadata: { ...forged.metadata, creationTimestamp: '2026-11-22T00:00:00Z' } };
      t.like(next({ podEip: young, eip, tagged: [] }, adopting), said);
      t.like(next({ podEip: forged, eip }, adopting), { do: 'Tag' });
    }
    const ofSomebody = noted({ [CONTROLLER]: 'somebody' }, podEip);
    t.like(next({ podEip: ofSomebody, eip }, adopting), { do: 'Fail', reason: 'NotManagedHere' });
  },
);
