import type { Parameters } from './rpc-wire.ts';

/**
 * What goes wrong with a call. Effect and answer are independent, as in life.
 *
 * @example refuse before the effect: `{ effect: 'never', answer: { code: 'OperationFailed.SystemBusy' } }`
 * @example 503 although it worked: `{ answer: { code: 'ServiceUnavailable' } }`
 * @example lost request: `{ effect: 'never', answer: 'drop' }`; lost reply: `{ answer: 'drop' }`
 * @example late effect: `{ effect: { afterMs: 8000 }, answer: 'drop' }`
 * @example slow: `{ stallMs: 5000 }`
 */
export interface Fault {
  /**
   * `done` (default): the call is carried out as usual. `never`: the request is lost. `afterMs`: it is carried out that
   * much later, against the state of the world at that time.
   */
  readonly effect?: 'done' | 'never' | { readonly afterMs: number };
  /**
   * `true` (default): the real answer, when there is one; to a late effect it comes late. `drop`: the connection ends
   * without one. An object: an error in place of it, by default with the documented status and message of its code.
   * `garbage`: an HTML page of a proxy (502), an empty body (200), or JSON that stops half-way (200).
   */
  readonly answer?:
    | 'true'
    | 'drop'
    | {
        readonly code: string;
        readonly status?: number;
        readonly message?: string;
        readonly retryAfterMs?: number;
      }
    | { readonly garbage: 'html' | 'empty' | 'truncated'; readonly status?: number };
  /** Holds the answer, or the end of the connection, back for so long. */
  readonly stallMs?: number;
}

/** A call that has passed signature and rate limit. */
interface MatchableCall {
  readonly action: string;
  readonly parameters: Parameters;
  readonly caller: string;
}

export interface FaultRule {
  /** API action, for example `AllocateEipAddress`, or `*`. */
  readonly action: string;
  /** Further condition. */
  readonly when?: (call: MatchableCall) => boolean;
  /** Spares the matching calls before the n-th. @default 1 */
  readonly nth?: number;
  /** How many calls it hits, `Infinity` until it is removed. @default 1 */
  readonly times?: number;
  readonly fault: Fault;
}

/** The rules in force, in the order in which they were injected; the first that applies wins. */
export class Faults {
  readonly #rules: { readonly rule: FaultRule; seen: number; left: number }[] = [];

  /** Puts a rule in force and returns the function that takes it out again. @throws RangeError for a senseless fault */
  inject(rule: FaultRule): () => void {
    const { effect, answer = 'true' } = rule.fault;
    if (effect === 'never' && answer === 'true')
      throw new RangeError(
        `Fault for ${rule.action}: a call without effect has no true answer; say what the answer is.`,
      );
    const entry = { rule, seen: 0, left: rule.times ?? 1 };
    this.#rules.push(entry);
    return () => this.#remove(entry);
  }

  /** The fault that hits this call, if any. Counts and consumes. */
  match(call: MatchableCall): Fault | undefined {
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.action !== '*' && rule.action !== call.action) continue;
      if (rule.when && !rule.when(call)) continue;
      entry.seen++;
      if (entry.seen < (rule.nth ?? 1)) continue;
      entry.left--;
      if (entry.left <= 0) this.#remove(entry);
      return rule.fault;
    }
    return undefined;
  }

  #remove(entry: { readonly rule: FaultRule; seen: number; left: number }): void {
    const index = this.#rules.indexOf(entry);
    if (index >= 0) this.#rules.splice(index, 1);
  }
}
