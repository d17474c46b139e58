import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, ALLOCATED_ADDRESS_NETWORK, KEYS, READINESS_GATE } from '../../../src/api/annotations.ts';
import { POD, type Pod } from '../../../src/api/core.ts';
import type { PodEip, PodEipStatus } from '../../../src/api/podeip.ts';
import { Operating } from '../../harness/operating.ts';

/** What others read of pods and PodEIPs, and when: the order of writes is a contract with them. */

const ASKS = { [KEYS.withEip[1]]: 'true' };
const NAMED = { 'external-dns.alpha.kubernetes.io/hostname': 'game.example.org' };
const TARGET = 'external-dns.alpha.kubernetes.io/target';

/** One write of the controller to the pod or its PodEIP, in the order in which they were sent. */
interface Write {
  readonly to: 'pod' | 'pod status' | 'PodEIP' | 'PodEIP status';
  readonly body: {
    readonly metadata?: { readonly annotations?: Readonly<Record<string, string | null>> };
    readonly status?: Partial<Record<keyof PodEipStatus, unknown>>;
  };
  /** Virtual time, wall. */
  readonly at: number;
}

const targetOf = (path: string): Write['to'] | undefined => {
  const kind = path.includes('/podeips/') ? 'PodEIP' : path.includes('/pods/') ? 'pod' : undefined;
  return kind && (path.endsWith('/status') ? `${kind} status` : kind);
};

/** A cluster whose controller is listened to. */
const listened = async (config: object = {}): Promise<{ world: Operating; writes: Write[] }> => {
  const writes: Write[] = [];
  const listening: { to?: Operating } = {};
  const world = await Operating.create({
    config,
    refuse: ({ method, path, body }) => {
      const to = targetOf(path);
      if (method === 'PATCH' && to)
        writes.push({ to, body: JSON.parse(body ?? '{}') as Write['body'], at: listening.to?.clock.now() ?? 0 });
      return undefined;
    },
  });
  listening.to = world;
  return { world, writes };
};

const the = <T>(all: readonly T[]): T => {
  const [one, ...others] = all;
  if (one === undefined || others.length > 0) throw new Error(`${all.length} instead of one`);
  return one;
};

const podOf = async (world: Operating): Promise<Pod> => the(await world.pods());
const podEipOf = async (world: Operating): Promise<PodEip> => the(await world.podEips());

const isInUse = async (world: Operating): Promise<boolean> =>
  (await world.podEips())[0]?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ===
    true && (await world.pods())[0]?.metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined;

const THREE = ['eipAddress', 'privateIPAddress', 'networkInterfaceID'] as const;

/** What of the three a write of the status says. */
const threeIn = ({ body: { status = {} } }: Write) => THREE.filter((field) => field in status);

/** Which of the three are there after each of the writes. */
const follow = (writes: readonly Write[]): readonly (readonly string[])[] => {
  const there = new Set<string>();
  return writes.map((write) => {
    if (write.to === 'PodEIP status')
      for (const field of threeIn(write)) {
        if (write.body.status?.[field] === null) there.delete(field);
        else there.add(field);
      }
    return [...there].toSorted();
  });
};

/** At no moment has a reader of the PodEIP two of the three. */
const comeAndGoTogether = (t: ExecutionContext, writes: readonly Write[]): void => {
  for (const there of follow(writes)) t.true(there.length === 0 || there.length === THREE.length, there.join(' '));
};

for (const through of ['pod', 'status'] as const)
  test(`OpenKruiseGame reads one whole status once the EIP is in use, and before it hears of the pod: ${through}`, async (t) => {
    const { world, writes } = await listened({ announcement: { through } });
    await world.runPod('a', ASKS, { isGated: true });
    t.true((await world.until(() => isInUse(world), 60_000)) < 60_000);
    const { status } = await podEipOf(world);
    t.is(status?.eipAddress, world.cloud.eips()[0]?.ipAddress);
    t.is(status?.privateIPAddress, (await podOf(world)).status?.podIP);
    t.is(status?.networkInterfaceID, 'eni-1');
    comeAndGoTogether(t, writes);

    // The client: a webhook on writes of the pod itself, which takes it for ready when there is an address.
    const annotated = writes.findIndex(({ to, body }) => {
      const isHeard = to === (through === 'pod' ? 'pod' : 'pod status');
      return isHeard && typeof body.metadata?.annotations?.[ALLOCATED_ADDRESS] === 'string';
    });
    t.true(annotated > 0, 'the pod was annotated');
    t.is(follow(writes)[annotated]?.length, THREE.length, 'the PodEIP was written before the pod');
    const ready = the(writes.filter(({ body }) => typeof body.status?.eipAddress === 'string'));
    t.deepEqual(threeIn(ready).toSorted(), [...THREE].toSorted(), 'in one write');
    const bound = world.cloud.ledger().find(({ action }) => action === 'AssociateEipAddress');
    t.true(bound !== undefined && bound.at <= ready.at, 'once the EIP is bound');
    t.is(writes.filter(({ to }) => to === 'pod').length, through === 'pod' ? 1 : 0);
    await world.stop();
  });

test('the address goes from pod and PodEIP before it is detached, and is said by a condition after that', async (t) => {
  const { world, writes } = await listened();
  await world.runPod('a', ASKS, { isGated: true });
  await world.until(() => isInUse(world), 60_000);
  const address = (await podEipOf(world)).status?.eipAddress ?? '';
  const before = writes.length;
  await world.deletePodEipOf('a');
  await world.until(() => writes.slice(before).some((write) => threeIn(write).length > 0), 20_000);
  await world.pass(1_000);
  const rest = writes.slice(before);
  const told = rest.findIndex(({ body }) => body.metadata?.annotations?.[ALLOCATED_ADDRESS] === null);
  const cleared = rest.findIndex(({ body }) => body.status?.eipAddress === null);
  t.true(told >= 0 && told < cleared, 'the pod first');
  const detached = world.cloud.ledger().find(({ action }) => action === 'UnassociateEipAddress');
  t.true(detached !== undefined && (rest[cleared]?.at ?? Infinity) <= detached.at);
  comeAndGoTogether(t, writes);
  t.true(JSON.stringify(rest[cleared]?.body).includes(`(${address})`), 'the condition Allocated has it');
  await world.stop();
});

for (const phase of ['Succeeded', 'Failed'] as const)
  test(`a pod that has ended (${phase}) loses annotation and gate before its EIP goes`, async (t) => {
    const { world } = await listened();
    await world.runPod('a', { ...ASKS, ...NAMED }, { isGated: true });
    await world.until(() => isInUse(world), 60_000);
    t.truthy((await podOf(world)).metadata.annotations?.[TARGET]);
    const ended = world.endPod('a', { phase, lingerMs: 120_000 });
    const isDetached = () => world.cloud.ledger().some(({ action }) => action === 'UnassociateEipAddress');
    t.true((await world.until(isDetached, 60_000)) < 60_000);
    const { metadata, status } = await podOf(world);
    t.is(metadata.annotations?.[ALLOCATED_ADDRESS], undefined);
    t.is(metadata.annotations?.[TARGET], undefined);
    t.is(status?.conditions?.find(({ type }) => type === READINESS_GATE)?.status, 'False');
    await ended;
    await world.until(async () => (await world.podEips()).length === 0, 60_000);
    t.deepEqual(world.cloud.eips(), []);
    await world.stop();
  });

test('external-dns has its target, and Terway’s users their key, for as long as the pod has its address', async (t) => {
  const { world } = await listened();
  await world.runPod('a', { ...NAMED, [KEYS.withEip[0]]: 'true' });
  await world.until(() => isInUse(world), 60_000);
  const address = world.cloud.eips()[0]?.ipAddress ?? '';
  const keys = [ALLOCATED_ADDRESS, ALLOCATED_ADDRESS_NETWORK, TARGET];
  for (const key of keys) t.is((await podOf(world)).metadata.annotations?.[key], address, key);
  await world.kube.patch(
    POD,
    { namespace: 'default', name: 'a' },
    { type: 'merge', body: { metadata: { annotations: { [KEYS.withEip[0]]: null } } } },
  );
  await world.until(() => world.cloud.eips().length === 0, 120_000);
  for (const key of keys) t.is((await podOf(world)).metadata.annotations?.[key], undefined, key);
  await world.stop();
});
