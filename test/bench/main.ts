/**
 * How fast addresses come and go, and what they cost, by the shape of the work: in virtual time and exact. Prints
 * Markdown.
 *
 * The bound of each pod is what the cloud needs for it, at the earliest minute in which the account may still buy, bind
 * or unbind one. Exponents of growth are those from one number of pods to the next.
 *
 *   npm run bench                                  1, 10, 50, 200 and 1,000 pods at once; 1,000 EIPs at rest; an EIP
 *                                                  from one pod to the next; up to 200 pods at once on the virtual node
 *   npm run bench -- --pods 0 --rest 5000,10000 --node 0 --handover 0
 *                                                  only so many at rest, and a new process among them
 *   npm run bench -- --pods 1,50 --rest 0          only these numbers of pods, and nothing at rest
 *   npm run bench -- --pods 0 --rest 0 --node 50 --handover 0
 *                                                  only the virtual node
 *   npm run bench -- --config '{"kubeClientQPS":20}'
 */
import { parseArgs } from 'node:util';
import {
  ATTACH_BOUND_MS,
  atRateMs,
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
import { plainLoop } from './plain-loop.ts';

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

const ratioOf = (times: readonly number[], boundsMs: readonly number[], share: number): string =>
  (at(times, share) / at(boundsMs, share)).toFixed(2);

/** @param boundsMs of each of them, in order */
const timesOf = (times: readonly number[], boundsMs: readonly number[]): readonly string[] => [
  seconds(times[0] ?? 0),
  seconds(at(times, 0.5)),
  seconds(at(times, 0.99)),
  seconds(at(times, 1)),
  ratioOf(times, boundsMs, 0.5),
  ratioOf(times, boundsMs, 0.99),
  ratioOf(times, boundsMs, 1),
];

const callsOf = (calls: Calls, per: number): readonly string[] => [
  Object.entries(calls.cloud)
    .map(([action, count]) => `${action} ${(count / per).toFixed(per === 1 ? 0 : 2)}`)
    .join(', '),
  String(calls.throttled),
  (calls.kubeReads / per).toFixed(per === 1 ? 0 : 2),
  (calls.kubeWrites / per).toFixed(per === 1 ? 0 : 2),
];

const TIMES = ['first s', 'median s', 'p99 s', 'last s', 'median ÷ bound', 'p99 ÷ bound', 'last ÷ bound'];
const PER_POD = ['cloud calls per pod', 'throttled', 'API reads per pod', 'API writes per pod'];

/** What a number of pods came to, as far as it may grow with them. */
interface Grown {
  readonly pods: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** The exponents by which the figures have grown from the row before: 1 where twice as many take twice as much. */
const growthOf = (before: Grown, now: Grown): readonly string[] =>
  Object.entries(now.figures).map(([name, figure]) => {
    const was = before.figures[name] ?? 0;
    return was > 0 && figure > 0 ? (Math.log(figure / was) / Math.log(now.pods / before.pods)).toFixed(2) : '–';
  });

const boundsAtRate = (boundMs: number, pods: number): readonly number[] =>
  Array.from({ length: pods }, (_, index) => atRateMs(boundMs, index));

const sum = (numbers: readonly number[]): number => numbers.reduce((total, it) => total + it, 0);
const isRead = (action: string): boolean => action.startsWith('Describe');

const grownOf = (pods: number, lasts: Readonly<Record<string, number>>, calls: readonly Calls[]): Grown => {
  const cloud = calls.flatMap((its) => Object.entries(its.cloud));
  const figures = {
    ...lasts,
    'cloud reads': sum(cloud.filter(([action]) => isRead(action)).map(([, count]) => count)),
    'cloud changes': sum(cloud.filter(([action]) => !isRead(action)).map(([, count]) => count)),
    'API reads': sum(calls.map(({ kubeReads }) => kubeReads)),
    'API writes': sum(calls.map(({ kubeWrites }) => kubeWrites)),
  };
  return { pods, figures };
};

const attached: (readonly string[])[] = [];
const released: (readonly string[])[] = [];
const loops: (readonly string[])[] = [];
const grown: Grown[] = [];
const firsts = new Set<string>();
for (const pods of numbersOf(values.pods)) {
  const bed = await Bed.create(config);
  // What the first purchase of a process shows: whether tags are kept.
  const [firstMs = 0] = await bed.attach(1);
  firsts.add(seconds(firstMs));
  await bed.idle(60_000);
  let before = bed.calls();
  const there = await bed.attach(pods);
  const attaching = bed.callsSince(before);
  const attachBounds = boundsAtRate(ATTACH_BOUND_MS, pods);
  attached.push([String(pods), ...timesOf(there, attachBounds), ...callsOf(attaching, pods)]);
  const loop = await plainLoop(pods);
  loops.push([
    String(pods),
    seconds(at(loop, 0.5)),
    seconds(at(loop, 1)),
    (at(loop, 0.5) / at(there, 0.5)).toFixed(2),
    (at(loop, 1) / at(there, 1)).toFixed(2),
  ]);
  // What the last look finds out is no part of the release.
  await bed.idle(120_000);
  before = bed.calls();
  const gone = await bed.release();
  const releasing = bed.callsSince(before);
  // With the first one.
  const releaseBounds = boundsAtRate(RELEASE_BOUND_MS, gone.length);
  released.push([String(pods), ...timesOf(gone, releaseBounds), ...callsOf(releasing, pods)]);
  const lasts = {
    'attach, last ÷ bound': at(there, 1) / at(attachBounds, 1),
    'release, last ÷ bound': at(gone, 1) / at(releaseBounds, 1),
  };
  grown.push(grownOf(pods, lasts, [attaching, releasing]));
  await bed.stop();
}
if (attached.length > 0) {
  table(
    `So many pods at once, until the address is published (bound of one ${seconds(ATTACH_BOUND_MS)} s)`,
    'pods',
    ...TIMES,
    ...PER_POD,
  );
  for (const cells of attached) row(...cells);
  process.stdout.write(
    `\nHalf of what the account may do in a minute is done at once, and the rest is spread over it (src/cloud/throttle.ts): ` +
      `somebody who is not known may use the account, too. That is why a few hundred at once are over the bound.\n`,
  );
  process.stdout.write(`\nThe first pod of a process: ${[...firsts].join(', ')} s.\n`);
  table(
    `All of them end at once, until the EIP is released (bound of one ${seconds(RELEASE_BOUND_MS)} s)`,
    'pods',
    ...TIMES,
    ...PER_POD,
  );
  for (const cells of released) row(...cells);
  table(
    'The same pods with a loop like Terway’s, ten of them on a node',
    'pods',
    'median s',
    'last s',
    'median ÷ ours',
    'last ÷ ours',
  );
  for (const cells of loops) row(...cells);
}
const steps = grown.slice(1).map((now, index) => [grown[index] ?? now, now] as const);
if (steps.length > 0) {
  table('Exponents of growth', 'pods', ...Object.keys(grown[0]?.figures ?? {}));
  for (const [before, now] of steps) row(`${before.pods} → ${now.pods}`, ...growthOf(before, now));
  const [ten, most] = [grown.find(({ pods }) => pods >= 10), grown.at(-1)];
  if (ten && most && ten !== most) row(`${ten.pods} → ${most.pods}`, ...growthOf(ten, most));
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
    'new pod of a new process, address after s',
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
  await bed.restart();
  const [anew = 0] = await bed.attach(1);
  row(eips, seconds(time), ...calls, seconds(anew));
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
  const early = await wakeUp(0, { config });
  time('hold-off: a pod comes at once', at(early.servedAfterMs, 1), early.boundMs);
  for (const pods of [1, 10, 50, 120]) {
    const woken = await wakeUp(pods > 60 ? 90_000 : 20_000, { config, pods });
    const [lastMs, boughtMs] = [at(woken.servedAfterMs, 1), at(woken.purchasesMs, 1)];
    row(
      `hold-off: ${pods} pods come later, the last of them`,
      seconds(lastMs),
      seconds(woken.boundMs),
      (lastMs / woken.boundMs).toFixed(2),
      (lastMs / boughtMs).toFixed(2),
    );
  }
}

const onNode = numbersOf(values.node);
const NODE = ['pods', '', 'bound s', ...TIMES, ...PER_POD] as const;
if (onNode.length > 0) table('So many pods at once on the virtual node, and all of them deleted at once', ...NODE);
for (const pods of onNode) {
  const node = await NodeBed.create(config);
  const { bed } = node;
  const time = (what: string, times: readonly number[], boundMs: number, calls: readonly string[] = []) =>
    row(
      pods,
      what,
      seconds(boundMs),
      ...timesOf(
        times,
        times.map(() => boundMs),
      ),
      ...calls,
    );
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
