import type { ImageCacheSpec } from '../../cloud/image-caches.ts';
import { backoffMs, type Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { TrackedImageCache } from './observation.ts';

/** Why the cloud made none; see {@link TrackedImageCache}. */
type Refusal = Omit<NonNullable<TrackedImageCache['refusal']>, 'dueInMs'>;

interface Record {
  /** When the last request was sent that may have made a cache, or when the object was first seen. */
  sentAt: number;
  createdId?: string | undefined;
  unanswered?: ImageCacheSpec | undefined;
  wasListed: boolean;
  missingSince?: number | undefined;
  deletion?: { readonly imageCacheId: string; readonly at: number } | undefined;
  deletions: number;
  refusal?: Refusal & { readonly dueAt: number };
  refusals: number;
}

/** Backoff after the cloud refused to make a cache. */
const REFUSED: Backoff = { baseMs: 30_000, capMs: 600_000 };

/** What this process remembers of each ImageCache, by UID. All of it may be lost. */
export class ImageCacheTracker {
  readonly #records = new Map<string, Record>();
  readonly #clock: Clock;
  readonly #random: Random;
  /** Distinguishes the deletions of this process from those of others. */
  readonly process: string;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.process = random.uuid();
  }

  of(uid: string): TrackedImageCache {
    const { sentAt, missingSince, deletion, refusal, ...record } = this.#get(uid);
    const now = this.#clock.mono();
    return {
      quietMs: now - sentAt,
      createdId: record.createdId,
      unanswered: record.unanswered,
      wasListed: record.wasListed,
      missingMs: missingSince === undefined ? 0 : now - missingSince,
      deletion: deletion && { imageCacheId: deletion.imageCacheId, agoMs: now - deletion.at },
      refusal: refusal && {
        reason: refusal.reason,
        message: refusal.message,
        topic: refusal.topic,
        dueInMs: refusal.dueAt - now,
        attempt: refusal.attempt,
      },
    };
  }

  /** The account was read; `at`: when it was asked, for it says nothing of the time after. */
  looked(uid: string, listed: number, at: number): void {
    const record = this.#get(uid);
    if (listed > 0) Object.assign(record, { wasListed: true, missingSince: undefined, unanswered: undefined });
    else record.missingSince ??= at;
  }

  /** To be called before a request is sent: until it is answered, it may take effect. */
  sends(uid: string, spec: ImageCacheSpec): void {
    Object.assign(this.#get(uid), { sentAt: this.#clock.mono(), unanswered: spec });
  }

  created(uid: string, imageCacheId: string): void {
    const made = { createdId: imageCacheId, unanswered: undefined, refusal: undefined, missingSince: undefined };
    Object.assign(this.#get(uid), made, { refusals: 0 });
  }

  /** The cloud has answered no to the attempt. */
  refused(uid: string, refusal: Refusal): void {
    const record = this.#get(uid);
    const dueAt = this.#clock.mono() + backoffMs(REFUSED, record.refusals, this.#random);
    Object.assign(record, { refusal: { ...refusal, dueAt }, unanswered: undefined, refusals: record.refusals + 1 });
  }

  /** With which number the next deletion is sent: a repeated token would be answered from memory, without effect. */
  nextDeletion(uid: string): number {
    const record = this.#get(uid);
    record.deletions += 1;
    return record.deletions;
  }

  deleted(uid: string, imageCacheId: string): void {
    this.#get(uid).deletion = { imageCacheId, at: this.#clock.mono() };
  }

  forget(uid: string): void {
    this.#records.delete(uid);
  }

  #get(uid: string): Record {
    let record = this.#records.get(uid);
    if (!record) {
      record = { sentAt: this.#clock.mono(), wasListed: false, deletions: 0, refusals: 0 };
      this.#records.set(uid, record);
    }
    return record;
  }
}
