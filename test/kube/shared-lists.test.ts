import test from 'ava';
import { POD, type Pod } from '../../src/api/core.ts';
import { EIP_POLICY } from '../../src/api/eippolicy.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube, KubeObject, ListOptions, Resource } from '../../src/kube/port.ts';
import { sharingLists } from '../../src/kube/shared-lists.ts';
import { ManualClock, settled } from '../harness/clock.ts';

interface Asked {
  readonly what: string;
  readonly answer: (names: readonly string[]) => void;
  readonly fail: (error: Error) => void;
}

const namesOf = async (pods: Promise<readonly Pod[]>): Promise<readonly string[]> =>
  (await pods).map(({ metadata }) => metadata.name);

/** A client whose lists the test answers. */
const listing = () => {
  const asked: Asked[] = [];
  const list = ({ plural }: Resource<KubeObject>, { namespace = 'all', labelSelector = '' }: ListOptions = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly KubeObject[]>();
    const answer = (names: readonly string[]) =>
      resolve(names.map((name) => ({ metadata: { name, uid: name, resourceVersion: '1' } })));
    asked.push({ what: `${plural} ${namespace} ${labelSelector}`.trim(), answer, fail: reject });
    return promise;
  };
  const clock = new ManualClock();
  const kube = sharingLists({ list } as unknown as Kube, clock);
  return { asked, clock, kube, pods: (options?: ListOptions) => namesOf(kube.list(POD, options)) };
};

test('whoever asks while a list is under way gets the next one, which has begun after that, with all others', async (t) => {
  const { asked, pods } = listing();
  const first = pods();
  const others = [pods(), pods(), pods()];
  await settled();
  t.is(asked.length, 1, 'the next begins when this one is over');
  asked[0]!.answer(['of before']);
  t.deepEqual(await first, ['of before']);
  await settled();
  t.is(asked.length, 2);
  // While that one is under way it is the next for nobody any more.
  const last = pods();
  asked[1]!.answer(['since']);
  t.deepEqual(await Promise.all(others), [['since'], ['since'], ['since']]);
  await settled();
  asked[2]!.answer(['later']);
  t.deepEqual(await last, ['later']);
  const alone = pods();
  t.is(asked.length, 4, 'nothing is kept');
  asked[3]!.answer([]);
  t.deepEqual(await alone, []);
});

test('a list that fails fails for those who have asked for it, and the next is made all the same', async (t) => {
  const { asked, pods } = listing();
  const fault = new KubeFault({ kind: 'unavailable', message: 'no' });
  const first = t.throwsAsync(pods(), { is: fault });
  const [second, third] = [pods(), t.throwsAsync(pods({ namespace: 'other' }), { is: fault })];
  asked[0]!.fail(fault);
  asked[1]!.fail(fault);
  await Promise.all([first, third]);
  await settled();
  asked[2]!.answer(['there']);
  t.deepEqual(await second, ['there']);
});

test('lists are shared by kind, namespace and selector', async (t) => {
  const { asked, kube, pods } = listing();
  const all = [
    pods(),
    pods({ namespace: 'a' }),
    pods({ namespace: 'b' }),
    pods({ namespace: 'a', labelSelector: 'x=1' }),
    pods({ namespace: 'a', labelSelector: 'x=2' }),
    kube.list(EIP_POLICY),
  ];
  t.deepEqual(
    asked.map(({ what }) => what),
    ['pods all', 'pods a', 'pods b', 'pods a x=1', 'pods a x=2', 'eippolicies all'],
  );
  for (const { answer } of asked) answer([]);
  await Promise.all(all);
});

test('one who stops waiting leaves the list to the others', async (t) => {
  const { asked, kube, pods } = listing();
  const stop = new AbortController();
  const mine = kube.list(POD, {}, stop.signal);
  const next = [kube.list(POD, {}, stop.signal), pods()] as const;
  const stopped = new Error('the leadership is lost');
  stop.abort(stopped);
  await t.throwsAsync(mine, { is: stopped });
  await t.throwsAsync(next[0], { is: stopped });
  asked[0]!.answer([]);
  await settled();
  asked[1]!.answer(['a']);
  t.deepEqual(await next[1], ['a']);
});

test('the next list waits for one that is never answered no longer than half a second', async (t) => {
  const { asked, clock, pods } = listing();
  void pods();
  const next = pods();
  await clock.advance(499);
  t.is(asked.length, 1);
  await clock.advance(1);
  t.is(asked.length, 2);
  const third = pods();
  asked[1]!.answer(['new']);
  t.deepEqual(await next, ['new']);
  await settled();
  asked[2]!.answer(['newer']);
  t.deepEqual(await third, ['newer']);
});
