import test from 'ava';
import { KEYS } from '../../src/api/annotations.ts';
import { CONFIGURATION_GENERATION, REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../src/api/knative.ts';
import type { ChangeData } from '../../src/cloudevents/change.ts';
import { CONFIG_MAP } from '../../src/api/core.ts';
import type { SinkVerdict } from '../../src/cloudevents/sink.ts';
import { Operating, type OperatingOptions } from '../harness/operating.ts';

const NEW = { [KEYS.withEip[0]]: 'true' };
const EXISTING = { [KEYS.instanceId[2]]: 'eip-users' };
const HOUR = 3_600_000;

const labels = (generation: number) => ({
  [SERVICE_LABEL]: 'hello',
  [SERVICE_UID]: 'uid-of-hello',
  [REVISION_LABEL]: `hello-0000${generation}`,
  [CONFIGURATION_GENERATION]: String(generation),
});

interface ReceivedEvent {
  readonly kind: string;
  readonly id: string;
  readonly data: ChangeData & { readonly reason?: string };
}

/** A world whose sink takes what `verdict` lets it. */
const create = async (
  { config, ...options }: OperatingOptions = {},
  verdict?: (data: ReceivedEvent['data']) => SinkVerdict,
) => {
  const told: ReceivedEvent[] = [];
  let requests = 0;
  const world = await Operating.create({
    ...options,
    config: {
      cloudEvents: { sink: 'http://sink.example' },
      leaderElection: { namespace: 'default' },
      existingEips: 'any',
      ...config,
    },
    sender: {
      send: ({ headers, body }) => {
        requests += 1;
        const data = JSON.parse(body) as ReceivedEvent['data'];
        const said = verdict?.(data) ?? { is: 'delivered' as const };
        if (said.is === 'delivered')
          told.push({ kind: headers['ce-type']?.split('.').at(-2) ?? '', id: headers['ce-id'] ?? '', data });
        return Promise.resolve(said);
      },
      close: () => undefined,
    },
  });
  const kinds = (pod?: string) => told.filter(({ data }) => pod === undefined || data.pod === pod).map((it) => it.kind);
  const says = (count: number, ms = 120_000) => world.until(() => told.length >= count, ms);
  return { world, told, kinds, says, requests: () => requests };
};

test('a pod that cannot have an address is told of once, and then of its address', async (t) => {
  const { world, told, kinds } = await create({ quota: 1 });
  await world.runPod('lucky', NEW);
  await world.pass(20_000);
  await world.runPod('late', NEW);
  await world.pass(HOUR / 4);
  t.deepEqual(kinds('late'), ['failed']);
  t.is(told.find(({ kind }) => kind === 'failed')?.data.reason, 'QuotaExceeded');
  await world.endPod('lucky');
  await world.pass(60_000);
  t.deepEqual(kinds('lucky'), ['allocated', 'associated', 'disassociated', 'released']);
  t.is(told.find(({ kind }) => kind === 'disassociated')?.data.reason, 'PodDeleted');
  t.deepEqual(kinds('late'), ['failed', 'allocated', 'associated']);
  await world.stop();
});

test('a user’s EIP that two pods want is a conflict, and goes from one to the other in order', async (t) => {
  const { world, told, kinds } = await create();
  world.cloud.world.addEip({ allocationId: 'eip-users', tags: {} });
  await world.pass(5_000);
  await world.runPod('first', EXISTING);
  await world.pass(20_000);
  await world.runPod('second', EXISTING);
  await world.pass(20_000);
  t.deepEqual(kinds('first'), ['associated']);
  t.deepEqual(kinds('second'), ['conflict']);
  t.is(told.at(-1)?.data.reason, 'EipClaimed');
  await world.endPod('first');
  await world.pass(60_000);
  t.deepEqual(
    told.map(({ kind, data }) => `${data.pod} ${kind}`),
    ['first associated', 'second conflict', 'first disassociated', 'second associated'],
  );
  await world.stop();
});

test('in a rollout the sink hears that the old pod has lost the EIP before it hears that the new one has it', async (t) => {
  // What is told of the old pod is not taken at first; what is told of the new one would be.
  let isStubborn = true;
  const { world, told } = await create({}, ({ pod }) =>
    isStubborn && pod === 'old' ? { is: 'later', why: '503', afterMs: undefined } : { is: 'delivered' },
  );
  world.cloud.world.addEip({ allocationId: 'eip-users', tags: {} });
  await world.pass(5_000);
  await world.runPod('old', EXISTING, { labels: labels(1), isGated: true });
  await world.pass(20_000);
  await world.runPod('new', EXISTING, { labels: labels(2), isGated: true });
  await world.pass(120_000);
  isStubborn = false;
  await world.pass(120_000);
  const heard = told
    .filter(({ kind }) => kind.endsWith('associated'))
    .map(({ kind, data }) => `${data.pod} ${kind} ${data.revision}`);
  t.deepEqual(heard, ['old associated hello-00001', 'old disassociated hello-00001', 'new associated hello-00002']);
  t.is(told.find(({ kind }) => kind === 'disassociated')?.data.reason, 'HandedOver');
  t.deepEqual(
    told.filter(({ kind }) => kind === 'conflict' || kind === 'failed'),
    [],
    'an ordinary rollout wakes nobody',
  );
  await world.stop();
});

test('what somebody does in the console is drift, and then what follows from it', async (t) => {
  const { world, told, kinds } = await create();
  await world.runPod('pod', NEW);
  await world.pass(20_000);
  const [eip] = world.cloud.eips();
  world.cloud.world.human.unassociate(eip!.allocationId);
  await world.pass(20 * 60_000);
  t.deepEqual(kinds(), ['allocated', 'associated', 'drift', 'disassociated', 'associated']);
  t.is(told[2]?.data.reason, 'Disassociated');
  t.is(told[3]?.data.reason, 'Lost');
  t.is(new Set(told.map(({ id }) => id)).size, told.length);
  await world.stop();
});

test('an event that nobody takes is given up after the window, and one that is refused at once; others go on', async (t) => {
  let verdict: SinkVerdict = { is: 'refused', why: '400' };
  const { world, kinds, requests } = await create(
    { config: { cloudEvents: { sink: 'http://sink.example', retryWindowSeconds: 600 } } },
    () => verdict,
  );
  await world.runPod('refused', NEW);
  await world.pass(30_000);
  t.is(requests(), 2, 'each is tried once');
  verdict = { is: 'later', why: '503', afterMs: undefined };
  await world.runPod('expired', NEW);
  await world.pass(15 * 60_000);
  verdict = { is: 'delivered' };
  await world.endPod('expired');
  await world.pass(120_000);
  t.deepEqual(kinds(), ['disassociated', 'released']);
  const { body } = await world.metrics.render();
  t.regex(body, /cloudevents_dropped_total\{kind="allocated",reason="refused"\} 1/);
  t.regex(body, /cloudevents_dropped_total\{kind="associated",reason="expired"\} 1/);
  t.regex(body, /cloudevents_sent_total\{kind="released"\} 1/);
  t.regex(body, /cloudevents_waiting 0/);
  await world.stop();
});

test('a token that has lapsed is told at the first event, and once; with a new one everything comes', async (t) => {
  let isLapsed = true;
  const { world, kinds, says } = await create({}, () =>
    isLapsed ? { is: 'later', why: '401', afterMs: undefined } : { is: 'delivered' },
  );
  await world.runPod('a', NEW);
  await world.pass(5_000);
  t.deepEqual(world.complaints, ['The sink did not take a CloudEvent, and said why; it is tried again']);
  t.like(world.complained[0], { why: '401', namespace: 'default', pod: 'a' });
  await world.endPod('a');
  await world.pass(HOUR);
  t.is(world.complaints.filter((it) => it.startsWith('The sink did not take')).length, 1, 'once in an outage');
  isLapsed = false;
  await says(4);
  t.deepEqual(kinds('a'), ['allocated', 'associated', 'disassociated', 'released']);
  await world.stop();
});

test('a sink that lets some events not in is there for all others', async (t) => {
  const { world, kinds } = await create({}, ({ pod }) =>
    pod.startsWith('secret-')
      ? { is: 'later', why: '403', afterMs: undefined, isOfThisOne: true }
      : { is: 'delivered' },
  );
  for (let index = 0; index < 8; index += 1) await world.runPod(`secret-${index}`, NEW);
  await world.pass(30 * 60_000);
  await world.runPod('a', NEW);
  await world.pass(15_000);
  t.deepEqual(kinds('a'), ['allocated', 'associated']);
  t.false(world.complaints.some((it) => it.startsWith('The sink of CloudEvents is away')));
  await world.stop();
});

test('an hour without the sink: addresses come and go as ever, and everything is told afterwards', async (t) => {
  let isAway = true;
  const { world, told, kinds, requests } = await create({}, () =>
    isAway ? { is: 'later', why: 'ECONNREFUSED', afterMs: undefined } : { is: 'delivered' },
  );
  const pods = Array.from({ length: 20 }, (_, index) => `pod-${index}`);
  for (const pod of pods) await world.runPod(pod, NEW);
  await world.pass(60_000);
  for (const pod of pods) await world.endPod(pod);
  await world.pass(60_000);
  t.is(world.cloud.eips().length, 0);
  t.deepEqual(await world.podEips(), []);
  t.is(told.length, 0);
  await world.pass(HOUR);
  const tries = requests();
  t.true(tries < 400, `${tries} requests while the sink is away`);
  const { body } = await world.metrics.render();
  t.regex(body, /cloudevents_waiting 80/);
  world.kill();
  await world.start();
  isAway = false;
  await world.pass(90_000);
  for (const pod of pods) t.deepEqual(kinds(pod), ['allocated', 'associated', 'disassociated', 'released']);
  await world.pass(10_000);
  t.deepEqual(
    (await world.kube.list(CONFIG_MAP)).filter(({ metadata }) => metadata.name.includes('events')),
    [],
  );
  await world.stop();
});

test('only what is written down is sent, and what was delivered is struck out', async (t) => {
  let isAway = true;
  // Journals can be made, and then not be changed.
  let isReadOnly = true;
  const { world, kinds } = await create(
    {
      refuse: ({ method, path }) =>
        isReadOnly && method === 'PATCH' && path.includes('/configmaps') ? 503 : undefined,
    },
    () => (isAway ? { is: 'later', why: '503', afterMs: undefined } : { is: 'delivered' }),
  );
  const written = async () => {
    const [journal] = (await world.kube.list(CONFIG_MAP)).filter(({ metadata }) => metadata.name.includes('events'));
    const changes = JSON.parse(journal?.data?.['changes'] ?? 'null') as { kind: string }[] | null;
    return changes?.map(({ kind }) => kind);
  };
  await world.runPod('pod', NEW);
  await world.pass(30_000);
  isAway = false;
  await world.pass(60_000);
  t.deepEqual(await written(), ['allocated']);
  t.deepEqual(kinds(), ['allocated']);
  isReadOnly = false;
  await world.pass(60_000);
  t.deepEqual(kinds(), ['allocated', 'associated']);
  t.deepEqual(await written(), []);
  await world.stop();
});

for (const status of [403, 503, 0])
  test(`journals that cannot be written (${status || 'no answer'}) keep no EIP from its release, and no name from its next pod for long`, async (t) => {
    const pods = Array.from({ length: 12 }, (_, index) => `pod-${index}`);
    const releasedAfter = async (world: Operating) => {
      for (const pod of pods) await world.runPod(pod, NEW);
      await world.pass(60_000);
      for (const pod of pods) await world.endPod(pod);
      return world.until(() => world.cloud.eips().length === 0, 120_000);
    };
    const quiet = await Operating.create();
    const usual = await releasedAfter(quiet);
    await quiet.stop();
    const { world, told } = await create({
      refuse: ({ method, path }) => (method !== 'GET' && path.includes('/configmaps') ? status : undefined),
    });
    const released = await releasedAfter(world);
    t.true(released <= usual + 1_000, `after ${released} ms, and without a sink after ${usual} ms`);
    const gone = await world.until(async () => (await world.podEips()).length === 0, 180_000);
    t.true(gone <= 90_000, `after ${gone} ms`);
    t.deepEqual(told, [], 'nothing is sent that is not written down');
    await world.stop();
  });
