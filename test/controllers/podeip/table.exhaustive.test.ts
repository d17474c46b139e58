import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { KEYS } from '../../../src/api/annotations.ts';
import type { Pod } from '../../../src/api/core.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import type { Eip } from '../../../src/cloud/port.ts';
import { markOf, withMark } from '../../../src/lib/mark.ts';
import { isBoundTo, readRecord } from '../../../src/controllers/podeip/record.ts';
import { provesOwnership } from '../../../src/controllers/podeip/safeguards.ts';
import type { TrackedState } from '../../../src/controllers/podeip/observation.ts';
import type { Action, Result } from '../../../src/controllers/podeip/step.ts';
import { apply, pass, settle, type State } from './model.ts';
import * as the from './situation.ts';
import { bound, boundElsewhere, justStarted, eip, NOW, pod, podEip, quiet, settings, usersEip } from './situation.ts';

const TTL = { strategy: 'TTL', releaseAfter: '10m' } as const;
const NEVER = { strategy: 'Never' } as const;
const keptFor = (strategy: string) => ({ ...the.NEW, [KEYS.releaseStrategy[0]]: strategy });
const owner = 'StatefulSet';

const asks: Readonly<Record<string, Parameters<typeof pod>[0]>> = {
  new: { annotations: the.NEW },
  existing: { annotations: the.EXISTING },
  nothing: { annotations: {} },
  nonsense: { annotations: { ...the.NEW, [KEYS.bandwidth[0]]: 'fast' } },
  'kept for 10m': { annotations: keptFor('10m'), owner },
  'kept for good': { annotations: keptFor('Never'), owner },
  'kept under a Deployment': { annotations: keptFor('10m'), owner: 'ReplicaSet' },
};
const lives: Readonly<Record<string, Parameters<typeof pod>[0]>> = {
  'without an address': { podIP: '', phase: 'Pending' },
  running: {},
  gated: { isGated: true },
  told: { isTold: true, isGated: true, isGateOpen: true },
  'half told': { isTold: true, isGated: true },
  'at another address': { podIP: '10.0.0.7', isTold: true },
  ending: { isEnding: true },
  'ending, told': { isEnding: true, isTold: true },
  ended: { phase: 'Succeeded' },
  another: { uid: 'another' },
};
const pods: [string, Pod | null][] = [
  ['no pod', null],
  ...Object.entries(asks).flatMap(([ask, asked]) =>
    Object.entries(lives).map(([life, lived]): [string, Pod] => [
      `pod ${life} asks ${ask}`,
      pod({ ...asked, ...lived }),
    ]),
  ),
];

const bindings = [the.binding];
const former = [{ ...the.binding, networkInterfaceId: 'eni-0', podUid: 'earlier' }];
const allocationID = 'eip-1';
const request = the.existing;
const goneSince = '2026-11-21T11:59:00Z';
const holding: Readonly<Record<string, Parameters<typeof podEip>[0]>> = {
  claimed: {},
  recorded: { allocationID },
  bound: { allocationID, bindings },
  'bound before': { allocationID, bindings: former },
  'in a package': { allocationID, bindings, request: { ...the.fresh, bandwidthPackageId: 'cbwp-1' } },
  'kept for 10m': { allocationID, bindings, release: TTL },
  'kept for good': { allocationID, bindings, release: NEVER },
  'kept, nothing bought': { release: TTL },
  'kept for a wrong time': {
    allocationID,
    bindings,
    release: { strategy: 'TTL', releaseAfter: 'soon' },
    podUid: '',
    goneSince,
  },
  'retained for 10m': { allocationID, bindings, release: TTL, podUid: '', goneSince },
  'retained for good': { allocationID, bindings, release: NEVER, podUid: '', goneSince },
  'retained, since when unknown': { allocationID, bindings, release: TTL, podUid: '' },
  'of a user, claimed': { request },
  'of a user, recorded': { request, allocationID },
  'of a user, bound': { request, allocationID, bindings },
  'of a user, another EIP': { request, allocationID: 'eip-9', bindings },
  adopted: { allocationID, bindings, isAdopted: true },
  tampered: { request: undefined, allocationID },
};
const podEips: [string, PodEip | null][] = [
  ['no PodEIP', null],
  ['PodEIP refused', podEip({ request: undefined, hasFinalizer: false })],
  ['PodEIP of another', podEip({ controller: 'somebody', allocationID })],
  ['PodEIP of the predecessor', podEip({ controller: 'ack-extend-network-controller', allocationID })],
  ...Object.entries(holding).flatMap(([name, parts]): [string, PodEip][] => [
    [`PodEIP ${name}`, podEip(parts)],
    [`PodEIP ${name}, ending`, podEip({ ...parts, isEnding: true })],
  ]),
];

const standings: Readonly<Record<string, Partial<Eip>>> = {
  free: {},
  bound,
  'bound where it was before': { ...bound, instanceId: 'eni-0' },
  'bound elsewhere': boundElsewhere,
  'being bound': { ...bound, status: 'Associating' },
  'being detached': { ...bound, status: 'Unassociating' },
  'in a package': { bandwidthPackageId: 'cbwp-1' },
  'in another package': { bandwidthPackageId: 'cbwp-2' },
  'bound in a package': { ...bound, bandwidthPackageId: 'cbwp-1' },
  locked: { lockReasons: ['financial'] },
  'bound and locked': { ...bound, lockReasons: ['financial'] },
  protected: { deletionProtection: true },
  'of a service': { serviceManaged: true },
  'a subscription': { chargeType: 'PrePaid' },
};
/** Bought after the PodEIP was made, with its mark, and without tags; or without a mark either. */
const youngEip = (parts: Partial<Eip> = {}): Eip => usersEip({ allocationTime: '2026-11-20T11:00:30Z', ...parts });
const markedEip = (parts: Partial<Eip> = {}): Eip =>
  youngEip({
    description: withMark('of the shop', markOf({ clusterUid: settings.clusterUid, markKey: 'key' }, 'podeip')),
    ...parts,
  });
const isMarked = ({ tags, description, serviceManaged }: Eip): boolean =>
  tags.size === 0 && !serviceManaged && description !== undefined;

const eips: [string, Eip | null][] = [
  ['no EIP', null],
  ...Object.entries(standings).flatMap(([name, parts]): [string, Eip][] => [
    [`own EIP ${name}`, eip(parts)],
    [`user’s EIP ${name}`, usersEip(parts)],
  ]),
  ...(['free', 'bound', 'of a service'] as const).flatMap((name): [string, Eip][] => [
    [`EIP ${name} that was bought and lost its tags`, markedEip(standings[name])],
    [`EIP ${name} without tags, of which nobody knows`, youngEip(standings[name])],
  ]),
];

const refusal = { action: 'Allocate', reason: 'QuotaExceeded', message: 'no room', dueInMs: 30_000 } as const;
const tracker: [string, TrackedState][] = [
  ['that has been quiet', quiet],
  ['that has just started', justStarted],
  ['that made it itself', { ...justStarted, isCertain: true }],
  ['that has missed it for long', { ...quiet, missingMs: 60_000 }],
  ['that has seen it elsewhere for long', { ...quiet, driftMs: 60_000 }],
  ['that was refused', { ...quiet, refusal }],
  ['that may ask again', { ...quiet, refusal: { ...refusal, dueInMs: 0 } }],
  ['whose change was just accepted', { ...justStarted, accepted: 'Associate' }],
];
const variants = [
  { ...settings, markKey: 'key' },
  { ...settings, adoptBefore: NOW, allowEipRob: true },
];

/** Frozen all the way down, so that a decision that changes what it is given fails. Maps are left alone. */
const freeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !(value instanceof Map) && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
};

/** What no step may ever do, whatever led to it. */
const forbidden = (
  step: Action | Result,
  { podEip, eip: it }: State,
  { adoptBefore }: (typeof variants)[number],
): string | undefined => {
  if (!podEip) return undefined;
  const record = readRecord(podEip);
  if (step.do === 'Release' && !(it && provesOwnership(it, podEip, settings.clusterUid)))
    return 'releases what is not ours';
  if (step.do === 'Release' && record.request?.kind === 'existing') return 'releases an EIP of the user’s';
  if (step.do === 'Release' && podEip.metadata.deletionTimestamp === undefined)
    return 'releases before the point of no return';
  const isFound = it?.status === 'Available' || it?.allocationId === podEip.spec.allocationID;
  const isLost = it !== null && isFound && isMarked(it) && record.bindings.length === 0;
  if (step.do === 'Tag' && !isLost && !(record.isAdopted && adoptBefore !== undefined && it?.tags.size === 0))
    return 'tags what was not taken over';
  if (step.do === 'Unassociate' && !(it && record.bindings.some((binding) => isBoundTo(it, binding))))
    return 'detaches what it did not bind';
  if (step.do === 'Allocate' && podEip.spec.allocationID !== '') return 'buys a second one';
  if (step.do === 'RemoveFinalizer' && isLost && record.request?.kind === 'new' && !record.isAdopted)
    return 'leaves what was bought here';
  if (
    step.do === 'RemoveFinalizer' &&
    it &&
    it.status === 'InUse' &&
    provesOwnership(it, podEip, settings.clusterUid) &&
    record.request?.kind === 'new' &&
    it.allocationId === podEip.spec.allocationID
  )
    return 'forgets an EIP that is in use';
  return undefined;
};

const MOST_STEPS = 60;

const numbers = new WeakMap<object, number>();
const contents = new Map<string, number>();
/** The same number for the same content. */
const numberOf = (value: object | null): number => {
  if (value === null) return 0;
  const known = numbers.get(value);
  if (known !== undefined) return known;
  const content = JSON.stringify(value, (_, inner: unknown) => (inner instanceof Map ? [...inner] : inner));
  const number = contents.get(content) ?? contents.size + 1;
  contents.set(content, number);
  numbers.set(value, number);
  return number;
};

/** States from which all is well, of each variant: most combinations come to one that others came to before. */
const rested = new Map(variants.map((variant) => [variant, new Set<string>()]));

/** Steps, from the `first` one on, until nothing is to be done any more; the words say why it is not so. */
const run = (start: State, first: Action | Result, situation: (typeof variants)[number]): string | undefined => {
  const known = rested.get(situation);
  const passed: string[] = [];
  const rest = (): undefined => {
    for (const key of passed) known?.add(key);
  };
  let state = start;
  let step = first;
  let allocations = 0;
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    if (steps > 0) {
      const { now, ...parts } = state;
      const key = Object.entries(parts).flatMap(([part, value]) => [part, numberOf(value)]);
      key.push(now, allocations);
      if (known?.has(key.join(' '))) return rest();
      passed.push(key.join(' '));
    }
    const wrong = forbidden(step, state, situation);
    if (wrong !== undefined) return `${step.do}: ${wrong}`;
    if (step.do === 'Done') return rest();
    if (step.do === 'Fail' || step.do === 'Wait') {
      const later = pass(state, step.ms);
      const again = settle(later, situation).step;
      // What waits for a person, or for an event, goes on saying so.
      if (
        again.do === step.do &&
        again.reason === step.reason &&
        isDeepStrictEqual({ ...later, now: 0 }, { ...state, now: 0 })
      )
        return rest();
      state = later;
      step = again;
      continue;
    }
    allocations += step.do === 'Allocate' ? 1 : 0;
    if (allocations > 1) return 'buys twice';
    state = pass(apply(step, state), 1_000);
    step = settle(state, situation).step;
  }
  return `no rest after ${MOST_STEPS} steps`;
};

for (const [binding, [podName, aPod]] of pods.entries()) {
  test(`${podName}: with every PodEIP and every EIP there is one step, and it leads to rest`, async (t) => {
    let combinations = 0;
    for (const [podEipName, aPodEip] of podEips) {
      // AVA takes a file for hung that reports nothing for minutes, and a worker that never yields can report nothing.
      await setImmediate();
      for (const [eipName, anEip] of eips)
        for (const [memoryName, memory] of tracker)
          for (const variant of variants) {
            const state = freeze({ pod: aPod, podEip: aPodEip, eip: anEip, memory, now: NOW });
            const said = `${podName}; ${podEipName}; ${eipName}; a process ${memoryName}`;
            const first = settle(state, variant);
            if (!isDeepStrictEqual(settle(state, variant), first)) t.fail(`${said}: two answers`);
            const wrong = run(state, first.step, variant);
            if (wrong !== undefined) t.fail(`${said}: ${first.step.do} … ${wrong}`);
            combinations += 1;
          }
    }
    t.is(combinations, podEips.length * eips.length * tracker.length * variants.length);
    if (binding === 0) t.log(`${combinations * pods.length} combinations`);
  });
}
