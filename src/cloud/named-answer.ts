/** The APIs that can be called by the names of their actions. */
export type NamedProduct = 'vpc' | 'ecs' | 'eci';

/** The answer of one call by name, as it came. */
export interface NamedAnswer {
  /** `OK`, the cloud's error code, or {@link NO_ANSWER}. */
  readonly code: string;
  /** HTTP; undefined if there was no answer. */
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** How long it took, milliseconds. */
  readonly ms: number;
  /** Whether the tables of codes know this code of this action; true for OK, and for an action without a table. */
  readonly known: boolean;
  /** The cloud's text of an error, one line without secrets; may name resources of others. */
  readonly message: string;
  /** Parsed JSON in the spelling of the wire; of an error, its body. */
  readonly body: unknown;
}

/** The code of a call without an answer: it may have taken effect. */
export const NO_ANSWER = 'NoAnswer';
