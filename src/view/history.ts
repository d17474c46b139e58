import type { EventNote, Regarding } from '../controllers/podeip/events.ts';
import { keyOf } from '../kube/store.ts';

/** One entry of a history; repetitions are counted. Times are wall-clock time, in milliseconds. */
export interface HistoryEntry {
  readonly type: EventNote['type'] | 'State';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly firstAt: number;
  readonly at: number;
  readonly count: number;
}

/**
 * The latest Events and changes of each object. In memory only: it is lost with a restart, the Events in the API are
 * not.
 */
interface History {
  /** Returns the object that had to make room, if one had to. */
  add(
    about: Regarding,
    note: Omit<HistoryEntry, 'firstAt' | 'at' | 'count'>,
    now: number,
  ): { readonly kind: string; readonly key: string } | undefined;
  /** In chronological order. */
  of(kind: string, key: string): readonly HistoryEntry[];
  /** The Warnings about objects of this kind, or about one of them, with the UID that each was about. */
  warnings(kind: string, key?: string): Iterable<{ readonly about: Regarding; readonly entry: HistoryEntry }>;
}

/**
 * Limits on the number of objects and of entries per object. Together at most about 20 MB, when every entry is as long
 * as an Event may be.
 */
const MOST_OBJECTS = 1_000;
export const MOST_ENTRIES = 30;
/** As much as an Event may say (kubernetes pkg/apis/core/validation/events.go). */
const LONGEST_NOTE = 1_024;

interface Remembered {
  about: Regarding;
  entries: HistoryEntry[];
}

const idOf = (kind: string, key: string) => `${kind} ${key}`;

/** Creates an empty history. When it is full, the object without news for the longest time is dropped. */
export const createHistory = (mostObjects = MOST_OBJECTS): History => {
  const known = new Map<string, Remembered>();
  return {
    add: (about, { type, reason, action, note }, now) => {
      const id = idOf(about.kind, keyOf(about));
      const it = known.get(id) ?? { about, entries: [] };
      it.about = about;
      const text = note.slice(0, LONGEST_NOTE);
      const last = it.entries.at(-1);
      const isRepeat = last?.type === type && last.reason === reason && last.action === action && last.note === text;
      it.entries = isRepeat
        ? [...it.entries.slice(0, -1), { ...last, at: now, count: last.count + 1 }]
        : [
            ...it.entries.slice(1 - MOST_ENTRIES),
            { type, reason, action, note: text, firstAt: now, at: now, count: 1 },
          ];
      known.delete(id);
      known.set(id, it);
      const [oldest] = known;
      if (known.size <= mostObjects || oldest === undefined) return undefined;
      known.delete(oldest[0]);
      return { kind: oldest[1].about.kind, key: keyOf(oldest[1].about) };
    },
    of: (kind, key) => known.get(idOf(kind, key))?.entries ?? [],
    *warnings(kind, key) {
      const one = key === undefined ? undefined : known.get(idOf(kind, key));
      for (const { about, entries } of key === undefined ? known.values() : one ? [one] : [])
        if (about.kind === kind) for (const entry of entries) if (entry.type === 'Warning') yield { about, entry };
    },
  };
};
