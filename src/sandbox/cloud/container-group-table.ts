import type { ContainerGroupRecord } from './records.ts';
import { Versions } from './versions.ts';

/** All container groups: as they are now, and as they were a while ago, for reads that lag. */
export class ContainerGroupTable {
  readonly #now = new Map<string, ContainerGroupRecord>();
  readonly #past: Versions<ContainerGroupRecord>;

  /** `keepMs`: how far back `asOf` can look. */
  constructor(keepMs: number) {
    this.#past = new Versions(keepMs);
  }

  get(containerGroupId: string): ContainerGroupRecord | undefined {
    return this.#now.get(containerGroupId);
  }

  has(containerGroupId: string): boolean {
    return this.#now.has(containerGroupId);
  }

  /** Oldest first. */
  values(): Iterable<ContainerGroupRecord> {
    return this.#now.values();
  }

  put(group: ContainerGroupRecord, at: number): void {
    this.#now.set(group.containerGroupId, group);
    this.#past.remember(group.containerGroupId, group, at);
  }

  remove(containerGroupId: string, at: number): void {
    this.#now.delete(containerGroupId);
    this.#past.remember(containerGroupId, undefined, at);
  }

  /** Every group as it was at `at` (monotonic), oldest first. */
  asOf(at: number): readonly ContainerGroupRecord[] {
    return this.#past.asOf(at);
  }
}
