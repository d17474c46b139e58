import test from 'ava';
import { SUCCESSOR_UID, REUSABLE, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../../src/api/annotations.ts';
import { SERVICE_UID } from '../../../src/api/knative.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import type { Cloud, Eip } from '../../../src/cloud/port.ts';
import { runAction } from '../../../src/controllers/podeip/actions.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { TrackedState, ObservedState } from '../../../src/controllers/podeip/observation.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { KubeFault } from '../../../src/kube/fault.ts';
import type { Kube } from '../../../src/kube/port.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../harness/random.ts';
import { CLUSTER_UID } from '../../harness/settings.ts';
import * as the from './situation.ts';

const settings = { ...the.settings, holdOffMs: 60_000 };

/** One that this process has just made. */
const untouched: TrackedState = { ...the.quiet, isCertain: true, isUntouched: true };

const ofService = (podEip: PodEip, uid: string, annotations: Readonly<Record<string, string>> = {}): PodEip => ({
  ...podEip,
  metadata: {
    ...podEip.metadata,
    name: uid,
    uid,
    labels: { [SERVICE_UID]: 'service' },
    annotations: { ...podEip.metadata.annotations, ...annotations },
  },
});

const mine = ofService(the.podEip(), 'podeip');
const reusableOf = (annotations: Readonly<Record<string, string>>, goneSince = '2026-11-21T11:59:50Z'): PodEip =>
  ofService(the.podEip({ allocationID: 'eip-1', podUid: '', goneSince }), 'reusable', annotations);

const next = (parts: Partial<ObservedState>) =>
  decide(the.seen({ podEip: mine, tagged: [], memory: untouched, ...parts }), settings);

const tagsOf = (podEipUid: string) =>
  new Map([
    [TAG_CLUSTER_UID, CLUSTER_UID],
    [TAG_PODEIP_UID, podEipUid],
  ]);

test('what is handed on is tagged only where its own tags prove that it was the PodEIP’s to hand on', (t) => {
  const reusable = [reusableOf({ [REUSABLE]: 'true', [SUCCESSOR_UID]: 'podeip' })];
  t.deepEqual(next({ reusable }), { do: 'ReadEip', allocationId: 'eip-1' });
  t.deepEqual(next({ reusable, eip: the.eip({ tags: tagsOf('reusable') }) }), {
    do: 'TransferOwnership',
    podEip: mine,
    allocationId: 'eip-1',
  });
  // Whoever may write PodEIPs may write any EIP of the account there.
  for (const tags of [new Map<string, string>(), tagsOf('another'), new Map([[TAG_PODEIP_UID, 'reusable']])]) {
    const eip = the.eip({ tags });
    t.like(next({ reusable, eip, memory: { ...untouched, quietMs: 0 } }), { do: 'Wait', reason: 'Settling' });
    t.like(next({ reusable, eip }), { do: 'Allocate' }, 'one of its own is bought instead');
  }
  t.like(next({ reusable, eip: the.eip({ tags: tagsOf('podeip') }) }), { do: 'Wait' }, 'it has it, and is listed soon');
  t.like(next({ reusable, eip: null }), { do: 'Wait' });
});

test('what has come is written down with the place where it will be bound, where its tags prove it and the place is clear', (t) => {
  const taken = the.eip({ tags: tagsOf('podeip') });
  const memory: TrackedState = { ...the.quiet, isCertain: true, accepted: 'TransferOwnership' };
  const of = (eip: Eip, parts: Partial<ObservedState> = {}) => next({ tagged: [eip], memory, ...parts });
  const record = { do: 'Record', podEip: mine, allocationId: 'eip-1' } as const;
  t.deepEqual(of(taken), { ...record, binding: the.binding });
  for (const eip of [
    { ...taken, status: 'Unassociating' },
    { ...taken, status: 'InUse' },
    { ...taken, lockReasons: ['financial'] },
    // Found by its mark.
    { ...taken, tags: new Map<string, string>() },
  ])
    t.deepEqual(of(eip), record);
  t.deepEqual(of(taken, { interfaces: [] }), record);
  t.deepEqual(of(taken, { interfaces: [the.eni({ status: 'Attaching' })] }), record);
  t.deepEqual(of(taken, { pod: the.pod({ podIP: '' }) }), record);
});

/** Names a successor, where the write and the look end like this. */
const assigning = (write: () => Promise<PodEip>, look: () => Promise<Eip | undefined>) => {
  const clock = new ManualClock();
  const looked: string[] = [];
  const kube = { patch: write } as unknown as Kube;
  const describeEip = (allocationId: string) => {
    looked.push(allocationId);
    return look();
  };
  const ports = {
    kube,
    cloud: { describeEip } as unknown as Cloud,
    clock,
    cluster: { uid: CLUSTER_UID, id: '' },
    announce: () => Promise.reject(new Error('nobody is told')),
    tracker: new Tracker(clock, seeded(1)),
  };
  const predecessor = reusableOf({ [REUSABLE]: 'true' });
  const step = { do: 'AssignSuccessor', podEip: mine, predecessor } as const;
  return { outcome: runAction(step, ports, 'p/0', new AbortController().signal), looked };
};

test('what is offered is looked at while the successor is written down, and counts only with that write', async (t) => {
  const offered = the.eip({ tags: tagsOf('reusable') });
  const written = () => Promise.resolve(mine);
  const { outcome, looked } = assigning(written, () => Promise.resolve(offered));
  t.deepEqual(await outcome, { written: { podEip: mine }, predecessor: mine, eip: offered });
  t.deepEqual(looked, ['eip-1']);
  for (const look of [() => Promise.resolve(undefined), () => Promise.reject(new Error('no answer'))])
    t.deepEqual(
      await assigning(written, look).outcome,
      { written: { podEip: mine }, predecessor: mine },
      'it is read then',
    );
  const conflict = new KubeFault({ kind: 'conflict', message: 'somebody else was first' });
  await t.throwsAsync(
    assigning(
      () => Promise.reject(conflict),
      () => Promise.resolve(offered),
    ).outcome,
    { is: conflict },
  );
});

test('an EIP that is being detached is waited for, but not for as long as a wrong clock says', (t) => {
  t.like(next({ reusable: [reusableOf({})] }), { do: 'Wait', reason: 'InTransition' });
  t.like(next({ reusable: [reusableOf({}, '2026-11-21T11:59:00Z')] }), { do: 'Allocate' });
  t.like(next({ reusable: [reusableOf({}, '2026-11-22T12:00:00Z')] }), { do: 'Allocate' });
});

test('an EIP is not released as long as a successor may be taking it', (t) => {
  const ending = the.podEip({ allocationID: 'eip-1', podUid: '', goneSince: '2026-11-21T11:59:50Z', isEnding: true });
  const podEip = ofService(ending, 'reusable', { [REUSABLE]: 'true', [SUCCESSOR_UID]: 'podeip' });
  const of = (parts: Partial<ObservedState>) =>
    decide(
      the.seen({ pod: null, podEip, eip: the.eip({ tags: tagsOf('reusable') }), memory: the.quiet, ...parts }),
      settings,
    );
  t.deepEqual(of({}), { do: 'ReadSuccessor', uid: 'podeip' });
  t.like(of({ successor: mine }), { do: 'Wait', reason: 'HandedOver' });
  const taken = { ...mine, spec: { ...mine.spec, allocationID: 'eip-1' } };
  t.like(
    of({ successor: taken }),
    { do: 'Wait', reason: 'HandedOver' },
    'it has read its tags, and this reading is old',
  );
  t.like(of({ successor: null }), { do: 'Release', allocationId: 'eip-1' });
});
