import test from 'ava';
import { checkSync } from 'recheck';
import { readersIn, ROOT, sources } from './source.ts';

/**
 * recheck (https://makenowjust-labs.github.io/recheck) decides by automata, and where it cannot by fuzzing, whether
 * some text makes an expression take more than linear time. It counts steps, so that a slow machine changes nothing.
 */
const isLinear = (source: string, flags: string): string | undefined => {
  const found = checkSync(source, flags, { timeout: 60_000, attackTimeout: null });
  if (found.status === 'safe') return undefined;
  return found.status === 'vulnerable' ? `${found.complexity.type}, with ${found.attack.pattern}` : 'not to be decided';
};

/** Patterns that are put together at run time, and why they are nobody's weapon. */
const AT_RUN_TIME: Readonly<Record<string, string>> = {
  'src/sandbox/kube/crd-schema.ts': 'the pattern of a CustomResourceDefinition, in the sandbox: its user applies both',
};

test('no regular expression of the product takes more than linear time, whatever it is given', async (t) => {
  const { patterns, made } = readersIn(sources());
  const all = new Map(patterns.map(({ source, flags, at }) => [`/${source}/${flags}`, { source, flags, at }]));
  t.true(all.size > 100, 'the patterns are found');
  // Those that are put together as their module is loaded are seen there.
  const seen = new Set<string>();
  const Original = RegExp;
  globalThis.RegExp = new Proxy(Original, {
    construct: (target, given: [string, string?]) => {
      const pattern = new target(...given);
      const site = /\/(src\/[\w./-]+\.ts):(\d+)/.exec(callersOf());
      if (site) {
        const at = `${site[1] ?? ''}:${site[2] ?? ''}`;
        seen.add(at);
        all.set(String(pattern), { source: pattern.source, flags: pattern.flags, at });
      }
      return pattern;
    },
  });
  try {
    for (const file of new Set(made.map((at) => at.replace(/:\d+$/, '')))) await import(`${ROOT}${file}`);
  } finally {
    globalThis.RegExp = Original;
  }
  const unseen = made.filter((at) => !seen.has(at) && AT_RUN_TIME[at.replace(/:\d+$/, '')] === undefined);
  t.deepEqual(unseen, [], 'patterns that are put together at run time: nobody can check those');
  const bad = [...all.values()].flatMap(({ source, flags, at }) => {
    const why = isLinear(source, flags);
    return why === undefined ? [] : [`${at}: /${source}/${flags} is ${why}`];
  });
  t.deepEqual(bad, []);
});

const callersOf = (): string => new Error('where').stack ?? '';

test('a pattern that takes more than linear time is found', (t) => {
  // The former reader of quantities, a row of hyphens at the end, and a classic.
  for (const [source, example] of [
    [String.raw`^([+-]?(?:\d+\.?\d*|\.\d+))(n|u|m)?$`, /polynomial/],
    ['-+$', /polynomial/],
    ['^(a+)+$', /exponential/],
  ] as const)
    t.regex(isLinear(source, '') ?? '', example);
});
