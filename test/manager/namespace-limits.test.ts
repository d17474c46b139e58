import test from 'ava';
import { NAMESPACE } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { NEW } from '../controllers/podeip/situation.ts';
import { Operating, type OperatingOptions } from '../harness/operating.ts';

/* What one namespace can do to the money, the quota and the pods of all, with the whole controller in virtual time. */

const withOther = async (options: OperatingOptions): Promise<Operating> => {
  const world = await Operating.create(options);
  await world.kube.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } });
  return world;
};

const purchases = (world: Operating): number =>
  world.cloud.ledger().filter(({ action }) => action === 'AllocateEipAddress').length;

const readyOf = async (world: Operating, namespace: string, name: string) => {
  const podEip = await world.kube.get(PODEIP, { namespace, name });
  return podEip?.status?.conditions?.find(({ type }) => type === 'Ready');
};

const isReady = (world: Operating, namespace: string, name: string) => async (): Promise<boolean> =>
  (await readyOf(world, namespace, name))?.status === 'True';

const names = (count: number, prefix = 'pod'): string[] => Array.from({ length: count }, (_, at) => `${prefix}-${at}`);

/** A tenant who gives the address of his pod up as soon as he has it, for fifteen minutes. */
const buyAndGiveBack = async (world: Operating): Promise<void> => {
  for (let seconds = 0; seconds < 900; seconds += 5) {
    if (await isReady(world, 'default', 'loop')()) await world.deletePodEipOf('loop');
    await world.pass(5_000);
  }
};

test('a tenant who buys and gives back in a loop buys six EIPs in ten minutes, and is told why', async (t) => {
  const world = await Operating.create();
  await world.runPod('loop', NEW);
  await buyAndGiveBack(world);
  t.true(purchases(world) <= 12, `${purchases(world)} purchases in fifteen minutes`);
  t.true(purchases(world) >= 9, `${purchases(world)} purchases: it goes on by itself`);
  const told = world.events.filter(({ reason }) => reason === 'PurchasesLimited');
  t.true(told.length >= 1 && told.length <= 6, `${told.length} Events`);
  t.regex(told[0]?.note ?? '', /pods of this name 6 EIPs were bought within 10 minutes.*find out who deletes/);
  await world.stop();
});

test('the same with purchases unlimited is many times more: what is tested is the limit', async (t) => {
  const world = await Operating.create({ config: { namespaceLimits: { purchasesPerMinute: 0 } } });
  await world.runPod('loop', NEW);
  await buyAndGiveBack(world);
  t.true(purchases(world) > 25, `${purchases(world)} purchases in fifteen minutes`);
  await world.stop();
});

test('pods that are made and deleted under ever new names are limited by their namespace, and another is not', async (t) => {
  const world = await withOther({ config: { namespaceLimits: { purchasesPerMinute: 1 } } });
  for (const name of names(25, 'churn')) {
    await world.runPod(name, NEW);
    await world.pass(10_000);
    await world.endPod(name);
  }
  t.true(purchases(world) <= 10, `${purchases(world)} purchases in four minutes`);
  await world.runPod('quiet', NEW, { namespace: 'other' });
  t.true((await world.until(isReady(world, 'other', 'quiet'), 60_000)) < Infinity);
  await world.stop();
});

test('a namespace without a policy holds no more EIPs than the default, and goes on when one is given back', async (t) => {
  const world = await withOther({ config: { namespaceLimits: { eips: 5 } } });
  for (const name of names(8)) await world.runPod(name, NEW);
  await world.pass(120_000);
  t.is(world.cloud.eips().length, 5, 'although all eight are served at the same time');
  const ready = await Promise.all(names(8).map((name) => isReady(world, 'default', name)()));
  const served = names(8).filter((_, at) => ready[at]);
  const waiting = names(8).find((_, at) => !ready[at])!;
  t.like(await readyOf(world, 'default', waiting), { reason: 'QuotaOfNamespaceExceeded' });
  t.regex((await readyOf(world, 'default', waiting))?.message ?? '', /namespaceLimits.eips of the configuration/);
  await world.runPod('one', NEW, { namespace: 'other' });
  t.true((await world.until(isReady(world, 'other', 'one'), 60_000)) < Infinity, 'another namespace has its own');
  for (const name of served) await world.endPod(name);
  t.true((await world.until(isReady(world, 'default', waiting), 120_000)) < Infinity);
  await world.stop();
});

test('near the quota of the account, 240 pods of one namespace leave an EIP to one pod of another', async (t) => {
  const world = await withOther({ quota: 60, config: { cloud: { eipQuota: 60 } } });
  await world.runPod('first', NEW, { namespace: 'other' });
  t.true((await world.until(isReady(world, 'other', 'first'), 60_000)) < Infinity);
  for (const name of names(240)) await world.runPod(name, NEW);
  await world.pass(300_000);
  const ofMany = world.cloud.eips().length - 1;
  t.true(ofMany <= 53, `${ofMany} EIPs`);
  await world.runPod('second', NEW, { namespace: 'other' });
  t.true((await world.until(isReady(world, 'other', 'second'), 120_000)) < Infinity);
  t.regex(
    (await readyOf(world, 'default', names(240).at(-1)!))?.message ?? '',
    /of its 60 EIPs, and what is left is for namespaces that hold less than 30, their share; this one holds/,
  );
  await world.stop();
});
