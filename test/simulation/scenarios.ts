import { USERS_EIPS, type Action, type Ask, type Script } from './script.ts';

const NEW: Ask = { for: 'new', inPackage: false };
const IN_PACKAGE: Ask = { for: 'new', inPackage: true };
const EXISTING: Ask = { for: 'existing', allocationId: USERS_EIPS[0] };

const create = (at: number, pod: string, ask: Ask): Action => ({
  at,
  do: 'create',
  pod,
  ask,
  gated: true,
  node: 0,
  startMs: 300,
});
const end = (at: number, pod: string): Action => ({ at, do: 'delete', pod, graceMs: 2_000, freesFirst: false });
const force = (at: number, pod: string): Action => ({ at, do: 'force', pod, lingerMs: 0 });

/** Longer than everything that passes by itself, a crash included. */
const WHILE = 45_000;
/** Longer than the time between two looks at something that only a person can change. */
const LONG = 150_000;

const scenario = (name: string, ...actions: Action[]): Script => ({
  name,
  actions,
  endMs: Math.max(...actions.map(({ at }) => at)) + 5_000,
  faultRate: 0,
  election: false,
  freesAddresses: false,
  quota: 20,
  sweeper: false,
  legacy: [],
  quiet: false,
});

const TTL: Ask = { for: 'new', inPackage: false, strategy: '10s' };
const NEVER: Ask = { for: 'new', inPackage: false, strategy: 'Never' };
const createOfSet = (at: number, pod: string, ask: Ask): Action => ({
  at,
  do: 'create',
  pod,
  ask,
  gated: true,
  node: 0,
  startMs: 300,
  owner: 'StatefulSet',
});

const ofRevision = (at: number, pod: string, revision: number): Action => ({
  at,
  do: 'create',
  pod,
  ask: EXISTING,
  gated: true,
  node: 0,
  startMs: 300,
  revision,
});

/** A pod of the Service with an EIP of its own. */
const ofService = (at: number, pod: string): Action => ({ ...ofRevision(at, pod, 1), ask: NEW }) as Action;

/** Whole lives without any fault but the one that is put into them. What they must lead to, the invariants say. */
export const scenarios: readonly Script[] = [
  scenario('a pod comes and goes', create(0, 'a', NEW), end(WHILE, 'a')),
  scenario('a pod comes and stays', create(0, 'a', NEW)),
  scenario('a pod is deleted at once', create(0, 'a', NEW), force(900, 'a')),
  scenario('a pod uses the EIP of a user', create(0, 'a', EXISTING), end(WHILE, 'a')),
  {
    ...scenario(
      'an EIP that is not needed goes to the next pod of its Service',
      ofService(0, 'a'),
      end(WHILE, 'a'),
      ofService(WHILE + 12_000, 'b'),
    ),
    holdOffSeconds: 25,
  },
  {
    ...scenario('an EIP that is not needed is kept for nobody', ofService(0, 'a'), end(WHILE, 'a')),
    holdOffSeconds: 25,
  },
  {
    ...scenario(
      'somebody releases an EIP on its way to the next pod of the Service',
      ofService(0, 'a'),
      end(WHILE, 'a'),
      ofService(WHILE + 12_000, 'b'),
      { at: WHILE + 13_300, do: 'release', which: { ofPod: 'b' } },
    ),
    holdOffSeconds: 25,
  },
  {
    ...scenario(
      'two pods of a Service want the EIP that is not needed, and one of them goes',
      ofService(0, 'a'),
      end(WHILE, 'a'),
      ofService(WHILE + 9_000, 'b'),
      ofService(WHILE + 9_100, 'c'),
      force(WHILE + 13_000, 'b'),
    ),
    holdOffSeconds: 25,
  },
  scenario(
    'a rollout hands the EIP of a user over',
    ofRevision(0, 'a', 1),
    ofRevision(WHILE, 'b', 2),
    end(2 * WHILE, 'a'),
  ),
  scenario('a rollout, and a rollback by traffic', ofRevision(0, 'a', 2), ofRevision(WHILE, 'b', 1), end(LONG, 'a')),
  scenario(
    'two pods want the EIP of a user',
    create(0, 'a', EXISTING),
    create(500, 'b', EXISTING),
    end(LONG, 'a'),
    end(2 * LONG, 'b'),
  ),
  scenario(
    'a pod is replaced by another of its name',
    create(0, 'a', NEW),
    force(WHILE, 'a'),
    create(WHILE + 10, 'a', NEW),
  ),
  scenario(
    'a pod is replaced and its private address is used again',
    create(0, 'a', EXISTING),
    force(WHILE, 'a'),
    create(WHILE + 10, 'b', EXISTING),
    end(WHILE + LONG, 'b'),
  ),
  scenario('an EIP joins and leaves a bandwidth package', create(0, 'a', IN_PACKAGE), end(WHILE, 'a')),
  {
    ...scenario(
      'a pod names a bandwidth package that does not exist, and then none',
      create(0, 'a', IN_PACKAGE),
      { at: LONG, do: 'annotate', pod: 'a', ask: NEW },
      end(LONG + WHILE, 'a'),
    ),
    hasPackage: false,
  },
  scenario(
    'the quota is exhausted for a while',
    { at: 0, do: 'quota', eips: USERS_EIPS.length },
    create(10, 'a', NEW),
    { at: WHILE, do: 'quota', eips: 20 },
    end(LONG, 'a'),
  ),
  scenario(
    'annotations are refused and then corrected',
    create(0, 'a', { for: 'nonsense' }),
    { at: WHILE, do: 'annotate', pod: 'a', ask: NEW },
    end(2 * WHILE, 'a'),
  ),
  scenario('a pod no longer asks for an address', create(0, 'a', NEW), {
    at: WHILE,
    do: 'annotate',
    pod: 'a',
    ask: { for: 'nothing' },
  }),
  scenario('a user deletes the PodEIP of a pod that runs', create(0, 'a', NEW), {
    at: WHILE,
    do: 'deletePodEip',
    pod: 'a',
  }),
  scenario(
    'an EIP is kept for the next pod of the name, then for nobody',
    createOfSet(0, 'a', TTL),
    end(WHILE, 'a'),
    createOfSet(WHILE + 4_000, 'a', TTL),
    force(2 * WHILE, 'a'),
    // Nobody comes: it is released in the end.
    create(LONG, 'b', NEW),
  ),
  scenario(
    'an EIP is kept until its PodEIP is deleted',
    createOfSet(0, 'a', NEVER),
    force(WHILE, 'a'),
    createOfSet(2 * WHILE, 'a', NEVER),
    end(3 * WHILE, 'a'),
    { at: 4 * WHILE, do: 'deletePodEip', pod: 'a' },
  ),
  {
    ...scenario('an EIP is taken over from the other controller with its pod', end(WHILE, 'a')),
    legacy: [{ pod: 'a', type: 'Auto', hasPod: true }],
  },
  {
    ...scenario('an EIP is taken over from the other controller without a pod', create(WHILE, 'b', NEW)),
    legacy: [{ pod: 'a', type: 'Auto', hasPod: false }],
  },
  {
    ...scenario('the EIP of a user is taken over from the other controller', end(WHILE, 'a')),
    legacy: [{ pod: 'a', type: 'Static', hasPod: true }],
  },
  {
    ...scenario(
      'two pods want the last EIP of their namespace',
      create(0, 'a', NEW),
      create(300, 'b', NEW),
      end(LONG, 'a'),
      end(2 * LONG, 'b'),
    ),
    limit: 1,
  },
  scenario(
    'a pod gets another private address',
    create(0, 'a', NEW),
    { at: WHILE, do: 'move', pod: 'a' },
    end(LONG, 'a'),
  ),
  {
    ...scenario('a pod whose EIP has lost its tags is deleted at once', create(0, 'a', NEW), force(900, 'a')),
    readings: ['tagsIgnored'],
  },
  {
    ...scenario(
      'pods that are container instances give their EIPs back',
      create(0, 'a', NEW),
      create(500, 'b', EXISTING),
      { at: WHILE, do: 'deletePodEip', pod: 'a' },
      { at: WHILE, do: 'annotate', pod: 'b', ask: { for: 'nothing' } },
      end(LONG, 'a'),
    ),
    readings: ['eciSpelling'],
  },
  scenario(
    'an operator declares the EIP of a pod theirs',
    create(0, 'a', NEW),
    { at: WHILE, do: 'declare', pod: 'a' },
    end(WHILE + 9_000, 'a'),
  ),
  scenario(
    'the finalizer is taken off, and the pod goes at once',
    create(0, 'a', NEW),
    { at: WHILE, do: 'strip', pod: 'a' },
    force(WHILE + 9_000, 'a'),
  ),
  {
    ...scenario('somebody detaches the EIP of a pod at rest', create(0, 'a', NEW), {
      at: LONG,
      do: 'detach',
      which: { ofPod: 'a' },
    }),
    sweeper: true,
  },
  scenario('a pod ends by itself', create(0, 'a', NEW), { at: WHILE, do: 'finish', pod: 'a', phase: 'Succeeded' }),
  {
    ...scenario(
      'a pod of an overlay network has no interface',
      create(0, 'a', { for: 'nothing' }),
      // It has its address for long by then: nothing need be bought to see that it can have no EIP.
      { at: WHILE, do: 'annotate', pod: 'a', ask: NEW },
      end(LONG, 'a'),
    ),
    readings: ['noInterface'],
  },
  {
    ...scenario('the address of a pod is out of a prefix', create(0, 'a', NEW), create(500, 'b', EXISTING)),
    readings: ['prefixMode'],
  },
];
