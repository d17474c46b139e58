import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { CONFIG_MAP, NODE, POD } from '../../src/api/core.ts';
import { FINALIZER, PODEIP } from '../../src/api/podeip.ts';
import { createKube } from '../../src/kube/client.ts';
import { KubeFault } from '../../src/kube/fault.ts';
import type { Kube, KubeObject, ObjectRef, Patch, Resource } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { bindingTo } from '../../src/sandbox/cloud/binding.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { apply, CRD_FILE } from '../../src/sandbox/samples.ts';
import { seeded } from '../harness/random.ts';
import { VPC } from '../harness/settings.ts';

/** One pod each: of the other controller with an EIP that was bought, and with a user's; of Terway the same. */
export const setScene = async () => {
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

/** The embedded API server does not write down who wrote what when; the time is that of the last write of the data. */
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
      if (resource.plural === 'configmaps' && Object.hasOwn(patch.body as object, 'data'))
        time = new Date(now()).toISOString();
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
    patch: <T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, patch: Patch, until?: AbortSignal) => {
      if (!isPolicy(resource)) return kube.patch(resource, ref, patch, until);
      const object = { ...there.get(resource.plural), ...(patch.body as object) };
      there.set(resource.plural, object);
      return Promise.resolve(object as T);
    },
  };
};

export type Scene = Awaited<ReturnType<typeof setScene>>;
