import { CloudRefusal, refusal } from './refusal.ts';
import type { CloudAnswer } from './rpc-wire.ts';

/** `replay`: the token got its answer before. */
export type TokenClaim =
  { readonly kind: 'use'; readonly use: TokenUse } | { readonly kind: 'replay'; readonly answer: CloudAnswer };

interface Entry {
  readonly fingerprint: string;
  /** Absent while the first request is being processed. */
  done?: { outcome: CloudAnswer | CloudRefusal; until: number };
}

/** A token that is in use: exactly one of the two functions must be called in the end. */
export interface TokenUse {
  /** The call took effect: for the token's lifetime, replays get this answer. */
  succeed(answer: CloudAnswer, now: number): void;
  /** The call was refused: the token is free again, or replays get the refusal where tokens remember those. */
  refuse(refusal: CloudRefusal, now: number): void;
}

/**
 * The table behind `ClientToken` (VPC developer guide, "How to ensure idempotence"): the same token with the same
 * parameters gives the first answer again, with others IdempotentParameterMismatch. The real table forgets; how fast is
 * not documented, so the lifetime is a setting. Whether it remembers refusals too is a reading.
 */
export class ClientTokens {
  readonly #lifetimeMs: number;
  readonly #remembersRefusals: boolean;
  readonly #entries = new Map<string, Entry>();

  constructor(lifetimeMs: number, remembersRefusals: boolean) {
    this.#lifetimeMs = lifetimeMs;
    this.#remembersRefusals = remembersRefusals;
  }

  /**
   * Claims the token for one call, or returns the answer that it got before.
   *
   * @throws Refusal InvalidClientToken.Malformed, IdempotentParameterMismatch, LastTokenProcessing, or the one that
   *   the token got before, where tokens remember refusals
   */
  claim(action: string, token: string, fingerprint: string, now: number): TokenClaim {
    if (token.length > 64 || !/^[\x20-\x7e]+$/.test(token)) throw refusal('InvalidClientToken.Malformed');
    this.#forget(now);
    const key = `${action} ${token}`;
    const before = this.#entries.get(key);
    if (before) {
      if (before.fingerprint !== fingerprint) throw refusal('IdempotentParameterMismatch');
      if (!before.done) throw refusal('LastTokenProcessing');
      if (before.done.outcome instanceof CloudRefusal) throw before.done.outcome;
      return { kind: 'replay', answer: before.done.outcome };
    }
    const entry: Entry = { fingerprint };
    this.#entries.set(key, entry);
    const use: TokenUse = {
      succeed: (answer, at) => {
        entry.done = { outcome: answer, until: at + this.#lifetimeMs };
      },
      refuse: (refusal, at) => {
        if (this.#remembersRefusals) entry.done = { outcome: refusal, until: at + this.#lifetimeMs };
        else this.#entries.delete(key);
      },
    };
    return { kind: 'use', use };
  }

  /**
   * Entries stand in the order of their claims, which is nearly that of their ends: stop at the first that is alive.
   */
  #forget(now: number): void {
    for (const [key, { done }] of this.#entries) {
      if (!done) continue;
      if (done.until > now) break;
      this.#entries.delete(key);
    }
  }
}
