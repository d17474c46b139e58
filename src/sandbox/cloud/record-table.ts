import { Versions } from './versions.ts';

/** Records of one kind: as they are now, and as they were a while ago, for reads that lag. */
export class RecordTable<T> {
  readonly #now = new Map<string, T>();
  readonly #past: Versions<T>;
  readonly #idOf: (record: T) => string;

  /** `keepMs`: how far back `asOf` can look. */
  constructor(idOf: (record: T) => string, keepMs: number) {
    this.#idOf = idOf;
    this.#past = new Versions(keepMs);
  }

  get(id: string): T | undefined {
    return this.#now.get(id);
  }

  has(id: string): boolean {
    return this.#now.has(id);
  }

  /** Oldest first. */
  values(): Iterable<T> {
    return this.#now.values();
  }

  put(record: T, at: number): void {
    this.#now.set(this.#idOf(record), record);
    this.#past.remember(this.#idOf(record), record, at);
  }

  remove(id: string, at: number): void {
    this.#now.delete(id);
    this.#past.remember(id, undefined, at);
  }

  /** Every record as it was at `at` (monotonic), oldest first. */
  asOf(at: number): readonly T[] {
    return this.#past.asOf(at);
  }
}
