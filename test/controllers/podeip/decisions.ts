import test from 'ava';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { ObservedState, Settings } from '../../../src/controllers/podeip/observation.ts';
import { seen, settings } from './situation.ts';

type Row = readonly [title: string, situation: Partial<ObservedState>, wanted: object, settings?: Partial<Settings>];

/** Declares a test for each situation: the step that is decided on has these parts. */
export const testDecisions = (rows: readonly Row[]): void => {
  for (const [title, situation, step, special] of rows)
    test(`${title}: ${Object.values(step)
      .filter((value) => typeof value === 'string')
      .join(' ')}`, (t) => {
      t.like(decide(seen(situation), { ...settings, ...special }), step);
    });
};
