import { randomUUID } from 'node:crypto';

/** The port through which everything draws chance. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A version 4 UUID. */
  uuid(): string;
}

/** Real chance. */
export const systemRandom: Random = { next: () => Math.random(), uuid: () => randomUUID() };
