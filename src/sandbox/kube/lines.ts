/** Lines that are put in one by one and read as they come, until the end. One reader. */
export class Lines implements AsyncIterableIterator<string> {
  readonly #waiting: string[] = [];
  #wake: ((result: IteratorResult<string>) => void) | undefined;
  #ended = false;
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(line: string): void {
    if (this.#ended) return;
    const wake = this.#wake;
    if (wake === undefined) this.#waiting.push(line);
    else {
      this.#wake = undefined;
      wake({ done: false, value: line });
    }
  }

  /** What is waiting is still read. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    this.#wake?.({ done: true, value: undefined });
  }

  /** Ends when the signal aborts. Returns how to stop listening to it. */
  endWith(signal: AbortSignal | undefined): () => void {
    const end = () => this.end();
    if (signal?.aborted) end();
    else signal?.addEventListener('abort', end, { once: true });
    return () => signal?.removeEventListener('abort', end);
  }

  next(): Promise<IteratorResult<string>> {
    const line = this.#waiting.shift();
    if (line !== undefined) return Promise.resolve({ done: false, value: line });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  return(): Promise<IteratorResult<string>> {
    this.#waiting.length = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
