/**
 * What one decision costs: how often the pod's annotations and the record in the PodEIP are read, and CPU time. The
 * calls are counted in a second copy of the modules, whose source counts them as it is loaded: the copy that is timed
 * is the product's as it is.
 *
 *   node test/controllers/podeip/decide-bench.ts [RUNS]
 */
import { registerHooks } from 'node:module';
import { parseArgs } from 'node:util';
import type * as decision from '../../../src/controllers/podeip/decide.ts';
import type { ObservedState } from '../../../src/controllers/podeip/observation.ts';
import * as the from './situation.ts';

/** The functions that are counted: where each is, and how its definition begins. */
const COUNTED = [
  { name: 'parseAnnotations', file: '/src/request/parse.ts' },
  { name: 'readRecord', file: '/src/controllers/podeip/record.ts' },
] as const;

const allocationID = 'eip-1';
const bindings = [the.binding];
const inUse = the.podEip({ allocationID, bindings });
const ending = the.podEip({ allocationID, bindings, isEnding: true });
const users = the.podEip({ request: the.existing, allocationID, bindings });

const SITUATIONS: Readonly<Record<string, ObservedState>> = {
  'a new pod without a PodEIP': the.seen({}),
  'a new pod, before its EIP is bought': the.seen({ podEip: the.podEip(), tagged: [] }),
  'a pod whose new EIP is in use': the.seen({ pod: the.pod({ isTold: true }), podEip: inUse, eip: the.eip(the.bound) }),
  'a pod whose existing EIP is in use': the.seen({
    pod: the.pod({ annotations: the.EXISTING, isTold: true }),
    podEip: users,
    eip: the.usersEip(the.bound),
  }),
  'a PodEIP that is deleted, its EIP bound': the.seen({ podEip: ending, eip: the.eip(the.bound) }),
  'a PodEIP that is deleted, its EIP free': the.seen({ podEip: ending, eip: the.eip() }),
  'a PodEIP whose EIP is kept for the next pod': the.seen({
    pod: the.pod({ uid: 'next', owner: 'StatefulSet' }),
    podEip: the.podEip({
      allocationID,
      bindings,
      podUid: '',
      goneSince: '2026-11-21T11:59:00Z',
      release: { strategy: 'Never' },
    }),
  }),
};

const timed: typeof decision = await import('../../../src/controllers/podeip/decide.ts');

/** A marker in the address of a module makes another copy of it, and of all that it imports. */
const MARK = '?counted';
const calls = new Map<string, number>();
Object.assign(globalThis, { countCall: (name: string) => calls.set(name, (calls.get(name) ?? 0) + 1) });
registerHooks({
  resolve: (specifier, context, nextResolve) => {
    const resolved = nextResolve(specifier, context);
    const isOfCopy = context.parentURL?.endsWith(MARK) === true && resolved.url.startsWith('file:');
    return isOfCopy && !resolved.url.endsWith(MARK) ? { ...resolved, url: resolved.url + MARK } : resolved;
  },
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    const counted = COUNTED.find(({ file }) => url.endsWith(file + MARK));
    if (!counted) return loaded;
    const { name } = counted;
    const begins = `export const ${name} = (`;
    const { source } = loaded;
    const parts = (typeof source === 'string' ? source : new TextDecoder().decode(source ?? undefined)).split(begins);
    if (parts.length !== 2) throw new Error(`${name} is defined ${parts.length - 1} times in ${url}, not once`);
    const counting = `export const ${name} = (...all) => (globalThis.countCall('${name}'), uncounted(...all));\nconst uncounted = (`;
    return { ...loaded, source: parts.join(counting) };
  },
});
const counting = (await import(`../../../src/controllers/podeip/decide.ts${MARK}`)) as typeof decision;

/** Microseconds of one decision: the median, because whatever else the machine does only ever adds to one. */
const medianMicroseconds = (seen: ObservedState, runs: number): number => {
  const once = (): number => {
    const began = performance.now();
    timed.decide(seen, the.settings);
    return performance.now() - began;
  };
  for (let run = 0; run < runs; run += 1) once();
  const taken = Array.from({ length: runs }, once).toSorted((a, b) => a - b);
  return (taken[Math.floor(runs / 2)] ?? 0) * 1_000;
};

const { positionals } = parseArgs({ allowPositionals: true });
const runs = Number(positionals[0] ?? 20_000);
process.stdout.write(`situation | step | ${COUNTED.map(({ name }) => name).join(' | ')} | median of ${runs}, µs\n`);
for (const [situation, seen] of Object.entries(SITUATIONS)) {
  calls.clear();
  const step = counting.decide(seen, the.settings);
  const counts = COUNTED.map(({ name }) => calls.get(name) ?? 0);
  process.stdout.write(
    [situation, step.do, ...counts, medianMicroseconds(seen, runs).toFixed(2)].join(' | ').concat('\n'),
  );
}
