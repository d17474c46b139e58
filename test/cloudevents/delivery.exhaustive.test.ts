import test from 'ava';
import { KEYS, TAG_POD } from '../../src/api/annotations.ts';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { createSender, type Sender } from '../../src/cloudevents/sender.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { seeded } from '../harness/random.ts';
import { Operating } from '../harness/operating.ts';
import { distinct, kindsBy, receive, type Received } from './receiver.ts';

const NEW: Readonly<Record<string, string>> = { [KEYS.withEip[0]]: 'true' };
const HOUR = 3_600_000;
const LIFE = ['allocated', 'associated', 'disassociated', 'released'];

/** A sender over real HTTP, and whether it has nothing under way. */
const sending = (url: string): { sender: Sender; isQuiet: () => boolean } => {
  let underWay = 0;
  const sink = { url: new URL(url), timeoutMs: 20_000, caCertificates: undefined, token: undefined };
  const inner = createSender(sink, systemClock);
  const send: Sender['send'] = async (...parts) => {
    underWay += 1;
    try {
      return await inner.send(...parts);
    } finally {
      underWay -= 1;
    }
  };
  return { sender: { send, close: () => inner.close() }, isQuiet: () => underWay === 0 };
};

const config = (url: string, more: object = {}) => ({
  cloudEvents: { sink: url },
  leaderElection: { namespace: 'default' },
  networkController: { eipController: { maxConcurrentReconciles: 32 } },
  ...more,
});

/** The journals that are left. */
const journals = async ({ kube }: Operating) =>
  (await kube.list(CONFIG_MAP, {})).filter(({ metadata }) => metadata.name.startsWith('knative-eip-events'));

/** Every event of each PodEIP came, in order: whatever came again came before, and nothing is missing between. */
const orderFaults = (events: readonly Received[]): string[] => {
  const last = new Map<string, number>();
  const faults: string[] = [];
  for (const { source, sequence, time } of events) {
    const before = last.get(source) ?? 0;
    if (Number(sequence) > before + 1) faults.push(`${source}: ${sequence} came after ${before} at ${time}`);
    last.set(source, Math.max(before, Number(sequence)));
  }
  return faults;
};

test('1,000 pods: with a sink that fails 30 % of requests and is away for five minutes, and a controller that is killed three times, every event comes, and each address in order', async (t) => {
  const PODS = 1_000;
  const chance = seeded(11);
  let isAway = false;
  const sink = await receive(() => {
    if (isAway) return { status: 503 };
    if (chance.next() >= 0.3) return { status: 202 };
    // Some fail before, some after the event was taken.
    return chance.next() < 0.5 ? { status: 500 } : { status: 0, isTaken: true };
  });
  const world = await Operating.create({ quota: PODS, config: config(sink.url), ...sending(sink.url) });
  for (let index = 0; index < PODS; index += 1) await world.runPod(`pod-${index}`, NEW);
  const names = (kind: string) => {
    const told = sink.taken.filter(({ type }) => type.endsWith(`.${kind}.v1`));
    return [...new Set(told.map(({ data }) => data?.pod ?? ''))];
  };
  const restart = async () => {
    world.kill();
    await world.pass(2_000);
    await world.start();
  };

  t.true((await world.until(() => names('associated').length >= 200, HOUR)) < Infinity);
  await restart();
  t.true((await world.until(() => names('associated').length >= 400, HOUR)) < Infinity);
  const first = names('associated').slice(0, 200);
  // All at once.
  for (const name of first) await world.endPod(name, { lingerMs: 0 });
  isAway = true;
  await world.pass(150_000);
  await restart();
  await world.pass(150_000);
  const owners = new Set(world.cloud.eips().map(({ tags }) => tags.get(TAG_POD)));
  t.deepEqual(
    first.filter((name) => owners.has(`default/${name}`)),
    [],
    'no release waits for the sink',
  );
  t.deepEqual(names('released'), []);
  isAway = false;
  t.true((await world.until(() => names('associated').length === PODS, HOUR)) < Infinity);
  for (const name of names('associated')) if (!first.includes(name)) await world.endPod(name, { lingerMs: 0 });
  await world.pass(20_000);
  await restart();
  t.true((await world.until(async () => (await journals(world)).length === 0, HOUR)) < Infinity);

  t.deepEqual(sink.unreadable, []);
  t.deepEqual(orderFaults(sink.taken), []);
  const events = distinct(sink.taken);
  const bySource = kindsBy(events, ({ source }) => source);
  const byEip = kindsBy(events, ({ data }) => data?.allocationID);
  t.is(bySource.size, PODS);
  t.is(byEip.size, PODS);
  for (const kinds of [...bySource.values(), ...byEip.values()]) t.deepEqual(kinds, LIFE);
  t.log(
    `${events.length} events of ${PODS} pods in ${sink.requests()} requests and ${Math.round(world.clock.mono() / 60_000)} minutes`,
  );
  await world.stop();
  await sink.close();
});
