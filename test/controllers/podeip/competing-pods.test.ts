import test from 'ava';
import { HANDED_OVER, KEYS, READINESS_GATE } from '../../../src/api/annotations.ts';
import type { KnativeService } from '../../../src/api/knative.ts';
import type { CompetingClaim } from '../../../src/controllers/podeip/observation.ts';
import { apply, settle, type State } from './model.ts';
import { bound, EXISTING, NOW, binding, quiet, settings, usersEip } from './situation.ts';
import {
  type Competitor,
  revisionName,
  podOf,
  podEipOf,
  all,
  beats,
  one,
  two,
  serviceOf,
  LATEST,
  to,
  without,
  createdAt,
} from './competitors.ts';

const competitorOf = (it: Competitor): CompetingClaim => ({
  podEip: podEipOf(it, 'old', { allocationID: 'eip-1', bindings: [{ ...binding, podUid: 'old' }] }),
  pod: podOf(it, 'old'),
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
