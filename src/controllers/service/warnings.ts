import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Clock } from '../../lib/clock.ts';
import { serviceOf, type EventNote, type Regarding } from '../podeip/events.ts';

/** After this long the same reason is told again: as client-go's Event series, about. Milliseconds. */
const AGAIN_MS = 600_000;
/** So many reasons are remembered; the one that was told longest ago is forgotten first. */
const MOST = 4_096;

/**
 * Tells Knative Services what is wrong with their pods: each reason once, with the first pod that has it, however many
 * have. The others are told themselves.
 */
export const createServiceWarnings = (
  clock: Clock,
  record: (regarding: Regarding, event: EventNote) => void,
): ((of: Pod | PodEip, event: EventNote) => void) => {
  /** When it was told last, monotonic; in that order. */
  const told = new Map<string, number>();
  return (of, event) => {
    const service = serviceOf(of);
    if (!service) return;
    const key = `${service.uid} ${event.reason}`;
    const at = told.get(key);
    const now = clock.mono();
    if (at !== undefined && now - at < AGAIN_MS) return;
    told.delete(key);
    told.set(key, now);
    const [oldest] = told.keys();
    if (told.size > MOST && oldest !== undefined) told.delete(oldest);
    record(service, { ...event, note: `pod ${of.metadata.name}: ${event.note}` });
  };
};
