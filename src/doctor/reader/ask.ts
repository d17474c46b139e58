import { KubeconfigError } from '../../kube/sign-in.ts';
import { CloudFault } from '../../cloud/fault.ts';
import { DeadlineExceeded, withDeadline } from '../../kube/deadline.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, KubeTransport } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { couldNotBeRead, knownAs, type Answer } from '../facts.ts';

/** How long one question may take, milliseconds. What needs no other answer is asked at once. */
const QUESTION_MS = 20_000;

/** What every reading is done with. */
export interface Reading {
  readonly kube: Kube;
  /** For what is no object: the version, a dry run, a log. */
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly isInPod: boolean;
}

/** Asks one question. Never rejects, and takes no longer than {@link QUESTION_MS}. */
export const ask = async <T>(
  { clock, signal }: Pick<Reading, 'clock' | 'signal'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Answer<T>> => {
  try {
    return knownAs(await withDeadline(clock, QUESTION_MS, signal, work));
  } catch (error) {
    return couldNotBeRead(signal.aborted ? 'it was stopped' : whyOf(error), error instanceof DeadlineExceeded);
  }
};

const OURS = [KubeFault, CloudFault, KubeconfigError] as const;

/** Only of errors that are ours is the message known to have no secret. */
const whyOf = (error: unknown): string => {
  if (error instanceof Unanswerable || OURS.some((kind) => error instanceof kind)) return (error as Error).message;
  if (error instanceof DeadlineExceeded) return `no answer within ${Math.round(error.afterMs / 1_000)} s`;
  return Error.isError(error) ? `${error.name} in knative-eip itself` : 'an error in knative-eip itself';
};

/** There is no answer, and this is why; a sentence for people, without a secret. */
export class Unanswerable extends Error {
  override readonly name = 'Unanswerable';
}

/** What follows from another answer, and is not known where that is not. */
export const after = async <T, R>(
  answer: Answer<T>,
  work: (value: T) => Promise<Answer<R>> | Answer<R>,
): Promise<Answer<R>> => (answer.known ? work(answer.value) : answer);
