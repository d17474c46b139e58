/** One step of a controller, by its name. */
interface NamedStep {
  readonly do: string;
}

/**
 * What one controller supplies to {@link runSteps}: how it decides, and how each sort of step is carried out. A step is
 * a `Read`, which adds to what is observed, an `Action`, which has one side effect, or a `Result`: nothing to do now.
 */
export interface StepLoop<
  Observed,
  Read extends NamedStep,
  Action extends NamedStep,
  Result extends NamedStep,
  Outcome,
> {
  /** The one thing to do next. Pure, and total: whatever has been observed, there is a step. */
  readonly decide: (observed: Observed) => Read | Action | Result;
  readonly isRead: (step: Read | Action | Result) => step is Read;
  readonly isResult: (step: Action | Result) => step is Result;
  /** Reads what the decision asked for; resolves to all that is observed then. */
  readonly read: (step: Read, observed: Observed, signal: AbortSignal) => Promise<Observed>;
  /** How often one turn may read. @default {@link MOST_READS} */
  readonly mostReads?: ((observed: Observed) => number) | undefined;
  /** Hears of the step before anything is done about it. An outcome ends the turn, and nothing is done. */
  readonly beforeStep?: ((step: Action | Result, observed: Observed) => Promise<Outcome | undefined>) | undefined;
  /** The last question before an action. An outcome ends the turn, and nothing is done. */
  readonly fence?: ((step: Action) => Outcome | undefined) | undefined;
  readonly act: (step: Action, observed: Observed, signal: AbortSignal) => Promise<Outcome>;
  readonly settle: (step: Result, observed: Observed, signal: AbortSignal) => Promise<Outcome>;
  /** Hears of each read and action that has succeeded. */
  readonly succeeded?: ((step: Read | Action, observed: Observed) => void) | undefined;
  /** What an error of the turn comes to; rejects with it where it is for the caller. @default it always is */
  readonly failed?:
    | ((error: unknown, at: FailedTurn<Observed, Read | Action | Result>, signal: AbortSignal) => Promise<Outcome>)
    | undefined;
}

/** Where a turn failed. */
export interface FailedTurn<Observed, Step extends NamedStep> {
  /** The step that was under way; undefined where it was the decision. */
  readonly step: Step | undefined;
  readonly observed: Observed;
}

/** No decision asks for more than about ten different things; one that goes on asks for the same again. */
export const MOST_READS = 16;

/** A decision asks for reading after reading and comes to no step: a defect of the decision. */
export class TooManyReads extends Error {
  override readonly name = 'TooManyReads';
  /** What was read, and last what was asked for beyond that. */
  readonly reads: readonly string[];

  constructor(reads: readonly string[]) {
    super(`No step after ${reads.length - 1} reads; please report it: ${reads.join(', ')}`);
    this.reads = reads;
  }
}

/**
 * One turn of a controller: decide → read → decide → … → act once, or settle. Rejects with whatever the parts reject
 * with, with {@link TooManyReads}, and, before an action, with the signal's reason if it has aborted.
 *
 * @param observed what is known before anything is read on demand
 */
export const runSteps = async <
  Observed,
  Read extends NamedStep,
  Action extends NamedStep,
  Result extends NamedStep,
  Outcome,
>(
  loop: StepLoop<Observed, Read, Action, Result, Outcome>,
  observed: Observed,
  signal: AbortSignal,
): Promise<Outcome> => {
  let latest = observed;
  let underWay: Read | Action | Result | undefined;
  try {
    const reads: string[] = [];
    let step = loop.decide(latest);
    underWay = step;
    while (loop.isRead(step)) {
      reads.push(step.do);
      if (reads.length > (loop.mostReads?.(latest) ?? MOST_READS)) throw new TooManyReads(reads);
      latest = await loop.read(step, latest, signal);
      loop.succeeded?.(step, latest);
      step = loop.decide(latest);
      underWay = step;
    }
    const held = loop.beforeStep && (await loop.beforeStep(step, latest));
    if (held !== undefined) return held;
    if (loop.isResult(step)) return await loop.settle(step, latest, signal);
    signal.throwIfAborted();
    const fenced = loop.fence?.(step);
    if (fenced !== undefined) return fenced;
    const outcome = await loop.act(step, latest, signal);
    loop.succeeded?.(step, latest);
    return outcome;
  } catch (error) {
    if (!loop.failed) throw error;
    return await loop.failed(error, { step: underWay, observed: latest }, signal);
  }
};
