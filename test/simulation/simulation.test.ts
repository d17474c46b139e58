import { readFileSync } from 'node:fs';
import { readdirSync } from 'node:fs';
import test from 'ava';
import { runScenario } from './crash-points.ts';
import { readFixture } from './fixture.ts';
import { generate } from './generate.ts';
import { mutants } from './mutants.ts';
import { share } from './pool.ts';
import { scenarios } from './scenarios.ts';
import { runSeed } from './seeds.ts';
import { replay, shrink, weight } from './shrink.ts';

const FIXTURES = new URL('fixtures/', import.meta.url);

/** Enough for a few seconds; `npm run simulate` runs as many as one has patience for. */
const SEEDS = 60;

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
  const works = [1, 11].map((from) => ({ kind: 'seeds', from, count: 10, isFirstEnough: false, sink: true }) as const);
  const sum = await share(works, { jobs: 2 }, () => 'go on');
  t.deepEqual(sum.violations, []);
});

test('every scenario comes to its end without a crash, and does something', async (t) => {
  for (const { name } of scenarios) {
    const { violation, firstIos } = await runScenario(name);
    t.is(violation, undefined, name);
    t.true(
      firstIos.some((label) => label.startsWith('AssociateEip') || label.startsWith('UnassociateEip')) ||
        name.includes('at once'),
      name,
    );
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
const noticed = async (name: string) => {
  const replacements = mutants.find((mutant) => mutant.name.startsWith(name))?.replacements ?? [];
  const works = Array.from({ length: 20 }, (_, piece) => ({
    kind: 'seeds' as const,
    from: 1 + 10 * piece,
    count: 10,
    isFirstEnough: true,
  }));
  const sum = await share(works, { jobs: 1, replacements }, ({ violations }) =>
    violations.length > 0 ? 'enough' : 'go on',
  );
  return sum.violations[0]?.invariant;
};

test('a controller without one of its defences is noticed', async (t) => {
  t.is(await noticed('random token'), 'I2');
  t.is(await noticed('finalizer first'), 'I2');
  t.is(await noticed('blind unbind'), 'I4');
});

test('every mutant finds its texts in the source, each once', (t) => {
  for (const { name, replacements } of mutants) {
    const sources = new Map<string, string>();
    for (const { file, text, by } of replacements) {
      const parts = (sources.get(file) ?? readFileSync(file, 'utf8')).split(text);
      t.is(parts.length, 2, `${name}: ${text}`);
      sources.set(file, parts.join(by));
    }
  }
});

test('a mutant whose text is not in the source any more fails', async (t) => {
  const replacements = [{ file: 'src/controllers/podeip/decide.ts', text: 'no such text', by: '' }];
  const work = { kind: 'seeds' as const, from: 1, count: 1, isFirstEnough: true };
  await t.throwsAsync(
    share([work], { jobs: 1, replacements }, () => 'go on'),
    { message: /0 times in src\/controllers\/podeip\/decide/u },
  );
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
