import test from 'ava';
import { conclusionOf } from '../../src/probe/probe-report.ts';
import type { Verdict } from '../../src/probe/probe.ts';
import type { ProbeFinding } from '../../src/probe/run-probes.ts';

const found = (...verdicts: readonly Verdict[]): readonly ProbeFinding[] =>
  verdicts.map((verdict, index) => ({ id: `P${index}`, assumption: '', verdict, observation: {} }));
const assumed = { kind: 'as assumed', says: '' } as Verdict;
const differs: Verdict = { kind: 'differs', says: '', readings: [] };
const unknown: Verdict = { kind: 'could not be asked', says: 'QuotaExceeded.Eip' };

test('nothing is said of the cloud that nobody could ask', (t) => {
  t.is(conclusionOf(found(assumed, assumed)), 'The cloud is as assumed; nothing to set.');
  t.is(
    conclusionOf(found(assumed, unknown, unknown)),
    'The cloud is as assumed, as far as it was asked; nothing to set. 2 of 3 questions could not be asked, and nothing is known about them: P1, P2; each says why.',
  );
  t.regex(conclusionOf(found(unknown)), /^Nothing is known about the cloud\. 1 of 1 questions could not be asked/);
  t.is(conclusionOf(found(assumed, differs)), '1 of 2 answers differ from what is assumed: P1.');
  t.regex(conclusionOf(found(assumed, differs, unknown)), /^1 of 2 answers differ .*: P1\. 1 of 3 questions could not/);
});
