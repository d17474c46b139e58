import { inspect } from 'node:util';

const HIDDEN = '[secret]';

/**
 * A text that must never be printed. String conversion, JSON, `util.inspect` and loggers show `[secret]`; only
 * `reveal()` gives the text, and only the code that signs or sends it calls that.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
