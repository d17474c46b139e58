import { Unprintable } from '../lib/unprintable.ts';

/** A text that may be used but never shown: every way to print it gives `[secret]`. */
export class SecretText extends Unprintable {
  readonly #text: string;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  /** The text itself; for the one place that signs requests with it. */
  reveal(): string {
    return this.#text;
  }
}
