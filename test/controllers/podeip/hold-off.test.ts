import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS, QUIET_SINCE, SUCCESSOR_UID } from '../../../src/api/annotations.ts';
import { SERVICE_LABEL, SERVICE_UID } from '../../../src/api/knative.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import { Operating } from '../../harness/operating.ts';

const NEW: Readonly<Record<string, string>> = { [KEYS.withEip[2]]: 'true' };
const HOLD = { knative: { holdOffSeconds: 60 } };

/** UIDs of the Services of each world, by name. */
const services = new WeakMap<Operating, Map<string, string>>();

/** The labels of a pod of the Service, which is there. */
const labelsIn = async (world: Operating, service = 'hello'): Promise<Readonly<Record<string, string>>> => {
  const known = services.get(world) ?? new Map<string, string>();
  services.set(world, known);
  const uid = known.get(service) ?? (await world.addService(service));
  known.set(service, uid);
  return { [SERVICE_LABEL]: service, [SERVICE_UID]: uid };
};

const addressOf = async (world: Operating, name: string): Promise<string | undefined> =>
  (await world.pods()).find(({ metadata }) => metadata.name === name)?.metadata.annotations?.[ALLOCATED_ADDRESS];

const count = (world: Operating, action: string): number =>
  world.cloud.ledger().filter((change) => change.action === action).length;

const arrive = async (world: Operating, name: string, annotations = NEW, service = 'hello'): Promise<string> => {
  await world.runPod(name, annotations, { labels: await labelsIn(world, service), isGated: true });
  let address: string | undefined;
  await world.until(async () => (address = await addressOf(world, name)) !== undefined, 60_000);
  return address ?? 'none';
};

test('a Service that flaps buys one EIP: the next pod has the address of the one before it', async (t) => {
  const world = await Operating.create({ config: HOLD });
  const address = await arrive(world, 'pod-0');
  for (let turn = 1; turn <= 4; turn += 1) {
    await world.endPod(`pod-${turn - 1}`);
    // Sometimes the next one comes while the EIP is still being detached.
    await world.pass(turn % 2 === 0 ? 1_000 : 20_000);
    t.is(await arrive(world, `pod-${turn}`), address);
    await world.pass(40_000);
    t.is((await world.podEips()).length, 1, 'the record of the pod before it is gone');
  }
  t.is(count(world, 'AllocateEipAddress'), 1);
  t.is(count(world, 'ReleaseEipAddress'), 0);
  await world.endPod('pod-4');
  await world.pass(50_000);
  t.is(world.cloud.eips().length, 1);
  t.is(world.cloud.eips()[0]?.binding, undefined, 'what is kept is bound to nothing');
  await world.pass(60_000);
  t.deepEqual(world.cloud.eips(), [], 'it does not outlive the hold-off');
  t.deepEqual(await world.podEips(), []);
  await world.stop();
});

test('without an election, where a second process might be at work, the next pod waits longer, and has the same address', async (t) => {
  const config = { ...HOLD, leaderElection: { enabled: false, namespace: 'kube-system' } };
  const world = await Operating.create({ config });
  const address = await arrive(world, 'first');
  await world.pass(60_000);
  await world.endPod('first');
  await world.pass(5_000);
  const noted: string[] = [];
  world.server.onWrite(({ object, previous }) => {
    const [now, before] = [object, previous].map((it) => (it as unknown as PodEip | undefined)?.metadata.annotations);
    for (const key of [SUCCESSOR_UID, QUIET_SINCE]) {
      const note = now?.[key];
      if (note !== undefined && note !== before?.[key]) noted.push(`${key} of ${object.metadata.name}`);
    }
  });
  t.is(await arrive(world, 'next'), address);
  t.is(count(world, 'AllocateEipAddress'), 1);
  // Of a purchase that a second process has decided on, and the transfer, only one goes through.
  const assigned = noted.indexOf(`${SUCCESSOR_UID} of first`);
  t.true(assigned > 0, noted.join(', '));
  t.is(noted[assigned - 1], `${QUIET_SINCE} of next`);
  t.true(noted.includes(`${QUIET_SINCE} of next`, assigned), 'nor of two transfers one of which is given up');
  await world.stop();
});

test('it never crosses Services, nor requests, nor does it make anybody wait who cannot have it', async (t) => {
  const world = await Operating.create({ config: HOLD });
  const address = await arrive(world, 'first');
  await world.endPod('first');
  await world.pass(15_000);
  t.not(await arrive(world, 'of-another', NEW, 'other'), address);
  t.not(await arrive(world, 'faster', { ...NEW, [KEYS.bandwidth[1]]: '10' }), address);
  t.is(await arrive(world, 'second'), address);
  t.not(await arrive(world, 'third'), address, 'one successor only');
  t.is(count(world, 'AllocateEipAddress'), 4);
  await world.stop();
});

test('without a hold-off, and for pods of no Service, an address goes back at once', async (t) => {
  for (const [config, isOfService] of [
    [{}, true],
    [HOLD, false],
  ] as const) {
    const world = await Operating.create({ config });
    await world.runPod('pod', NEW, { labels: isOfService ? await labelsIn(world) : {} });
    await world.until(async () => (await addressOf(world, 'pod')) !== undefined, 60_000);
    await world.endPod('pod');
    await world.pass(20_000);
    t.deepEqual(world.cloud.eips(), []);
    await world.stop();
  }
});

test('tags that may not be written are no reason to go without an address', async (t) => {
  const world = await Operating.create({ config: HOLD });
  const address = await arrive(world, 'first');
  await world.endPod('first');
  await world.pass(15_000);
  world.cloud.inject({
    action: 'TagResources',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'Forbidden.RAM', status: 403 } },
  });
  const second = await arrive(world, 'second');
  t.not(second, 'none');
  t.not(second, address);
  await world.pass(90_000);
  t.is(world.cloud.eips().length, 1, 'and the other one went when its time was over');
  await world.stop();
});

test('a successor that goes before it has taken the EIP leaves it as it was', async (t) => {
  const world = await Operating.create({ config: HOLD });
  await arrive(world, 'first');
  await world.endPod('first');
  await world.pass(15_000);
  world.cloud.inject({ action: 'TagResources', times: Infinity, fault: { effect: 'never', answer: 'drop' } });
  await world.runPod('successor', NEW, { labels: await labelsIn(world) });
  await world.pass(5_000);
  await world.endPod('successor');
  await world.pass(180_000);
  t.deepEqual(world.cloud.eips(), []);
  t.deepEqual(await world.podEips(), []);
  t.is(count(world, 'AllocateEipAddress'), count(world, 'ReleaseEipAddress'));
  await world.stop();
});

for (const [how, end] of [
  ['Succeeded', (world: Operating, name: string) => world.endPod(name)],
  ['Failed', (world: Operating, name: string) => world.endPod(name, { phase: 'Failed' })],
  ['no phase, by force', (world: Operating, name: string) => world.forcePod(name)],
] as const)
  test(`four wake-ups within the hold-off buy one EIP, of pods that end in: ${how}`, async (t) => {
    const world = await Operating.create({ config: HOLD });
    const addresses = new Set<string>();
    for (let turn = 1; turn <= 4; turn += 1) {
      addresses.add(await arrive(world, `pod-${turn}`));
      await end(world, `pod-${turn}`);
      await world.pass(15_000);
      t.is(world.cloud.eips().length, 1, 'it is held');
    }
    t.is(addresses.size, 1);
    t.is(count(world, 'AllocateEipAddress'), 1);
    t.is(count(world, 'ReleaseEipAddress'), 0);
    await world.pass(120_000);
    t.deepEqual(world.cloud.eips(), []);
    await world.stop();
  });

test('an EIP whose Service is gone is held for nobody, whether the Service goes before the pod or after', async (t) => {
  for (const when of ['before', 'after'] as const) {
    const world = await Operating.create({ config: HOLD });
    await arrive(world, 'pod');
    if (when === 'before') await world.deleteService('hello');
    await world.endPod('pod');
    await world.pass(10_000);
    if (when === 'after') {
      t.is(world.cloud.eips().length, 1);
      await world.deleteService('hello');
      await world.pass(10_000);
    }
    t.deepEqual(world.cloud.eips(), [], when);
    t.deepEqual(await world.podEips(), []);
    await world.stop();
  }
});

test('where Services may not be read the hold-off is as long as it is', async (t) => {
  const world = await Operating.create({
    config: HOLD,
    refuse: ({ path }) => (path.startsWith('/apis/serving.knative.dev/v1/namespaces/') ? 403 : undefined),
  });
  await arrive(world, 'pod');
  await world.endPod('pod');
  await world.pass(40_000);
  t.is(world.cloud.eips().length, 1);
  await world.pass(60_000);
  t.deepEqual(world.cloud.eips(), []);
  await world.stop();
});
