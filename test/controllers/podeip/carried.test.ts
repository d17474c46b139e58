import test from 'ava';
import type { Pod } from '../../../src/api/core.ts';
import { Carried, type LookedUp } from '../../../src/controllers/podeip/carried.ts';
import type { ObservedState } from '../../../src/controllers/podeip/observation.ts';
import { ManualClock } from '../../harness/clock.ts';
import { eni, pod, podEip, seen } from './situation.ts';

const KEY = 'default/a';
const INTERFACES = { do: 'ReadInterfaces', privateIpAddress: '10.0.0.2' } as const;
const POLICY = { do: 'ReadPolicy' } as const;
const interfaces = [eni()];
const limits = { policy: { effective: {} as never, isFresh: true }, namespace: null };

/** Turns of one key, whose watch shows this pod. */
const turns = () => {
  const clock = new ManualClock();
  const carried = new Carried();
  const world: { pod: Pod } = { pod: pod() };
  const state: ObservedState = seen({ podEip: podEip(), readAt: clock.mono() });
  const watched = () => ({ pod: world.pod, podEip: state.podEip ?? undefined });
  return { clock, carried, world, state, take: () => carried.take(KEY, { watched, clock }) };
};

const ahead = (found: Promise<LookedUp>) => ({ privateIpAddress: '10.0.0.2', found });

test('a turn goes on at once, and waits for what is looked up only where it asks for that', async (t) => {
  const { carried, state, take } = turns();
  const { promise, resolve } = Promise.withResolvers<LookedUp>();
  carried.leave(state, ahead(promise));
  t.is(take(), state);
  t.is(carried.lookedUp(KEY, { do: 'ReadReusable' }), undefined);
  t.is(carried.lookedUp(KEY, { do: 'ReadTaggedEips' }), undefined, 'which asks for no interface');
  t.is(carried.lookedUp(KEY, { do: 'ReadInterfaces', privateIpAddress: '10.0.0.3' }), undefined, 'another address');
  t.is(carried.lookedUp('default/b', INTERFACES), undefined);
  const asked = [
    carried.lookedUp(KEY, INTERFACES)!,
    carried.lookedUp(KEY, { ...INTERFACES, do: 'ReadTaggedEips' })!,
    carried.lookedUp(KEY, POLICY)!,
  ];
  resolve({ interfaces, ...limits });
  t.deepEqual(await Promise.all(asked), [{ interfaces }, { interfaces }, limits]);
});

test('where the look came to nothing, each asks for itself', async (t) => {
  const { carried, state, take } = turns();
  carried.leave(state, ahead(Promise.resolve({})));
  take();
  t.deepEqual(await carried.lookedUp(KEY, INTERFACES), {});
  t.deepEqual(await carried.lookedUp(KEY, POLICY), {});
});

test('in the turns after the first one only the interface counts, and nothing once a turn has read everything anew', async (t) => {
  const begin = () => {
    const its = turns();
    its.carried.leave(its.state, ahead(Promise.resolve({ interfaces, ...limits })));
    its.take();
    its.carried.leave(its.state);
    return its;
  };
  const second = begin();
  t.is(second.take(), second.state);
  t.is(second.carried.lookedUp(KEY, POLICY), undefined);
  t.deepEqual(await second.carried.lookedUp(KEY, INTERFACES), { interfaces });
  t.is(second.take(), undefined, 'nothing was left');
  t.is(second.carried.lookedUp(KEY, INTERFACES), undefined);

  const changed = begin();
  changed.world.pod = { ...pod(), metadata: { ...pod().metadata, resourceVersion: '2' } };
  t.is(changed.take(), undefined);
  t.is(changed.carried.lookedUp(KEY, INTERFACES), undefined);

  const late = begin();
  await late.clock.advance(2_000);
  t.is(late.take(), undefined);
  t.is(late.carried.lookedUp(KEY, INTERFACES), undefined);
});

test('a turn goes on for longer where the look for all has shown the EIP in use', async (t) => {
  for (const hasArrived of [true, false]) {
    const { clock, carried, state } = turns();
    const watched = () => ({ pod: state.pod ?? undefined, podEip: state.podEip ?? undefined });
    const transitions = { hasArrived: (allocationId: string) => allocationId === 'eip-1' && hasArrived };
    const podEip = { ...state.podEip!, spec: { ...state.podEip!.spec, allocationID: 'eip-1' } };
    const take = () => carried.take(KEY, { watched, clock, transitions });
    carried.leave({ ...state, podEip, isSent: true });
    await clock.advance(3_000);
    t.is(take()?.hasArrived, hasArrived ? true : undefined);
    carried.leave({ ...state, podEip });
    t.is(take(), undefined, 'it was not sent');
  }
});
