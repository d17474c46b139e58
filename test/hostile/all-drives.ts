import { CLOUD_DRIVES } from './cloud-drives.ts';
import { DOCTOR_DRIVES } from './doctor-drives.ts';
import { DRIVES as TEXT_DRIVES } from './drives.ts';
import { IMAGE_CACHE_DRIVES } from './image-cache-drives.ts';
import { MIGRATION_DRIVES } from './migration-drives.ts';
import { STATE_DRIVES } from './state-drives.ts';

/** Every reader of the product by name, driven with one text. */
export const ALL_DRIVES = {
  ...TEXT_DRIVES,
  ...CLOUD_DRIVES,
  ...STATE_DRIVES,
  ...DOCTOR_DRIVES,
  ...IMAGE_CACHE_DRIVES,
  ...MIGRATION_DRIVES,
};

/** All the annotations of an object together have at most so many bytes (apimachinery, TotalAnnotationSizeLimitB). */
const SIZE = 256 * 1024;

/** A text of that size, of one thing again and again and an end. */
export const rowOf = (atom: string, tail = '!'): string => `${atom.repeat(Math.ceil(SIZE / atom.length))}${tail}`;
