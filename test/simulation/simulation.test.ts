import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { runScenario } from './crash-points.ts';
import { readFixture } from './fixture.ts';
import { generate } from './generate.ts';
import { mutants } from './mutants.ts';
import { noticeIn, readNotices, workOf } from './notices.ts';
import { noticeByTest } from './noticing-test.ts';
import { share } from './pool.ts';
import { scenarios } from './scenarios.ts';
import { isHopeless } from './script.ts';
import { runSeed } from './seeds.ts';
import { SeededInput } from './seeded-input.ts';
import { replay, shrink, weight } from './shrink.ts';
import { runWorld } from './world.ts';

const FIXTURES = new URL('fixtures/', import.meta.url);

/** Enough for a few seconds; `npm run simulate` runs as many as one has patience for. */
const SEEDS = 60;

/** With an election a process works for about four of its twenty seconds: it waits for the Lease of the one before. */
const LIVES = [
  { lifeMs: 20_000, election: true },
  { lifeMs: 20_000, election: false },
  { lifeMs: 7_000, election: false },
] as const;

/** The lives that end with an EIP to give back, to detach, or to keep for a while. */
const COMES_AND_GOES =
  /comes and goes|uses the EIP of a user|joins and leaves|deleted at once|goes to the next pod|is kept for|taken over/u;

test('whatever happens to the controller, nothing is lost, doubled or taken from others', async (t) => {
  const works = [1, 2, 3].map((piece) => ({
    kind: 'seeds' as const,
    from: 1 + ((piece - 1) * SEEDS) / 3,
    count: SEEDS / 3,
    isFirstEnough: false,
  }));
  const sum = await share(works, { jobs: 2 }, () => 'go on');
  t.deepEqual(sum.violations, []);
  t.is(sum.runs, SEEDS);
  // Worlds in which nothing happens prove nothing.
  t.true(sum.faults > SEEDS && sum.deaths > SEEDS / 10 && sum.ios > 50 * SEEDS);
});

test('a sink is told of everything once, in order and with one content, whatever breaks', async (t) => {
  const works = [1, 11].map(
    (from) => ({ kind: 'seeds', from, count: 10, isFirstEnough: false, extras: { sink: true } }) as const,
  );
  const sum = await share(works, { jobs: 2 }, () => 'go on');
  t.deepEqual(sum.violations, []);
});

test('every scenario comes to its end without a crash, and does something', async (t) => {
  for (const script of scenarios) {
    const { name } = script;
    const { violation, firstIos } = await runScenario(name);
    t.is(violation, undefined, name);
    t.true(
      firstIos.some((label) => label.startsWith('AssociateEip') || label.startsWith('UnassociateEip')) ||
        name.includes('at once') ||
        isHopeless(script),
      name,
    );
  }
});

for (const { lifeMs, election } of LIVES)
  test(`whatever ends is given back by processes that die every ${lifeMs / 1_000} s, ${election ? 'one after the other leads' : 'without an election'}`, async (t) => {
    for (const script of scenarios.filter(({ name }) => COMES_AND_GOES.test(name))) {
      // So long that what is kept for a while is overdue, too.
      const { violation, deaths } = await runWorld(
        { ...script, lifeMs, election, endMs: script.endMs + 300_000 },
        { input: SeededInput.ofSeed(1) },
      );
      t.is(violation, undefined, script.name);
      t.true(deaths > 5, script.name);
    }
  });

test('a seed is the same world each time, and its recording too', async (t) => {
  const first = await runSeed(7);
  t.is((await runSeed(7)).hash, first.hash);
  t.is((await replay({ script: generate(7), draws: first.draws })).hash, first.hash);
  t.not((await runSeed(8)).hash, first.hash);
});

for (const file of readdirSync(FIXTURES).filter((name) => name.endsWith('.json')))
  test(`what broke once is whole: ${file}`, async (t) => {
    const fixture = readFixture(new URL(file, FIXTURES));
    t.is((await replay(fixture)).violation, undefined, fixture.broke);
  });

/** The seeds of one mutant, until it is noticed. */
const noticed = async (mutant: string) => {
  const works = Array.from({ length: 20 }, (_, piece) => ({
    kind: 'seeds' as const,
    from: 1 + 10 * piece,
    count: 10,
    isFirstEnough: true,
  }));
  const sum = await share(works, { jobs: 1, mutant }, ({ violations }) => (violations.length > 0 ? 'enough' : 'go on'));
  return sum.violations[0]?.invariant;
};

test('a controller without one of its defences is noticed', async (t) => {
  t.is(await noticed('random token: each attempt has its own'), 'I2');
  t.is(await noticed('finalizer first: the PodEIP goes before its EIP'), 'I1');
  t.is(await noticed('blind unbind: Unassociate does not say from what'), 'I4');
});

test('every mutant has a name of its own, and replaces what its modules export', async (t) => {
  t.is(new Set(mutants.map(({ name }) => name)).size, mutants.length);
  for (const { name, replacements } of mutants) {
    t.true(replacements.length > 0, name);
    for (const replacement of replacements) {
      const module = (await import(new URL(`../../${replacement.file}`, import.meta.url).href)) as object;
      t.true(replacement.name in module, `${name}: ${replacement.file} exports ${replacement.name}`);
    }
  }
});

test('what noticed a mutant is written down, and brings the same run back', async (t) => {
  const names = new Set(mutants.map(({ name }) => name));
  for (const name of readNotices().keys()) t.true(names.has(name), name);
  t.deepEqual(noticeIn('--sink --seed 12'), { seed: 12 });
  const scenario = 'a pod comes and goes';
  t.deepEqual(noticeIn(`--scenario '${scenario}' --crash-at '3 in flight'`), {
    scenario,
    crash: { io: 3, death: 'in flight' },
  });
  t.is(noticeIn('--replay file'), undefined);
  const notice = noticeIn(`--scenario '${scenario}'`);
  t.deepEqual(notice, { scenario });
  const mutant = 'finalizer first: the PodEIP goes before its EIP';
  const sum = await share([workOf({ scenario }, {})], { jobs: 1, mutant }, () => 'go on');
  t.is(sum.violations[0]?.run, `--scenario '${scenario}'`);
});

test('a mutant that nobody knows fails', async (t) => {
  const work = { kind: 'seeds' as const, from: 1, count: 1, isFirstEnough: true };
  await t.throwsAsync(
    share([work], { jobs: 1, mutant: 'no such mutant' }, () => 'go on'),
    { message: /no such mutant/u },
  );
});

test('a mutant of what people are told is noticed by the test that it names, which is there', async (t) => {
  const title = 'a look-up of the bandwidth package that keeps failing is told*';
  const named = mutants.find((it) => it.test?.title === title);
  t.truthy(named?.test);
  if (!named?.test) return;
  t.regex((await noticeByTest(named.name, named.test)) ?? 'nothing', /^a look-up of the bandwidth package/u);
  await t.throwsAsync(noticeByTest('no such mutant', named.test), { message: /was not run.*no such mutant/su });
  for (const { test: its } of mutants) {
    if (!its) continue;
    const source = readFileSync(new URL(`../${its.file}`, import.meta.url), 'utf8');
    // Titles that are made of parts are found by running them.
    const [part = ''] = its.title.split(/[:*]/u);
    t.true(source.includes(part.split(' ').slice(-3).join(' ')), `${its.file}: ${its.title}`);
  }
});

test('what fails is made simpler as long as it fails', async (t) => {
  const script = { ...generate(7), faultRate: 0.2 };
  // A world that breaks by itself: nobody bound the EIP that this pod says it has.
  const lie = { at: 20_000, do: 'lie' as const, pod: 'liar' };
  const create = {
    at: 19_000,
    do: 'create' as const,
    pod: 'liar',
    ask: { for: 'nothing' as const },
    gated: false,
    node: 1,
    startMs: 10,
  };
  const failing = { ...script, actions: [...script.actions, create, lie] };
  const { draws, violation } = await replay({ script: failing, draws: (await runSeed(7)).draws });
  t.is(violation?.invariant, 'I6');
  const shrunk = await shrink({ script: failing, draws }, 'I6', 60);
  t.is(shrunk.script.actions.length, 2);
  t.true(weight(shrunk) < weight({ script: failing, draws }));
  t.is((await replay(shrunk)).violation?.invariant, 'I6');
});
