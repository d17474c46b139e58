import test from 'ava';
import { CONTROLLER, EXTERNAL_CONTROLLER, GENERATION, KEYS } from '../../../src/api/annotations.ts';
import type { EipUsage, QuotaReservation } from '../../../src/api/eippolicy.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import { effectivePolicy, underPolicy, type EffectivePolicy } from '../../../src/policies/policy.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { ObservedState } from '../../../src/controllers/podeip/observation.ts';
import { PodRequest } from '../../../src/controllers/podeip/pod-request.ts';
import type { Step } from '../../../src/controllers/podeip/step.ts';
import { apply, pass, settle, type State } from './model.ts';
import { existing, fresh, NEW, node, NOW, pod, podEip, quiet, seen, settings, usersEip } from './situation.ts';
import * as the from './situation.ts';

const policyOf = (spec: Parameters<typeof effectivePolicy>[0][number]['spec']): EffectivePolicy =>
  effectivePolicy([{ metadata: { name: 'few', uid: 'few', resourceVersion: '1' }, spec }], { name: 'default' });
const one = policyOf({ limits: { eips: 1 } });

const namespace = { metadata: { name: 'default', uid: 'namespace', resourceVersion: '1' } };
const place = (podEipUID: string, bandwidthMbps = 5): QuotaReservation => ({
  podEipUID,
  podEip: podEipUID,
  bandwidthMbps,
});
const other = (uid: string, parts: Parameters<typeof podEip>[0] = {}): PodEip => {
  const made = podEip(parts);
  return { ...made, metadata: { ...made.metadata, name: uid, uid } };
};

const usageOf = (places: readonly QuotaReservation[]): EipUsage => ({
  metadata: { name: 'default', uid: 'usage', resourceVersion: '1' },
  places,
});

/** The step that takes a place of 5 Mbit/s for the PodEIP, against these that were counted. */
const reserve = (usage: EipUsage | null, reclaimed: readonly string[] = []): Step => ({
  do: 'Reserve',
  podEip: podEip(),
  namespace,
  usage,
  bandwidthMbps: 5,
  reclaimed,
});

/** What is decided for a PodEIP that is about to buy, with these places and these other PodEIPs. */
const buying = (
  effective: EffectivePolicy,
  places: readonly QuotaReservation[],
  others: readonly PodEip[] = [],
  more: Partial<ObservedState> = {},
): Step => {
  const mine = podEip();
  const usage = usageOf(places);
  return decide(
    seen({
      podEip: mine,
      tagged: [],
      policy: { effective, isFresh: true },
      namespace,
      quota: { usage, podEips: [mine, ...others] },
      ...more,
    }),
    settings,
  );
};

test('nothing is bought on the word of a cache: policy, then room, then a place, then the EIP', (t) => {
  const mine = podEip();
  const base: Partial<ObservedState> = { podEip: mine, tagged: [], policy: { effective: one, isFresh: false } };
  t.is(decide(seen(base), settings).do, 'ReadPolicy');
  const looked = { ...base, policy: { effective: one, isFresh: true }, namespace };
  t.is(decide(seen(looked), settings).do, 'ReadQuota');
  const quota = { usage: null, podEips: [mine] };
  t.deepEqual(decide(seen({ ...looked, quota }), settings), reserve(null));
  t.is(buying(one, [place('podeip')]).do, 'Allocate');
});

test('where no policy limits the namespace nothing is counted, and where there are no policies nothing is looked at', (t) => {
  const base: Partial<ObservedState> = { podEip: podEip(), tagged: [] };
  t.is(decide(seen(base), settings).do, 'Allocate');
  const effective = policyOf({ bandwidthPackages: [] });
  t.is(decide(seen({ ...base, policy: { effective, isFresh: true } }), settings).do, 'Allocate');
});

test('the last place is one’s who has written it down', (t) => {
  t.like(buying(one, [place('b')], [other('b')]), { do: 'Fail', reason: 'QuotaOfNamespaceExceeded', ms: 60_000 });
  // Who has an EIP holds a place, written down or not.
  t.like(buying(one, [], [other('b', { allocationID: 'eip-2' })]), { do: 'Fail', reason: 'QuotaOfNamespaceExceeded' });
  t.is(buying(one, [], [other('b')]).do, 'Reserve');
  // The EIPs of users do not count.
  t.is(buying(one, [], [other('b', { allocationID: 'eip-2', request: existing })]).do, 'Reserve');
  const two = policyOf({ limits: { eips: 2 } });
  t.is(buying(two, [place('b')], [other('b')]).do, 'Reserve');
  // An EIP that goes from one PodEIP to another counts once.
  const both = [other('b', { allocationID: 'eip-2' }), other('c', { allocationID: 'eip-2' })];
  t.is(buying(two, [place('b'), place('c')], both).do, 'Reserve');
});

test('bandwidth counts as it was written down, or as it was asked for before there was a limit', (t) => {
  const wide = policyOf({ limits: { bandwidthMbps: 10 } });
  t.is(buying(wide, [place('b', 5)], [other('b')]).do, 'Reserve');
  t.is(buying(wide, [place('b', 6)], [other('b')]).do, 'Fail');
  const held = (bandwidthMbps: number) => other('b', { allocationID: 'eip-2', request: { ...fresh, bandwidthMbps } });
  t.is(buying(wide, [], [held(5)]).do, 'Reserve');
  t.is(buying(wide, [], [held(6)]).do, 'Fail');
  t.is(buying(wide, [place('b', 5)], [held(100)]).do, 'Reserve');
  // Its own place was taken for another request.
  t.deepEqual(buying(wide, [place('podeip', 1)]), reserve(usageOf([place('podeip', 1)])));
  t.is(buying(policyOf({ limits: { bandwidthMbps: 4 } }), [place('podeip', 1)]).do, 'Fail');
});

test('under a limit that was lowered the first of those that have a place goes first', (t) => {
  t.is(buying(one, [place('podeip'), place('b')], [other('b')]).do, 'Allocate');
  t.is(buying(one, [place('b'), place('podeip')], [other('b')]).do, 'Fail');
  t.is(buying(one, [place('podeip'), place('b')], [other('b', { allocationID: 'eip-2' })]).do, 'Fail');
});

test('the place of a PodEIP that is gone is taken once its EIP is gone too', (t) => {
  const places = [place('gone')];
  t.deepEqual(buying(one, places), { do: 'ReadReclaimable', podEipUid: 'gone' });
  const after = (isGone: boolean) => buying(one, places, [], { reclaimable: new Map([['gone', isGone]]) });
  t.deepEqual(after(true), reserve(usageOf(places), ['gone']));
  // Somebody took the finalizer off: the EIP is still there, and soon somebody else releases it.
  t.like(after(false), { do: 'Fail', reason: 'QuotaOfNamespaceExceeded', ms: 5_000 });
  // As many as are needed, and no call where all of them would not be enough.
  const wide = policyOf({ limits: { bandwidthMbps: 6 } });
  const three = [place('x', 2), place('y', 2), place('z', 2)];
  t.deepEqual(buying(wide, three, [], { reclaimable: new Map([['x', true]]) }), {
    do: 'ReadReclaimable',
    podEipUid: 'y',
  });
  const looked = new Map([
    ['x', true],
    ['y', false],
    ['z', true],
  ]);
  t.like(buying(wide, three, [], { reclaimable: looked }), { do: 'Fail', ms: 5_000 });
  const allGone = buying(wide, three, [], { reclaimable: new Map([...looked, ['y', true]]) });
  t.deepEqual(allGone, reserve(usageOf(three), ['x', 'y', 'z']));
  t.like(buying(one, [place('gone'), place('b')], [other('b')]), { do: 'Fail', ms: 60_000 });
});

test('what the policy does not allow is refused before it is written down, and not bought where it was', (t) => {
  const effective = policyOf({ bandwidthPackages: ['cbwp-1'] });
  const asking = pod({ annotations: { ...NEW, [KEYS.bandwidthPackageId[0]]: 'cbwp-2' } });
  const policy = { effective, isFresh: true };
  t.deepEqual(decide(seen({ pod: asking, policy }), settings), {
    do: 'Claim',
    pod: asking,
    podEip: null,
    request: undefined,
    release: { strategy: 'Follow' },
    generation: 1,
    findings: new PodRequest(asking, node, underPolicy(settings, effective)).findings,
  });
  const refused = podEip({ request: undefined, hasFinalizer: false });
  t.like(decide(seen({ pod: asking, podEip: refused, policy }), settings), {
    do: 'Fail',
    reason: 'NotAllowedByPolicy',
  });
  const claimed = podEip({ request: { ...fresh, bandwidthPackageId: 'cbwp-2' } });
  t.like(decide(seen({ pod: asking, podEip: claimed, tagged: [], policy }), settings), {
    do: 'Fail',
    reason: 'NotAllowedByPolicy',
  });
});

test('defaults of the namespace are in the request, and a cache that lags does not have it written twice', (t) => {
  const effective = policyOf({ defaults: { bandwidth: 7 } });
  const begun = decide(seen({ policy: { effective, isFresh: false } }), settings);
  t.like(begun, { do: 'Claim', request: { bandwidthMbps: 7 } });
  const claimed = podEip({ request: { ...fresh, bandwidthMbps: 7 } });
  const old = policyOf({ defaults: { bandwidth: 6 } });
  const base: Partial<ObservedState> = { podEip: claimed, tagged: [] };
  t.is(decide(seen({ ...base, policy: { effective: old, isFresh: false } }), settings).do, 'ReadPolicy');
  t.is(decide(seen({ ...base, policy: { effective, isFresh: true } }), settings).do, 'Allocate');
  t.like(decide(seen({ ...base, policy: { effective: old, isFresh: true } }), settings), {
    do: 'Claim',
    generation: 2,
    request: { bandwidthMbps: 6 },
  });
});

test('an existing EIP is named as the policy lets it be, in every mode, and given up when it no longer does', (t) => {
  const listed = policyOf({ existingEips: { ids: ['eip-1'], tags: [{ team: 'web' }] } });
  const others = policyOf({ existingEips: { ids: ['eip-2'] } });
  const claimed = podEip({ request: existing });
  const base: Partial<ObservedState> = { pod: pod({ annotations: the.EXISTING }), podEip: claimed, competitors: [] };
  const naming = (
    effective: EffectivePolicy,
    eip = usersEip(),
    existingEips: 'any' | 'granted' = 'granted',
    isFresh = true,
  ) =>
    decide(seen({ ...base, eip, policy: { effective, isFresh } }), {
      ...settings,
      existingEips,
      existingEipNamespaces: existingEips === 'any' ? ['default'] : [],
    });
  t.is(naming(listed, usersEip(), 'granted', false).do, 'ReadPolicy');
  t.is(naming(listed).do, 'Record');
  t.is(naming(others, usersEip({ tags: new Map([['team', 'web']]) })).do, 'Fail');
  t.is(
    naming(policyOf({ existingEips: { tags: [{ team: 'web' }] } }), usersEip({ tags: new Map([['team', 'web']]) })).do,
    'Record',
  );
  for (const mode of ['any', 'granted'] as const) {
    t.like(naming(others, usersEip(), mode), { do: 'Fail', reason: 'EipNotGranted' });
    t.is(naming(others, usersEip({ tags: new Map([['knative-eip/allow-namespaces', 'default']]) }), mode).do, 'Record');
  }
  // What is ours or a service's stays reserved, whatever a policy lists.
  t.like(naming(listed, the.eip()), { do: 'Fail', reason: 'EipReserved' });
  const bound = podEip({ request: existing, allocationID: 'eip-1', bindings: [the.binding] });
  const using = { ...base, podEip: bound, eip: usersEip(the.bound) };
  t.is(
    decide(seen({ ...using, competitors: [], policy: { effective: others, isFresh: false } }), settings).do,
    'Unassociate',
  );
  t.is(decide(seen({ ...using, policy: { effective: listed, isFresh: false } }), settings).do, 'Publish');
});

const rooms: readonly (readonly [string, Partial<State>])[] = [
  ['an empty namespace', { taken: [] }],
  ['one in which nothing was ever bought', {}],
  ['one whose place is its own', { taken: ['podeip'] }],
  ['one whose place is another’s', { taken: ['b'], waiting: ['b'] }],
  ['one whose place is one’s who is gone', { taken: ['gone'] }],
  ['one in which another waits', { taken: ['podeip', 'b'], waiting: ['b'] }],
];
for (const [name, room] of rooms)
  test(`from every standing in ${name} one comes to rest, and buys only with a place`, (t) => {
    const records = [
      null,
      podEip(),
      podEip({ generation: 3 }),
      podEip({ isEnding: true }),
      podEip({ allocationID: 'eip-1' }),
    ];
    const asks = [pod(), pod({ annotations: the.EXISTING }), pod({ annotations: {} }), null];
    for (const policy of [one, policyOf({ limits: { eips: 0 } }), policyOf({ limits: { bandwidthMbps: 5 } })])
      for (const record of records)
        for (const asking of asks)
          for (const eip of [null, the.eip(), the.usersEip()]) {
            let state: State = { pod: asking, podEip: record, eip, memory: quiet, now: NOW, policy, ...room };
            let said = '';
            for (let steps = 0; steps < 40; steps += 1) {
              const { step } = settle(state, settings);
              said += ` ${step.do}`;
              if (step.do === 'Done' || (step.do === 'Fail' && said.endsWith(' Fail Fail'))) break;
              if (steps === 39) t.fail(`no rest: ${said}`);
              if (step.do === 'Allocate') t.is((state.taken ?? [])[0], 'podeip', said);
              if (step.do === 'Allocate') t.not(policy.limits.eips, 0);
              if (step.do === 'Reserve')
                t.false((state.waiting ?? []).some((uid) => (state.taken ?? []).includes(uid)));
              state = step.do === 'Fail' || step.do === 'Wait' ? pass(state, step.ms) : pass(apply(step, state), 1_000);
            }
          }
    t.is(podEip().metadata.annotations?.[GENERATION], '1');
  });

/** The record of an EIP that ECI has made. */
const made = (status: PodEip['status']): PodEip => {
  const record = other('b', { allocationID: 'eip-2', request: undefined });
  // A record has no finalizer: one with ours is none, whatever its annotation says.
  const metadata = { ...record.metadata, finalizers: [], annotations: { [CONTROLLER]: EXTERNAL_CONTROLLER } };
  return { ...record, metadata, status };
};

test('an EIP that a virtual node has made counts what its status shows, and nothing in a package', (t) => {
  t.is(buying(one, [], [made({})]).do, 'Fail');
  const wide = policyOf({ limits: { bandwidthMbps: 10 } });
  t.is(buying(wide, [], [made({ bandwidth: '5' })]).do, 'Reserve');
  t.is(buying(wide, [], [made({ bandwidth: '6' })]).do, 'Fail');
  t.is(buying(wide, [], [made({ bandwidth: '6', bandwidthPackageID: 'cbwp-1' })]).do, 'Reserve');
  t.is(buying(wide, [], [made({})]).do, 'Reserve');
  t.is(buying(wide, [], [made({ bandwidth: 'x' })]).do, 'Reserve');
});
