/** One state of a record, from `at` (monotonic) on; no record means that it does not exist. */
interface Version<T> {
  readonly at: number;
  readonly record: T | undefined;
}

/** Records as they were a while ago, for reads that lag. */
export class Versions<T> {
  readonly #versions = new Map<string, Version<T>[]>();
  readonly #removed: { readonly id: string; readonly at: number }[] = [];
  readonly #keepMs: number;

  /** `keepMs`: how far back `asOf` can look. */
  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** From `at` on the record is this one, or is gone. */
  remember(id: string, record: T | undefined, at: number): void {
    if (this.#keepMs <= 0) return;
    const horizon = at - this.#keepMs;
    const versions = this.#versions.get(id) ?? [];
    versions.push({ at, record });
    const needed = versions.findLastIndex((version) => version.at <= horizon);
    if (needed > 0) versions.splice(0, needed);
    this.#versions.set(id, versions);
    if (record === undefined) this.#removed.push({ id, at });
    while (this.#removed[0] && this.#removed[0].at <= horizon) this.#versions.delete(this.#removed.shift()!.id);
  }

  /** Every record as it was at `at` (monotonic), oldest first. */
  asOf(at: number): readonly T[] {
    return [...this.#versions.values()].flatMap(
      (versions) => versions.findLast((version) => version.at <= at)?.record ?? [],
    );
  }
}
