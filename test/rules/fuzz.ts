// A million inputs that are nearly right, over all readers: npm run fuzz [-- --inputs N] [--seed N]
import { parseArgs } from 'node:util';
import { tryOne, wayOf, type Way } from './fuzzing.ts';

const { values } = parseArgs({
  options: { inputs: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const total = Number(values.inputs);
const first = Number(values.seed);

/** No input of a user may keep the controller from its other work for longer: time of the processor, milliseconds. */
const LONGEST_MS = 5;
/** The same for files in YAML, which the controller reads once, when it starts, and `explain` for its user. */
const LONGEST_OF_FILE_MS = 50;
const FILES: ReadonlySet<Way> = new Set<Way>(['manifest', 'configuration']);

const answers = new Map<string, number>();
const failures: string[] = [];
let worst = { ms: 0, seed: 0 };
const began = performance.now();
const heaps: number[] = [];

/**
 * Time of the processor, so that another process of the machine is no finding; the least of twelve, for what the
 * collector takes and for caches that another process has emptied.
 */
const slownessOf = (seed: number): number =>
  Math.min(
    ...Array.from({ length: 12 }, () => {
      const before = process.threadCpuUsage();
      tryOne(wayOf(seed), seed);
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1_000;
    }),
  );

for (let index = 0; index < total; index += 1) {
  const seed = first + index;
  const way = wayOf(seed);
  const start = performance.now();
  try {
    const answer = `${way}: ${tryOne(way, seed)}`;
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
    const elapsedMs = performance.now() - start;
    if (elapsedMs > LONGEST_MS / 2) {
      const ms = slownessOf(seed);
      if (ms > worst.ms) worst = { ms, seed };
      if (ms > (FILES.has(way) ? LONGEST_OF_FILE_MS : LONGEST_MS))
        failures.push(`seed ${seed} (${way}): ${ms.toFixed(0)} ms`);
    } else if (elapsedMs > worst.ms) worst = { ms: elapsedMs, seed };
  } catch (error) {
    failures.push(`seed ${seed} (${way}): ${error instanceof Error ? error.message : String(error)}`);
  }
  if (index % Math.ceil(total / 20) === 0) {
    globalThis.gc?.();
    heaps.push(process.memoryUsage().heapUsed / 1024 / 1024);
  }
}

for (const [answer, count] of [...answers].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  process.stdout.write(`${String(count).padStart(9)}  ${answer}\n`);
for (const failure of failures.slice(0, 20)) process.stdout.write(`FAILED ${failure}\n`);
const seconds = (performance.now() - began) / 1_000;
process.stdout.write(
  `${total} inputs from seed ${first} in ${seconds.toFixed(0)} s: ${failures.length} without a clear answer; ` +
    `the slowest took ${worst.ms.toFixed(1)} ms (seed ${worst.seed}); ` +
    `heap ${heaps.map((each) => each.toFixed(0)).join(' ')} MiB\n`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
