import test from 'ava';
import { isCurrent, stateAfter } from '../../../src/controllers/podeip/carry.ts';
import type { ObservedState } from '../../../src/controllers/podeip/observation.ts';
import { UNTRACKED } from '../../../src/controllers/podeip/tracker.ts';
import { binding, eip, node, NOW, pod, podEip } from './situation.ts';

const at = <T extends { readonly metadata: object }>(object: T, resourceVersion: string): T => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
});

const seen: ObservedState = {
  pod: at(pod(), '7'),
  podEip: at(podEip(), '3'),
  node,
  eip: eip(),
  competitors: [],
  policy: { effective: {} as never, isFresh: true },
  memory: UNTRACKED,
  now: NOW,
  readAt: 1_000,
};

test('a turn goes on with the answer of its own write, as long as the watches show nothing else', (t) => {
  const step = { do: 'RecordBinding', podEip: seen.podEip!, binding } as const;
  const after = stateAfter(step, seen, { written: { podEip: at(podEip(), '4') } })!;
  const shown = (podVersion: string, podEipVersion: string, now = 1_100) =>
    isCurrent(after, { pod: at(pod(), podVersion), podEip: at(podEip(), podEipVersion) }, now);
  t.true(shown('7', '4'), 'both are as they were written');
  t.true(shown('7', '3'), 'the watch lags behind the write');
  t.false(shown('8', '4'), 'somebody has changed the pod');
  t.false(shown('7', '5'), 'somebody has changed the PodEIP');
  t.false(shown('7', '4', 3_000), 'it was read long ago');
  t.false(isCurrent(after, { pod: undefined, podEip: at(podEip(), '4') }, 1_100), 'the pod is gone');
  t.false(isCurrent(after, { pod: at(pod(), '7'), podEip: undefined }, 1_100), 'the PodEIP is gone');
});

test('of the readings only those go on that the act has left as they were', (t) => {
  const podEipAfter = at(podEip(), '4');
  const record = { do: 'RecordBinding', podEip: seen.podEip!, binding } as const;
  const recorded = stateAfter(record, seen, { written: { podEip: podEipAfter } })!;
  t.is(recorded.eip, seen.eip);
  t.is(recorded.podEip, podEipAfter);
  t.is(recorded.competitors, undefined, 'who else wants the EIP is read after it was written down');
  t.false(recorded.policy?.isFresh);
  const bind = { do: 'Associate', podEip: seen.podEip!, allocationId: 'eip-1', binding } as const;
  t.is(stateAfter(bind, seen, { written: { podEip: seen.podEip! } })?.eip, undefined);
  const unclaim = { do: 'Unclaim', podEip: seen.podEip!, allocationId: 'eip-1' } as const;
  t.is(stateAfter(unclaim, seen, { written: { podEip: podEipAfter } })?.eip, undefined, 'another EIP may be meant');
  t.is(stateAfter({ do: 'Retire', podEip: seen.podEip!, because: '' }, seen, {}), undefined);
});

test('what was created goes on from nothing, also where the watch does not show it yet', (t) => {
  const before = { ...seen, podEip: null };
  const claim = { do: 'Claim', pod: seen.pod!, podEip: null, request: undefined, generation: 1, findings: [] } as never;
  const after = stateAfter(claim, before, { created: 'podeip', written: { podEip: at(podEip(), '1') } })!;
  t.true(isCurrent(after, { pod: at(pod(), '7'), podEip: undefined }, 1_100));
  t.true(isCurrent(after, { pod: at(pod(), '7'), podEip: at(podEip(), '1') }, 1_100));
  t.false(isCurrent(after, { pod: at(pod(), '7'), podEip: at(podEip(), '2') }, 1_100));
});

/** Where the watches show what was read and written. */
const current = (state: ObservedState, now: number): boolean =>
  isCurrent(state, { pod: state.pod ?? undefined, podEip: state.podEip ?? undefined }, now);

test('an EIP that has arrived where it was sent is told without reading anew, and nothing else is done so', (t) => {
  const later = 10_999;
  const sent = stateAfter({ do: 'Associate', podEip: seen.podEip!, allocationId: 'eip-1', binding }, seen, {
    written: { podEip: seen.podEip! },
  })!;
  t.true(sent.isSent);
  t.false(current(sent, later), 'nothing has shown it there yet');
  const arrived = { ...sent, hasArrived: true };
  t.true(current(arrived, later));
  t.false(current(arrived, later + 1));
  const publish = { do: 'Publish', pod: pod(), ipAddress: '', isGated: false, message: '' } as const;
  const told = stateAfter(publish, arrived, { written: { pod: at(pod(), '8') } })!;
  t.true(current(told, later));
  const other = stateAfter({ do: 'RecordBinding', podEip: seen.podEip!, binding }, arrived, {
    written: { podEip: at(podEip(), '4') },
  })!;
  t.false(current(other, later));
});
