import test from 'ava';
import { BINDINGS, TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../../src/api/annotations.ts';
import type { Cloud, Eip } from '../../../src/cloud/port.ts';
import { runAction } from '../../../src/controllers/podeip/actions.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import type { Kube, Patch } from '../../../src/kube/port.ts';
import { ManualClock, settled } from '../../harness/clock.ts';
import { seeded } from '../../harness/random.ts';
import { binding, eip, fresh, podEip } from './situation.ts';

/* What is written down of an EIP that was just bought, by what the first look at it shows. */

const cluster = { uid: 'cluster', id: '' };
const ours: Eip = {
  ...eip(),
  allocationId: 'eip-1',
  status: 'Available',
  tags: new Map([
    [TAG_CLUSTER_UID, cluster.uid],
    [TAG_PODEIP_UID, podEip().metadata.uid],
  ]),
};

const announce = () => Promise.reject(new Error('nobody is told'));

/** Buys an EIP whose first look ends like this. */
const buying = (look: (signal?: AbortSignal) => Promise<Eip | undefined>, place = true) => {
  const clock = new ManualClock();
  const patches: Patch[] = [];
  const stop = new AbortController();
  let looks = 0;
  const kube = {
    patch: (_: unknown, __: unknown, patch: Patch, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      patches.push(patch);
      return Promise.resolve(podEip());
    },
  } as unknown as Kube;
  const cloud = {
    allocateEip: () => Promise.resolve({ allocationId: 'eip-1', ipAddress: '203.0.113.1' }),
    describeEip: (_: string, signal?: AbortSignal) => {
      looks += 1;
      return look(signal);
    },
  } as unknown as Cloud;
  const ports = { kube, cloud, clock, cluster, announce, tracker: new Tracker(clock, seeded(1)) };
  const step = {
    do: 'Allocate',
    podEip: podEip(),
    request: fresh,
    generation: 1,
    ...(place && { place: binding }),
  } as const;
  const outcome = runAction(step, ports, 'p/0', stop.signal);
  /** The ID and the bindings of each write. */
  const written = () =>
    patches.map(({ body }) => {
      const { spec, metadata } = body as {
        spec: { allocationID: string };
        metadata: { annotations: Readonly<Record<string, string | null>> };
      };
      return [spec.allocationID, metadata.annotations[BINDINGS] ?? 'no binding'];
    });
  return { clock, stop, outcome, written, looks: () => looks };
};

const WITH_BINDING = [['eip-1', JSON.stringify([binding])]];
const WITHOUT = [['eip-1', 'no binding']];

test('an EIP that shows its tags at once is written down with the place where it will be bound, in one write', async (t) => {
  const { outcome, written, looks } = buying(() => Promise.resolve(ours));
  t.like(await outcome, { allocationId: 'eip-1', ipAddress: '203.0.113.1', eip: ours });
  t.deepEqual(written(), WITH_BINDING);
  t.is(looks(), 1);
});

for (const [what, seen] of [
  ['is not to be seen yet', undefined],
  ['shows no tags', { ...ours, tags: new Map<string, string>() }],
  ['is tagged as that of another PodEIP', { ...ours, tags: new Map([...ours.tags, [TAG_PODEIP_UID, 'another']]) }],
  ['is bound to something already', { ...ours, status: 'InUse' }],
  ['is locked', { ...ours, lockReasons: ['financial'] }],
] as const)
  test(`an EIP that ${what} is written down by itself, and read again`, async (t) => {
    const { outcome, written } = buying(() => Promise.resolve(seen));
    t.is((await outcome).eip, undefined);
    t.deepEqual(written(), WITHOUT);
  });

test('a look that fails, or hangs, or is stopped keeps no purchase from being written down', async (t) => {
  const failed = buying(() => Promise.reject(new Error('no answer')));
  await failed.outcome;
  t.deepEqual(failed.written(), WITHOUT);
  const hanging = () =>
    buying(
      (signal) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    );
  const slow = hanging();
  await slow.clock.advance(199);
  t.deepEqual(slow.written(), []);
  await slow.clock.advance(1);
  await slow.outcome;
  t.deepEqual(slow.written(), WITHOUT);
  const stopped = hanging();
  await settled();
  stopped.stop.abort(new Error('the process stops'));
  await stopped.outcome;
  t.deepEqual(stopped.written(), WITHOUT);
});

test('where it is not clear where it will be bound nothing is looked at', async (t) => {
  const { outcome, written, looks } = buying(() => Promise.resolve(ours), false);
  await outcome;
  t.deepEqual(written(), WITHOUT);
  t.is(looks(), 0);
});
