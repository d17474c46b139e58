import test from 'ava';
import type { ContainerGroup, ContainerGroupSpec } from '../../src/cloud/container-groups.ts';
import type { PersistentVolumeClaim } from '../../src/api/persistent-volumes.ts';
import { ECI_INSTANCE_ID } from '../../src/api/annotations.ts';
import { claimUser } from '../../src/virtualnode/claim-users.ts';
import { PodTracker } from '../../src/virtualnode/tracker.ts';
import type { WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { ManualClock } from '../harness/clock.ts';
import { seeded } from '../harness/random.ts';

const SETTLE_MS = 60_000;
const claim: PersistentVolumeClaim = { metadata: { name: 'data', namespace: 'shop', uid: 'c', resourceVersion: '1' } };
const podOf = (name: string, { nodeName = 'vnode-1', annotations = {}, status = {} }: Partial<Change> = {}) => ({
  metadata: { name, namespace: 'shop', uid: name, resourceVersion: '1', annotations },
  spec: { containers: [], nodeName: nodeName ?? undefined },
  status,
});
interface Change {
  readonly nodeName: string | null;
  readonly annotations: Record<string, string>;
  readonly status: object;
}

/** What one process knows of the pods `me` and `other`. */
class Process {
  readonly clock = new ManualClock();
  readonly tracker = new PodTracker(this.clock, seeded(1), { baseMs: 1_000, capMs: 1_000 });
  readonly groups = new Map<string, readonly ContainerGroup[]>();
  readonly looked: string[] = [];

  meet(isNew: boolean): this {
    for (const name of ['me', 'other']) this.tracker.meet(name, `shop/${name}`, isNew);
    return this;
  }

  sends(name: string): void {
    this.tracker.sends(name, { clientToken: name, eip: {} } as ContainerGroupSpec, ['c']);
  }

  /** Whom `me` waits for. */
  async user(other?: Partial<Change>, me?: Partial<Change>): Promise<string> {
    const { tracker } = this;
    const groups = {
      ofPod: (uid: string) => {
        this.looked.push(uid);
        return Promise.resolve(this.groups.get(uid) ?? []);
      },
    };
    const pod = podOf('me', me) as WorkloadPod;
    const users = other ? [pod, podOf('other', other) as WorkloadPod] : [pod];
    const found = await claimUser(
      { tracker, groups, settleMs: SETTLE_MS },
      { pod, claim, users },
      new AbortController().signal,
    );
    return found ? `${found.name}${found.isSure ? '' : '?'}` : 'nobody';
  }
}

const HELD = ['UnsupportedByECI', 'ReferencesMissing', 'CloudRefused', 'QuotaExceeded', 'EIPPending'] as const;

test('whatever holds a pod for which nothing was asked, nobody waits for it; for its instance everybody does', async (t) => {
  const process = new Process().meet(true);
  for (const reason of HELD) t.is(await process.user({ status: { reason } }), 'nobody', reason);
  const told = { [ECI_INSTANCE_ID]: 'eci-1' };
  const rows: readonly (readonly [user: string, other: Partial<Change>, me?: Partial<Change>])[] = [
    ['nobody', {}],
    ['nobody', { nodeName: null }],
    ['other', { nodeName: 'ecs-1' }],
    ['nobody', { nodeName: 'ecs-1', status: { phase: 'Succeeded' } }],
    ['other', { status: { podIP: '10.1.0.1' } }],
    ['other', { status: { startTime: '2026-01-01T00:00:00Z', reason: 'UnsupportedByECI' } }],
    ['nobody', { status: { podIP: '10.1.0.1', phase: 'Failed' } }],
    ['other', { annotations: told, status: { reason: 'ReferencesMissing' } }],
    ['nobody', { annotations: told }, { annotations: told }],
  ];
  for (const [user, other, me] of rows) t.is(await process.user(other, me), user, JSON.stringify([other, me]));
  t.deepEqual(process.looked, [], 'this process knows what it has asked for');
});

test('who has asked for an instance has the claim until that is refused, or it has ended', async (t) => {
  const process = new Process().meet(true);
  const { tracker } = process;
  const status = { reason: 'UnsupportedByECI' };
  process.sends('other');
  t.is(await process.user({ status }), 'other', 'its status says what it said before');
  t.is(await process.user(), 'other', 'its object is gone');
  t.is(tracker.holderOf(['c'], 'me', SETTLE_MS), 'shop/other');
  t.is(tracker.holderOf(['c'], 'other', SETTLE_MS), undefined, 'itself');
  t.is(tracker.holderOf(['d'], 'me', SETTLE_MS), undefined);
  tracker.refused('other', { reason: 'CloudRefused', message: '' }, { code: '' });
  t.deepEqual([await process.user({ status }), tracker.holderOf(['c'], 'me', SETTLE_MS)], ['nobody', undefined]);
  process.sends('other');
  tracker.created('other', 'eci-1');
  t.is(await process.user({}), 'other');
  process.sends('other');
  tracker.ended('other');
  t.is(tracker.holderOf(['c'], 'me', SETTLE_MS), undefined);
  process.sends('other');
  tracker.forget('other');
  t.is(await process.user(), 'nobody');
});

test('a request that got no answer keeps the claim after a refusal of the next one', async (t) => {
  const process = new Process().meet(true);
  process.sends('other');
  await process.clock.advance(1_000);
  process.sends('other');
  process.tracker.refused('other', { reason: 'CloudRefused', message: '' }, { code: '' });
  t.is(process.tracker.holderOf(['c'], 'me', SETTLE_MS), 'shop/other');
  await process.clock.advance(SETTLE_MS);
  t.is(process.tracker.holderOf(['c'], 'me', SETTLE_MS), undefined);
});

test('what a process before has asked for is waited for, and then looked for', async (t) => {
  const process = new Process().meet(false);
  t.is(await process.user({}), 'other?');
  await process.clock.advance(SETTLE_MS);
  t.is(await process.user({}), 'nobody');
  t.deepEqual(process.looked, ['other']);
  process.groups.set('other', [{} as ContainerGroup]);
  t.is(await process.user({}), 'other');
});
