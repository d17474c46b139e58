import test from 'ava';
import { followLog } from '../../src/virtualnode/follow-log.ts';
import { logOptionsOf, readLog, type LogCall } from '../../src/virtualnode/log-query.ts';
import { EPOCH, ManualClock, settled } from '../harness/clock.ts';

/*
 * A container that writes much, read through an API that shows the last 2,000 lines and 1 MiB, whatever is asked for.
 */

const MIB = 1_048_576;
const options = (query: string) => logOptionsOf(new URLSearchParams(query));

class Container {
  readonly clock = new ManualClock();
  readonly #lines: { readonly at: number; readonly text: string }[] = [];
  #at = 0;
  isRunning = true;

  /** Five lines in a millisecond, which are five with one timestamp. */
  write(count: number, text = (n: number) => `line ${n}`): void {
    for (let n = 0; n < count; n += 1) {
      this.#at = Math.max(this.#at + 0.2, EPOCH + this.clock.mono());
      this.#lines.push({ at: Math.floor(this.#at), text: text(this.#lines.length) });
    }
  }

  /** As DescribeContainerLog. */
  readonly read = ({ tail = 500, startTime, timestamps, limitBytes = MIB }: LogCall): Promise<string> => {
    const from = Date.parse(startTime ?? '1970-01-01');
    const text = this.#lines
      .filter(({ at }) => at >= from)
      .slice(-tail)
      .map(({ at, text: line }) => `${timestamps ? `${new Date(at).toISOString()} ` : ''}${line}\n`)
      .join('');
    return Promise.resolve(Buffer.from(text).subarray(0, limitBytes).toString());
  };

  get whole(): readonly string[] {
    return this.#lines.map(({ text }) => text);
  }
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const LEFT_OUT = '[knative-eip: lines before these, if there are any, are left out: ECI gives the last 2000]';

test('where lines may be missing, the first line says so, in the form of the others', async (t) => {
  const container = new Container();
  container.write(5_000);
  const read = async (query: string) => lines(await readLog(container.read, options(query)));
  const last = (count: number) => container.whole.slice(-count);
  for (const query of ['', 'tailLines=4500', 'sinceSeconds=3600'])
    t.deepEqual(await read(query), [LEFT_OUT, ...last(2_000)], query);
  for (const count of [1, 1_999, 2_000]) t.deepEqual(await read(`tailLines=${count}`), last(count));
  t.regex((await read('timestamps=true'))[0] ?? '', /^2026-\S+Z \[knative-eip: lines before/);
  t.deepEqual(await read('tailLines=0'), []);
  t.deepEqual(await read('limitBytes=10'), ['line 3000'], 'nothing of what the reader limits is said to be missing');
  const few = new Container();
  few.write(1_999);
  t.deepEqual(lines(await readLog(few.read, options(''))), few.whole);
});

test('of lines too long for one answer the newest are shown, and not the oldest', async (t) => {
  const container = new Container();
  container.write(2_000, (n) => `${n} ${'x'.repeat(1_000)}`);
  const [first, ...rest] = lines(await readLog(container.read, options('')));
  t.is(first, '[knative-eip: lines before these, if there are any, are left out: ECI gives the last 1000]');
  t.deepEqual(rest, container.whole.slice(-1_000));
  t.deepEqual(lines(await readLog(container.read, options('tailLines=900'))), container.whole.slice(-900));
});

/** Follows the container, and lets a step happen each second. */
const followed = async (container: Container, query: string, steps: readonly (() => void)[]): Promise<string[]> => {
  const { timestamps, tail } = options(query);
  const stop = new AbortController();
  const pieces: string[] = [];
  const source = {
    read: (since: string | undefined) => container.read({ tail: 2_000, timestamps: true, startTime: since }),
    isRunning: () => Promise.resolve(container.isRunning),
  };
  const reading = (async () => {
    for await (const piece of followLog(source, { timestamps, tail }, container.clock, stop.signal)) pieces.push(piece);
  })();
  await settled();
  for (const step of [...steps, () => (container.isRunning = false)]) {
    step();
    await container.clock.advance(1_000);
  }
  await container.clock.advance(10_000);
  await reading;
  return lines(pieces.join(''));
};

test('a follower gets every line once, whatever comes in the same second', async (t) => {
  for (const [query, before] of [
    ['', 3_000],
    ['tailLines=0', 3_000],
    ['tailLines=1', 3_000],
    ['tailLines=0', 0],
    ['tailLines=5', 2],
    ['tailLines=3000', 1_500],
  ] as const) {
    const container = new Container();
    container.write(before);
    const wanted = Math.min(before, options(query).tail ?? Infinity, 2_000);
    const said = await followed(container, query, [
      () => container.write(3),
      () => undefined,
      () => container.write(700),
      () => container.write(700),
      () => container.write(700),
      () => container.write(1),
    ]);
    const isLeftOut = before > 2_000 && query === '';
    t.deepEqual(
      said,
      [...(isLeftOut ? [LEFT_OUT] : []), ...container.whole.slice(before - wanted)],
      `${query}, ${before} lines before`,
    );
  }
});

test('a follower is told where lines are missing, and goes on', async (t) => {
  const container = new Container();
  container.write(2);
  const said = await followed(container, '', [
    () => undefined,
    () => container.write(6_000),
    () => undefined,
    () => undefined,
    () => container.write(2),
  ]);
  t.is(said.filter((line) => line === LEFT_OUT).length, 1);
  t.deepEqual(
    said.filter((line) => line !== LEFT_OUT),
    [...container.whole.slice(0, 2), ...container.whole.slice(4_002)],
  );
});
