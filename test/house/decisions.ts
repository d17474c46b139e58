import { mutate } from '../simulation/mutation.ts';

/**
 * What one decision about a PodEIP costs: how often it reads the annotations of the pod and the record of the PodEIP,
 * and how much CPU time it takes: `node test/house/decisions.ts`. CPU per pod and its calls are in
 * test/controllers/podeip/bench.ts.
 */
const counts = new Map<string, number>();
const counted = (file: string, name: string) => ({
  file,
  name,
  by: (original: unknown) => {
    const read = original as (...given: readonly unknown[]) => unknown;
    return (...given: readonly unknown[]) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return read(...given);
    };
  },
});

mutate([
  counted('src/request/parse.ts', 'parseAnnotations'),
  counted('src/controllers/podeip/record.ts', 'readRecord'),
]);
// Only now, so that they are counted there.
const { decide } = await import('../../src/controllers/podeip/decide.ts');
const the = await import('../controllers/podeip/situation.ts');

const ours = the.podEip({ allocationID: 'eip-1', bindings: [the.binding] });
const SITUATIONS = {
  'a new pod': the.seen({}),
  'before buying': the.seen({ podEip: the.podEip(), tagged: [], interfaces: [the.eni()] }),
  'at rest': the.seen({ pod: the.pod({ isTold: true }), podEip: ours, eip: the.eip(the.bound) }),
  'the pod is gone': the.seen({ pod: null, podEip: ours }),
};
const ROUNDS = 20_000;

process.stdout.write('situation         step       annotations  record  CPU µs\n');
for (const [title, seen] of Object.entries(SITUATIONS)) {
  counts.clear();
  const step = decide(seen, the.settings);
  const [annotations = 0, record = 0] = ['parseAnnotations', 'readRecord'].map((name) => counts.get(name));
  for (let round = 0; round < ROUNDS / 10; round += 1) decide(seen, the.settings);
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round += 1) decide(seen, the.settings);
  const { user, system } = process.cpuUsage(before);
  const cells = [title.padEnd(17), step.do.padEnd(10), String(annotations).padStart(11), String(record).padStart(7)];
  process.stdout.write(`${cells.join(' ')} ${((user + system) / ROUNDS).toFixed(1).padStart(7)}\n`);
}
