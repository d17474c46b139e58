import test from 'ava';
import { HANDED_OVER, KEYS, READINESS_GATE } from '../../../src/api/annotations.ts';
import {
  CONFIGURATION_GENERATION,
  POD_TEMPLATE_HASH,
  REVISION_LABEL,
  SERVICE_LABEL,
  SERVICE_UID,
  type KnativeService,
} from '../../../src/api/knative.ts';
import type { Pod } from '../../../src/api/core.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import {
  isSameService,
  hasPriorityOver,
  routingIn,
  type RoutingOf,
} from '../../../src/controllers/podeip/precedence.ts';
import type { CompetingClaim } from '../../../src/controllers/podeip/observation.ts';
import type { Routing } from '../../../src/controllers/podeip/service-routing.ts';
import { apply, settle, type State } from './model.ts';
import { bound, EXISTING, existing, NOW, binding, pod, podEip, quiet, settings, usersEip } from './situation.ts';

/** One of the pods of a Service that want the same EIP. */
interface Competitor {
  readonly service?: string;
  readonly namespace?: string;
  readonly generation: number;
  readonly hash: string;
  readonly createdAt: string;
  readonly isEnding: boolean;
  readonly isReady: boolean;
}

const revisionName = (generation: number): string => `hello-0000${generation}`;

const labelsOf = ({ service = 'service', generation, hash }: Competitor) => ({
  [SERVICE_UID]: service,
  [CONFIGURATION_GENERATION]: String(generation),
  [POD_TEMPLATE_HASH]: hash,
  [SERVICE_LABEL]: 'hello',
  [REVISION_LABEL]: revisionName(generation),
});

const podOf = (it: Competitor, uid: string, annotations: Readonly<Record<string, string>> = EXISTING): Pod => {
  const base = pod({ uid, annotations, labels: labelsOf(it), isEnding: it.isEnding });
  const conditions = [{ type: 'ContainersReady', status: it.isReady ? 'True' : 'False' }];
  return {
    ...base,
    metadata: { ...base.metadata, name: uid, creationTimestamp: it.createdAt },
    status: { ...base.status, conditions },
  };
};

const podEipOf = (it: Competitor, uid: string, parts: Parameters<typeof podEip>[0] = {}): PodEip => {
  const base = podEip({ request: existing, podUid: uid, ...parts });
  const namespace = it.namespace ?? base.metadata.namespace;
  return { ...base, metadata: { ...base.metadata, name: uid, uid: `${uid}-eip`, namespace, labels: labelsOf(it) } };
};

const competitorOf = (it: Competitor): CompetingClaim => ({
  podEip: podEipOf(it, 'old', { allocationID: 'eip-1', bindings: [{ ...binding, podUid: 'old' }] }),
  pod: podOf(it, 'old'),
});

const all: readonly Competitor[] = [1, 2].flatMap((generation) =>
  ['x', 'y'].flatMap((hash) =>
    ['2026-11-21T10:00:00Z', '2026-11-21T11:00:00Z'].flatMap((createdAt) =>
      [true, false].flatMap((isEnding) =>
        [true, false].map((isReady) => ({ generation, hash, createdAt, isEnding, isReady })),
      ),
    ),
  ),
);

const unknown: RoutingOf = () => undefined;

const beats = (a: Competitor, b: Competitor, routing = unknown): boolean =>
  hasPriorityOver(podEipOf(a, 'a'), podOf(a, 'a'), { podEip: podEipOf(b, 'b'), pod: podOf(b, 'b') }, routing);

const ROUTINGS: readonly Routing[] = ['routed', 'coming', 'left', 'none'];
/** How a Service may route to its first and its second Revision, and that nobody can say. */
const routings: readonly RoutingOf[] = [
  unknown,
  ...ROUTINGS.flatMap((first) =>
    ROUTINGS.map(
      (second): RoutingOf =>
        (revision) =>
          revision === revisionName(1) ? first : second,
    ),
  ),
];

test('who goes before whom is a strict order however the Service routes: nobody before himself, no two before each other, no circles', (t) => {
  let count = 0;
  for (const routing of routings) {
    const table = all.map((a) => all.map((b) => beats(a, b, routing)));
    const before = (a: number, b: number): boolean => table[a]?.[b] === true;
    for (const a of all.keys())
      for (const b of all.keys()) {
        if (before(a, b) && before(b, a)) t.fail(JSON.stringify([all[a], all[b]]));
        for (const c of all.keys()) {
          count += 1;
          if (before(a, b) && before(b, c) && !before(a, c)) t.fail(JSON.stringify([all[a], all[b], all[c]]));
        }
      }
  }
  t.is(count, 17 * 32 ** 3);
});

const one: Competitor = { generation: 1, hash: 'x', createdAt: '2026-11-21T10:00:00Z', isEnding: false, isReady: true };
const two: Competitor = { ...one, generation: 2 };

/** As Knative Serving shows a Service. */
const serviceOf = (spec: KnativeService['spec'], status: KnativeService['status']): KnativeService => ({
  metadata: { name: 'hello', namespace: 'default', uid: 'service', resourceVersion: '1' },
  spec,
  status,
});
const LATEST = [{ latestRevision: true, percent: 100 }];
const to = (generation: number, parts: object = { percent: 100 }) => ({
  revisionName: revisionName(generation),
  ...parts,
});

test('the pod whose Revision is routed to goes first, generation decides among equals', (t) => {
  const rows: readonly [string, KnativeService, 1 | 2][] = [
    [
      'a rollout: the second is not ready yet',
      serviceOf({ traffic: LATEST }, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }),
      2,
    ],
    [
      'a rollout that is over',
      serviceOf({ traffic: LATEST }, { traffic: [to(2)], latestCreatedRevisionName: revisionName(2) }),
      2,
    ],
    ['no traffic in the spec', serviceOf({}, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }), 2],
    [
      'a rollback that begins',
      serviceOf({ traffic: [to(1)] }, { traffic: [to(2)], latestCreatedRevisionName: revisionName(2) }),
      1,
    ],
    [
      'a rollback that is over',
      serviceOf({ traffic: [to(1)] }, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }),
      1,
    ],
    ['all that a status says', serviceOf(undefined, { traffic: [to(1)] }), 1],
    [
      'pinned, and a newer Revision is made',
      serviceOf({ traffic: [to(1)] }, { traffic: [to(1)], latestCreatedRevisionName: revisionName(2) }),
      1,
    ],
    [
      'half and half',
      serviceOf(
        { traffic: [to(1, { percent: 50 }), { latestRevision: true, percent: 50 }] },
        { traffic: [to(1, { percent: 50 }), to(2, { percent: 50 })], latestCreatedRevisionName: revisionName(2) },
      ),
      2,
    ],
    [
      'an old one with a tag and no percent',
      serviceOf(
        { traffic: [to(1, { percent: 0, tag: 'old' }), ...LATEST] },
        { traffic: [to(1, { percent: 0, tag: 'old' }), to(2)], latestCreatedRevisionName: revisionName(2) },
      ),
      2,
    ],
    [
      'only the old one has a tag',
      serviceOf({ traffic: [to(1, { tag: 'old' }), to(2, { percent: 0 }), to(1)] }, { traffic: [to(1)] }),
      1,
    ],
    ['nobody knows the latest', serviceOf({ traffic: LATEST }, {}), 2],
    ['nothing at all', serviceOf(undefined, undefined), 2],
  ];
  for (const [title, service, first] of rows) {
    const routing = routingIn({ service });
    t.is(beats(two, one, routing), first === 2, title);
    t.is(beats(one, two, routing), first === 1, title);
  }
  const rollback = routingIn({ service: serviceOf({ traffic: [to(1)] }, { traffic: [to(1)] }) });
  t.true(beats(two, { ...one, isEnding: true }, rollback), 'but never to a pod that ends');
  t.true(beats(two, one, routingIn({ service: 'unreadable' })), 'without a word of the Service: the newer');
  t.true(beats(two, one, routingIn({ service: null })));
});

test('a running pod goes before one that is ending, then the newer Revision, then the later template', (t) => {
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
  const heldByCompetitor = usersEip({ ...bound });
  for (const mine of all.filter(({ isEnding }) => !isEnding))
    for (const theirs of all)
      for (const mode of ['ready', 'wait', undefined]) {
        const annotations = { ...EXISTING, ...(mode !== undefined && { [KEYS.handover[1]]: mode }) };
        const state: State = {
          pod: podOf(mine, 'new', annotations),
          podEip: podEipOf(mine, 'new', { allocationID: '' }),
          eip: heldByCompetitor,
          memory: quiet,
          now: NOW,
          competitors: [competitorOf(theirs)],
        };
        const { steps } = run(state);
        const said = JSON.stringify({ mine, theirs, mode, steps });
        const mayTake = beats(mine, theirs);
        if (mayTake && mine.isReady && mode !== 'wait') t.deepEqual(steps.slice(0, 2), ['Record', 'Preempt'], said);
        else if (mayTake && mode === 'wait') t.deepEqual(steps, ['Record', 'Wait HandingOver'], said);
        else if (mayTake) t.deepEqual(steps, ['Wait HandingOver'], said);
        // Nothing is wrong in a rollout; a second pod of the same Revision is what somebody must act on.
        else t.deepEqual(steps, [beats(theirs, mine) ? 'Wait HandedOver' : 'Fail EipClaimed'], said);
      }
});

/** A pod that has written the EIP down, and another one of its Service. */
const competing = (mine: Competitor, competitor: CompetingClaim): State => ({
  pod: podOf(mine, 'new'),
  podEip: podEipOf(mine, 'new', { allocationID: 'eip-1' }),
  eip: usersEip(),
  memory: quiet,
  now: NOW,
  competitors: [competitor],
});

/** One that has written it down too. */
const recorded = (it: Competitor): CompetingClaim => ({
  podEip: podEipOf(it, 'old', { allocationID: 'eip-1' }),
  pod: podOf(it, 'old'),
});

test('of two that have written the EIP down, the one behind gives way, and the other waits for what is being deleted', (t) => {
  const [old, newer] = [one, two];
  t.is(settle(competing(old, recorded(newer)), settings).step.do, 'Unclaim');
  t.is(settle(competing(old, competitorOf(newer)), settings).step.do, 'Unclaim');
  t.like(settle(competing(newer, recorded(old)), settings).step, { do: 'Wait', reason: 'HandingOver' });
  t.like(settle(competing(newer, competitorOf(old)), settings).step, { do: 'Preempt' });
  const leaving = competitorOf(old);
  const metadata = { ...leaving.podEip.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' };
  t.like(settle(competing(newer, { ...leaving, podEip: { ...leaving.podEip, metadata } }), settings).step, {
    do: 'Wait',
    reason: 'HandingOver',
  });
});

test('an EIP that is bound where the competitor did not put it is not taken from there', (t) => {
  const [old, newer] = [one, two];
  const { steps } = run({
    pod: podOf(newer, 'new'),
    podEip: podEipOf(newer, 'new', { allocationID: '' }),
    eip: usersEip({ ...bound, instanceId: 'eni-of-somebody' }),
    memory: quiet,
    now: NOW,
    competitors: [competitorOf(old)],
  });
  t.deepEqual(steps, ['Fail EipInUse']);
});

/** A pod that has the EIP, is gated, and is ready; its PodEIP is being deleted. */
const givesUp = (competitors: readonly CompetingClaim[], service?: KnativeService): State => {
  const its = podEipOf(one, 'old', {
    allocationID: 'eip-1',
    bindings: [{ ...binding, podUid: 'old' }],
    isEnding: true,
  });
  const base = podOf(one, 'old');
  return {
    pod: {
      ...base,
      metadata: {
        ...base.metadata,
        annotations: { ...EXISTING, 'k8s.aliyun.com/allocated-eipAddress': '203.0.113.1' },
      },
      spec: { ...base.spec, readinessGates: [{ conditionType: READINESS_GATE }] },
      status: {
        ...base.status,
        conditions: [{ type: READINESS_GATE, status: 'True', reason: 'Associate eip succeed' }],
      },
    },
    podEip: its,
    eip: usersEip({ ...bound }),
    memory: quiet,
    now: NOW,
    competitors,
    ...(service && { service }),
  };
};

const gateOf = ({ pod: it }: State) => it?.status?.conditions?.find(({ type }) => type === READINESS_GATE);

test('a gate that was open stays open on a pod whose EIP goes to another pod of its Service, and closes on any other', (t) => {
  const successor: CompetingClaim = { podEip: podEipOf(two, 'new', { allocationID: 'eip-1' }), pod: podOf(two, 'new') };
  const handedOver = run(givesUp([successor]));
  t.deepEqual(handedOver.steps.slice(0, 2), ['StandAside', 'Unassociate']);
  t.like(gateOf(handedOver.state), { status: 'True', reason: HANDED_OVER });
  t.is(handedOver.state.pod?.metadata.annotations?.['k8s.aliyun.com/allocated-eipAddress'], undefined);
  // Nobody, another Service, and a successor that goes itself.
  const leaving = { ...successor.podEip.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' };
  const others: readonly (readonly CompetingClaim[])[] = [
    [],
    [{ ...successor, podEip: podEipOf({ ...two, service: 'other' }, 'new', { allocationID: 'eip-1' }) }],
    [{ ...successor, podEip: { ...successor.podEip, metadata: leaving } }],
  ];
  for (const competitors of others) {
    const state = givesUp(competitors);
    const { step } = settle(state, settings);
    t.is(step.do, 'Unpublish');
    if (step.do === 'Unpublish') t.like(gateOf(apply(step, state)), { status: 'False' });
  }
});

/** The pod of the first Revision after its EIP has gone to the second. */
const without = (
  service: KnativeService | undefined,
  gate: { status: string; reason?: string } | undefined,
  mine = one,
  theirs = two,
): State => {
  const holder = podOf(theirs, 'new');
  const told = { ...holder.metadata.annotations, 'k8s.aliyun.com/allocated-eipAddress': '203.0.113.1' };
  const base = podOf(mine, 'old');
  return {
    pod: {
      ...base,
      spec: { ...base.spec, readinessGates: [{ conditionType: READINESS_GATE }] },
      status: { ...base.status, conditions: gate ? [{ type: READINESS_GATE, ...gate }] : [] },
    },
    podEip: podEipOf(mine, 'old'),
    eip: usersEip({ ...bound }),
    memory: quiet,
    now: NOW,
    competitors: [
      {
        podEip: podEipOf(theirs, 'new', { allocationID: 'eip-1', bindings: [{ ...binding, podUid: 'new' }] }),
        pod: { ...holder, metadata: { ...holder.metadata, annotations: told } },
      },
    ],
    ...(service && { service }),
  };
};

test('a pod whose Revision gets no requests and never will have the EIP opens its gate, so that Knative scales it down', (t) => {
  const latest = { latestCreatedRevisionName: revisionName(2) };
  const over = serviceOf({ traffic: LATEST }, { traffic: [to(2)], ...latest });
  const under = serviceOf({ traffic: LATEST }, { traffic: [to(1)], ...latest });
  const split = serviceOf({ traffic: [to(1, { percent: 50 }), to(2, { percent: 50 })] }, { traffic: [], ...latest });
  const tagged = serviceOf({ traffic: [...LATEST, to(1, { tag: 'old' })] }, { traffic: [], ...latest });
  t.deepEqual(run(without(over, undefined)).steps, ['StandAside', 'Wait HandedOver']);
  t.deepEqual(run(without(over, { status: 'True', reason: HANDED_OVER })).steps, ['Wait HandedOver'], 'once');
  t.deepEqual(run(without(under, undefined)).steps, ['Wait HandedOver'], 'requests still get there');
  const moving = [to(1, { percent: 20 }), to(2, { percent: 80 })];
  const gradual = serviceOf({ traffic: LATEST }, { traffic: moving, ...latest });
  t.deepEqual(run(without(gradual, undefined)).steps, ['Wait HandedOver'], 'some requests still get there');
  const coming = serviceOf({ traffic: LATEST }, { traffic: [to(0)], ...latest });
  t.deepEqual(run(without(coming, undefined)).steps, ['Wait HandedOver'], 'the other one is not ready yet');
  t.deepEqual(run(without(undefined, undefined)).steps, ['Wait HandedOver'], 'nobody knows');
  for (const service of [split, tagged]) {
    const { step } = settle(without(service, undefined), settings);
    t.like(step, { do: 'Fail', reason: 'EipClaimed' });
    t.regex('message' in step ? step.message : '', /hello-00002.*hello-00001.*name another EIP/u);
  }
  const { step } = settle(without(over, undefined, { ...two, hash: 'x' }, two), settings);
  t.like(step, { do: 'Fail', reason: 'EipClaimed' }, 'a second pod of one Revision');
});

const createdAt = (it: PodEip, creationTimestamp: string | undefined): PodEip => ({
  ...it,
  metadata: { ...it.metadata, creationTimestamp },
});

test('a pod of a Service that was deleted and made again waits for the pod from before, and nothing is wrong', (t) => {
  const mine: Competitor = { ...two, service: 'again' };
  const state = (its: Competitor, [my, their] = ['2026-11-21T11:00:00Z', '2026-11-21T10:00:00Z']): State => {
    const podEip = podEipOf(mine, 'new');
    const competitor = competitorOf(its);
    return {
      pod: podOf(mine, 'new'),
      podEip: createdAt(podEip, my),
      eip: usersEip({ ...bound }),
      memory: quiet,
      now: NOW,
      competitors: [{ podEip: createdAt(competitor.podEip, their), pod: null }],
    };
  };
  const { step } = settle(state(one), settings);
  t.like(step, { do: 'Wait', reason: 'HandingOver' });
  t.regex(
    'message' in step ? step.message : '',
    /^eip-1 is with pod old of the Knative Service that had this name before/u,
  );
  const isClaimed = (it: State, why: string) =>
    t.like(settle(it, settings).step, { do: 'Fail', reason: 'EipClaimed' }, why);
  isClaimed(state({ ...one, namespace: 'elsewhere' }), 'a Service of that name in another namespace');
  isClaimed(state(one, ['2026-11-21T10:00:00Z', '2026-11-21T11:00:00Z']), 'the one that was made again');
});
