import test from 'ava';
import { TAG_CLUSTER_UID, TAG_PODEIP_UID } from '../../src/api/annotations.ts';
import { NAMESPACE } from '../../src/api/core.ts';
import { Operating } from '../harness/operating.ts';

/** The EIPs that are left after so long, of one orphan in a cluster without PodEIPs, with this configuration. */
const leftAfter = async (ms: number, sweeper: object): Promise<number> => {
  const networkController = { eipController: { garbageCollectionPeriodInMinutes: 2 } };
  const world = await Operating.create({ config: { networkController, sweeper } });
  const clusterUid = (await world.kube.get(NAMESPACE, { name: 'kube-system' }))?.metadata.uid ?? '';
  world.cloud.world.addEip({ tags: { [TAG_CLUSTER_UID]: clusterUid, [TAG_PODEIP_UID]: 'gone' } });
  await world.pass(ms);
  const left = world.cloud.eips().length;
  await world.stop();
  return left;
};

test('the sweeper works as the configuration says, and stops with the rest', async (t) => {
  // First after 30 s, then every two minutes.
  t.is(await leftAfter(145_000, { brakeAbove: 1, graceSeconds: 60 }), 1);
  t.is(await leftAfter(155_000, { brakeAbove: 1, graceSeconds: 60 }), 0);
  t.is(await leftAfter(200_000, { brakeAbove: 1, graceSeconds: 240 }), 1);
  t.is(await leftAfter(600_000, { graceSeconds: 60 }), 1);
  t.is(await leftAfter(600_000, { mode: 'report', brakeAbove: 1 }), 1);
  t.is(await leftAfter(600_000, { mode: 'off', brakeAbove: 1 }), 1);
});

test('a controller that cannot work says so to whoever runs it, instead of leading without working', async (t) => {
  const world = await Operating.create();
  t.deepEqual(world.failures, []);
  await world.stop();
  const defect = new Error('a defect');
  world.metrics.leading = () => {
    throw defect;
  };
  await world.start();
  t.deepEqual(world.failures, [defect]);
  await world.stop();
});
