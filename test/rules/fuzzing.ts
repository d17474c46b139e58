import { isDeepStrictEqual } from 'node:util';
import { readReview, ReviewError, writeReview } from '../../src/webhook/review.ts';
import { changeOf, validate } from '../../src/webhook/validate.ts';
import { explainFiles } from '../../src/cli/explain-files.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { textOf } from '../../src/explain/explain-text.ts';
import { CATALOGUE } from '../../src/rules/catalogue.ts';
import { evaluateRequest } from '../../src/rules/evaluate.ts';
import { workloadOfPod } from '../../src/rules/workload.ts';
import { remarkLine } from '../../src/virtualnode/translate/input.ts';
import { CLOUD_DRIVES } from '../hostile/cloud-drives.ts';
import { DRIVES } from '../hostile/drives.ts';
import { STATE_DRIVES } from '../hostile/state-drives.ts';
import { podOf, translated } from '../virtualnode/translate/pods.ts';
import { inputs } from './inputs.ts';
import { settings } from './manifests.ts';
import { configOf } from '../harness/settings.ts';

const config = configOf({
  priceTable: { prices: [{ internetChargeType: 'PayByTraffic', perHour: 0.02 }] },
});

const must = (is: boolean, what: string): void => {
  if (!is) throw new Error(what);
};

/** How one input is tried: each throws where the answer is not a clear one, and names what it was in a word. */
export const WAYS = ['annotations', 'review', 'manifest', 'configuration', 'virtual node', 'reader'] as const;
export type Way = (typeof WAYS)[number];

/** One input of a seed, and its answer: the same seed and way give the same. */
export const tryOne = (way: Way, seed: number): string => {
  const make = inputs(seed);
  switch (way) {
    case 'annotations': {
      const annotations = make.annotations();
      const pod = { metadata: { name: 'w', uid: '', resourceVersion: '', annotations }, spec: {} };
      const ask = () =>
        evaluateRequest({
          workload: workloadOfPod(pod),
          target: { on: 'eci', by: 'add-on', certainty: 'inferred', because: 'x' },
          settings,
          facts: {},
        });
      const { findings, request, wanted } = ask();
      must(isDeepStrictEqual(findings, ask().findings), 'the same input has two answers');
      for (const { id, severity, problem, remedy } of findings) {
        must(CATALOGUE[id].severity === severity, `${id} has the severity ${severity}`);
        must(problem.length > 0 && problem.length < 20_000 && remedy.length > 0, `${id} says nothing`);
      }
      const isRefused = findings.some(({ severity }) => severity === 'refuse');
      must(!wanted || (request === undefined) === isRefused, 'wanted, and neither a request nor a refusal');
      return findings[0]?.id ?? (wanted ? 'fine' : 'nothing');
    }
    case 'review': {
      let request;
      try {
        request = readReview(make.review());
      } catch (error) {
        if (error instanceof ReviewError) return 'no review';
        throw error;
      }
      const change = changeOf(request);
      if (change.kind === 'none') return 'not judged';
      if (change.kind === 'unreadable') {
        const { problems } = change;
        must(problems.length > 0 && problems.every(({ message }) => message !== ''), 'unreadable, and nobody says why');
        return 'unreadable';
      }
      const facts = { settings, provider: 'add-on', namespaceLabels: {}, onConflict: 'refuse', known: {} } as const;
      const admitted = validate(change.change, facts);
      const written = JSON.stringify(writeReview(request.uid, admitted));
      must(written.length < 64 * 1024, `the answer has ${written.length} characters`);
      return admitted.denied ? 'refused' : admitted.warnings.length > 0 ? 'warned' : 'let in';
    }
    case 'manifest': {
      const text = make.manifest();
      const { explanations, problems } = explainFiles([{ name: 'f', read: () => text }], {
        config,
        isRegionKnown: true,
        namespace: 'default',
      });
      must(
        problems.every((problem) => /^f:\d+: ./.test(problem)),
        `a problem without a place: ${problems.join(' ')}`,
      );
      for (const explanation of explanations) must(textOf(explanation) !== '', 'nothing is said');
      return problems.length > 0 ? 'unreadable' : (explanations[0]?.verdict ?? 'empty');
    }
    case 'configuration':
      try {
        loadConfig({ text: make.configuration(), env: {} });
        return 'taken';
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        must(error.message.length > 10, 'refused, and nobody says why');
        return 'refused';
      }
    case 'virtual node': {
      const pod = podOf(make.virtualPod());
      const translation = translated(pod);
      must(isDeepStrictEqual(translation, translated(pod)), 'the same pod has two answers');
      if (translation.kind === 'refused') {
        const lines = translation.refusals.map(remarkLine);
        must(
          lines.length > 0 && lines.every((line) => line !== '' && line.length < 5_000),
          'refused, and nobody says why',
        );
      }
      return translation.kind;
    }
    case 'reader': {
      const [name, drive] = make.oneOf(READERS);
      void drive(make.text());
      return name;
    }
  }
};

/** Drives that wait for something, so that they are no fuzzing by the million. */
const WAITING: ReadonlySet<string> = new Set([
  'the body of a review',
  'a log',
  'IDs that are asked about',
  'journals of events',
  'the Secret of the webhooks',
  'what an API server answers',
  'the clock of an API server',
]);
/** Readers that answer at once: what waits for something is driven by test/hostile/readers.test.ts. */
const READERS = Object.entries({ ...DRIVES, ...CLOUD_DRIVES, ...STATE_DRIVES }).filter(([name]) => !WAITING.has(name));

/** How often each way is taken in a hundred: configurations and manifests take the longest. */
export const wayOf = (seed: number): Way => {
  const of = seed % 100;
  if (of < 30) return 'annotations';
  if (of < 50) return 'virtual node';
  if (of < 85) return 'reader';
  if (of < 95) return 'review';
  return of < 99 ? 'manifest' : 'configuration';
};
