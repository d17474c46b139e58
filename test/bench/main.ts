/**
 * How fast addresses come and go, and what they cost, by the shape of the work: in virtual time and exact. Prints
 * Markdown.
 *
 *   npm run bench                                  1, 10, 50, 200 and 1,000 pods at once; 1,000 EIPs at rest; an EIP
 *                                                  from one pod to the next; up to 200 pods at once on the virtual node
 *   npm run bench -- --pods 1,50 --rest 0          only these numbers of pods, and nothing at rest
 *   npm run bench -- --pods 0 --rest 0 --node 50 --handover 0
 *                                                  only the virtual node
 *   npm run bench -- --config '{"kubeClientQPS":20}'
 */
import { parseArgs } from 'node:util';
import {
  ATTACH_BOUND_MS,
  Bed,
  EIP_FIRST_BOUND_MS,
  END_BOUND_MS,
  INSTANCE_BOUND_MS,
  READY_BOUND_MS,
  RELEASE_BOUND_MS,
  type Calls,
} from './bed.ts';
import { rollout, ROLLOUT_BOUND_MS, wakeUp } from './handover-bed.ts';
import { NodeBed } from './node-bed.ts';

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '1,10,50,200,1000' },
    rest: { type: 'string', default: '1000' },
    node: { type: 'string', default: '1,10,50,200' },
    handover: { type: 'string', default: '1' },
    config: { type: 'string', default: '{}' },
  },
});
const numbersOf = (text: string): readonly number[] =>
  text
    .split(',')
    .map(Number)
    .filter((it) => it > 0);
const config = JSON.parse(values.config) as object;

const seconds = (ms: number): string => (ms / 1_000).toFixed(2);
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
const row = (...cells: readonly (string | number)[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`);

const table = (title: string, ...head: readonly string[]): void => {
  process.stdout.write(`\n### ${title}\n\n`);
  row(...head);
  row(...head.map(() => '---'));
};

const timesOf = (times: readonly number[], boundMs: number): readonly string[] => [
  seconds(times[0] ?? 0),
  seconds(at(times, 0.5)),
  seconds(at(times, 0.99)),
  seconds(at(times, 1)),
  (at(times, 0.5) / boundMs).toFixed(2),
  (at(times, 0.99) / boundMs).toFixed(2),
];

const callsOf = (calls: Calls, per: number): readonly string[] => [
  Object.entries(calls.cloud)
    .map(([action, count]) => `${action} ${(count / per).toFixed(per === 1 ? 0 : 2)}`)
    .join(', '),
  String(calls.throttled),
  (calls.kubeReads / per).toFixed(per === 1 ? 0 : 2),
  (calls.kubeWrites / per).toFixed(per === 1 ? 0 : 2),
];

const TIMES = ['first s', 'median s', 'p99 s', 'last s', 'median ÷ bound', 'p99 ÷ bound'];
const PER_POD = ['cloud calls per pod', 'throttled', 'API reads per pod', 'API writes per pod'];

const attached: (readonly [string, ...string[]])[] = [];
const firsts = new Set<string>();
const released: (readonly [string, ...string[]])[] = [];
for (const pods of numbersOf(values.pods)) {
  const bed = await Bed.create(config);
  // What the first purchase of a process shows: whether tags are kept.
  const [firstMs = 0] = await bed.attach(1);
  firsts.add(seconds(firstMs));
  await bed.idle(60_000);
  let before = bed.calls();
  attached.push([
    String(pods),
    ...timesOf(await bed.attach(pods), ATTACH_BOUND_MS),
    ...callsOf(bed.callsSince(before), pods),
  ]);
  // What the last look finds out is no part of the release.
  await bed.idle(120_000);
  before = bed.calls();
  released.push([
    String(pods),
    ...timesOf(await bed.release(), RELEASE_BOUND_MS),
    ...callsOf(bed.callsSince(before), pods),
  ]);
  await bed.stop();
}
if (attached.length > 0) {
  table(
    `So many pods at once, until the address is published (bound ${seconds(ATTACH_BOUND_MS)} s)`,
    'pods',
    ...TIMES,
    ...PER_POD,
  );
  for (const cells of attached) row(...cells);
  process.stdout.write(`\nThe first pod of a process: ${[...firsts].join(', ')} s.\n`);
  table(
    `All of them end at once, until the EIP is released (bound ${seconds(RELEASE_BOUND_MS)} s)`,
    'pods',
    ...TIMES,
    ...PER_POD,
  );
  for (const cells of released) row(...cells);
}

const resting = numbersOf(values.rest);
if (resting.length > 0)
  table(
    'EIPs at rest',
    'EIPs',
    'new pod, address after s',
    'cloud calls in an hour',
    'throttled',
    'API reads',
    'API writes',
  );
for (const eips of resting) {
  const bed = await Bed.create(config);
  await bed.attach(eips);
  // Until the rechecks have found their rhythm.
  await bed.idle(1_800_000);
  const before = bed.calls();
  await bed.idle(3_600_000);
  const calls = callsOf(bed.callsSince(before), 1);
  const [time = 0] = await bed.attach(1);
  row(eips, seconds(time), ...calls);
  await bed.stop();
}

const withHandover = numbersOf(values.handover).length > 0;
if (withHandover) {
  table('From one pod to the next', '', 's', 'bound s', '÷ bound', '÷ a purchase');
  const { withoutAddressMs } = await rollout(config);
  const bed = await Bed.create(config);
  await bed.attach(1);
  await bed.idle(60_000);
  const [purchaseMs = 0] = await bed.attach(1);
  await bed.stop();
  const time = (what: string, ms: number, boundMs: number) =>
    row(what, seconds(ms), seconds(boundMs), (ms / boundMs).toFixed(2), (ms / purchaseMs).toFixed(2));
  time('rollout: a named EIP is bound to nothing', withoutAddressMs, ROLLOUT_BOUND_MS);
  const late = await wakeUp(20_000, config);
  time('hold-off: a pod comes 20 s later', late.servedAfterMs, late.boundMs);
  const early = await wakeUp(0, config);
  time('hold-off: a pod comes at once', early.servedAfterMs, early.boundMs);
}

const onNode = numbersOf(values.node);
const NODE = ['pods', '', 'bound s', ...TIMES, ...PER_POD] as const;
if (onNode.length > 0) table('So many pods at once on the virtual node, and all of them deleted at once', ...NODE);
for (const pods of onNode) {
  const node = await NodeBed.create(config);
  const { bed } = node;
  const time = (what: string, times: readonly number[], boundMs: number, calls: readonly string[] = []) =>
    row(pods, what, seconds(boundMs), ...timesOf(times, boundMs), ...calls);
  for (const isEipFirst of [false, true]) {
    let before = bed.calls();
    const { address, ready } = await node.run(pods, { isEipFirst });
    // What is looked at once more belongs to the start.
    await bed.idle(60_000);
    const started = callsOf(bed.callsSince(before), pods);
    time(
      isEipFirst ? 'address, EIP bought first' : 'address',
      address,
      isEipFirst ? EIP_FIRST_BOUND_MS : INSTANCE_BOUND_MS,
      started,
    );
    if (!isEipFirst) time('Ready', ready, READY_BOUND_MS);
    before = bed.calls();
    const gone = await node.end();
    await bed.idle(60_000);
    time(
      isEipFirst ? 'pod gone, EIP bought first' : 'pod gone',
      gone,
      END_BOUND_MS,
      callsOf(bed.callsSince(before), pods),
    );
  }
  await node.stop();
}
