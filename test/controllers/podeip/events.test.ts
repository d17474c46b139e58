import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS } from '../../../src/api/annotations.ts';
import { CONFIGURATION_GENERATION, REVISION_LABEL, SERVICE_LABEL, SERVICE_UID } from '../../../src/api/knative.ts';
import { Operating } from '../../harness/operating.ts';

const NEW = { [KEYS.withEip[2]]: 'true' };
const EIP = 'eip-users';
const NAMED = { [KEYS.instanceId[2]]: EIP };
const LATEST = [{ latestRevision: true, percent: 100 }];
/** What one pod's life may cost, on whatever object. */
const MOST = 6;

const create = async (holdOffSeconds = 0) => {
  const world = await Operating.create({ config: { existingEips: 'any', knative: { holdOffSeconds } } });
  world.cloud.world.addEip({ allocationId: EIP });
  const uid = await world.addService('hello', { spec: { traffic: LATEST } });
  const labels = (generation: number) => ({
    [SERVICE_LABEL]: 'hello',
    [SERVICE_UID]: uid,
    [REVISION_LABEL]: `hello-0000${generation}`,
    [CONFIGURATION_GENERATION]: String(generation),
  });
  const run = async (name: string, annotations: Readonly<Record<string, string>>, generation = 1) => {
    await world.changeService('hello', { status: { latestCreatedRevisionName: `hello-0000${generation}` } });
    await world.runPod(name, annotations, { labels: labels(generation), isGated: true });
    await world.until(
      async () =>
        (await world.pods()).find(({ metadata }) => metadata.name === name)?.metadata.annotations?.[
          ALLOCATED_ADDRESS
        ] !== undefined,
      60_000,
    );
    await world.changeService('hello', {
      status: { traffic: [{ revisionName: `hello-0000${generation}`, percent: 100 }] },
    });
    await world.pass(15_000);
  };
  return { world, run };
};

const lines = (world: Operating): readonly string[] =>
  world.events.map(({ about, type, reason, note }) => `${about.kind} ${about.name} ${type} ${reason}: ${note}`);

test('the life of a pod with an EIP of its own: each thing is told once', async (t) => {
  const { world, run } = await create();
  await run('pod', NEW);
  const { allocationId, ipAddress } = world.cloud.eips().find((eip) => eip.allocationId !== EIP)!;
  await world.endPod('pod');
  await world.pass(30_000);
  t.deepEqual(lines(world), [
    `Pod pod Normal Allocated: allocated EIP ${ipAddress} (${allocationId})`,
    `Pod pod Normal Associated: EIP ${ipAddress} is bound to pod pod`,
    `Service hello Normal AddressesReady: 1 of 1 pod has an address; hello-00001: ${ipAddress}`,
    `PodEIP pod Normal Released: released ${allocationId}`,
    'Service hello Normal AddressesReady: no pod asks for an address',
  ]);
  await world.stop();
});

test('with a hold-off, and with a named EIP, it is at most six', async (t) => {
  const held = await create(30);
  await held.run('pod', NEW);
  await held.world.endPod('pod');
  await held.world.pass(90_000);
  t.deepEqual(
    held.world.cloud.eips().map(({ allocationId }) => allocationId),
    [EIP],
  );
  t.is(held.world.events.length, MOST, lines(held.world).join('\n'));
  await held.world.stop();
  const named = await create();
  await named.run('pod', NAMED);
  await named.world.endPod('pod');
  await named.world.pass(30_000);
  t.true(named.world.events.some(({ reason, about }) => reason === 'Disassociated' && about.kind === 'PodEIP'));
  t.true(named.world.events.length <= MOST, lines(named.world).join('\n'));
  await named.world.stop();
});

test('a rollout says on the Service from which pod to which the EIP goes, warns of nothing, and costs at most six Events a pod', async (t) => {
  const { world, run } = await create();
  const generations = [1, 2, 3];
  for (const generation of generations) {
    await run(`pod-${generation}`, NAMED, generation);
    if (generation > 1) await world.endPod(`pod-${generation - 1}`);
    await world.pass(15_000);
  }
  await world.endPod('pod-3');
  await world.pass(60_000);
  t.deepEqual(
    world.events.filter(({ type }) => type === 'Warning'),
    [],
  );
  const onService = lines(world).filter((line) => line.startsWith('Service'));
  t.true(
    onService.includes(
      `Service hello Normal HandedOver: ${EIP} goes from pod pod-1 to pod pod-2 (hello-00001 → hello-00002)`,
    ),
  );
  t.true(
    lines(world).includes(
      'Pod pod-2 Normal HandedOver: the EIP is with pod pod-3 of the same Knative Service; this pod goes on without it',
    ),
  );
  t.true(world.events.length <= MOST * generations.length, lines(world).join('\n'));
  await world.stop();
});

test('six pods at once make one Event on their Service, and six that are refused make one for the reason, with a pod', async (t) => {
  const { world, run } = await create();
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  await Promise.all(names.map((name) => run(name, NEW)));
  t.is(world.events.filter(({ about }) => about.kind === 'Service').length, 1, lines(world).join('\n'));
  t.true(world.events.length <= names.length * MOST);
  await world.stop();

  const full = await create();
  full.world.cloud.setQuota(0);
  await Promise.all(names.map((name) => full.run(name, NEW)));
  const warned = lines(full.world).filter((line) => line.startsWith('Service hello Warning QuotaExceeded'));
  t.is(warned.length, 1, lines(full.world).join('\n'));
  t.regex(warned[0] ?? '', /: pod [a-f]: /u);
  await full.world.stop();
});
