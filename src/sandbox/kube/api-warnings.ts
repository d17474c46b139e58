/** All warnings of one answer together, in characters, before they are cut. */
const LONGEST_ALTOGETHER = 4 * 1024;
/** What each of them is cut to then. */
const LONGEST_WHEN_CUT = 256;

const CONTROL = /\p{Cc}/u;

/** `299 - "text"`; undefined for what cannot stand in a header. Source: apimachinery pkg/util/net NewWarningHeader. */
const headerOf = (text: string): string | undefined =>
  CONTROL.test(text) || !text.isWellFormed() ? undefined : `299 - "${text.replaceAll(/["\\]/g, '\\$&')}"`;

/**
 * The warnings of one request, as kubectl prints them: each text once; all at full length up to 4096 characters, and
 * beyond that each cut to 256 and as many as fit. Source: apiserver pkg/endpoints/filters/warning.go.
 */
export class Warnings {
  readonly #texts = new Set<string>();
  #lines: string[] = [];
  #length = 0;
  #isCutting = false;

  add(text: string): void {
    if (text === '' || (this.#isCutting && this.#length >= LONGEST_ALTOGETHER) || this.#texts.has(text)) return;
    this.#texts.add(text);
    if (this.#isCutting || this.#length + Array.from(text).length <= LONGEST_ALTOGETHER) {
      this.#write(text);
      return;
    }
    this.#isCutting = true;
    this.#length = 0;
    this.#lines = [];
    for (const each of this.#texts) this.#write(each);
  }

  /** The values of the headers `Warning`, one for each. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  #write(text: string): void {
    const characters = Array.from(text);
    const written = this.#isCutting ? characters.slice(0, LONGEST_WHEN_CUT) : characters;
    const header = headerOf(written.join(''));
    if (header === undefined) return;
    this.#length += written.length;
    this.#lines.push(header);
  }
}
