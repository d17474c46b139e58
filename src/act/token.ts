import { createHash } from 'node:crypto';

/**
 * An idempotency token: the same parts give the same token in every process, so that whoever comes after a crash repeats
 * the call and does not make a new one. At most 64 ASCII characters (VPC API reference, "How to ensure idempotence").
 * The scheme has a version, because tokens of two schemes would buy twice.
 */
export const clientToken = (...parts: readonly (string | number)[]): string =>
  `ke1-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 56)}`;
