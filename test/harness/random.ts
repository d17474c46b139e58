import type { Random } from '../../src/lib/random.ts';

/** Chance that always draws the same number, and counts its UUIDs. */
export const fixedRandom = (draw = 0.5): Random => {
  let uuids = 0;
  return {
    next: () => draw,
    uuid: () => `00000000-0000-4000-8000-${String((uuids += 1)).padStart(12, '0')}`,
  };
};
