import test, { registerCompletionHandler, type ExecutionContext } from 'ava';
import { missing } from './cluster/assets.ts';
import { setStage, type Stage, type StageOptions } from './cluster/stage.ts';
import { createScene, seconds, type Scene } from './scenario.ts';

export type Play = (t: ExecutionContext, scene: Scene, stage: Stage) => Promise<void>;

/** So many scenarios play at once: more of them would only show how many pods a small machine bears. */
const AT_ONCE = 8;

/** So long after the last test nothing should be held any more; milliseconds. */
const LEFT_AFTER_MS = 20_000;

/** A process that still holds something would keep AVA, and CI, waiting: what it is is said, and the process ends. */
const endAnyway = (): void => {
  process.stderr.write(`the stage has ended, but holds ${process.getActiveResourcesInfo().join(', ')}\n`);
  process.exit();
};

/**
 * Declares scenarios that play beside each other on one stage of the real Knative Serving, each in a namespace of its
 * own. Where the stage cannot be set they are skipped, and their titles say why.
 */
export const onStage = (options: StageOptions = {}) => {
  const why = missing();
  const declare = why === undefined ? test : test.skip;
  const titled = (text: string) => (why === undefined ? text : `${text} (${why})`);
  const playing: Promise<void>[] = [];
  /** Those that play alone, one after the other. */
  let alone: Promise<unknown> = Promise.resolve();
  let stage: Stage | undefined;

  if (why === undefined) {
    test.before(async (t) => {
      stage = await setStage(options);
      t.log(`the stage was set in ${seconds(stage.tookMs)}`);
    });
    test.after.always(() => stage?.close());
    registerCompletionHandler(() => void setTimeout(endAnyway, LEFT_AFTER_MS).unref());
  }

  /** Those whose turn has not come yet, in the order in which they were declared. */
  const waiting: (() => void)[] = [];
  let free = AT_ONCE;
  const inTurn = async (work: () => Promise<void>): Promise<void> => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };

  const run = async (t: ExecutionContext, number: string, play: Play): Promise<void> => {
    if (!stage) throw new Error('the stage was not set');
    await play(t, await createScene(t, stage, `s${number}`), stage);
  };

  return {
    /** `number` as on the page of the first run. */
    scenario: (number: string, text: string, play: Play): void => {
      declare(titled(`${number}: ${text}`), (t) => {
        const played = inTurn(() => run(t, number, play));
        playing.push(played);
        return played;
      });
    },
    /** Plays alone, once the others have ended: it changes what all of them stand on. */
    afterwards: (number: string, text: string, play: Play): void => {
      declare(titled(`${number}: ${text}`), (t) => {
        // They were declared before, and so are playing by now.
        const played = Promise.allSettled([...playing, alone]).then(() => run(t, number, play));
        alone = played;
        return played;
      });
    },
  };
};
