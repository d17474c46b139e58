import test from 'ava';
import { CONTROLLER, OURS } from '../../src/api/annotations.ts';
import { CONFIG_MAP } from '../../src/api/core.ts';
import { PODEIP } from '../../src/api/podeip.ts';
import type { Cloud } from '../../src/cloud/port.ts';
import type { Kube } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { applyPlan } from '../../src/migrate/apply-plan.ts';
import type { Predecessor } from '../../src/migrate/inventory.ts';
import { planMigration } from '../../src/migrate/plan.ts';
import { readInventory } from '../../src/migrate/read-inventory.ts';
import { adapterOn } from '../harness/cluster.ts';
import { CLUSTER_UID, podEipSettings, VPC } from '../harness/settings.ts';
import { isTimeMissing } from '../../src/rules/terway-switch.ts';
import { setScene, type Scene } from './scene.ts';

const { signal } = new AbortController();
const MOVES = /^(Allocate|Associate|Unassociate|Release)EipAddress$|CommonBandwidthPackageIp$/;

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

const rehearse = () => Promise.resolve(undefined);

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
  const ports = { reading, writing: { ...reading, cluster }, rehearse, isRollBack, onApplied: () => undefined };
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
  terway: await kube
    .get(CONFIG_MAP, { namespace: 'kube-system', name: 'eni-config' })
    .then((configMap) => ({ data: configMap?.data, lacksTime: configMap && isTimeMissing(configMap) })),
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
