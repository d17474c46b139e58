/**
 * Which events of the watch are of the writes of this process. Such an event says nothing new to whoever goes on with
 * the answer of the write, which was the same state.
 */
export class OwnWrites {
  /** By UID, the versions that the watch has shown while a write is under way, whose own version is not known yet. */
  readonly #underway = new Map<string, string[]>();
  /** By UID, the version of the last write, until the watch shows it. */
  readonly #written = new Map<string, string>();
  /** Called with the UID of an object that somebody else has changed as well. */
  readonly #onOther: (uid: string) => void;

  constructor(onOther: (uid: string) => void) {
    this.#onOther = onOther;
  }

  /** Sends a write, and resolves to its answer. One at a time for each object. */
  async send<T extends { readonly metadata: { readonly resourceVersion?: string | undefined } }>(
    uid: string,
    write: () => Promise<T>,
  ): Promise<T> {
    const seen: string[] = [];
    this.#underway.set(uid, seen);
    let own: string | undefined;
    try {
      const written = await write();
      own = written.metadata.resourceVersion;
      return written;
    } finally {
      this.#underway.delete(uid);
      if (own !== undefined && !seen.includes(own)) this.#written.set(uid, own);
      if (seen.some((version) => version !== own)) this.#onOther(uid);
    }
  }

  /** The watch shows this version. Returns whether that is no news, or is not known yet: then `onOther` will tell. */
  isOwn(uid: string, resourceVersion: string | undefined): boolean {
    const seen = this.#underway.get(uid);
    if (seen) {
      seen.push(resourceVersion ?? '');
      return true;
    }
    const own = this.#written.get(uid);
    this.#written.delete(uid);
    return own !== undefined && own === resourceVersion;
  }

  /** The object is gone. */
  forget(uid: string): void {
    this.#written.delete(uid);
  }
}
