import test from 'ava';
import { ALLOCATED_ADDRESS, KEYS, TAG_CLUSTER_UID, TAG_PODEIP_UID, TAG_PREFIX } from '../../../src/api/annotations.ts';
import { NAMESPACE as NAMESPACES, SECRET } from '../../../src/api/core.ts';
import { PODEIP } from '../../../src/api/podeip.ts';
import { ownerlessText } from '../../../src/cli/drain-report.ts';
import { findOwnerless } from '../../../src/controllers/drain.ts';
import { MARK_SECRET } from '../../../src/manager/mark-key.ts';
import type { KubeObject } from '../../../src/kube/port.ts';
import { adapterOn } from '../../harness/cluster.ts';
import { Operating } from '../../harness/operating.ts';
import { CLUSTER_ID } from '../../harness/settings.ts';

const NEW = { [KEYS.withEip[0]]: 'true', [KEYS.name[0]]: 'for-a' };
const TAGGED = { ...NEW, [KEYS.tags[0]]: '{"team":"web"}' };

const KEY = { namespace: 'kube-system', name: MARK_SECRET };
/** Longer than an answer may be waited for, and than a token is remembered. */
const TOKEN_MS = 11 * 60_000;

/** A controller over a cloud that drops tags; with `writesIDs` false, no PodEIP is ever told which EIP was bought. */
const start = async (config: object = {}) => {
  const flags = { writesIDs: true };
  const world = await Operating.create({
    readings: ['tagsIgnored'],
    config,
    refuse: ({ method, path, body }) =>
      !flags.writesIDs && method === 'PATCH' && path.includes('/podeips/') && (body ?? '').includes('allocationID')
        ? 0
        : undefined,
  });
  return { world, flags };
};

const oks = ({ cloud }: Operating, action: string): number => cloud.calls()[action]?.['OK'] ?? 0;
const isServed = (world: Operating, name: string) => async () =>
  (await world.pods()).find(({ metadata }) => metadata.name === name)?.metadata.annotations?.[ALLOCATED_ADDRESS] !==
  undefined;

/** A process buys an EIP for the pod and dies before it has written down which one. */
const buyAndDie = async (config: object = {}) => {
  const { world, flags } = await start(config);
  flags.writesIDs = false;
  await world.runPod('a', NEW);
  await world.until(() => world.cloud.eips().length === 1, 30_000);
  world.kill();
  flags.writesIDs = true;
  return world;
};

test('where Allocate drops tags, each EIP is tagged once after its purchase, used, and given back', async (t) => {
  const { world } = await start();
  await world.runPod('a', TAGGED);
  t.true((await world.until(isServed(world, 'a'), 60_000)) < 30_000);
  const [podEip] = await world.podEips();
  const [eip] = world.cloud.eips();
  t.is(eip?.tags.get(TAG_CLUSTER_UID), (await world.kube.list(NAMESPACES)).find(isSystem)?.metadata.uid);
  t.is(eip?.tags.get(TAG_PODEIP_UID), podEip?.metadata.uid);
  t.is(eip?.tags.get('team'), 'web', 'what the user asked for is there too');
  await world.runPod('b', NEW);
  await world.until(isServed(world, 'b'), 60_000);
  t.is(oks(world, 'TagResources'), 2, 'one for each EIP');
  t.is(world.complaints.filter((line) => line.includes('drops the tags')).length, 1, 'it is said once');
  t.regex((await world.metrics.render()).body, /^knative_eip_allocate_drops_tags 1$/m);
  await world.endPod('a');
  await world.endPod('b');
  t.true((await world.until(() => world.cloud.eips().length === 0, 120_000)) < Infinity);
  t.is(oks(world, 'AllocateEipAddress'), 2);
  await world.stop();
});

test('an EIP whose tags were dropped, and whose buyer died, goes to its pod and not a second one', async (t) => {
  const world = await buyAndDie();
  // Nobody remembers the token any more.
  await world.pass(TOKEN_MS);
  await world.start();
  t.true((await world.until(isServed(world, 'a'), 120_000)) < Infinity);
  t.is(oks(world, 'AllocateEipAddress'), 1);
  t.is(world.cloud.eips().length, 1);
  await world.endPod('a');
  t.true((await world.until(() => world.cloud.eips().length === 0, 120_000)) < Infinity);
  await world.stop();
});

for (const [what, keepWaiting] of [
  [
    'its address has no interface',
    ({ cloud }: Operating, podIP: string) => cloud.world.removePrivateIp('eni-1', podIP),
  ],
  [
    'interfaces may not be looked up',
    ({ cloud }: Operating) =>
      cloud.inject({
        action: 'DescribeNetworkInterfaces',
        times: Infinity,
        fault: { effect: 'never', answer: { code: 'Forbidden.RAM' } },
      }),
  ],
] as const)
  test(`an EIP whose tags were dropped, and whose buyer died, is found although its pod waits: ${what}`, async (t) => {
    const world = await buyAndDie();
    const [pod] = await world.pods();
    keepWaiting(world, pod?.status?.podIP ?? '');
    await world.start();
    const [eip] = world.cloud.eips();
    const isFound = async () => (await world.podEips()).some(({ spec }) => spec.allocationID === eip?.allocationId);
    t.true((await world.until(isFound, 180_000)) < Infinity, 'and is not paid for as nobody’s until the pod goes');
    t.is(oks(world, 'AllocateEipAddress'), 1);
    await world.endPod('a');
    t.true((await world.until(() => world.cloud.eips().length === 0, 180_000)) < Infinity);
    await world.stop();
  });

test('an EIP whose tags were dropped, and whose buyer and pod died, is given back', async (t) => {
  const world = await buyAndDie();
  await world.forcePod('a');
  await world.start();
  t.true((await world.until(async () => (await world.podEips()).length === 0, 180_000)) < Infinity);
  t.deepEqual(world.cloud.eips(), []);
  await world.stop();
});

test('where the key is lost too, the PodEIP stays until a person says whose the EIP is, which only the log names', async (t) => {
  const world = await buyAndDie();
  const secret = await world.kube.get(SECRET, KEY);
  if (!secret) throw new Error('there is no key');
  await world.kube.delete(SECRET, KEY, { uid: secret.metadata.uid });
  await world.forcePod('a');
  await world.start();
  const ready = async () => (await world.podEips())[0]?.status?.conditions?.find(({ type }) => type === 'Ready');
  t.true((await world.until(async () => (await ready())?.reason === 'ReleaseBlocked', 180_000)) < Infinity);
  const [eip] = world.cloud.eips();
  const [podEip] = await world.podEips();
  const { message = '' } = (await ready()) ?? {};
  t.true(message.includes(podEip?.metadata.uid ?? '–'));
  const line = JSON.stringify(world.complained[world.complaints.indexOf(message)] ?? {});
  for (const named of [eip?.allocationId ?? '–', eip?.ipAddress ?? '–']) {
    t.false(message.includes(named), 'it may be somebody else’s');
    t.true(line.includes(named), line);
  }
  await world.pass(300_000);
  t.is(world.cloud.eips().length, 1, 'what cannot be told is not released');
  t.is((await world.podEips()).length, 1);
  const said = () => world.complaints.filter((complaint) => complaint === message).length;
  t.is(said(), 1, 'once in a process');
  await world.stop();
  await world.start();
  t.true((await world.until(() => Promise.resolve(said() === 2), 180_000)) < Infinity, 'and once in the next one');
  const clusterUid = (await world.kube.list(NAMESPACES)).find(isSystem)?.metadata.uid ?? '';
  world.cloud.world.human.tag(eip?.allocationId ?? '', {
    [TAG_CLUSTER_UID]: clusterUid,
    [TAG_PODEIP_UID]: podEip?.metadata.uid ?? '',
  });
  t.true((await world.until(async () => (await world.podEips()).length === 0, 180_000)) < Infinity);
  t.deepEqual(world.cloud.eips(), []);
  await world.stop();
});

/** Somebody takes everything of the pod out of the cluster by force. */
const forceAll = async (world: Operating): Promise<void> => {
  await world.forcePod('a');
  const [podEip] = await world.podEips();
  if (!podEip) throw new Error('there is no PodEIP');
  const { name, uid } = podEip.metadata;
  const body = { metadata: { finalizers: null } };
  await world.kube.patch(PODEIP, { namespace: 'default', name }, { type: 'merge', body });
  if ((await world.podEips()).length > 0) await world.kube.delete(PODEIP, { namespace: 'default', name }, { uid });
};

test('an EIP without tags, pod and PodEIP is named by the sweeper and by drain, and released by neither', async (t) => {
  const world = await buyAndDie({
    sweeper: { mode: 'release', graceSeconds: 60 },
    networkController: { eipController: { garbageCollectionPeriodInMinutes: 5 } },
  });
  await forceAll(world);
  await world.start();
  const [eip] = world.cloud.eips();
  const { allocationId = '–', ipAddress = '–' } = eip ?? {};
  const named = `${allocationId} (${ipAddress}) (named for-a) carries no tag`;
  const isNamed = async () => world.complaints.some((line) => line.startsWith(named));
  t.true((await world.until(isNamed, 7_200_000)) < Infinity, world.complaints.join('\n'));
  await world.pass(3_600_000);
  t.is(world.complaints.filter((line) => line.startsWith(named)).length, 1, 'it is said once');
  t.is(world.cloud.eips().length, 1);
  await world.stop();

  const key = (await world.kube.get(SECRET, KEY))?.data?.['key'] ?? '';
  const clusterUid = (await world.kube.list(NAMESPACES)).find(isSystem)?.metadata.uid ?? '';
  const { cloud } = adapterOn(world.cloud, world.clock);
  const markKey = Buffer.from(key, 'base64').toString();
  for (const issuer of [{ clusterUid, markKey }, { clusterUid }]) {
    const podEips = () => world.podEips();
    const parts = { cloud, podEips, cluster: { ...issuer, clusterId: CLUSTER_ID } };
    const said = ownerlessText(await findOwnerless(parts, new AbortController().signal));
    t.true(said.startsWith(`  ${named}`), said);
    t.regex(said, /release it in the console/);
  }
});

test('an EIP that is in use, and whose tags a person takes off, is kept for that person', async (t) => {
  const { world } = await start();
  await world.runPod('a', NEW);
  await world.until(isServed(world, 'a'), 60_000);
  const [eip] = world.cloud.eips();
  world.cloud.world.human.untag(eip?.allocationId ?? '');
  await world.endPod('a');
  t.true((await world.until(async () => (await world.podEips()).length === 0, 180_000)) < Infinity);
  t.is(world.cloud.eips().length, 1);
  t.false([...(world.cloud.eips()[0]?.tags.keys() ?? [])].some((key) => key.startsWith(TAG_PREFIX)));
  await world.stop();
});

const isSystem = ({ metadata }: KubeObject): boolean => metadata.name === 'kube-system';

/** How often DescribeEipAddresses was called. */
const describes = ({ cloud }: Operating): number =>
  Object.values(cloud.calls()['DescribeEipAddresses'] ?? {}).reduce((sum, count) => sum + count, 0);

test('marks are looked for right before a purchase that could double one, and not at each look', async (t) => {
  const { world } = await start();
  // Three pages of them.
  for (let eips = 0; eips < 250; eips += 1) world.cloud.world.addEip({ allocationId: `eip-free${eips}` });
  world.cloud.inject({
    action: 'AllocateEipAddress',
    times: Infinity,
    fault: { effect: 'never', answer: { code: 'QuotaExceeded.Eip' } },
  });
  for (const name of ['a', 'b', 'c', 'd']) await world.runPod(name, { [KEYS.withEip[0]]: 'true' });
  await world.pass(1_200_000);
  const asked = () => Object.values(world.cloud.calls()['AllocateEipAddress'] ?? {}).reduce((sum, n) => sum + n, 0);
  const [before, attempts] = [describes(world), asked()];
  t.true(attempts > 10, `${attempts}`);
  t.true(before < 6 * attempts, `${before} reads for ${attempts} attempts, each of which was answered`);
  // The next process does not know that.
  await world.stop();
  await world.start();
  await world.pass(300_000);
  t.log(`${before} reads for ${attempts} attempts; then ${describes(world) - before} for ${asked() - attempts}`);
  t.true(describes(world) - before < 10 * (asked() - attempts));
  await world.stop();
});

test('beside a twin the marks of a pod that waits are looked for now and then, and not at each look', async (t) => {
  const { world } = await start({ leaderElection: { enabled: false } });
  await world.runPod('a', NEW, { podIP: '10.0.99.99' });
  await world.pass(60_000);
  const before = describes(world);
  await world.pass(600_000);
  const looks = describes(world) - before;
  t.log(`${looks} reads of EIPs in ten minutes`);
  // A pod without an interface is looked at every 30 s: by its tags each time, by its marks every other time at most.
  t.true(looks > 20 && looks < 36, `${looks}`);
  await world.stop();
});

test('tags that show after a TagResources without an answer are not taken for those of the purchase', async (t) => {
  const { world } = await start();
  world.cloud.inject({ action: 'TagResources', times: 1, fault: { answer: 'drop' } });
  await world.runPod('a', NEW);
  t.true((await world.until(isServed(world, 'a'), 60_000)) < 30_000);
  await world.runPod('b', NEW);
  t.true((await world.until(isServed(world, 'b'), 60_000)) < 30_000);
  await world.endPod('a');
  await world.endPod('b');
  await world.until(async () => (await world.podEips()).length === 0, 120_000);
  t.deepEqual(world.cloud.eips(), []);
  await world.stop();
});
