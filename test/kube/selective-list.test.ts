import test, { type ExecutionContext } from 'ava';
import { answer, status } from './memory-api.ts';
import { listingWorld, RELIST_MS } from './listing-world.ts';

type World = ReturnType<typeof listingWorld>;

const run = (t: ExecutionContext, { reflector }: World) => {
  const stop = new AbortController();
  const ended = reflector.run(stop.signal);
  t.teardown(async () => {
    stop.abort(new Error('end of test'));
    await ended;
  });
  return { stop, ended };
};

/** How the pod is known when it is listed. */
const KNOWN = ['not yet', 'as it is', 'as it was', 'as one that asked'] as const;

/** What happens to the pod between the list's snapshot and what follows. */
const MEANWHILE: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  nothing: () => Promise.resolve(),
  'it changes': (world) => world.annotate('p', { note: 'changed' }),
  'it changes twice': async (world) => {
    await world.annotate('p', { note: 'changed' });
    await world.annotate('p', { note: 'again' });
  },
  'it asks, or asks no more': (world) => world.annotate('p', { ask: world.reflector.hasSynced() ? null : 'yes' }),
  'it goes': (world) => world.remove('p'),
  'it changes and goes': async (world) => {
    await world.annotate('p', { note: 'changed' });
    await world.remove('p');
  },
  'it goes, and another comes that asks': async (world) => {
    await world.remove('p');
    await world.create('p', true);
  },
  'it goes, and another comes that does not ask': async (world) => {
    await world.annotate('p', { note: 'changed' });
    await world.remove('p');
    await world.create('p', false);
  },
};

/** How the first read of the pod fails. */
const FAULTS = {
  'a failure': () => answer(500, { kind: 'Status', code: 500, reason: 'InternalError', message: 'broken' }),
  'a broken connection': () => Promise.reject(new Error('reset')),
  'no such kind': () => answer(404, '404 page not found'),
  'what is no object': () => answer(200, '<html>'),
  'a refusal': () => status(403, 'Forbidden', 'p'),
} as const;

interface Case {
  readonly asking: boolean;
  readonly known: (typeof KNOWN)[number];
  readonly meanwhile: string;
  readonly many: boolean;
  readonly ignoresAccept: boolean;
  readonly fault?: keyof typeof FAULTS;
}

/** The list in question, and what comes to the reflector of what there is. */
const play = async (t: ExecutionContext, { asking, known, meanwhile, many, ignoresAccept, fault }: Case) => {
  const listing = listingWorld({ ignoresAccept, isFirstDeaf: known !== 'not yet' });
  const { world, reflector, asked, annotate } = listing;
  for (let n = 0; n < 20; n += 1) await listing.create(`dull-${n}`, false);
  const others = async () => {
    for (let n = 0; n < (many ? 12 : 0); n += 1) await listing.create(`other-${n}`, true);
  };
  await listing.create('p', asking || known === 'as one that asked');
  if (known === 'not yet') await others();
  else {
    run(t, listing);
    await reflector.synced;
    await others();
    if (known === 'as it was') await annotate('p', { note: 'missed' });
    if (known === 'as one that asked') await annotate('p', { ask: null });
    asked.length = 0;
  }
  const { watches, lists } = reflector.stats();
  world.onListed = async () => {
    world.onListed = undefined;
    await MEANWHILE[meanwhile]?.(listing);
  };
  world.onRead = async (name) => {
    if (fault === undefined || name !== 'p') return undefined;
    world.onRead = undefined;
    return FAULTS[fault]();
  };
  if (known === 'not yet') run(t, listing);
  else await listing.advance(RELIST_MS);
  await listing.wait('the list', () => reflector.stats().lists > lists && reflector.stats().watches > watches);
  const requests = [...asked];
  const { isThere, isStored, isTold } = await listing.compare();
  return { listing, requests, isThere, isStored, isTold };
};

const cases: Case[] = [];
for (const asking of [true, false])
  for (const known of KNOWN)
    for (const meanwhile of Object.keys(MEANWHILE))
      for (const many of [false, true])
        for (const ignoresAccept of [false, true])
          if (!asking || known !== 'as one that asked') cases.push({ asking, known, meanwhile, many, ignoresAccept });

test('whatever a list shows, and whatever happens meanwhile, what is stored and told is what is there', async (t) => {
  for (const one of cases) {
    const { listing, requests, isThere, isStored, isTold } = await play(t, one);
    const what = JSON.stringify(one);
    t.deepEqual(isStored, isThere, what);
    t.deepEqual(isTold, isThere, what);
    t.deepEqual([listing.events.filter((it) => it.includes(' although ')), listing.log.lines], [[], []], what);
    const { asking, known, many, ignoresAccept } = one;
    const reads = asking && known !== 'as it is';
    const expected = ignoresAccept
      ? ['metadata']
      : many
        ? ['metadata', 'whole']
        : reads
          ? ['metadata', 'p']
          : ['metadata'];
    t.deepEqual(requests, expected, what);
  }
  t.is(cases.length, 7 * Object.keys(MEANWHILE).length * 4);
});

test('a read that fails makes the list fail, which is said and tried again', async (t) => {
  for (const fault of Object.keys(FAULTS) as (keyof typeof FAULTS)[])
    for (const known of ['not yet', 'as it was'] as const)
      for (const meanwhile of ['nothing', 'it goes, and another comes that asks']) {
        const one = { asking: true, known, meanwhile, many: false, ignoresAccept: false, fault };
        const what = JSON.stringify(one);
        const { listing, requests, isThere, isStored, isTold } = await play(t, one);
        t.deepEqual([isStored, isTold], [isThere, isThere], what);
        t.is(listing.reflector.stats().faults, 1, what);
        t.is(listing.log.lines.filter((line) => line.includes('The list failed.')).length, 1, what);
        // Where there is a watch to go on with, it goes on until the list is tried again.
        t.deepEqual(requests, known === 'not yet' ? ['metadata', 'p', 'metadata', 'p'] : ['metadata', 'p'], what);
      }
});

/** So many that they are three pages. */
const crowd = async (listing: World, isAsking: (index: number) => boolean) => {
  for (let n = 0; n < 1_200; n += 1) await listing.create(`pod-${String(n).padStart(4, '0')}`, isAsking(n));
};

test('of three pages what asks is read, ten at once at most; listed anew nothing is read', async (t) => {
  const listing = listingWorld();
  const { reflector, asked, underway } = listing;
  // 25 of the second page, and one of the third.
  await crowd(listing, (n) => (n >= 500 && n < 1_000 && n % 20 === 0) || n === 1_111);
  run(t, listing);
  await reflector.synced;
  t.is(reflector.store.size, 26);
  t.deepEqual(
    asked.filter((it) => !it.startsWith('pod-')),
    ['metadata', 'metadata+', 'metadata+'],
  );
  t.is(asked.length, 3 + 26);
  t.is(underway.most, 10);
  const told = listing.events.length;
  asked.length = 0;
  await listing.advance(RELIST_MS);
  await listing.wait('the list', () => reflector.stats().lists === 2 && reflector.stats().watches === 2);
  t.deepEqual(asked, ['metadata', 'metadata+', 'metadata+']);
  t.is(listing.events.length, told);
  const { isThere, isStored } = await listing.compare();
  t.deepEqual(isStored, isThere);
});

test('where many of a page ask it is fetched whole, and so are the next as long as that is so', async (t) => {
  const listing = listingWorld();
  const { reflector, asked, world } = listing;
  // Of the first two pages more than a tenth, and one of the third.
  await crowd(listing, (n) => (n < 1_000 && n % 9 === 0) || n === 1_111);
  // What comes and goes between the two first pages moves the borders of the pages.
  world.onListed = async () => {
    world.onListed = undefined;
    for (const name of ['pod-0000', 'pod-0499', 'pod-0500', 'pod-1111']) await listing.remove(name);
    await listing.create('pod-0498-after', true);
    await listing.create('pod-1198-after', true);
  };
  run(t, listing);
  await reflector.synced;
  t.deepEqual(asked, ['metadata', 'whole', 'whole+', 'whole+']);
  const { isThere, isStored, isTold } = await listing.compare();
  t.deepEqual([isStored, isTold], [isThere, isThere]);
  t.is(reflector.store.get('default/pod-1111'), undefined);
});

for (const [which, ask, before] of [
  ['of metadata', () => false, ['metadata']],
  ['to be fetched once more, whole', (n: number) => n >= 500 && n % 5 === 0, ['metadata', 'metadata+']],
  ['after a whole one', (n: number) => n % 5 === 0, ['metadata', 'whole']],
] as const)
  test(`the token of a page ${which} expires: the list starts anew`, async (t) => {
    const listing = listingWorld();
    const { reflector, asked, world } = listing;
    await crowd(listing, ask);
    world.onListed = async () => {
      if (asked.length < before.length) return;
      world.onListed = undefined;
      await listing.create('pod-0000-after', true);
      listing.compact();
    };
    run(t, listing);
    await reflector.synced;
    t.deepEqual(asked.slice(0, before.length), before);
    t.is(asked[before.length + 1], 'metadata', asked.join(' '));
    t.is(reflector.stats().lists, 2);
    t.is(reflector.stats().faults, 0, 'expiry is no trouble');
    const { isThere, isStored } = await listing.compare();
    t.deepEqual(isStored, isThere);
  });

test('a stop in the middle of the reads ends all of them, and nothing is told', async (t) => {
  const listing = listingWorld();
  const { reflector, world } = listing;
  for (let n = 0; n < 300; n += 1) await listing.create(`pod-${n}`, n % 15 === 0);
  const signals: AbortSignal[] = [];
  const { promise: never } = Promise.withResolvers<undefined>();
  world.onRead = (_, signal) => {
    if (signal) signals.push(signal);
    return signals.length > 12 ? never : Promise.resolve(undefined);
  };
  const { stop, ended } = run(t, listing);
  await listing.wait('the reads', () => signals.length === 20);
  stop.abort(new Error('stop'));
  await ended;
  t.deepEqual([listing.events, reflector.store.size, reflector.hasSynced()], [[], 0, false]);
  t.deepEqual(
    signals.slice(12).map(({ aborted }) => aborted),
    Array<boolean>(8).fill(true),
  );
});

test('a read that fails ends those beside it, and no other begins', async (t) => {
  const listing = listingWorld();
  const { world, asked } = listing;
  for (let n = 0; n < 300; n += 1) await listing.create(`pod-${n}`, n % 15 === 0);
  const waiting: AbortSignal[] = [];
  const { promise: never } = Promise.withResolvers<undefined>();
  let failed = false;
  world.onRead = (_, signal) => {
    if (failed) return Promise.resolve(undefined);
    if (signal && waiting.push(signal) < 10) return never;
    failed = true;
    return Promise.resolve(answer(500, {}));
  };
  run(t, listing);
  await listing.reflector.synced;
  t.true(waiting.slice(0, 9).every(({ aborted }) => aborted));
  t.is(asked.indexOf('metadata', 1), 1 + 10, 'of twenty pods ten were asked for before the list began anew');
  const { isThere, isStored } = await listing.compare();
  t.deepEqual(isStored, isThere);
});

test('metadata that cannot be read is logged, and the object is read: then it is known what it is', async (t) => {
  const listing = listingWorld({
    mayKeep: ({ name }) => {
      if (name.startsWith('odd')) throw new Error('cannot tell');
      return false;
    },
  });
  for (const [name, asking] of [
    ['odd', true],
    ['odd-and-dull', false],
    ['dull', false],
  ] as const)
    await listing.create(name, asking);
  run(t, listing);
  await listing.reflector.synced;
  t.deepEqual(listing.asked, ['metadata', 'odd', 'odd-and-dull']);
  t.deepEqual([...listing.reflector.store.keys()], ['default/odd']);
  t.is(listing.log.lines.filter((line) => /metadata of Pod default\/odd.* threw.*cannot tell/.test(line)).length, 2);
});
