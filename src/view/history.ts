import type { EventNote, Regarding } from '../controllers/podeip/events.ts';

/** One thing that happened; the same again is counted. Times are wall time, milliseconds. */
export interface HistoryEntry {
  readonly type: EventNote['type'] | 'State';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly firstAt: number;
  readonly at: number;
  readonly count: number;
}

/** The last things that happened to some objects. In memory only: a restart forgets it, and the API's Events remain. */
interface History {
  add(about: Regarding, note: Omit<HistoryEntry, 'firstAt' | 'at' | 'count'>, now: number): void;
  /** The latest last. */
  of(kind: string, key: string): readonly HistoryEntry[];
  /** The Warnings about objects of this kind, with the UID that each was about. */
  warnings(kind: string): Iterable<{ readonly about: Regarding; readonly entry: HistoryEntry }>;
}

/**
 * So many objects and entries of each are remembered: at most some 20 MB, when every entry is as long as an Event may
 * be.
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

/** An empty history. The object that was quiet longest is forgotten first. */
export const createHistory = (mostObjects = MOST_OBJECTS): History => {
  const known = new Map<string, Remembered>();
  return {
    add: (about, { type, reason, action, note }, now) => {
      const id = idOf(about.kind, about.namespace === undefined ? about.name : `${about.namespace}/${about.name}`);
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
      const [oldest] = known.keys();
      if (known.size > mostObjects && oldest !== undefined) known.delete(oldest);
    },
    of: (kind, key) => known.get(idOf(kind, key))?.entries ?? [],
    *warnings(kind) {
      for (const { about, entries } of known.values())
        if (about.kind === kind) for (const entry of entries) if (entry.type === 'Warning') yield { about, entry };
    },
  };
};
