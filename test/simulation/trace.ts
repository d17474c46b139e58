/**
 * Every line of a run in one number, so that two runs can be compared, and the lines themselves where
 * somebody reads them.
 */
export class Trace {
  readonly #isKept: boolean;
  readonly lines: string[] = [];
  #high = 0x811c9dc5;
  #low = 0x01000193;

  constructor(isKept: boolean) {
    this.#isKept = isKept;
  }

  /** Mixes a line into the number. */
  line(atMs: number, text: string): void {
    let high = this.#high ^ Math.floor(atMs * 1_000);
    let low = this.#low;
    for (let index = 0; index < text.length; index += 1) {
      high = Math.imul(high ^ text.charCodeAt(index), 0x01000193);
      low = Math.imul(low + text.charCodeAt(index), 0x85ebca6b) ^ (high >>> 15);
    }
    this.#high = high;
    this.#low = low;
    this.tell(atMs, text);
  }

  /** A line that is only shown. */
  tell(atMs: number, text: string): void {
    if (this.#isKept) this.lines.push(`${(atMs / 1_000).toFixed(3).padStart(9)} ${text}`);
  }

  get hash(): string {
    return `${(this.#high >>> 0).toString(16).padStart(8, '0')}${(this.#low >>> 0).toString(16).padStart(8, '0')}`;
  }
}
