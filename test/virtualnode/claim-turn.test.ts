import test from 'ava';
import type { PersistentVolume, PersistentVolumeClaim } from '../../src/api/persistent-volumes.ts';
import { CLAIM_TURN, ECI_INSTANCE_ID } from '../../src/api/annotations.ts';
import { asksByItself, precedes, turnAnnotation, turnOf } from '../../src/virtualnode/claim-turn.ts';
import { claimUser } from '../../src/virtualnode/claim-users.ts';
import { decidePod } from '../../src/virtualnode/decide.ts';
import type { ObservedPod, TrackedPod } from '../../src/virtualnode/observation.ts';
import type { References } from '../../src/virtualnode/references.ts';
import type { PodStep } from '../../src/virtualnode/step.ts';
import { patchOfPod } from '../../src/virtualnode/write-status.ts';
import type { WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { virtualNodeSettings } from '../harness/settings.ts';

const podOf = (uid: string, over: object = {}): WorkloadPod => ({
  metadata: {
    name: uid,
    namespace: 'shop',
    uid,
    resourceVersion: '1',
    creationTimestamp: '2026-11-30T12:00:00Z',
    ...over,
  },
  spec: {
    nodeName: `vnode-${uid}`,
    containers: [{ name: 'main', image: 'nginx' }],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
  },
});

test('the older of two pods is first, and of two of one second the one with the smaller UID', (t) => {
  const older = podOf('z', { creationTimestamp: '2026-11-30T11:59:59Z' });
  const [a, b] = [podOf('a'), podOf('b')];
  t.deepEqual(
    [precedes(older, a), precedes(a, older), precedes(a, b), precedes(b, a), precedes(a, a)],
    [true, false, true, false, false],
  );
});

test('what a template carries of another pod says nothing', (t) => {
  const copied = turnAnnotation(podOf('a'), 'asks');
  t.is(turnOf(podOf('a', { annotations: copied })), 'asks');
  for (const annotations of [copied, { [CLAIM_TURN]: 'asks' }, { [CLAIM_TURN]: 'waits a' }, undefined])
    t.is(turnOf(podOf('b', { annotations })), 'unknown');
});

const claim: PersistentVolumeClaim = {
  metadata: { name: 'data', namespace: 'shop', uid: 'c', resourceVersion: '1' },
  spec: { volumeName: 'disk' },
  status: { phase: 'Bound' },
};
const volume: PersistentVolume = {
  metadata: { name: 'disk', uid: 'v', resourceVersion: '1' },
  spec: {
    claimRef: { name: 'data', namespace: 'shop', uid: 'c' },
    csi: { driver: 'diskplugin.csi.alibabacloud.com', volumeHandle: 'd-bp1abc' },
  },
};

/** One virtual node with its pod, as its process has it. */
interface Node {
  readonly pod: WorkloadPod;
  readonly references?: References | undefined;
  /** What its process has written of its turn, and had answered. */
  readonly claimTurn?: string | undefined;
  /** A write that has not arrived: its process has died, or takes it for failed. */
  readonly late?: Late | undefined;
  readonly hasSent: boolean;
  /** The next answer of the cloud is a refusal. */
  readonly isRefused: boolean;
}
type World = readonly Node[];
interface Late {
  readonly step: WriteStatus;
  /** The version without which it does not go through; undefined: it always does. */
  readonly resourceVersion: string | undefined;
}
type WriteStatus = Extract<PodStep, { do: 'WriteStatus' }>;

const settings = virtualNodeSettings({ statefulKinds: [] });
const memory: TrackedPod = { quietMs: Infinity, wasListed: false, missingMs: 0, isFinished: false };

const nextOf = ({ pod, references, claimTurn, hasSent, isRefused }: Node): PodStep => {
  const refusal = { reason: 'CloudRefused', message: 'no', dueInMs: 1_000 };
  const seen: ObservedPod = {
    pod,
    group: null,
    surplus: [],
    podEip: undefined,
    eip: undefined,
    references,
    memory: {
      ...memory,
      claimTurn,
      ...(hasSent && { createdId: `eci-${pod.metadata.uid}` }),
      ...(isRefused && { refusal }),
    },
    now: 0,
  };
  return decidePod(seen, { ...settings, nodeName: pod.spec.nodeName ?? '' });
};

const patched = (pod: WorkloadPod, { annotations, status }: WriteStatus): WorkloadPod => ({
  ...pod,
  metadata: {
    ...pod.metadata,
    resourceVersion: String(Number(pod.metadata.resourceVersion) + 1),
    annotations: { ...pod.metadata.annotations, ...annotations } as Record<string, string>,
  },
  status: { ...pod.status, ...status },
});

/** What becomes of the world when a node takes its next step; undefined if it waits and nothing changes. */
const stepped = async (world: World, at: number): Promise<World | undefined> => {
  const node = world[at];
  if (!node) return undefined;
  const step = nextOf(node);
  const put = (changed: Partial<Node>) => world.with(at, { ...node, ...changed });
  if (step.do === 'ReadReferences') {
    const tracker = { holderOf: () => undefined, hasAsked: () => 'no' as const };
    const groups = { ofPod: () => Promise.reject(new Error('the pods of other nodes are not looked for')) };
    const users = world.map(({ pod }) => pod);
    const { pod } = node;
    const { signal } = new AbortController();
    const usedBy = await claimUser({ tracker, groups, settleMs: 1 }, { pod, claim, users }, signal);
    const claims = new Map([['data', { claim, volume, usedBy }]]);
    return put({ references: { configMaps: new Map(), secrets: new Map(), tokens: new Map(), claims } });
  }
  if (step.do === 'WriteStatus') {
    const said = step.annotations?.[CLAIM_TURN];
    return put({
      pod: patched(node.pod, step),
      references: undefined,
      isRefused: false,
      ...(said && { claimTurn: said }),
    });
  }
  if (step.do === 'CreateGroup') return put({ hasSent: true, references: undefined });
  if (step.do !== 'Wait') throw new Error(`${step.do} is not expected`);
  return node.references || node.isRefused ? put({ references: undefined, isRefused: false }) : undefined;
};

/** A request of the first pod may be refused once, before it is sent. */
const refused = (world: World): World | undefined => {
  const [first] = world;
  return first && turnOf(first.pod) === 'asks' && !first.hasSent && !first.isRefused && first.references
    ? world.with(0, { ...first, isRefused: true, references: undefined })
    : undefined;
};

/** The write that a node is about to send arrives later, once in each world; the next process does not know of it. */
const delayed = (world: World, at: number): World | undefined => {
  const node = world[at];
  if (!node) return undefined;
  const step = nextOf(node);
  if (step.do !== 'WriteStatus' || world.some(({ late }) => late)) return undefined;
  const { metadata }: { metadata: { resourceVersion?: string | undefined } } = patchOfPod(node.pod, step).body;
  return world.with(at, {
    ...node,
    late: { step, resourceVersion: metadata.resourceVersion },
    claimTurn: undefined,
    references: undefined,
    isRefused: false,
  });
};

const isValid = ({ late, pod }: Node): boolean =>
  late !== undefined && (late.resourceVersion === undefined || late.resourceVersion === pod.metadata.resourceVersion);

/** It arrives, and goes through unless somebody has written the pod since. */
const arrived = (world: World, at: number): World | undefined => {
  const node = world[at];
  if (!node?.late || !isValid(node)) return undefined;
  // What else is late in this world does not matter any more.
  return world.with(at, { ...node, pod: patched(node.pod, node.late.step), late: SPENT });
};
const SPENT: Late = { step: { do: 'WriteStatus' }, resourceVersion: 'none' };

const keyOf = (world: World): string =>
  JSON.stringify(
    world.map((node) => {
      const { pod, references, claimTurn, late, hasSent, isRefused } = node;
      return [
        // Which version it is does not matter, but whether it is the same.
        [turnOf(pod), asksByItself(pod, claimTurn)],
        [late && [late.step.annotations?.[CLAIM_TURN]?.split(' ', 1), late.step.status, isValid(node)]],
        pod.status,
        references && [...references.claims.values()].map(({ usedBy }) => usedBy ?? null),
        hasSent,
        isRefused,
      ];
    }),
  );

const MOST_WORLDS = 100_000;

/** Every order of the steps of so many nodes, each with a pod that has just come. */
const explore = async (count: number, mayBeLate: boolean) => {
  const start: World = Array.from({ length: count }, (_, at) => ({
    pod: podOf(String.fromCodePoint(97 + at)),
    hasSent: false,
    isRefused: false,
  }));
  const worlds = new Map<string, World>([[keyOf(start), start]]);
  const ways = new Map<string, Set<string>>();
  for (const [key, world] of worlds) {
    if (worlds.size > MOST_WORLDS) throw new Error('there is no end of worlds');
    const next = [
      ...(await Promise.all(world.map((_, at) => stepped(world, at)))),
      ...(mayBeLate ? world.flatMap((_, at) => [delayed(world, at), arrived(world, at)]) : []),
      refused(world),
    ];
    for (const each of next)
      if (each) {
        const to = keyOf(each);
        if (!worlds.has(to)) worlds.set(to, each);
        ways.set(to, (ways.get(to) ?? new Set()).add(key));
      }
  }
  const sent = ([, world]: [string, World]) => world.filter(({ hasSent }) => hasSent).length;
  const all = [...worlds];
  // From which worlds one can still come to one in which a pod has its instance.
  const hopeful = new Set(all.filter((each) => sent(each) === 1).map(([key]) => key));
  for (const key of hopeful) for (const from of ways.get(key) ?? []) hopeful.add(from);
  return {
    worlds: all.length,
    most: Math.max(...all.map(sent)),
    stuck: all.filter(([key]) => !hopeful.has(key)).length,
  };
};

for (const [count, mayBeLate] of [
  [2, true],
  [3, false],
] as const)
  test(`of ${count} pods on as many virtual nodes one gets the disk, in whatever order their nodes read and write${mayBeLate ? ', and however late a write arrives' : ''}`, async (t) => {
    const { worlds, most, stuck } = await explore(count, mayBeLate);
    t.log(`${worlds} worlds`);
    t.true(worlds > 20);
    t.is(most, 1, 'never two at once');
    t.is(stuck, 0, 'there is always a way to an instance');
  });

test('who asks before another one looks at it less and less often, for the other node may have died', (t) => {
  const pod = podOf('a', { annotations: turnAnnotation(podOf('a'), 'asks') });
  const usedBy = { name: 'b', node: 'vnode-b', isSure: false, isAfter: true };
  const claims = new Map([['data', { claim, volume, usedBy }]]);
  const references = { configMaps: new Map(), secrets: new Map(), tokens: new Map(), claims };
  const again = (keptMs: number) => {
    const seen = { pod, group: null, surplus: [], podEip: undefined, eip: undefined, now: 0 };
    const step = decidePod({ ...seen, references, memory: { ...memory, keptMs } }, settings);
    // The status says why first, and the same decision after that waits.
    if (step.do !== 'WriteStatus') throw new Error(`${step.do} is not expected`);
    const said = patched(pod, step);
    const next = decidePod({ ...seen, pod: said, references, memory: { ...memory, keptMs } }, settings);
    return next.do === 'Wait' ? [next.ms, said.status?.message] : [];
  };
  const [first, message] = again(0);
  t.regex(
    String(message),
    /by the pod b on the node vnode-b, .* if node vnode-b does not run any more, delete that pod/,
  );
  t.deepEqual([first, again(60_000)[0], again(150_000)[0], again(3_600_000)[0]], [2_000, 2_000, 5_000, 30_000]);
});

test('a pod of a node that says nothing is waited for, as it may have begun at any time', async (t) => {
  const kubelet = podOf('k');
  const tracker = { holderOf: () => undefined, hasAsked: () => 'no' as const };
  const groups = { ofPod: () => Promise.resolve([]) };
  const me = podOf('a', { annotations: turnAnnotation(podOf('a'), 'asks') });
  const userOf = (users: WorkloadPod[]) =>
    claimUser(
      { tracker, groups, settleMs: 1 },
      { pod: me, claim, users: [me, ...users] },
      new AbortController().signal,
    );
  t.deepEqual(await userOf([kubelet]), { name: 'k', isSure: true });
  const turned = (turn: 'asks' | 'waits', over: object = {}) => ({
    ...podOf('k', { annotations: { ...turnAnnotation(kubelet, turn), ...over } }),
  });
  t.deepEqual(await userOf([turned('asks')]), { name: 'k', node: 'vnode-k', isSure: false, isAfter: true });
  t.is(await userOf([turned('waits')]), undefined);
  t.deepEqual(await userOf([turned('waits', { [ECI_INSTANCE_ID]: 'eci-1' })]), { name: 'k', isSure: true });
});
