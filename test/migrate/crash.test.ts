import test from 'ava';
import { ALLOCATED_ADDRESS, CONTROLLER, OURS } from '../../src/api/annotations.ts';
import { CONFIG_MAP, NODE, POD } from '../../src/api/core.ts';
import { FINALIZER, PODEIP } from '../../src/api/podeip.ts';
import type { Cloud } from '../../src/cloud/port.ts';
import { createKube } from '../../src/kube/client.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube, KubeObject, ObjectRef, Resource } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { applyPlan } from '../../src/migrate/apply.ts';
import type { Predecessor } from '../../src/migrate/inventory.ts';
import { planMigration } from '../../src/migrate/plan.ts';
import { readInventory } from '../../src/migrate/read-inventory.ts';
import { bindingTo } from '../../src/sandbox/cloud/binding.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { apply, CRD_FILE } from '../../src/sandbox/samples.ts';
import { adapterOn } from '../harness/cluster.ts';
import { seeded } from '../harness/random.ts';
import { CLUSTER_UID, podEipSettings, VPC } from '../harness/settings.ts';

const { signal } = new AbortController();
const MOVES = /^(Allocate|Associate|Unassociate|Release)EipAddress$|CommonBandwidthPackageIp$/;

/** One pod each: of the other controller with an EIP that was bought, and with a user's; of Terway the same. */
const setScene = async () => {
  let ahead = 0;
  const serverClock = { ...clock, now: () => clock.now() + ahead };
  const server = createApiServer({ clock: serverClock, random: seeded(1) });
  const plain = createKube({ transport: transport(server), clock, qps: 0 });
  const kube = withManagedFields(withAdmissionPolicies(plain), serverClock.now);
  const cloud = createSandboxCloud({ clock, random: seeded(2) });
  await apply(kube, CRD_FILE);
  await kube.create(NODE, { metadata: { name: 'node-1' }, spec: { providerID: 'cn-hangzhou.i-1' } });
  const eni = cloud.world.addNetworkInterface({ vpcId: VPC, instanceId: 'i-1', primaryIp: '10.0.0.1' });
  for (const [index, name] of ['enc-bought', 'enc-named', 'terway-bought', 'terway-named'].entries()) {
    const address = `10.0.0.${index + 2}`;
    cloud.world.addPrivateIp(eni.networkInterfaceId, address);
    const isNamed = name.endsWith('named');
    const { ipAddress } = cloud.world.addEip({
      allocationId: `eip-${name}`,
      status: 'InUse',
      binding: bindingTo({ ...eni, privateIps: [...eni.privateIps, address] }, address),
    });
    const asks = isNamed
      ? { 'k8s.aliyun.com/pod-eip-instanceid': `eip-${name}` }
      : { 'k8s.aliyun.com/pod-with-eip': 'true' };
    const ref = { namespace: 'default', name };
    await kube.create(POD, {
      metadata: { ...ref, annotations: { ...asks, [ALLOCATED_ADDRESS]: ipAddress } },
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'nginx' }] },
    });
    await kube.patch(POD, ref, {
      type: 'merge',
      subresource: 'status',
      body: { status: { phase: 'Running', podIP: address } },
    });
    if (!name.startsWith('enc')) continue;
    const type = isNamed ? 'Static' : 'Auto';
    await kube.create(PODEIP, {
      apiVersion: 'alibabacloud.com/v1beta1',
      kind: 'PodEIP',
      metadata: { ...ref, finalizers: [FINALIZER] },
      spec: { allocationID: `eip-${name}`, allocationType: { type, releaseStrategy: 'Follow' } },
    });
  }
  await kube.create(CONFIG_MAP, {
    metadata: { namespace: 'kube-system', name: 'eni-config' },
    data: { eni_conf: '{"enable_eip_pool": "true"}' },
  });
  /** A new process of Terway, some time after whatever was written before. */
  const restartTerway = async () => {
    ahead += 120_000;
    const ref = { namespace: 'kube-system', name: 'terway-eniip-1' };
    const old = await kube.get(POD, ref);
    if (old) await kube.delete(POD, ref, { uid: old.metadata.uid });
    await kube.create(POD, {
      metadata: { ...ref, labels: { app: 'terway-eniip' } },
      spec: { containers: [{ name: 'terway', image: 'terway' }] },
    });
    ahead += 120_000;
  };
  await restartTerway();
  return { kube, cloud, restartTerway };
};

/** The embedded API server does not write down who wrote what when. */
const withManagedFields = (kube: Kube, now: () => number): Kube => {
  let time: string | undefined;
  const dated = <T extends KubeObject>(resource: Resource<T>, object: T): T =>
    resource.plural === 'configmaps' && time !== undefined
      ? { ...object, metadata: { ...object.metadata, managedFields: [{ time }] } }
      : object;
  return {
    ...kube,
    get: async (resource, ref, until) => {
      const object = await kube.get(resource, ref, until);
      return object && dated(resource, object);
    },
    list: (resource, options, until) => kube.list(resource, options, until),
    create: (resource, object, until) => kube.create(resource, object, until),
    delete: (resource, ref, preconditions, until) => kube.delete(resource, ref, preconditions, until),
    patch: async (resource, ref, patch, until) => {
      const object = await kube.patch(resource, ref, patch, until);
      if (resource.plural === 'configmaps') time = new Date(now()).toISOString();
      return dated(resource, object);
    },
  };
};

const isPolicy = ({ plural }: { readonly plural: string }) => plural.startsWith('validatingadmissionpolic');

/** The embedded API server has no admission policies: here they are objects and nothing more. */
const withAdmissionPolicies = (kube: Kube): Kube => {
  const there = new Map<string, object>();
  return {
    ...kube,
    get: <T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, until?: AbortSignal) =>
      isPolicy(resource)
        ? Promise.resolve(there.get(resource.plural) as T | undefined)
        : kube.get(resource, ref, until),
    create: <T extends KubeObject>(resource: Resource<T>, object: unknown, until?: AbortSignal) => {
      if (!isPolicy(resource)) return kube.create(resource, object, until);
      if (there.has(resource.plural)) return Promise.reject(new KubeFault({ kind: 'exists', message: 'it is there' }));
      there.set(resource.plural, object as object);
      return Promise.resolve(object as T);
    },
  };
};

type Scene = Awaited<ReturnType<typeof setScene>>;

/** A process that dies at its n-th write, before or after it takes effect, and writes nothing any more. */
const dyingAt = (death: number | undefined, isAfter: boolean) => {
  let writes = 0;
  const guard = async <T>(write: () => Promise<T>): Promise<T> => {
    writes += 1;
    if (death === undefined || writes < death) return write();
    if (writes === death && isAfter) await write();
    throw new Error('the process is dead');
  };
  const kubeOf = (kube: Kube): Kube => ({
    get: (resource, ref, until) => kube.get(resource, ref, until),
    list: (resource, options, until) => kube.list(resource, options, until),
    create: (resource, object, until) => guard(() => kube.create(resource, object, until)),
    replace: (resource, ref, object, until) => guard(() => kube.replace(resource, ref, object, until)),
    patch: (resource, ref, patch, until) => guard(() => kube.patch(resource, ref, patch, until)),
    delete: (resource, ref, preconditions, until) => guard(() => kube.delete(resource, ref, preconditions, until)),
  });
  const cloudOf = (cloud: Cloud): Cloud => ({
    ...cloud,
    tagEip: (id, tags, until) => guard(() => cloud.tagEip(id, tags, until)),
    untagEip: (id, keys, until) => guard(() => cloud.untagEip(id, keys, until)),
  });
  return { kubeOf, cloudOf, writes: () => writes };
};

type Process = ReturnType<typeof dyingAt>;

/** One run of the command; resolves to whether all is done. */
const runOnce = async ({ kube, cloud }: Scene, process: Process, from: Predecessor, isRollBack: boolean) => {
  const assembled = adapterOn(cloud, clock);
  const settings = podEipSettings({ existingEips: 'firstUse' });
  const reading = {
    kube: process.kubeOf(kube),
    cloud: process.cloudOf(assembled.cloud),
    clock,
    from,
    vouchedFor: new Set<string>(),
    settings,
    vpcId: VPC,
    ownLease: { namespace: 'knative-eip-system', name: 'knative-eip' },
  };
  const inventory = await readInventory(reading, signal);
  const plan = planMigration(inventory, isRollBack);
  const cluster = { uid: CLUSTER_UID, id: 'cluster', region: 'cn-hangzhou' };
  const ports = { reading, writing: { ...reading, cluster }, isRollBack, onApplied: () => undefined };
  const { isWhole } = await applyPlan(plan, inventory, ports, signal).catch(() => ({ isWhole: false }));
  return isWhole && plan.pods.every(({ is }) => is !== 'waits');
};

/** Runs the command until it is done, as many times as that takes. */
const runAll = async (scene: Scene, process: Process, from: Predecessor, isRollBack: boolean): Promise<void> => {
  for (let run = 1; run <= 4; run += 1) {
    if (await runOnce(scene, process, from, isRollBack)) return;
    await scene.restartTerway();
  }
};

/** What can be seen of the end: all but times and versions. */
const endOf = async ({ kube, cloud }: Pick<Scene, 'kube' | 'cloud'>) => ({
  podEips: (await kube.list(PODEIP)).map(({ metadata, spec }) => ({
    name: metadata.name,
    controller: metadata.annotations?.[CONTROLLER],
    notes: Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith(OURS)).length,
    finalizers: metadata.finalizers,
    spec,
  })),
  eips: cloud
    .eips()
    .map(({ allocationId, status, binding, tags }) => ({ allocationId, status, binding, tags: tags.size })),
  terway: (await kube.get(CONFIG_MAP, { namespace: 'kube-system', name: 'eni-config' }))?.data,
});

const WAYS: readonly (readonly [Predecessor, boolean])[] = [
  ['ack-extend-network-controller', false],
  ['terway', false],
  ['terway', true],
  ['ack-extend-network-controller', true],
];

test('a process that dies at any write, before or after it, is followed by one that reaches the same end', async (t) => {
  const undisturbed = await setScene();
  const ends: unknown[] = [];
  const counts: number[] = [];
  for (const [from, isRollBack] of WAYS) {
    const process = dyingAt(undefined, false);
    await runAll(undisturbed, process, from, isRollBack);
    ends.push(await endOf(undisturbed));
    counts.push(process.writes());
  }
  t.true(
    counts.every((count) => count >= 3),
    counts.join(),
  );
  for (const [way, [from, isRollBack]] of WAYS.entries())
    for (let death = 1; death <= (counts[way] ?? 0); death += 1)
      for (const isAfter of [false, true]) {
        const scene = await setScene();
        for (const [earlier, back] of WAYS.slice(0, way)) await runAll(scene, dyingAt(undefined, false), earlier, back);
        await runOnce(scene, dyingAt(death, isAfter), from, isRollBack);
        await runAll(scene, dyingAt(undefined, false), from, isRollBack);
        const title = `${from}${isRollBack ? ' back' : ''}, dead ${isAfter ? 'after' : 'before'} write ${death}`;
        t.deepEqual(await endOf(scene), ends[way], title);
        t.deepEqual(
          scene.cloud.ledger().filter(({ action }) => MOVES.test(action)),
          [],
          title,
        );
      }
});
