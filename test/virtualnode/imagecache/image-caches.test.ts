import test from 'ava';
import { SECRET } from '../../../src/api/core.ts';
import { IMAGE_CACHE, IMAGE_CACHE_FINALIZER } from '../../../src/api/imagecache.ts';
import { adapterOn } from '../../harness/cluster.ts';
import { ImageCacheStage, SETTINGS } from './image-cache-stage.ts';

const CLUSTER = { key: 'knative-eip/cluster-uid', value: SETTINGS.clusterUid };

const started = async (prepare: (stage: ImageCacheStage) => void = () => undefined): Promise<ImageCacheStage> => {
  const stage = await ImageCacheStage.create();
  prepare(stage);
  await stage.start();
  return stage;
};

const isPhase = (stage: ImageCacheStage, phase: string, name = 'sample') =>
  stage.until(async () => (await stage.phase(name)) === phase);

test('the vendor’s sample becomes an image cache, says how it stands, and goes with its object', async (t) => {
  const stage = await started((it) => it.allowSecretsIn('default', 'kube-system'));
  const auth = Buffer.from(JSON.stringify({ auths: { 'registry.example.com': { username: 'u', password: 'p' } } }));
  const data = { '.dockerconfigjson': auth.toString('base64') };
  for (const namespace of ['default', 'kube-system'])
    await stage.kube.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: 'pull' }, data });
  const spec = { imagePullSecrets: ['default:pull', 'kube-system:pull'], imageCacheSize: 25, retentionDays: 7 };
  await stage.apply('sample', spec, { 'k8s.aliyun.com/imc-enable-reuse': 'true' });
  t.not(await isPhase(stage, 'Ready'), Infinity);
  const [cache, ...others] = stage.cloud.imageCaches();
  t.deepEqual(others, []);
  t.like(cache, { sizeGiB: 25, vSwitchId: 'vsw-1', securityGroupId: 'sg-1', registries: ['registry.example.com'] });
  t.deepEqual(cache?.images, ['centos:latest', 'busybox:latest']);
  const { status, metadata } = (await stage.object('sample'))!;
  t.like(status, { phase: 'Ready', progress: '100%', imageCacheId: cache?.imageCacheId });
  t.truthy(status?.expireDateTime);
  t.deepEqual(metadata.finalizers, [IMAGE_CACHE_FINALIZER]);
  t.deepEqual(
    stage.told.map((line) => line.split(':')[0]),
    ['Normal ImageCacheCreated', 'Normal ImageCacheReady'],
  );
  // At rest nothing is written, and the cloud is hardly asked.
  const { resourceVersion } = metadata;
  const asked = () => stage.cloud.calls()['DescribeImageCaches']?.['OK'] ?? 0;
  const before = asked();
  await stage.pass(300_000);
  t.is((await stage.object('sample'))?.metadata.resourceVersion, resourceVersion);
  t.is(asked(), before);
  await stage.remove('sample');
  t.not(await stage.until(async () => (await stage.object('sample')) === undefined), Infinity);
  t.deepEqual(stage.cloud.imageCaches(), []);
  await stage.stop();
});

test('an object that is changed later changes nothing, and that is told once, as long as it is so', async (t) => {
  const stage = await started();
  await stage.apply('sample');
  t.not(await isPhase(stage, 'Ready'), Infinity);
  const [made] = stage.cloud.imageCaches();
  const reasons = async () => (await stage.object('sample'))?.status?.events?.map(({ reason }) => reason) ?? [];
  const annotate = (value: string | null) =>
    stage.kube.patch(
      IMAGE_CACHE,
      { name: 'sample' },
      { type: 'merge', body: { metadata: { annotations: { 'k8s.aliyun.com/imc-enable-flash': value } } } },
    );
  await annotate('true');
  t.not(await stage.until(async () => (await reasons()).includes('ImageCacheUnchanged')), Infinity);
  await stage.pass(1_300_000);
  const told = () => stage.told.filter((line) => line.startsWith('Warning ImageCacheUnchanged: imc-'));
  t.is(told().length, 1);
  t.like(stage.cloud.imageCaches(), { length: 1, 0: { imageCacheId: made?.imageCacheId } });
  await annotate(null);
  t.not(await stage.until(async () => !(await reasons()).includes('ImageCacheUnchanged')), Infinity);
  t.is(told().length, 1);
  await stage.stop();
});

test('why there is no cache is said in status and Events: no right, no Secret, a wrong value, images that nobody has', async (t) => {
  const stage = await started((it) => it.allowSecretsIn('default'));
  const told = (part: RegExp) => stage.told.filter((line) => part.test(line)).length;
  await stage.apply('forbidden', { imagePullSecrets: ['secret-place:pull'] });
  await stage.apply('missing', { imagePullSecrets: ['default:pull'] });
  await stage.apply('wrong', { imageCacheSize: 5 });
  await stage.apply('failing', { images: ['nobody.invalid/x:1'] }, { 'k8s.aliyun.com/imc-os-type': 'windows' });
  t.not(await isPhase(stage, 'Failed', 'failing'), Infinity);
  t.is(await stage.phase('forbidden'), 'Pending');
  t.is(await stage.phase('missing'), 'Pending');
  t.is(await stage.phase('wrong'), 'Failed');
  t.is(told(/^Warning ImageCacheSecretForbidden: .*secret-place:pull; give its service account the right/u), 1);
  t.is(told(/^Warning ImageCacheSecretMissing: there is no Secret default:pull; create it/u), 1);
  t.is(told(/^Warning ImageCacheInvalid: spec.imageCacheSize: it is 5; write a whole number from 20 to 32768/u), 1);
  t.is(told(/^Warning ImageCacheFailed: imc-.*nobody\.invalid\/x:1/u), 1);
  t.is(told(/^Warning ChangedForECI: metadata.annotations\[k8s.aliyun.com\/imc-os-type\]/u), 1);
  t.is(stage.cloud.imageCaches().length, 1);
  // What was missing comes.
  await stage.kube.create(SECRET, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'default', name: 'pull' },
    data: {},
  });
  t.not(await isPhase(stage, 'Ready', 'missing'), Infinity);
  for (const name of ['forbidden', 'missing', 'wrong', 'failing']) await stage.remove(name);
  const isGone = async (name: string) => (await stage.object(name)) === undefined;
  for (const name of ['forbidden', 'missing', 'wrong', 'failing'])
    t.not(await stage.until(() => isGone(name)), Infinity, name);
  t.deepEqual(stage.cloud.imageCaches(), []);
  await stage.stop();
});

test('a refused request is told, and made again with another token; a cache that is gone is told, and not made again', async (t) => {
  const stage = await started();
  stage.cloud.inject({ action: 'CreateImageCache', fault: { effect: 'never', answer: { code: 'QuotaExceeded' } } });
  await stage.apply('sample');
  t.not(await isPhase(stage, 'Failed'), Infinity);
  t.regex((await stage.object('sample'))?.status?.events?.[0]?.message ?? '', /QuotaExceeded/u);
  t.not(await stage.until(async () => (await stage.phase('sample')) === 'Ready', 120_000), Infinity);
  t.is(stage.told.filter((line) => line.startsWith('Warning QuotaExceeded: ')).length, 1);
  const [cache] = stage.cloud.imageCaches();
  stage.cloud.world.removeImageCache(cache?.imageCacheId ?? '');
  t.not(await stage.until(async () => (await stage.phase('sample')) === 'Failed', 700_000), Infinity);
  t.true(stage.told.some((line) => line.startsWith('Warning ImageCacheGone: ')));
  await stage.pass(120_000);
  t.deepEqual(stage.cloud.imageCaches(), []);
  await stage.remove('sample');
  t.not(await stage.until(async () => (await stage.object('sample')) === undefined), Infinity);
  await stage.stop();
});

test('a cache whose object was taken away with its finalizer is deleted, and nothing that is not this cluster’s', async (t) => {
  const stage = await started();
  await stage.apply('sample');
  await stage.apply('stays');
  t.not(await isPhase(stage, 'Ready'), Infinity);
  const { imageCaches } = adapterOn(stage.cloud, stage.clock);
  const foreign = { imageCacheName: 'x', images: ['x'], securityGroupId: 'sg-1', vSwitchId: 'vsw-1' };
  const tags = [
    { key: 'knative-eip/cluster-uid', value: 'another' },
    { key: 'knative-eip/image-cache-uid', value: 'nobody' },
  ];
  for (const [clientToken, each] of Object.entries({ another: tags, untagged: tags.slice(1), cluster: [CLUSTER] }))
    await imageCaches.createImageCache({ ...foreign, clientToken, tags: each });
  const lost = (await stage.object('sample'))?.status?.imageCacheId;
  await stage.stop();
  await stage.kube.patch(IMAGE_CACHE, { name: 'sample' }, { type: 'merge', body: { metadata: { finalizers: null } } });
  await stage.remove('sample');
  t.is(await stage.object('sample'), undefined);
  // The first cannot be deleted at first, and keeps the second from nothing.
  const second = await imageCaches.createImageCache({
    ...foreign,
    clientToken: 'second',
    tags: [CLUSTER, { key: 'knative-eip/image-cache-uid', value: 'nobody' }],
  });
  stage.cloud.inject({
    action: 'DeleteImageCache',
    when: ({ parameters }) => parameters.get('ImageCacheId') === lost,
    fault: { effect: 'never', answer: { code: 'OperationDenied.InUse' } },
  });
  await stage.start();
  const isThere = (id = lost) => stage.cloud.imageCaches().some(({ imageCacheId }) => imageCacheId === id);
  await stage.pass(601_000);
  t.true(isThere() && isThere(second.imageCacheId), 'seen once');
  t.not(await stage.until(() => !isThere(second.imageCacheId), 601_000), Infinity);
  t.true(isThere(), 'not yet');
  t.not(await stage.until(() => !isThere(), 601_000), Infinity);
  t.is(stage.cloud.imageCaches().length, 4);
  await stage.stop();
});

test('what another controller has made is left alone, also where the status of an object names it', async (t) => {
  const stage = await started();
  const { imageCaches } = adapterOn(stage.cloud, stage.clock);
  const spec = { imageCacheName: 'x', images: ['x'], securityGroupId: 'sg-1', vSwitchId: 'vsw-1', tags: [] };
  const { imageCacheId } = await imageCaches.createImageCache({ ...spec, clientToken: 'theirs' });
  const name = 'theirs';
  await stage.stop();
  await stage.apply(name);
  const body = { status: { imageCacheId, phase: 'Ready' } };
  await stage.kube.patch(IMAGE_CACHE, { name }, { type: 'merge', subresource: 'status', body });
  await stage.apply('ours');
  await stage.kube.patch(
    IMAGE_CACHE,
    { name: 'ours' },
    { type: 'merge', body: { metadata: { finalizers: [IMAGE_CACHE_FINALIZER] } } },
  );
  await stage.kube.patch(IMAGE_CACHE, { name: 'ours' }, { type: 'merge', subresource: 'status', body });
  await stage.start();
  await stage.pass(60_000);
  t.true(stage.told.some((line) => line.startsWith('Warning ImageCacheOfAnother: ')));
  const untagged = () =>
    stage.told.filter((line) => line.startsWith(`Warning ImageCacheUntagged: ${imageCacheId} exists`));
  t.is(untagged().length, 1);
  for (const each of [name, 'ours']) await stage.remove(each);
  const isGone = async (each: string) => (await stage.object(each)) === undefined;
  t.not(await stage.until(() => isGone(name)), Infinity);
  // It may be the only record of a cache that costs money: somebody has to say that it is not.
  await stage.pass(120_000);
  t.is(untagged().length, 2);
  t.false(await isGone('ours'));
  await stage.kube.patch(IMAGE_CACHE, { name: 'ours' }, { type: 'merge', body: { metadata: { finalizers: null } } });
  t.not(await stage.until(() => isGone('ours')), Infinity);
  t.deepEqual(
    stage.cloud.imageCaches().map((cache) => cache.imageCacheId),
    [imageCacheId],
  );
  t.is(stage.cloud.calls()['DeleteImageCache'], undefined);
  await stage.stop();
});
