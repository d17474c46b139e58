import type { Pod } from '../../api/core.ts';
import type { PodEip } from '../../api/podeip.ts';
import type { Clock } from '../../lib/clock.ts';
import { serviceOf, type EventNote, type Regarding } from '../podeip/events.ts';

/**
 * After this long the same reason is reported again, milliseconds: about as long as a series of client-go's Events
 * lasts.
 */
const AGAIN_MS = 600_000;
/** The number of reasons that are remembered; the oldest one is forgotten first. */
const MOST = 4_096;

/**
 * Reports on Knative Services what is wrong with their pods: each reason once, with the first pod that has it. The pods
 * have Events of their own.
 */
export const createServiceWarnings = (
  clock: Clock,
  record: (regarding: Regarding, event: EventNote) => void,
): ((of: Pod | PodEip, event: EventNote) => void) => {
  /** When each reason was last reported, monotonic milliseconds; in that order. */
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
