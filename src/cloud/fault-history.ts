import type { Reason } from '../api/reason.ts';
import type { Clock } from '../lib/clock.ts';
import { FAULT } from './fault-policy.ts';
import { LEADERSHIP_UNCERTAIN, topicOf, type CloudFault } from './fault.ts';

/** What one step keeps being answered with, without a success in between. */
export interface RepeatedAnswer {
  /** Somebody has to act, so that it does not pass by itself. */
  readonly needsSomebody: boolean;
  /** How often it was said; answers within {@link APART_MS} are one. */
  readonly count: number;
  /** When it was said first; monotonic milliseconds. */
  readonly since: number;
}

/**
 * Answers that come sooner than this after one that counts are part of it, milliseconds: the first attempts of a
 * back-off lie within a second, and most of what passes by itself (TaskConflict, IncorrectEipStatus) takes one to
 * three.
 */
export const APART_MS = 2_000;
/** What passes by itself does so within so many answers. */
export const MOST_UNTOLD = 3;
/** Or it is said again after this long, milliseconds. */
export const LONGEST_UNTOLD_MS = 30_000;

/** Whether people are to be told of the answer that has just come. Pure. */
export const isDue = ({ needsSomebody, count, since }: RepeatedAnswer, now: number): boolean =>
  needsSomebody || count >= MOST_UNTOLD || (count > 1 && now - since >= LONGEST_UNTOLD_MS);

/** A cloud that keeps saying no to one subject, in words for people. */
export interface Trouble {
  readonly reason: Reason;
  /** The cloud's own: action, code, text, ID of the request. */
  readonly message: string;
  /** How the message begins whenever it is the same that is said. */
  readonly topic: string;
}

/** What an answer comes to. */
interface Hearing {
  /** What to tell; undefined while it may pass by itself. */
  readonly trouble: Trouble | undefined;
  /** Nobody has been told of it yet: it is worth a line of the log and an Event. */
  readonly isUnreported: boolean;
}

/** How the caller sees a fault. */
interface View {
  /** @default that of its kind */
  readonly reason?: Reason | undefined;
  /** @default as its kind says */
  readonly needsSomebody?: boolean | undefined;
}

interface Answer extends RepeatedAnswer {
  /** When the last one came that counts. */
  readonly countedAt: number;
  readonly isTold: boolean;
}

interface Entry {
  /** By step and topic. */
  readonly answers: Map<string, Map<string, Answer>>;
  /** What was told last and is not over, and when it was said last. */
  latest: (Trouble & { readonly step: string; readonly at: number }) | undefined;
}

const UNTOLD: Hearing = { trouble: undefined, isUnreported: false };

/**
 * What the cloud keeps answering each subject (a PodEIP, a pod, an EIP) with: one place counts, so that a cloud that
 * keeps saying no is told whatever it says, and once. Its steps are the caller's; a success ends what was said of the
 * step. May be lost at any time: then it is told later, and it is for the caller to see that it was told before.
 */
export class FaultHistory {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A step was answered with a fault. */
  failed(subject: string, step: string, fault: CloudFault, view: View = {}): Hearing {
    if (fault.code === LEADERSHIP_UNCERTAIN) return UNTOLD;
    const { reason = FAULT[fault.kind].reason, needsSomebody = FAULT[fault.kind].tell !== 'nobody' } = view;
    const { message } = fault;
    const topic = topicOf(fault);
    const now = this.#clock.mono();
    const entry = this.#entry(subject);
    const ofStep = entry.answers.get(step) ?? new Map<string, Answer>();
    entry.answers.set(step, ofStep);
    const before = ofStep.get(topic);
    const answer = counted(before, needsSomebody, now);
    const isToTell = isDue(answer, now);
    ofStep.set(topic, { ...answer, isTold: answer.isTold || isToTell });
    if (!isToTell) return UNTOLD;
    const trouble = { reason, message, topic };
    entry.latest = { ...trouble, step, at: now };
    return { trouble, isUnreported: !answer.isTold };
  }

  /** The step succeeded: what was said of it is over. */
  succeeded(subject: string, step: string): void {
    const entry = this.#entries.get(subject);
    if (!entry) return;
    entry.answers.delete(step);
    if (entry.latest?.step === step) entry.latest = undefined;
    if (entry.answers.size === 0) this.#entries.delete(subject);
  }

  /** Something else was achieved, which leaves the trouble behind; the answers are counted on. */
  movedOn(subject: string): void {
    const entry = this.#entries.get(subject);
    if (entry) entry.latest = undefined;
  }

  /** What was told last, if it is not over and was said within `ms`. */
  current(subject: string, ms: number): Trouble | undefined {
    const latest = this.#entries.get(subject)?.latest;
    return latest && this.#clock.mono() - latest.at <= ms ? latest : undefined;
  }

  /** All is well, or the subject is gone. */
  forget(subject: string): void {
    this.#entries.delete(subject);
  }

  /** Forgets all subjects but these. */
  keep(isKept: (subject: string) => boolean): void {
    for (const subject of this.#entries.keys()) if (!isKept(subject)) this.#entries.delete(subject);
  }

  #entry(subject: string): Entry {
    let entry = this.#entries.get(subject);
    if (!entry) {
      entry = { answers: new Map(), latest: undefined };
      this.#entries.set(subject, entry);
    }
    return entry;
  }
}

/** The same answer once more. */
const counted = (before: Answer | undefined, needsSomebody: boolean, now: number): Answer => {
  if (!before) return { needsSomebody, count: 1, since: now, countedAt: now, isTold: false };
  return now - before.countedAt < APART_MS
    ? { ...before, needsSomebody }
    : { ...before, needsSomebody, count: before.count + 1, countedAt: now };
};
