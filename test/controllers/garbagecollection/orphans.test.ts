import test from 'ava';
import * as fc from 'fast-check';
import { REQUEST, TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../../src/api/annotations.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import type { Eip } from '../../../src/cloud/port.ts';
import {
  defaultBreaker,
  stepToRelease,
  findOrphans,
  tried,
  type CandidateObservations,
  type OrphanReport,
  type CollectionSettings,
  type CandidateVerdict,
} from '../../../src/controllers/garbagecollection/orphans.ts';
import { CLUSTER_ID, CLUSTER_UID, garbageCollectionSettings } from '../../harness/settings.ts';

const GRACE_MS = 600_000;
const settings: CollectionSettings = garbageCollectionSettings({ graceMs: GRACE_MS });
const NONE: CandidateObservations = new Map();

const tagsOf = (podEipUid?: string, clusterUid = CLUSTER_UID): ReadonlyMap<string, string> =>
  new Map([[TAG_CLUSTER_UID, clusterUid], ...(podEipUid === undefined ? [] : [[TAG_PODEIP_UID, podEipUid] as const])]);

const eip = (allocationId: string, parts: Partial<Eip> = {}): Eip => ({
  allocationId,
  ipAddress: '203.0.113.1',
  status: 'Available',
  bandwidthMbps: 5,
  internetChargeType: 'PayByTraffic',
  chargeType: 'PostPaid',
  isp: 'BGP',
  tags: tagsOf('gone'),
  serviceManaged: false,
  deletionProtection: false,
  lockReasons: [],
  ...parts,
});

const podEip = (uid: string, allocationID: string, parts: { isEnding?: boolean; asksFor?: string } = {}): PodEip => ({
  metadata: {
    name: `of-${uid}`,
    namespace: 'default',
    uid,
    resourceVersion: '1',
    ...(parts.isEnding && { deletionTimestamp: '2026-11-20T12:00:00Z' }),
    ...(parts.asksFor !== undefined && {
      annotations: { [REQUEST]: JSON.stringify({ kind: 'existing', allocationId: parts.asksFor }) },
    }),
  },
  spec: { allocationID, allocationType: { type: 'Auto', releaseStrategy: 'Follow' } },
});

/** A PodEIP with an EIP of its own, so that the cluster is not empty. */
const bystander = podEip('bystander', 'eip-bystander');
const bystandersEip = eip('eip-bystander', { tags: tagsOf('bystander') });

interface Look {
  readonly eips: readonly Eip[];
  readonly podEips?: readonly PodEip[];
  readonly now: number;
}

/** Passes one after the other. */
const passes = (looks: readonly Look[], more: Partial<CollectionSettings> = {}): OrphanReport => {
  let last: OrphanReport = { observations: NONE, verdicts: [] };
  for (const { eips, podEips = [bystander], now } of looks) {
    const seen = { eips: [bystandersEip, ...eips], podEips, now };
    last = findOrphans(last.observations, seen, { ...settings, ...more });
  }
  return last;
};

const isOf = ({ verdicts }: OrphanReport, allocationId = 'eip-1'): CandidateVerdict['is'] | undefined =>
  verdicts.find((verdict) => verdict.eip.allocationId === allocationId)?.is;

/** What is said of `eip-1` after two passes with the grace between them. */
const twice = (it: Eip, podEips: readonly PodEip[] = [], others: readonly Eip[] = []) => {
  const look = { eips: [it, ...others], podEips: [bystander, ...podEips] };
  return passes([
    { ...look, now: 0 },
    { ...look, now: GRACE_MS },
  ]);
};

const bought = { tags: tagsOf('a') };
const theirs = eip('eip-2', bought);

const NEAREST: readonly (readonly [title: string, is: CandidateVerdict['is'] | undefined, OrphanReport])[] = [
  ['whose PodEIP does not exist', 'due', twice(eip('eip-1'))],
  ['that somebody keeps by its tag', undefined, twice(eip('eip-1', { tags: tagsOf('keep') }))],
  ['whose PodEIP exists and has it', undefined, twice(eip('eip-1', bought), [podEip('a', 'eip-1')])],
  ['whose PodEIP has not recorded one yet', undefined, twice(eip('eip-1', bought), [podEip('a', '')], [theirs])],
  ['whose PodEIP has another one', 'due', twice(eip('eip-1', bought), [podEip('a', 'eip-2')], [theirs])],
  ['whose PodEIP has another one that does not exist', undefined, twice(eip('eip-1', bought), [podEip('a', 'eip-2')])],
  [
    'whose PodEIP has another one that is vanishing',
    undefined,
    twice(eip('eip-1', bought), [podEip('a', 'eip-2')], [{ ...theirs, status: 'Releasing' }]),
  ],
  [
    'whose PodEIP has another one that was not bought for it',
    undefined,
    twice(eip('eip-1', bought), [podEip('a', 'eip-2')], [{ ...theirs, tags: tagsOf('b') }]),
  ],
  [
    'whose PodEIP has another one and is being deleted',
    undefined,
    twice(eip('eip-1', bought), [podEip('a', 'eip-2', { isEnding: true })], [theirs]),
  ],
  ['whose PodEIP is being deleted', undefined, twice(eip('eip-1', bought), [podEip('a', '', { isEnding: true })])],
  ['that another PodEIP has', undefined, twice(eip('eip-1'), [podEip('b', 'eip-1')])],
  ['that another PodEIP asks for', undefined, twice(eip('eip-1'), [podEip('b', '', { asksFor: 'eip-1' })])],
  ['of which another PodEIP asks for another', 'due', twice(eip('eip-1'), [podEip('b', '', { asksFor: 'eip-3' })])],
  ['of another cluster', undefined, twice(eip('eip-1', { tags: tagsOf('gone', 'other') }))],
  ['without tags', undefined, twice(eip('eip-1', { tags: new Map() }))],
  ['whose tag of the PodEIP was removed', 'reported', twice(eip('eip-1', { tags: tagsOf() }))],
  ['whose tag of the PodEIP was emptied', 'reported', twice(eip('eip-1', { tags: tagsOf('') }))],
  [
    'of a cluster of the same UID and another ID',
    'reported',
    twice(eip('eip-1', { tags: new Map([...tagsOf('gone'), [TAG_CLUSTER_ID, 'restored']]) })),
  ],
  [
    'of a cluster of the same UID and ID',
    'due',
    twice(eip('eip-1', { tags: new Map([...tagsOf('gone'), [TAG_CLUSTER_ID, CLUSTER_ID]]) })),
  ],
  ['that another service manages', 'blocked', twice(eip('eip-1', { serviceManaged: true }))],
  ['that is a subscription', 'blocked', twice(eip('eip-1', { chargeType: 'PrePaid' }))],
  ['that is locked', 'blocked', twice(eip('eip-1', { lockReasons: ['financial'] }))],
  ['under deletion protection', 'blocked', twice(eip('eip-1', { deletionProtection: true }))],
  ['of a contiguous group', 'blocked', twice(eip('eip-1', { segmentInstanceId: 'eipsg-1' }))],
  [
    'bound to a NAT gateway',
    'blocked',
    twice(eip('eip-1', { status: 'InUse', instanceId: 'ngw-1', instanceType: 'Nat' })),
  ],
  [
    'bound to a network interface',
    'due',
    twice(eip('eip-1', { status: 'InUse', instanceId: 'eni-1', instanceType: 'NetworkInterface' })),
  ],
];

for (const [title, is, outcome] of NEAREST)
  test(`an EIP ${title} is ${is ?? 'nobody’s business'}`, (t) => {
    t.is(isOf(outcome), is);
    t.is(isOf(outcome, 'eip-bystander'), undefined);
    t.is(outcome.breaker, undefined);
  });

const orphan = eip('eip-1');
const WHEN: readonly (readonly [title: string, is: CandidateVerdict['is'] | undefined, readonly Look[]])[] = [
  ['seen once, however late', 'young', [{ eips: [orphan], now: 10 * GRACE_MS }]],
  [
    'seen twice, a moment before the grace is over',
    'young',
    [
      { eips: [orphan], now: 5 },
      { eips: [orphan], now: GRACE_MS + 4 },
    ],
  ],
  [
    'seen twice, the grace apart',
    'due',
    [
      { eips: [orphan], now: 5 },
      { eips: [orphan], now: GRACE_MS + 5 },
    ],
  ],
  [
    'not seen in between',
    'young',
    [
      { eips: [orphan], now: 0 },
      { eips: [], now: GRACE_MS },
      { eips: [orphan], now: 2 * GRACE_MS },
    ],
  ],
  [
    'seen for another reason the first time',
    'young',
    [
      { eips: [{ ...orphan, tags: tagsOf() }], now: 0 },
      { eips: [orphan], now: GRACE_MS },
    ],
  ],
  [
    'seen as the orphan of another PodEIP the first time',
    'young',
    [
      { eips: [{ ...orphan, tags: tagsOf('another') }], now: 0 },
      { eips: [orphan], now: GRACE_MS },
    ],
  ],
  [
    'surplus the first time and orphan the second',
    'young',
    [
      { eips: [eip('eip-1', bought), theirs], podEips: [bystander, podEip('a', 'eip-2')], now: 0 },
      { eips: [eip('eip-1', bought), theirs], now: GRACE_MS },
    ],
  ],
];

for (const [title, is, looks] of WHEN)
  test(`an orphan ${title} is ${is ?? 'nothing'}`, (t) => {
    t.is(isOf(passes(looks)), is);
  });

test('however short the grace, once is not enough', (t) => {
  const look = { eips: [orphan], now: 5 };
  t.is(isOf(passes([look], { graceMs: 0 })), 'young');
  t.is(isOf(passes([look, look], { graceMs: 0 })), 'due');
});

const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => eip(`eip-orphan-${from + index}`));
const owned = (count: number) => {
  const ids = Array.from({ length: count }, (_, index) => `${index}`);
  return {
    eips: ids.map((id) => eip(`eip-${id}`, { tags: tagsOf(`uid-${id}`) })),
    podEips: ids.map((id) => podEip(`uid-${id}`, `eip-${id}`)),
  };
};

/** The circuit breaker after two passes over so many EIPs with a PodEIP and so many without. */
const brakeOf = (kept: number, orphans: number, more: Partial<CollectionSettings> = {}) => {
  const { eips, podEips } = owned(kept);
  const seen = { eips: [...eips, ...many(orphans)], podEips };
  const first = findOrphans(NONE, { ...seen, now: 0 }, { ...settings, ...more });
  const second = findOrphans(first.observations, { ...seen, now: GRACE_MS }, { ...settings, ...more });
  return [first.breaker, second.breaker] as const;
};

test('more than five, or than a fifth of all EIPs of the cluster, at once are rather a mistake', (t) => {
  t.is(defaultBreaker(0), 5);
  t.is(defaultBreaker(29), 5);
  t.is(defaultBreaker(30), 6);
  t.deepEqual(brakeOf(1, 5), [undefined, undefined]);
  const [young, due] = brakeOf(1, 6);
  t.is(young, undefined, 'nothing is due yet');
  t.regex(due ?? '', /^6 of 7 EIPs .*more than 5 .*Nothing is released.*set sweeper\.brakeAbove to 6/);
  t.deepEqual(brakeOf(80, 20), [undefined, undefined]);
  t.regex(brakeOf(80, 21)[1] ?? '', /^21 of 101 EIPs .*more than 20 /);
});

test('a cluster that shows no PodEIP at all releases nothing, not even one', (t) => {
  t.deepEqual(brakeOf(0, 0), [undefined, undefined]);
  const [young, due] = brakeOf(0, 1);
  t.is(young, undefined, 'nothing is due yet');
  t.regex(due ?? '', /no PodEIP at all.*set sweeper\.brakeAbove to 1;/);
});

test('the operator resets the circuit breaker up to a number, and that is one again', (t) => {
  t.is(brakeOf(1, 6, { brakeAbove: 6 })[1], undefined);
  t.is(brakeOf(0, 6, { brakeAbove: 6 })[1], undefined);
  t.regex(brakeOf(0, 7, { brakeAbove: 6 })[1] ?? '', /more than 6 /);
  t.regex(brakeOf(1, 3, { brakeAbove: 2 })[1] ?? '', /more than 2 /);
});

test('what is blocked, young or only reported does not open the circuit breaker', (t) => {
  const blocked = many(10).map((it) => ({ ...it, deletionProtection: true }));
  const reported = many(10, 10).map((it) => ({ ...it, tags: tagsOf() }));
  const { breaker } = passes([
    { eips: [...blocked, ...reported, ...many(3, 20)], now: 0 },
    { eips: [...blocked, ...reported, ...many(20, 20)], now: GRACE_MS },
  ]);
  t.is(breaker, undefined);
});

test('who was tried least comes first, and a release is forgotten', (t) => {
  const look = { eips: many(3), podEips: [bystander] };
  let observations = findOrphans(NONE, { ...look, now: 0 }, settings).observations;
  observations = findOrphans(observations, { ...look, now: GRACE_MS }, settings).observations;
  observations = tried(observations, 'eip-orphan-0', false);
  observations = tried(observations, 'eip-orphan-1', true);
  observations = tried(observations, 'eip-unknown', false);
  const { verdicts } = findOrphans(observations, { ...look, now: 2 * GRACE_MS }, settings);
  t.deepEqual(
    verdicts.map(({ is, eip: { allocationId } }) => [allocationId, is]),
    [
      ['eip-orphan-2', 'due'],
      ['eip-orphan-1', 'young'],
      ['eip-orphan-0', 'due'],
    ],
  );
});

const step = (parts: Partial<Eip>) => stepToRelease(eip('eip-1', parts));

test('an EIP goes back step by step: detached as it is shown, out of its package, released', (t) => {
  const bound = { status: 'InUse', instanceId: 'eni-1', instanceType: 'NetworkInterface' };
  const inPackage = { bandwidthPackageId: 'cbwp-1' };
  t.deepEqual(step({ ...bound, ...inPackage, privateIpAddress: '10.0.0.2' }), {
    do: 'Unassociate',
    networkInterfaceId: 'eni-1',
    privateIpAddress: '10.0.0.2',
  });
  t.deepEqual(step({ ...bound, privateIpAddress: '' }), {
    do: 'Unassociate',
    networkInterfaceId: 'eni-1',
    privateIpAddress: '',
  });
  t.is(step(bound).do, 'Blocked');
  t.is(step({ ...bound, instanceType: 'SlbInstance', privateIpAddress: '10.0.0.2' }).do, 'Blocked');
  t.deepEqual(step(inPackage), { do: 'LeaveBandwidthPackage', bandwidthPackageId: 'cbwp-1' });
  t.deepEqual(step({}), { do: 'Release' });
  for (const status of ['Associating', 'Unassociating', 'Releasing', 'AWordOfTomorrow'])
    t.is(step({ ...inPackage, status }).do, 'Wait');
  for (const obstacle of [{ serviceManaged: true }, { deletionProtection: true }, { lockReasons: ['security'] }])
    t.is(step(obstacle).do, 'Blocked');
});

/** Small worlds, so that names meet often. */
const anyUid = fc.constantFrom('a', 'b', 'c', '');
const anyId = fc.constantFrom('eip-1', 'eip-2', 'eip-3', 'eip-4');
const anyEip = fc.record({
  id: anyId,
  cluster: fc.constantFrom(CLUSTER_UID, 'other'),
  uid: fc.option(anyUid, { nil: undefined }),
  status: fc.constantFrom('Available', 'InUse', 'Releasing'),
  isLocked: fc.boolean(),
});
const anyPodEip = fc.record({
  uid: fc.constantFrom('a', 'b', 'c'),
  allocationID: fc.oneof(anyId, fc.constant('')),
  isEnding: fc.boolean(),
  asksFor: fc.option(anyId, { nil: undefined }),
});
const anyWorld = fc.record({
  eips: fc.uniqueArray(anyEip, { selector: ({ id }) => id }),
  podEips: fc.uniqueArray(anyPodEip, { selector: ({ uid }) => uid }),
  /** Between the passes in which the world is like this. */
  waitsMs: fc.array(fc.integer({ min: 0, max: GRACE_MS }), { minLength: 1, maxLength: 4 }),
});

test('in whatever way the world changes, only what nobody has is ever due, and not before its time', (t) => {
  let due = 0;
  fc.assert(
    fc.property(fc.array(anyWorld, { minLength: 1, maxLength: 6 }), (worlds) => {
      let observations = NONE;
      let now = 0;
      const candidateSince = new Map<string, number>();
      for (const [world, waitMs] of worlds.flatMap((it) => it.waitsMs.map((ms) => [it, ms] as const))) {
        now += waitMs;
        const eips = world.eips.map(({ id, cluster, uid, status, isLocked }) =>
          eip(id, {
            status,
            tags: tagsOf(uid, cluster),
            ...(isLocked && { lockReasons: ['financial'] }),
            ...(status === 'InUse' && { instanceId: 'eni-1', instanceType: 'NetworkInterface' }),
          }),
        );
        const podEips = world.podEips.map(({ uid, allocationID, isEnding, asksFor }) =>
          podEip(uid, allocationID, { isEnding, ...(asksFor !== undefined && { asksFor }) }),
        );
        const outcome = findOrphans(observations, { eips, podEips, now }, settings);
        t.is(new Set(outcome.verdicts.map(({ eip: it }) => it.allocationId)).size, outcome.verdicts.length);
        for (const { allocationId } of eips)
          if (!outcome.observations.has(allocationId)) candidateSince.delete(allocationId);
        for (const id of candidateSince.keys())
          if (!eips.some((it) => it.allocationId === id)) candidateSince.delete(id);
        for (const { is, eip: it } of outcome.verdicts) {
          const uid = it.tags.get(TAG_PODEIP_UID) ?? '';
          const owner = podEips.find(({ metadata }) => metadata.uid === uid);
          t.is(it.tags.get(TAG_CLUSTER_UID), CLUSTER_UID);
          t.false(podEips.some(({ spec }) => spec.allocationID === it.allocationId));
          if (owner) t.not(owner.spec.allocationID, '');
          const since = candidateSince.get(it.allocationId);
          if (since === undefined) candidateSince.set(it.allocationId, now);
          if (is !== 'due') continue;
          due += 1;
          t.not(uid, '');
          t.deepEqual(it.lockReasons, []);
          t.true(since !== undefined && now - since >= GRACE_MS);
        }
        ({ observations } = outcome);
      }
    }),
    { numRuns: 500, seed: 7 },
  );
  t.true(due > 10, `${due} were due`);
});
