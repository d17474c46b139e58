import test, { type ExecutionContext } from 'ava';
import { ALLOCATED_ADDRESS, KEYS, TAG_ALLOW_NAMESPACES } from '../../../src/api/annotations.ts';
import { NAMESPACE as NAMESPACES, POD } from '../../../src/api/core.ts';
import { EIP_HOLDER, type EipHolder } from '../../../src/api/eipholder.ts';
import { KNATIVE_SERVICE } from '../../../src/api/knative.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import type { KubeRequest } from '../../../src/kube/port.ts';
import { isHeldElsewhere } from '../../../src/controllers/podeip/holding.ts';
import { situationOf, withPodEip } from '../../../src/controllers/podeip/situation.ts';
import { Operating, type OperatingOptions } from '../../harness/operating.ts';
import { NOW, podEip, seen, settings } from './situation.ts';

/* An existing EIP is the namespace's that used it first: nobody gets it by naming it. */

const EIP = 'eip-ofb';
const NAMES = { [KEYS.instanceId[0]]: EIP };
const DAY_MS = 24 * 60 * 60_000;

/** Two teams, and an EIP that anybody may have found in a manifest. */
const withTeams = async (options: OperatingOptions = {}, tags: Record<string, string> = {}): Promise<Operating> => {
  const world = await Operating.create(options);
  for (const name of ['team-a', 'team-b'])
    await world.kube.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  world.cloud.world.addEip({ allocationId: EIP, name: 'the secret of b', tags });
  await world.pass(5_000);
  return world;
};

const addressOf = async (world: Operating, namespace: string, name: string): Promise<string> =>
  (await world.kube.get(POD, { namespace, name }))?.metadata.annotations?.[ALLOCATED_ADDRESS] ?? '';

const readyOf = async (world: Operating, namespace: string, name: string) =>
  (await world.kube.get(PODEIP, { namespace, name }))?.status?.conditions?.find(({ type }) => type === 'Ready');

const end = async (world: Operating, namespace: string, name: string): Promise<void> => {
  const body = { status: { phase: 'Succeeded' } };
  const patch = { type: 'strategic', subresource: 'status', body } as const;
  const { metadata } = await world.kube.patch(POD, { namespace, name }, patch);
  await world.kube.delete(POD, { namespace, name }, { uid: metadata.uid });
};

const holder = (world: Operating): Promise<EipHolder | undefined> => world.kube.get(EIP_HOLDER, { name: EIP });

const bound = (world: Operating): number => world.cloud.eips().filter(({ status }) => status === 'InUse').length;

/** Team b has used the EIP and its pod is away; team a names it and waits. */
const thiefWaits = async (world: Operating, t: ExecutionContext): Promise<void> => {
  await world.runPod('mine', NAMES, { namespace: 'team-b' });
  await world.pass(30_000);
  t.not(await addressOf(world, 'team-b', 'mine'), '');
  await world.runPod('thief', NAMES, { namespace: 'team-a' });
  await world.pass(30_000);
  await end(world, 'team-b', 'mine');
};

test('who used it first has it again; who names it, waits for it, or comes after a restart gets nothing', async (t) => {
  const world = await withTeams();
  await thiefWaits(world, t);
  await world.pass(180_000);
  t.is(bound(world), 0, 'nobody has it while the pod is away');
  t.like(await holder(world), { namespace: 'team-b' });

  world.kill();
  await world.runPod('late', NAMES, { namespace: 'team-a' });
  await world.start();
  await world.pass(180_000);
  t.is(bound(world), 0, 'nor after a restart');
  for (const name of ['thief', 'late']) t.is(await addressOf(world, 'team-a', name), '');

  await world.runPod('again', NAMES, { namespace: 'team-b' });
  await world.pass(60_000);
  t.not(await addressOf(world, 'team-b', 'again'), '');
  await world.stop();
});

test('one answer for an EIP that does not exist and for another namespace’s, and nothing of it is shown', async (t) => {
  const world = await withTeams();
  await thiefWaits(world, t);
  await world.runPod('guess', { [KEYS.instanceId[0]]: 'eip-nosuch' }, { namespace: 'team-a' });
  await world.pass(120_000);
  const [theirs, nobodys] = [await readyOf(world, 'team-a', 'thief'), await readyOf(world, 'team-a', 'guess')];
  t.is(theirs?.reason, 'EipNotFound');
  t.is(theirs?.message, nobodys?.message.replaceAll('eip-nosuch', EIP));
  t.regex(theirs?.message ?? '', /or another namespace has it.*kubectl get eipholder/);
  const ipAddress = world.cloud.eips()[0]!.ipAddress;
  const readable = JSON.stringify([
    await world.kube.list(PODEIP, { namespace: 'team-a' }),
    world.events.filter(({ about }) => about.namespace === 'team-a'),
  ]);
  for (const secret of [ipAddress, 'the secret of b', 'team-b']) t.false(readable.includes(secret), secret);
  await world.stop();
});

test('an administrator lets it go by deleting the holder, and reserves one by writing it', async (t) => {
  const world = await withTeams();
  await thiefWaits(world, t);
  await world.pass(60_000);
  const there = await holder(world);
  await world.kube.delete(EIP_HOLDER, { name: EIP }, { uid: there!.metadata.uid });
  await world.pass(120_000);
  t.not(await addressOf(world, 'team-a', 'thief'), '');
  t.like(await holder(world), { namespace: 'team-a' });

  const { group, version, kind } = EIP_HOLDER;
  const metadata = { name: 'eip-reserved' };
  await world.kube.create(EIP_HOLDER, { apiVersion: `${group}/${version}`, kind, metadata, namespace: 'team-b' });
  world.cloud.world.addEip({ allocationId: 'eip-reserved' });
  await world.runPod('x', { [KEYS.instanceId[0]]: 'eip-reserved' }, { namespace: 'team-a' });
  await world.pass(120_000);
  t.is(await addressOf(world, 'team-a', 'x'), '');
  await world.stop();
});

/** The EIP was named for the last time so many days ago. */
const namedBefore = async (world: Operating, days: number): Promise<void> => {
  const lastNamed = new Date(world.clock.now() - days * DAY_MS).toISOString();
  await world.kube.patch(EIP_HOLDER, { name: EIP }, { type: 'merge', body: { lastNamed } });
};

test('what nothing in the namespace has named for 30 days another one may use, and no day earlier', async (t) => {
  const world = await withTeams();
  await thiefWaits(world, t);
  await world.pass(60_000);
  await namedBefore(world, 29);
  await world.pass(120_000);
  t.is(await addressOf(world, 'team-a', 'thief'), '');
  await namedBefore(world, 31);
  await world.pass(120_000);
  t.not(await addressOf(world, 'team-a', 'thief'), '');
  t.like(await holder(world), { namespace: 'team-a' });
  await world.stop();
});

test('what a pod has, or a Service at zero names, stays the namespace’s for ever', async (t) => {
  const world = await withTeams();
  await world.addService('elsewhere');
  await world.runPod('mine', NAMES, { namespace: 'team-b' });
  await world.pass(30_000);
  await world.runPod('thief', NAMES, { namespace: 'team-a' });
  await namedBefore(world, 40);
  await world.pass(120_000);
  t.is(await addressOf(world, 'team-a', 'thief'), '');
  await world.runPod('other', NAMES, { namespace: 'team-b' });
  await world.pass(60_000);
  t.true(world.clock.now() - Date.parse((await holder(world))!.lastNamed!) < DAY_MS, 'it is named again');

  await world.kube.create(KNATIVE_SERVICE, {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'at-zero', namespace: 'team-b' },
    spec: { template: { metadata: { annotations: NAMES }, spec: { containers: [{ image: 'nginx' }] } } },
  });
  for (const name of ['mine', 'other']) await end(world, 'team-b', name);
  await world.pass(60_000);
  await namedBefore(world, 40);
  await world.pass(120_000);
  t.is(await addressOf(world, 'team-a', 'thief'), '');
  await world.stop();
});

test('while Services cannot be seen, what one of them may name stays the namespace’s', async (t) => {
  for (const status of [403, 404, 'no right to see the definition'] as const) {
    let isRefused = true;
    const refuse = ({ path }: KubeRequest) => {
      if (!isRefused) return undefined;
      if (path.includes('serving.knative.dev/v1/namespaces/team-b/services')) return status === 403 ? 403 : 404;
      const isOfDefinition = path.endsWith('/customresourcedefinitions/services.serving.knative.dev');
      return isOfDefinition && typeof status === 'string' ? 403 : undefined;
    };
    const world = await withTeams({ refuse });
    await world.addService('elsewhere');
    await thiefWaits(world, t);
    await world.pass(60_000);
    await namedBefore(world, 31);
    await world.pass(120_000);
    t.is(await addressOf(world, 'team-a', 'thief'), '', `${status}`);
    isRefused = false;
    await world.pass(120_000);
    t.not(await addressOf(world, 'team-a', 'thief'), '', 'nothing names it');
    await world.stop();
  }
});

test('of two clocks the earlier says how long an EIP has been idle', (t) => {
  const lastNamed = new Date(NOW - 31 * DAY_MS).toISOString();
  const theirs: EipHolder = { metadata: { name: EIP, uid: 'h', resourceVersion: '1' }, namespace: 'team-b', lastNamed };
  const holds = (now: number, serverNow: number | undefined) => {
    const days30 = { ...settings, existingEipIdleMs: 30 * DAY_MS };
    const known = seen({ podEip: podEip(), holder: theirs, now, serverNow });
    return isHeldElsewhere(withPodEip(situationOf(known, days30), podEip()), EIP);
  };
  for (const [now, serverNow] of [
    [NOW, NOW - 2 * DAY_MS],
    [NOW - 2 * DAY_MS, NOW],
    [NOW - 2 * DAY_MS, undefined],
  ] as const)
    t.deepEqual(holds(now, serverNow), { kind: 'value', value: true });
  for (const serverNow of [undefined, NOW])
    t.like(holds(NOW, serverNow), { kind: 'step', step: { do: 'ReadCompetingClaims' } });
});

test('a grant is for several namespaces, whoever came first; a tag that names others keeps one out', async (t) => {
  const world = await withTeams({ policies: { a: { namespaces: ['team-a'], existingEips: { ids: [EIP] } } } });
  await thiefWaits(world, t);
  await world.pass(120_000);
  t.not(await addressOf(world, 'team-a', 'thief'), '', 'an operator has granted it');
  t.like(await holder(world), { namespace: 'team-b' }, 'and it is still the other one’s');
  await world.stop();

  const tagged = await withTeams({}, { [TAG_ALLOW_NAMESPACES]: 'team-b' });
  await tagged.runPod('thief', NAMES, { namespace: 'team-a' });
  await tagged.pass(120_000);
  t.is(await addressOf(tagged, 'team-a', 'thief'), '');
  t.is((await readyOf(tagged, 'team-a', 'thief'))?.reason, 'EipNotFound');
  await tagged.stop();
});

test('the holder is written before the EIP is bound, and a death between the two costs nothing', async (t) => {
  const order: string[] = [];
  const refuse = ({ method, path }: KubeRequest): undefined => {
    if (method === 'POST' && path.includes('eipholders')) order.push(`holder, ${bound(world)} bound`);
  };
  const world: Operating = await withTeams({ refuse });
  await world.runPod('mine', NAMES, { namespace: 'team-b' });
  await world.until(async () => (await holder(world)) !== undefined);
  t.deepEqual(order, ['holder, 0 bound']);
  world.kill();
  await world.start();
  await world.pass(60_000);
  t.not(await addressOf(world, 'team-b', 'mine'), '');
  await world.stop();
});

test('what is bound at an upgrade is written down at the first pass, whoever waits for it', async (t) => {
  const world = await withTeams({ config: { existingEips: 'any' } });
  await world.runPod('mine', NAMES, { namespace: 'team-b' });
  await world.pass(30_000);
  await world.runPod('thief', NAMES, { namespace: 'team-a' });
  await world.pass(30_000);
  t.is(await holder(world), undefined);
  world.kill();
  await world.start({ config: { existingEips: 'firstUse' } });
  await world.pass(60_000);
  t.like(await holder(world), { namespace: 'team-b' });
  t.not(await addressOf(world, 'team-b', 'mine'), '');
  t.is(await addressOf(world, 'team-a', 'thief'), '');
  await world.stop();
});

test('a tag that closed nothing before the upgrade takes the EIP from no pod that has it', async (t) => {
  const world = await withTeams({ config: { existingEips: 'any' } }, { [TAG_ALLOW_NAMESPACES]: 'team-b' });
  await world.runPod('mine', NAMES, { namespace: 'team-a' });
  await world.pass(30_000);
  const address = await addressOf(world, 'team-a', 'mine');
  t.not(address, '');
  world.kill();
  await world.start({ config: { existingEips: 'firstUse' } });
  await world.pass(180_000);
  t.is(await addressOf(world, 'team-a', 'mine'), address);
  t.false(world.cloud.ledger().some(({ action }) => action === 'UnassociateEipAddress'));

  await end(world, 'team-a', 'mine');
  await world.pass(60_000);
  await world.runPod('next', NAMES, { namespace: 'team-a' });
  await world.pass(60_000);
  t.is(await addressOf(world, 'team-a', 'next'), '', 'the next one does not get it');
  await world.stop();
});

const UNHELD = [
  [404, /not installed; run kubectl apply -f config\/crd\/eipholders/],
  [403, /may not read or write eipholders; apply config\/rbac/],
] as const;

test('without the kind, or without the right, nothing is bound and the user is told what to do', async (t) => {
  for (const method of ['GET', 'POST'])
    for (const [status, says] of UNHELD) {
      const refuse = (request: KubeRequest) =>
        request.method === method && request.path.includes('eipholders') ? status : undefined;
      const world = await withTeams({ refuse });
      await world.runPod('mine', NAMES, { namespace: 'team-b' });
      await world.pass(60_000);
      t.is(bound(world), 0);
      const ready = await readyOf(world, 'team-b', 'mine');
      t.is(ready?.reason, 'HolderUnwritable', `${method} ${status}`);
      t.regex(ready?.message ?? '', says);
      await world.stop();
    }
});

test('a pod that has its address stays Ready without the kind or the right, and people are told all the same', async (t) => {
  for (const [status, says] of UNHELD) {
    let isRefused = false;
    const refuse = ({ path }: KubeRequest) => (isRefused && path.includes('eipholders') ? status : undefined);
    const world = await withTeams({ refuse });
    await world.runPod('mine', NAMES, { namespace: 'team-b' });
    await world.pass(60_000);
    const before = await readyOf(world, 'team-b', 'mine');
    t.is(before?.status, 'True');
    isRefused = true;
    world.kill();
    await world.start();
    await world.pass(60_000);
    t.deepEqual(await readyOf(world, 'team-b', 'mine'), before);
    t.is(bound(world), 1);
    t.true(
      world.events.some(({ reason, note }) => reason === 'HolderUnwritable' && says.test(note)),
      `${status}`,
    );
    await world.stop();
  }
});

test('notes that somebody copied from the PodEIP of another namespace detach nothing', async (t) => {
  for (const config of [{}, { existingEips: 'granted', existingEipNamespaces: ['team-b'] }]) {
    const world = await withTeams({ config });
    await world.runPod('mine', NAMES, { namespace: 'team-b' });
    await world.pass(30_000);
    t.not(await addressOf(world, 'team-b', 'mine'), '');
    const its = (await world.kube.get(PODEIP, { namespace: 'team-b', name: 'mine' }))!;
    const { annotations, finalizers } = its.metadata;
    const copied = { name: 'mine', namespace: 'team-a', annotations, finalizers };
    await world.kube.create(PODEIP, { ...its, metadata: copied });
    await world.pass(60_000);
    t.false(world.cloud.ledger().some(({ action }) => action === 'UnassociateEipAddress'));
    t.is(bound(world), 1);
    t.is(await world.kube.get(PODEIP, { namespace: 'team-a', name: 'mine' }), undefined, 'it goes');

    await end(world, 'team-b', 'mine');
    await world.pass(60_000);
    t.is(bound(world), 0, 'the owner’s own is detached as ever');
    await world.stop();
  }
});
