import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { CLOUD_READINGS, isCloudReading } from '../../src/cloud/readings.ts';
import { crashPointsOf, DEATHS, runScenario } from './crash-points.ts';
import { readFixture, saveFixture } from './fixture.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { noticeByTest } from './noticing-test.ts';
import { share, type Shared, type Work } from './pool.ts';
import { scenarios } from './scenarios.ts';
import { liveImageCacheWorld } from '../virtualnode/imagecache/image-cache-world.ts';
import { liveNodeWorld } from '../virtualnode/node-world.ts';
import { NOTHING, runSeed, scriptOf, type Extras, type Sum } from './seeds.ts';
import { noticeIn, readNotices, saveNotices, workOf, type Notice } from './notices.ts';
import { replay, shrink, weight } from './shrink.ts';
import type { Death } from './wire.ts';
import type { Outcome } from './world.ts';

const USAGE = `npm run simulate -- [options]
  --seeds N          run the seeds 1 to N (default 200)
  --from N           begin with this seed
  --seed N           run one seed; on a violation, shrink it
  --scenario NAME    run one scenario; with --crash-at 'N before|in flight|after'
  --replay FILE      run a recording
  --save FILE        keep the shrunk recording of --seed
  --trace            show everything that happens
  --crash-points     kill the controller at every I/O of every scenario: before, in and after each write, at each read;
                     with --scenario of that one
  --mutants          take away one defence after the other; each must be noticed. Or only those that contain --mutant TEXT
  --remember         with --mutants: write down what noticed each (test/simulation/notices.json), to try it first
  --reading NAME     with this reading of the cloud in every world (docs/cloud-readings.md); may be repeated
  --sink             with a sink for CloudEvents, which is told of everything that happens
  --virtual-node     worlds of two virtual nodes and a disk that their pods share, and of image caches, in place of the
                     controller's
  --jobs N           threads (default: one for each processor)
`;

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    scenario: { type: 'string' },
    'crash-at': { type: 'string' },
    replay: { type: 'string' },
    save: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'crash-points': { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    mutant: { type: 'string', multiple: true, default: [''] },
    remember: { type: 'boolean', default: false },
    sink: { type: 'boolean', default: false },
    'virtual-node': { type: 'boolean', default: false },
    reading: { type: 'string', multiple: true, default: [] },
    jobs: { type: 'string', default: String(availableParallelism()) },
    help: { type: 'boolean', default: false },
  },
});

const extras: Extras = {
  sink: options.sink,
  readings: options.reading.map((name) => {
    if (isCloudReading(name)) return name;
    throw new Error(`there is no reading ${name}; there are: ${CLOUD_READINGS.join(', ')}`);
  }),
};
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const jobs = Number(options.jobs);
/** So many seeds are one piece of work: enough to be worth a message. */
const PIECE = 10;
/** A mutant that lives for so many seeds is not noticed. */
const MOST_SEEDS = 3_000;
/** So many for one that another defence covers: it is noticed by none of them, and more would prove no more. */
const REDUNDANT_SEEDS = 100;

/** So many lines of a shrunk trace are shown unasked. */
const LAST_LINES = 80;

/** So many runs of one kind of violation are named. */
const MOST_NAMED = 10;

const began = performance.now();
const seconds = (): string => ((performance.now() - began) / 1_000).toFixed(1);

/** How often it is said how far it is where nobody watches a terminal; milliseconds. */
const SAY_EVERY_MS = 30_000;

/** Says what has been shown so far, for a run that is stopped before its end. */
let sayShown = (): void => undefined;

const progress = (what: string, of: number) => {
  let said = -Infinity;
  let told = 0;
  const shown = (sum: Sum) => (): void => void summarize(`${what} until then`, sum);
  sayShown = shown(NOTHING);
  return (sum: Sum) => {
    sayShown = shown(sum);
    // At once: who watches a long run begins to look for the cause before it has ended.
    for (const { said: it, run } of sum.violations.slice(told)) say(`${it}\n    npm run simulate -- ${run}`);
    told = sum.violations.length;
    const text = `${sum.runs} of ${of}, ${sum.violations.length} violations, ${seconds()} s `;
    if (process.stdout.isTTY) process.stdout.write(`\r${text}`);
    else if (performance.now() - said >= SAY_EVERY_MS) {
      said = performance.now();
      process.stderr.write(`${text}\n`);
    }
    return 'go on' as const;
  };
};

/** What broke, without the names that it broke for. */
const signature = ({ said }: { readonly said: string }): string =>
  said.replaceAll(/eip-[0-9a-z]+|\d+(\.\d+)*/gu, '#').replaceAll(/\b(by|and|pod|PodEIP|from) [a-f]\b/gu, '$1 #');

const summarize = (what: string, sum: Sum): number => {
  if (process.stdout.isTTY) process.stdout.write('\r');
  const groups = Map.groupBy(sum.violations, signature);
  for (const group of groups.values()) {
    const [first] = group;
    say(`${group.length} × ${first?.said}`);
    say(`    npm run simulate -- ${first?.run}   (at ${((first?.atMs ?? 0) / 1_000).toFixed(3)} s; add --trace)`);
    const others = group.slice(1, MOST_NAMED).map(({ run }) => run);
    if (others.length > 0) say(`    and ${others.join(', ')}${group.length > MOST_NAMED ? ' …' : ''}`);
  }
  const days = (sum.virtualMs / 86_400_000).toFixed(1);
  say(
    `${what}: ${sum.runs} runs, ${sum.ios} I/Os, ${sum.deaths} crashes, ${sum.faults} faults, ${days} virtual days, ` +
      `slowest convergence ${Math.round(sum.longestConvergenceMs / 1_000)} s, ${seconds()} s, ` +
      `${(sum.runs / Number(seconds())).toFixed(0)} runs/s, ${sum.violations.length} violations`,
  );
  return sum.violations.length === 0 ? 0 : 1;
};

function* seedsFrom(from: number, count: number, isFirstEnough: boolean): Generator<Work> {
  for (let done = 0; done < count; done += PIECE)
    yield { kind: 'seeds', from: from + done, count: Math.min(PIECE, count - done), isFirstEnough, extras };
}

const report = (outcome: Outcome): number => {
  if (options.trace) say(outcome.lines.join('\n'));
  const { violation } = outcome;
  say(violation ? `${violation.said} (at ${(violation.atMs / 1_000).toFixed(3)} s)` : 'no violation');
  say(`${outcome.ios} I/Os, ${outcome.deaths} crashes, ${outcome.faults} faults, hash ${outcome.hash}`);
  return violation ? 1 : 0;
};

const oneSeed = async (seed: number): Promise<number> => {
  const outcome = await runSeed(seed, extras, options.trace);
  const code = report(outcome);
  const { violation } = outcome;
  if (!violation || (options.trace && options.save === undefined)) return code;
  const shrunk = await shrink({ script: scriptOf(seed, extras), draws: outcome.draws }, violation.invariant);
  const { actions } = shrunk.script;
  say(
    `shrunk in ${shrunk.runs} runs: ${weight({ ...shrunk, draws: outcome.draws })} → ${weight(shrunk)} draws, ${actions.length} actions`,
  );
  const last = await replay(shrunk, true);
  const width = process.stdout.isTTY ? process.stdout.columns : 240;
  for (const line of last.lines.slice(-LAST_LINES)) say(line.slice(0, width));
  say(last.violation?.said ?? '');
  if (options.save !== undefined) saveFixture(options.save, shrunk, last.violation?.said ?? '');
  return code;
};

const crashWorks = async (tell: (line: string) => void): Promise<Work[]> => {
  const works: Work[] = [];
  for (const { name } of scenarios.filter(({ name }) => name === (options.scenario ?? name))) {
    const points = await crashPointsOf(name, extras);
    tell(`${name}: ${points.length} crash points`);
    for (let from = 0; from < points.length; from += PIECE)
      works.push({ kind: 'crash points', scenario: name, points: points.slice(from, from + PIECE), extras });
  }
  return works;
};

const allCrashPoints = async (): Promise<number> => {
  const works = await crashWorks(say);
  return summarize('crash points', await share(works, { jobs }, progress('crash points', works.length * PIECE)));
};

/** Whether the same seed breaks the same without any mutant: then it says nothing about one. */
const breaksAnyway = async (violation: Pick<Sum['violations'][number], 'run' | 'said'>): Promise<boolean> => {
  const [, seed] = /--seed (\d+)$/.exec(violation.run) ?? [];
  // Crash points are run without mutants by --crash-points, and none may break there.
  if (seed === undefined) return false;
  const intact = (await runSeed(Number(seed), extras)).violation;
  return intact !== undefined && signature(intact) === signature(violation);
};

/** What broke. A seed that is another world each time proves nothing. */
const noticed = ({ violations }: Sum) => violations.filter(({ invariant }) => invariant !== 'replay');

const untilNoticed = (sum: Sum) => (noticed(sum).length > 0 ? 'enough' : 'go on');

const notices = readNotices();

/** What noticed the mutant, after how many runs of which kind, and what that took of CPU time in seconds. */
const noticeOf = async ({ name: mutant, redundant, scenario, test }: Mutant) => {
  if (test !== undefined) {
    const said = await noticeByTest(mutant, test);
    const first = said === undefined ? undefined : { run: `ava test/${test.file}`, said };
    return { first, runs: 1, of: 'run of its test', cpu: 'in a process of its own' };
  }
  let cpuMs = 0;
  const notice = (sum: Shared, of: string) => {
    cpuMs += sum.cpuMs;
    return { first: noticed(sum)[0], runs: sum.runs, of, cpu: `${(cpuMs / 1_000).toFixed(1)} s` };
  };
  const last = notices.get(mutant);
  if (last !== undefined) {
    const again = notice(await share([workOf(last, extras)], { jobs: 1, mutant }, untilNoticed), 'run that noticed it');
    if (again.first) return again;
    say(
      `not noticed by what noticed it last  ${mutant}\n    ${JSON.stringify(last)}; --remember writes down what does`,
    );
  }
  if (scenario !== undefined) {
    const points = [undefined, ...(await crashPointsOf(scenario, extras))];
    const works = points.map((point): Work => ({ kind: 'crash points', scenario, points: [point], extras }));
    const byScenario = notice(await share(works, { jobs: 1, mutant }, untilNoticed), 'runs of its scenario');
    if (byScenario.first) return byScenario;
  }
  const most = redundant === undefined ? MOST_SEEDS : REDUNDANT_SEEDS;
  // One thread each: each loads the product anew, which costs more than most mutants live.
  const bySeed = notice(await share(seedsFrom(1, most, true), { jobs: 1, mutant }, untilNoticed), 'seeds');
  if (bySeed.first || redundant !== undefined) return bySeed;
  // A window of a few calls is rarely hit by chance, and always by a crash at each of them.
  return notice(await share(await crashWorks(() => undefined), { jobs: 1, mutant }, untilNoticed), 'crash points');
};

/** Whether the mutant is noticed, or is known to be none. */
const tryMutant = async (mutant: Mutant): Promise<boolean> => {
  const { name, redundant } = mutant;
  try {
    const { first, runs, of, cpu } = await noticeOf(mutant);
    if (first && (await breaksAnyway(first))) {
      say(`BREAKS WITHOUT IT  ${name}\n    ${first.run} ${first.said}`);
      return false;
    }
    const noticedBy = first && noticeIn(first.run);
    if (noticedBy) notices.set(name, noticedBy);
    if (first) say(`noticed after ${String(runs).padStart(4)} ${of}, ${cpu}  ${name}\n    ${first.run} ${first.said}`);
    else if (redundant !== undefined) say(`redundant in ${runs} ${of}, ${cpu}  ${name}\n    ${redundant}`);
    else say(`NOT NOTICED in ${mutant.test ? '' : `${MOST_SEEDS} seeds and `}${runs} ${of}  ${name}`);
    return first !== undefined || redundant !== undefined;
  } catch (error) {
    say(`BROKEN  ${name}\n    ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
};

/** As they are declared, and none of a mutant that there is no more. */
const inOrderOfMutants = (all: ReadonlyMap<string, Notice>): ReadonlyMap<string, Notice> =>
  new Map(mutants.flatMap(({ name }) => (all.has(name) ? [[name, all.get(name)!] as const] : [])));

const allMutants = async (): Promise<number> => {
  let missed = 0;
  let tried = 0;
  const chosen = mutants.filter(({ name }) => options.mutant.some((part) => name.includes(part)));
  sayShown = () => say(`${tried} of ${chosen.length} mutants until then, ${missed} not noticed, ${seconds()} s`);
  const queue = chosen.values();
  const tryOnes = async (): Promise<void> => {
    for (const mutant of queue) {
      if (!(await tryMutant(mutant))) missed += 1;
      tried += 1;
      if (options.remember) saveNotices(inOrderOfMutants(notices));
    }
  };
  await Promise.all(Array.from({ length: jobs }, tryOnes));
  say(`${chosen.length} mutants, ${missed} not noticed, ${seconds()} s`);
  return missed === 0 ? 0 : 1;
};

/** One after the other, in this thread. */
const liveNodeWorlds = async (): Promise<number> => {
  const one = options.seed === undefined ? undefined : Number(options.seed);
  const from = one ?? Number(options.from);
  const count = one === undefined ? Number(options.seeds) : 1;
  const sum = { worlds: 0, deaths: 0, instances: 0, withDisk: 0, withoutSpot: 0, caches: 0, violations: 0 };
  sayShown = () => say(`virtual nodes until then: ${JSON.stringify(sum)}, ${seconds()} s`);
  for (let seed = from; seed < from + count; seed += 1) {
    const { instances, withDisk, withoutSpot, ...node } = await liveNodeWorld(seed);
    const { caches, ...ofCaches } = await liveImageCacheWorld(seed);
    const problems = [...node.problems, ...ofCaches.problems];
    for (const problem of problems) say(`${problem}\n    npm run simulate -- --virtual-node --seed ${seed}`);
    sum.worlds += 1;
    sum.deaths += node.deaths + ofCaches.deaths;
    sum.instances += instances;
    sum.withDisk += withDisk;
    sum.withoutSpot += withoutSpot;
    sum.caches += caches;
    sum.violations += problems.length;
  }
  say(
    `virtual nodes: ${sum.worlds} worlds, ${sum.deaths} crashes, ${sum.instances} instances, ${sum.withDisk} of them with the ` +
      `disk, ${sum.withoutSpot} without a spot instance, ${sum.caches} image caches, ${seconds()} s, ${sum.violations} violations`,
  );
  return sum.violations === 0 ? 0 : 1;
};

const main = async (): Promise<number> => {
  if (options.help) {
    say(USAGE);
    return 0;
  }
  if (options['virtual-node']) return liveNodeWorlds();
  if (options.seed !== undefined) return oneSeed(Number(options.seed));
  if (options.replay !== undefined) return report(await replay(readFixture(options.replay), options.trace));
  if (options['crash-points']) return allCrashPoints();
  if (options.scenario !== undefined) {
    const [io = '', ...death] = (options['crash-at'] ?? '').split(' ');
    const known = DEATHS.find((it) => it === death.join(' '));
    const crash = known === undefined ? undefined : { io: Number(io), death: known satisfies Death };
    return report(await runScenario(options.scenario, crash, { extras, keepTrace: options.trace }));
  }
  if (options.mutants) return allMutants();
  const count = Number(options.seeds);
  const works = seedsFrom(Number(options.from), count, false);
  return summarize('seeds', await share(works, { jobs }, progress('seeds', count)));
};

/** The shell's convention for a process that ended because of a signal. */
const STOPPED = { SIGINT: 130, SIGTERM: 143 } as const;

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    say(`stopped by ${signal}`);
    sayShown();
    process.exit(STOPPED[signal]);
  });

process.exitCode = await main();
