import type { Clock } from '../lib/clock.ts';
import { onBehalfOfMany } from '../lib/on-behalf-of.ts';
import { CloudFault } from './fault.ts';
import { FAULT } from './fault-policy.ts';
import type { BandwidthPackage, Cloud } from './port.ts';

/**
 * How long an answer about a bandwidth package is good for, milliseconds: shorter than the interval at which a pod is
 * looked at again that waits for a person, so that what was mended shows then.
 */
const REMEMBERED_MS = 55_000;

interface Answered {
  readonly answer: Promise<BandwidthPackage | undefined>;
  readonly until: number;
}

/** The answer, or the signal's reason where that comes first. */
const unlessAborted = async <T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  if (!signal) return answer;
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason as Error);
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([promise, answer]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
};

/**
 * Remembers what was answered about bandwidth packages: many pods name the same few. Of a refusal, too, since a missing
 * permission would otherwise cost a call for each pod; not of a fault that passes by itself.
 */
export const rememberPackages = (cloud: Cloud, clock: Clock): Cloud => {
  const answers = new Map<string, Answered>();

  const ask = (id: string): Promise<BandwidthPackage | undefined> => {
    const now = clock.mono();
    for (const [known, { until }] of answers) if (until <= now) answers.delete(known);
    // Without the signal of one caller: others wait for the same answer.
    const answer = onBehalfOfMany(() => cloud.findBandwidthPackage(id));
    const answered = { answer, until: now + REMEMBERED_MS };
    answers.set(id, answered);
    answer.catch((error: unknown) => {
      const isLasting = error instanceof CloudFault && FAULT[error.kind].tell !== 'nobody';
      if (!isLasting && answers.get(id) === answered) answers.delete(id);
    });
    return answer;
  };

  return {
    ...cloud,
    findBandwidthPackage: async (id, signal) => {
      const known = answers.get(id);
      return unlessAborted(known && clock.mono() < known.until ? known.answer : ask(id), signal);
    },
  };
};
