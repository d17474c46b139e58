import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How long a test waits for what must come, in real time, before it fails; milliseconds. It goes on as soon as it
 * comes, so this is no measure of anything: it is far more than a busy machine takes.
 */
const PATIENCE_MS = 300_000;

const POLL_MS = 100;

/**
 * Asks until the answer fits; fails with the last answer otherwise.
 *
 * @param withinMs only where how long it takes is what the test is about, as on the real Knative Serving
 */
export const until = async <T>(
  what: string,
  ask: () => Promise<T> | T,
  fits: (answer: T) => boolean,
  withinMs = PATIENCE_MS,
): Promise<T> => {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`${what}: not within ${withinMs} ms; last seen ${JSON.stringify(answer)}`);
    await sleep(POLL_MS);
  }
};
