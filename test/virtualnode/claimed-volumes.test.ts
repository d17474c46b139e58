import test from 'ava';
import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM } from '../../src/api/persistent-volumes.ts';
import { Stage } from './stage.ts';

/** A claim `data`, and what an administrator has bound to it, or to somebody else's claim. */
const claim = async (stage: Stage) => {
  const metadata = { name: 'data', namespace: 'default' };
  const spec = { volumeName: 'disk-1', accessModes: ['ReadWriteOnce'] };
  const body = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec };
  const { uid } = (await stage.kube.create(PERSISTENT_VOLUME_CLAIM, body)).metadata;
  return { ...metadata, uid };
};
const bind = async (stage: Stage, claimRef: object) => {
  await stage.kube.create(PERSISTENT_VOLUME, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk-1' },
    spec: {
      claimRef,
      accessModes: ['ReadWriteOnce'],
      csi: { driver: 'diskplugin.csi.alibabacloud.com', volumeHandle: 'd-bp1abc' },
    },
  });
  const body = { status: { phase: 'Bound' } };
  const patch = { type: 'merge', subresource: 'status', body } as const;
  await stage.kube.patch(PERSISTENT_VOLUME_CLAIM, { namespace: 'default', name: 'data' }, patch);
};
const runWithDisk = (stage: Stage, name: string) =>
  stage.runPod(name, {}, { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] });
const isReady = (stage: Stage, name: string) => async () => (await stage.condition(name, 'Ready')) === 'True';
const why = async (stage: Stage, name: string) => (await stage.pod(name))?.status?.message ?? '';

test('a pod waits for its claim, and the next one for the disk until its instance is gone; nobody asks a policy', async (t) => {
  const stage = await Stage.create();
  const claimRef = await claim(stage);
  await runWithDisk(stage, 'first');
  await stage.until(async () => (await why(stage, 'first')) !== '');
  t.regex(await why(stage, 'first'), /PersistentVolumeClaim data is Pending, and not bound/);
  await bind(stage, claimRef);
  t.true((await stage.until(isReady(stage, 'first'))) < 30_000);
  t.deepEqual(stage.cloud.containerGroups()[0]?.volumes, [
    {
      name: 'v',
      type: 'FlexVolume',
      driver: 'alicloud/disk',
      options: '{"volumeId":"d-bp1abc","deleteWithInstance":"false"}',
      server: undefined,
      path: undefined,
    },
  ]);

  await runWithDisk(stage, 'second');
  await stage.until(async () => (await why(stage, 'second')) !== '');
  t.regex(await why(stage, 'second'), /is used by the pod first/);
  await stage.pass(60_000);
  t.is(stage.created.length, 1);
  await stage.deletePod('first');
  t.true((await stage.until(isReady(stage, 'second'), 60_000)) < Infinity);
  t.is(stage.created.length, 2);
  t.is(stage.cloud.containerGroups().length, 1, 'never two at once');
  t.deepEqual(
    stage.events.filter(({ reason }) => reason === 'ReferencesMissing').map(({ about }) => about.name),
    ['first', 'second'],
    'each is told once',
  );
  await stage.stop();
});

test('a claim that names somebody else’s disk does not reach it, whatever its status says', async (t) => {
  const stage = await Stage.create();
  await claim(stage);
  await bind(stage, { namespace: 'bank', name: 'data', uid: 'another' });
  await runWithDisk(stage, 'thief');
  await stage.until(async () => (await why(stage, 'thief')) !== '');
  t.regex(await why(stage, 'thief'), /PersistentVolume disk-1 is not bound to PersistentVolumeClaim data/);
  await stage.pass(60_000);
  t.deepEqual([stage.created, stage.cloud.containerGroups()], [[], []]);
  await stage.stop();
});
