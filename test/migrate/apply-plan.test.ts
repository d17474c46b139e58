import test from 'ava';
import { ALLOCATED_ADDRESS, CONTROLLER } from '../../src/api/annotations.ts';
import { CONFIG_MAP, NAMESPACE, POD } from '../../src/api/core.ts';
import { DEPLOYMENT } from '../../src/api/apps.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { Kube, KubeObject } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { applyPlan, StoppedByOther } from '../../src/migrate/apply-plan.ts';
import { guardDefinition, isDefinitionGuarded } from '../../src/migrate/guard.ts';
import type { Predecessor } from '../../src/migrate/inventory.ts';
import { planMigration } from '../../src/migrate/plan.ts';
import { readInventory } from '../../src/migrate/read-inventory.ts';
import { bindingTo } from '../../src/sandbox/cloud/binding.ts';
import { adapterOn } from '../harness/cluster.ts';
import { CLUSTER_UID, podEipSettings, VPC } from '../harness/settings.ts';
import { setScene, type Scene } from './scene.ts';

const { signal } = new AbortController();
const ENC = 'ack-extend-network-controller';
const ENI_CONFIG = { namespace: 'kube-system', name: 'eni-config' };

interface Happening {
  readonly between?: () => Promise<unknown>;
  readonly change?: string;
  readonly isRollBack?: boolean;
}

/** Plans, then applies after something has happened. */
const runAfter = async (
  { kube, cloud }: Scene,
  from: Predecessor,
  { between, change, isRollBack = false }: Happening,
) => {
  const reading = {
    kube,
    cloud: adapterOn(cloud, clock).cloud,
    clock,
    from,
    vouchedFor: new Set<string>(),
    settings: podEipSettings({ existingEips: 'firstUse' }),
    vpcId: VPC,
    ownLease: { namespace: 'knative-eip-system', name: 'knative-eip' },
  };
  const inventory = await readInventory(reading, signal);
  const plan = planMigration(inventory, isRollBack);
  await between?.();
  const cluster = { uid: CLUSTER_UID, id: 'cluster', region: 'cn-hangzhou' };
  const rehearse = () => Promise.resolve(change);
  const ports = { reading, writing: { ...reading, cluster }, rehearse, isRollBack, onApplied: () => undefined };
  return applyPlan(plan, inventory, ports, signal);
};

const poolOf = async (kube: Kube) => (await kube.get(CONFIG_MAP, ENI_CONFIG))?.data?.['eni_conf'];
const tagged = ({ cloud }: Scene) => cloud.eips().filter(({ tags }) => tags.size > 0);

test('who begins between the plan and its writes stops them all', async (t) => {
  const starting = { [ENC]: 'kube-system', 'knative-eip': 'knative-eip-system' };
  for (const [name, namespace] of Object.entries(starting)) {
    const scene = await setScene();
    if (namespace !== 'kube-system') await scene.kube.create(NAMESPACE, { metadata: { name: namespace } });
    const before = await scene.kube.list(PODEIP);
    const between = () =>
      scene.kube.create(DEPLOYMENT, {
        metadata: { namespace, name },
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image: name }] } },
        },
      });
    const error = await t.throwsAsync(runAfter(scene, 'terway', { between }), { instanceOf: StoppedByOther });
    t.regex(error?.refusals[0]?.because ?? '', new RegExp(`${name} has 1 replicas`));
    t.deepEqual(await scene.kube.list(PODEIP), before);
    t.is(await poolOf(scene.kube), '{"enable_eip_pool": "true"}');
  }
});

test('a pod that cannot go back to Terway any more when the work begins leaves all as it is', async (t) => {
  const scene = await setScene();
  const { kube } = scene;
  await runAfter(scene, 'terway', {});
  await scene.restartTerway();
  await runAfter(scene, 'terway', {});
  const before = await kube.list(PODEIP);
  t.is(before.filter(({ metadata }) => metadata.annotations?.[CONTROLLER] === 'knative-eip').length, 4);
  const ref = { namespace: 'default', name: 'terway-bought' };
  const between = async () => {
    const { uid } = (await kube.get(POD, ref))!.metadata;
    await kube.delete(POD, ref, { uid });
  };
  const error = await t.throwsAsync(runAfter(scene, 'terway', { between, isRollBack: true }), {
    instanceOf: StoppedByOther,
  });
  t.regex(error?.refusals[0]?.because ?? '', /default\/terway-bought cannot go back to Terway \(its pod is gone/);
  t.deepEqual(await kube.list(PODEIP), before);
  t.is(await poolOf(kube), '{"enable_eip_pool": "false"}', 'knative-eip may go on');
});

test('what the controller would change at the last moment is neither tagged nor taken over', async (t) => {
  const scene = await setScene();
  const { applied, isWhole } = await runAfter(scene, ENC, { change: 'Unpublish' });
  t.false(isWhole);
  t.is(applied.length, 2);
  for (const { is, because } of applied) {
    t.is(is, 'blocked');
    t.regex(because ?? '', /would not leave it as it is \(Unpublish\)/);
  }
  t.deepEqual(tagged(scene), []);
  t.true((await scene.kube.list(PODEIP)).every(({ metadata }) => metadata.annotations?.[CONTROLLER] === undefined));
});

test('a pod that Terway serves while PodEIPs are written gets one, before the EIP pool is switched off', async (t) => {
  const scene = await setScene();
  const { kube, cloud } = scene;
  const between = async () => {
    const eni = cloud.interfaces().find(({ instanceId }) => instanceId === 'i-1')!;
    cloud.world.addPrivateIp(eni.networkInterfaceId, '10.0.0.9');
    const binding = bindingTo({ ...eni, privateIps: [...eni.privateIps, '10.0.0.9'] }, '10.0.0.9');
    const { ipAddress } = cloud.world.addEip({ allocationId: 'eip-late', status: 'InUse', binding });
    const ref = { namespace: 'default', name: 'late' };
    const annotations = { 'k8s.aliyun.com/pod-with-eip': 'true', [ALLOCATED_ADDRESS]: ipAddress };
    await kube.create(POD, {
      metadata: { ...ref, annotations },
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'nginx' }] },
    });
    const body = { status: { phase: 'Running', podIP: '10.0.0.9' } };
    await kube.patch(POD, ref, { type: 'merge', subresource: 'status', body });
  };
  const { isWhole } = await runAfter(scene, 'terway', { between });
  t.true(isWhole);
  t.is((await kube.get(PODEIP, { namespace: 'default', name: 'late' }))?.spec.allocationID, 'eip-late');
  t.is(await poolOf(kube), '{"enable_eip_pool": "false"}');
});

const isPolicy = (plural: string) => plural === 'validatingadmissionpolicies';

test('a guard that does not deny, or names the definition only, is written anew', async (t) => {
  const { kube } = await setScene();
  await guardDefinition(kube, signal);
  t.true(await isDefinitionGuarded(kube, signal));
  const weaken = (change: (spec: Record<string, unknown>, plural: string) => unknown): Kube => ({
    ...kube,
    get: (async (resource, ref, until) => {
      const object = (await kube.get(resource, ref, until)) as unknown as KubeObject & {
        spec: Record<string, unknown>;
      };
      return { ...object, spec: change(object.spec, resource.plural) };
    }) as Kube['get'],
  });
  t.true(
    await isDefinitionGuarded(
      weaken((spec) => spec),
      signal,
    ),
  );
  const named = { operations: ['DELETE'], resources: ['customresourcedefinitions'], resourceNames: ['a'] };
  for (const change of [
    (spec: object, plural: string) => (isPolicy(plural) ? spec : { ...spec, validationActions: ['Audit'] }),
    (spec: object, plural: string) => (isPolicy(plural) ? spec : { ...spec, matchResources: {} }),
    (spec: object, plural: string) => (isPolicy(plural) ? { ...spec, failurePolicy: 'Ignore' } : spec),
    (spec: object, plural: string) =>
      isPolicy(plural) ? { ...spec, matchConstraints: { resourceRules: [named] } } : spec,
  ])
    t.false(await isDefinitionGuarded(weaken(change), signal), String(change));
});
