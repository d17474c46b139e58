import test from 'ava';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import { createCredentials } from '../../src/cloud/credentials.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import type { ImageCacheSpec } from '../../src/cloud/image-caches.ts';
import { SecretText } from '../../src/config/secret.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { createSandboxCloud, sandboxCredential } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { serveCloud } from '../../src/sandbox/cloud/serve-cloud.ts';
import { adapterOn } from '../harness/cluster.ts';
import { seeded } from '../harness/random.ts';
import { bench } from './cloud-bench.ts';

const spec: ImageCacheSpec = {
  clientToken: 'token',
  imageCacheName: 'sample',
  images: ['centos:latest'],
  securityGroupId: 'sg-1',
  vSwitchId: 'vsw-1',
  retentionDays: 7,
  tags: [{ key: 'owner', value: 'us' }],
};
const OURS = { tags: spec.tags };
const SECOND = { minMs: 1_000, maxMs: 1_000 };

test('a cache is prepared, created and ready after its time; one that cannot be pulled fails, and says why', async (t) => {
  const { cloud, clock } = bench({ random: seeded(7), transitions: { imageCache: SECOND } });
  cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: 'vpc-1', cidrBlock: '10.1.0.0/24' });
  const { imageCaches } = adapterOn(cloud, clock);
  const { imageCacheId } = await imageCaches.createImageCache(spec);
  t.deepEqual(await imageCaches.createImageCache(spec), { imageCacheId }, 'the same token, the same cache');
  const states: string[] = [];
  for (let second = 0; second < 3; second += 1) {
    const [cache] = await imageCaches.describeImageCaches({ imageCacheId });
    states.push(`${cache?.status} ${cache?.progress}`);
    await clock.advance(1_000);
  }
  t.deepEqual(states, ['Preparing 0%', 'Creating 50%', 'Ready 100%']);
  await imageCaches.createImageCache({ ...spec, clientToken: 'other', images: ['nobody.invalid/x:1'] });
  await clock.advance(2_000);
  const all = await imageCaches.describeImageCaches(OURS);
  t.deepEqual(
    all.map(({ status }) => status),
    ['Ready', 'Failed'],
  );
  t.regex(all[1]?.events.at(-1)?.message ?? '', /nobody\.invalid\/x:1/u);
  t.is(Date.parse(all[0]?.expireDateTime ?? '') - Date.parse(all[0]?.creationTime ?? ''), 7 * 86_400_000);
  await imageCaches.deleteImageCache({ imageCacheId, clientToken: 'd1' });
  t.is((await imageCaches.describeImageCaches(OURS)).length, 1);
  const again = await t.throwsAsync(imageCaches.deleteImageCache({ imageCacheId, clientToken: 'd2' }), {
    instanceOf: CloudFault,
  });
  t.is(again.kind, 'gone');
});

test('image caches are served over HTTP', async (t) => {
  const cloud = createSandboxCloud({ clock: systemClock, random: systemRandom });
  cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: 'vpc-1', cidrBlock: '10.1.0.0/24' });
  const server = await serveCloud(cloud);
  t.teardown(() => server.close());
  const { accessKeyId, accessKeySecret } = sandboxCredential;
  const { imageCaches } = assembleCloud({
    clock: systemClock,
    region: 'cn-hangzhou',
    endpoints: { eci: server.url },
    credentials: createCredentials(
      { accessKeyId, accessKeySecret: new SecretText(accessKeySecret), env: {} },
      systemClock,
    ),
  });
  const { imageCacheId } = await imageCaches.createImageCache(spec);
  t.like((await imageCaches.describeImageCaches(OURS))[0], { imageCacheId, status: 'Ready', progress: '100%' });
  await imageCaches.deleteImageCache({ imageCacheId, clientToken: 'd1' });
  t.deepEqual(await imageCaches.describeImageCaches(OURS), []);
  const fault = await t.throwsAsync(imageCaches.createImageCache({ ...spec, vSwitchId: 'vsw-2' }), {
    instanceOf: CloudFault,
  });
  t.is(fault.kind, 'refused');
});
