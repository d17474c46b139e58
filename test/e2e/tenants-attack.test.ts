import test, { type ExecutionContext } from 'ava';
import {
  ALLOCATED_ADDRESS,
  ALLOCATED_INSTANCE_ID,
  ECI_INSTANCE_ID,
  ECI_KEYS,
  TAG_POD,
} from '../../src/api/annotations.ts';
import { NODE, POD } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import { REPLICA_SET } from '../../src/sandbox/cluster/workloads.ts';
import { HOW_TO_GET_ONE } from '../kube-api/real.ts';
import { until } from '../harness/until.ts';
import { isRealAvailable } from './stage.ts';
import {
  addressOf,
  ATTACKER,
  CAP,
  COPIED,
  CROWD,
  EDIT,
  MARKED,
  NAMED,
  names,
  NEW,
  podOf,
  readyOf,
  setAttack,
  VICTIM,
} from './tenants-stage.ts';

/*
 * Tenants against each other, on one real control plane: the controller is a process with the rights of config/ and its
 * webhooks, the tenants act with credentials and rights of their own, and the ledger of the cloud says what was done.
 * Nothing is told from how long it takes: where nothing must happen, the test waits until the attacker has his answer.
 */

/** An ID that the account does not have. */
const NONE = 'eip-nosuch';
const TEN_MINUTES_MS = 600_000;

const declare = isRealAvailable() ? test.serial : test.serial.skip;
const titled = (title: string): string => (isRealAvailable() ? title : `${title} (${HOW_TO_GET_ONE})`);

let attack: Awaited<ReturnType<typeof setAttack>>;

if (isRealAvailable()) {
  test.before(async () => {
    attack = await setAttack();
  });
  test.after.always(async () => {
    if (attack as typeof attack | undefined) await attack.close();
  });
}

const isForbidden = async (t: ExecutionContext, what: string, ask: Promise<unknown>): Promise<void> => {
  await t.throwsAsync(ask, { name: 'KubeFault', message: /forbidden/i }, what);
};

declare(titled('nobody has another’s EIP by naming it, waiting for it, or coming first after a restart'), async (t) => {
  const { alice, bob, cloud, refusedOf, servedOf, end, victimHas, changesOf, shownTo } = attack;
  const EIP = NAMED;
  const eip = await victimHas(EIP, 'mine');
  // Of a kind that no review judged once, and whose pods have an owner.
  await alice.create(REPLICA_SET, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'thief', namespace: ATTACKER },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'thief' } },
      template: {
        metadata: { labels: { app: 'thief' }, annotations: names(EIP) },
        spec: { containers: [{ name: 'main', image: 'nginx' }] },
      },
    },
  });
  const [thief] = await until(
    'the pod of the ReplicaSet has a record',
    () => alice.list(PODEIP, { namespace: ATTACKER }),
    (all) => all.length === 1,
  );
  await alice.create(POD, podOf(ATTACKER, 'guess', names(NONE)));
  const theirs = await refusedOf(ATTACKER, thief!.metadata.name, 'EipNotFound');
  const nobodys = await refusedOf(ATTACKER, 'guess', 'EipNotFound');
  t.is(theirs, nobodys.replaceAll(NONE, EIP), 'the answer is the same');
  t.regex(theirs, /this region and account have no such EIP, or another namespace has it/);

  await end(bob, VICTIM, 'mine');
  await until(
    'nothing has the EIP',
    () => cloud.eips().find(({ allocationId }) => allocationId === EIP)?.status,
    (status) => status === 'Available',
  );
  const before = changesOf(EIP);
  await alice.create(POD, podOf(ATTACKER, 'late', names(EIP)));
  t.is(await refusedOf(ATTACKER, 'late', 'EipNotFound'), theirs);
  await attack.killController();
  await alice.create(POD, podOf(ATTACKER, 'early', names(EIP)));
  await attack.startController();
  t.is(await refusedOf(ATTACKER, 'early', 'EipNotFound'), theirs);
  t.deepEqual(changesOf(EIP), before, 'the first pod that the next process sees gets nothing either');

  await bob.create(POD, podOf(VICTIM, 'again', names(EIP)));
  t.is(addressOf(await servedOf(VICTIM, 'again')), eip.ipAddress);
  t.deepEqual(changesOf(EIP), [...before, 'AssociateEipAddress']);
  for (const { metadata } of await alice.list(POD, { namespace: ATTACKER }))
    t.is(metadata.annotations?.[ALLOCATED_ADDRESS], undefined, metadata.name);
  const shown = await shownTo(alice);
  for (const secret of [eip.ipAddress, eip.name, VICTIM]) t.false(shown.includes(secret), secret);
  await isForbidden(t, 'whose it is', alice.get(EIP_HOLDER, { name: EIP }));
  await isForbidden(t, 'what others have', alice.list(PODEIP, { namespace: VICTIM }));
});

declare(
  titled('marks of a virtual node that a tenant writes show nothing, and keep nobody from his EIP'),
  async (t) => {
    const { alice, bob, kube, cloud, refusedOf, servedOf, end, victimHas, changesOf, shownTo } = attack;
    const EIP = MARKED;
    const eip = await victimHas(EIP, 'marked');
    const forged = {
      [ECI_KEYS.withEip]: 'true',
      [ECI_INSTANCE_ID]: 'eci-forged',
      [ALLOCATED_INSTANCE_ID]: EIP,
      [ALLOCATED_ADDRESS]: eip.ipAddress,
    };
    const [node] = await kube.list(NODE);
    const onEcs = { nodeName: node!.metadata.name };
    await alice.create(POD, podOf(ATTACKER, 'forged-on-ecs', forged, onEcs));
    const name = 'virtual-kubelet-cn-hangzhou';
    const labels = { type: 'virtual-kubelet' };
    await kube.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
    const ofNone = { ...forged, [ALLOCATED_INSTANCE_ID]: NONE };
    for (const [pod, marks, podIP] of [
      ['forged-on-eci', forged, '10.9.9.9'],
      ['forged-of-none', ofNone, '10.9.9.8'],
    ] as const) {
      await alice.create(POD, podOf(ATTACKER, pod, marks, { nodeName: name }));
      // As the virtual node does it: its pod has another address than the one that the EIP is bound to.
      const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] } };
      await kube.patch(POD, { namespace: ATTACKER, name: pod }, { type: 'strategic', subresource: 'status', body });
    }

    const theirs = await refusedOf(ATTACKER, 'forged-on-eci', 'EipNotVisibleYet');
    const none = await refusedOf(ATTACKER, 'forged-of-none', 'EipNotVisibleYet');
    const same = none.replaceAll(NONE, EIP).replaceAll('10.9.9.8', '10.9.9.9');
    t.is(theirs, same, 'the answer is the same for one that does not exist');
    t.regex(theirs, /the account does not show it in use/);
    const served = await servedOf(ATTACKER, 'forged-on-ecs');
    t.not(addressOf(served), eip.ipAddress, 'a pod of an ECS node has an EIP of its own, and the mark is written over');
    const bought = cloud.eips().find(({ ipAddress }) => ipAddress === addressOf(served));
    t.is(bought?.tags.get(TAG_POD), `${ATTACKER}/forged-on-ecs`);
    t.deepEqual(changesOf(EIP), ['AssociateEipAddress'], 'the victim’s is as it was');

    const shown = await shownTo(alice);
    for (const secret of [eip.ipAddress, eip.name, VICTIM]) t.false(shown.includes(secret), secret);
    for (const { spec } of await alice.list(PODEIP, { namespace: ATTACKER })) t.not(spec.allocationID, EIP);
    const ofIt = (await attack.readMetrics()).filter((line) => line.includes(eip.ipAddress) || line.includes(EIP));
    t.true(ofIt.length > 0, 'metrics show it');
    t.deepEqual(
      ofIt.filter((line) => line.includes(ATTACKER)),
      [],
      'as the victim’s alone',
    );

    await end(bob, VICTIM, 'marked');
    await bob.create(POD, podOf(VICTIM, 'marked-again', names(EIP)));
    t.is(addressOf(await servedOf(VICTIM, 'marked-again')), eip.ipAddress);
  },
);

declare(titled('notes that a tenant copies from another namespace have nothing detached or released'), async (t) => {
  const { alice, dave, bob, kube, cloud, refusedOf, servedOf, end, victimHas, changesOf } = attack;
  const EIP = COPIED;
  await victimHas(EIP, 'noted');
  await bob.create(POD, podOf(VICTIM, 'buys', NEW));
  const address = addressOf(await servedOf(VICTIM, 'buys'));
  const BOUGHT = cloud.eips().find(({ ipAddress }) => ipAddress === address)!.allocationId;

  await alice.create(POD, podOf(ATTACKER, 'names-bought', names(BOUGHT)));
  await alice.create(POD, podOf(ATTACKER, 'names-none', names(NONE)));
  t.is(
    await refusedOf(ATTACKER, 'names-bought', 'EipNotFound'),
    (await refusedOf(ATTACKER, 'names-none', 'EipNotFound')).replaceAll(NONE, BOUGHT),
    'one that was bought for another namespace is not to be named either',
  );

  const copyOf = async (name: string) => {
    const its = (await kube.get(PODEIP, { namespace: VICTIM, name }))!;
    const { annotations, finalizers, labels } = its.metadata;
    return { ...its, metadata: { name, namespace: ATTACKER, annotations, finalizers, labels } };
  };
  /** The copy is there, the controller has judged it, and has taken its finalizer off. */
  const plant = async (copy: Awaited<ReturnType<typeof copyOf>>): Promise<void> => {
    await dave.create(PODEIP, copy);
    await until(
      `the copy of ${copy.metadata.name} is gone`,
      () => kube.get(PODEIP, copy.metadata),
      (it) => it === undefined,
    );
  };
  const copies = [await copyOf('noted'), await copyOf('buys')];
  const before = [changesOf(EIP), changesOf(BOUGHT)];
  for (const copy of copies) await isForbidden(t, 'with edit rights', alice.create(PODEIP, copy));
  await Promise.all(copies.map(plant));
  t.deepEqual([changesOf(EIP), changesOf(BOUGHT)], before);

  // The next pod has the same EIP, and often the same address in the cluster: old notes are of no use either.
  await end(bob, VICTIM, 'noted');
  await bob.create(POD, podOf(VICTIM, 'next', names(EIP)));
  await servedOf(VICTIM, 'next');
  const later = changesOf(EIP);
  await plant(copies[0]!);
  t.deepEqual(changesOf(EIP), later);
  await attack.killController();
  await dave.create(PODEIP, copies[0]);
  await attack.startController();
  await until(
    'the copy that was there at the start is gone',
    () => kube.get(PODEIP, copies[0]!.metadata),
    (it) => it === undefined,
  );
  t.deepEqual(changesOf(EIP), later);

  for (const name of ['next', 'buys']) await end(bob, VICTIM, name);
  t.is(changesOf(BOUGHT).at(-1), 'ReleaseEipAddress', 'its owner gives it back as ever');
});

declare(titled('who buys and gives back in a loop is stopped after six, and told why'), async (t) => {
  const { alice, cloud } = attack;
  const ref = { namespace: ATTACKER, name: 'loop' };
  await alice.create(POD, podOf(ATTACKER, 'loop', NEW));
  const next = () =>
    until(
      'there is an EIP to give back, or none any more',
      () => alice.get(PODEIP, ref),
      (it) =>
        it?.metadata.deletionTimestamp === undefined &&
        (readyOf(it)?.status === 'True' || readyOf(it)?.reason === 'PurchasesLimited'),
    );
  let podEip = await next();
  for (; readyOf(podEip)?.status === 'True'; podEip = await next()) {
    await alice.delete(PODEIP, ref, { uid: podEip!.metadata.uid });
  }
  t.regex(
    readyOf(podEip)?.message ?? '',
    /pods of this name 6 EIPs were bought within 10 minutes.*find out who deletes/,
  );
  const at = cloud
    .ledger()
    .filter(({ action, tags }) => action === 'AllocateEipAddress' && tags.get(TAG_POD) === `${ATTACKER}/loop`)
    .map((change) => change.at);
  t.true(at.length >= 6, `${at.length} purchases`);
  for (const [index, later] of at.slice(6).entries())
    t.true(later - at[index]! >= TEN_MINUTES_MS, 'a seventh only when the first is ten minutes ago');
});

declare(titled('one pod is served before most of sixty of another namespace, which get its cap'), async (t) => {
  const { kube, cloud, servedOf } = attack;
  const many = await attack.tenant('crowd', 'carol', EDIT);
  const one = await attack.tenant('lone', 'dan', EDIT);
  // All are there before it looks, so that the order is its own, and not that of a busy machine.
  await attack.killController();
  for (let number = 0; number < CROWD; number += 1) await many.create(POD, podOf('crowd', `pod-${number}`, NEW));
  await one.create(POD, podOf('lone', 'single', NEW));
  await until(
    'all pods run',
    async () => [...(await kube.list(POD, { namespace: 'crowd' })), ...(await kube.list(POD, { namespace: 'lone' }))],
    (all) => all.length === CROWD + 1 && all.every(({ status }) => status?.podIP !== undefined),
  );
  await attack.startController();
  await servedOf('lone', 'single');
  const purchases = () =>
    cloud
      .ledger()
      .filter(({ action }) => action === 'AllocateEipAddress')
      .map(({ tags }) => tags.get(TAG_POD)?.split('/')[0] ?? '')
      .filter((namespace) => namespace === 'crowd' || namespace === 'lone');
  const podEips = await until(
    'each pod of the crowd has an address, or knows why it has none',
    () => kube.list(PODEIP, { namespace: 'crowd' }),
    (all) =>
      all.length === CROWD &&
      all.every((it) => readyOf(it)?.status === 'True' || readyOf(it)?.reason === 'QuotaOfNamespaceExceeded'),
  );
  const refused = podEips.filter((it) => readyOf(it)?.status !== 'True');
  t.is(refused.length, CROWD - CAP);
  t.regex(readyOf(refused[0])?.message ?? '', /namespaceLimits.eips of the configuration/);
  t.is(purchases().filter((namespace) => namespace === 'crowd').length, CAP);
  const before = purchases().indexOf('lone');
  t.true(before < CAP / 2, `${before} EIPs were bought for the crowd before the one`);
});
