import test from 'ava';
import { createImageCaches } from '../../src/cloud/alicloud/image-cache-calls.ts';
import type { ImageCacheSpec } from '../../src/cloud/image-caches.ts';
import { faultOf, server, settings } from './alicloud-fixture.ts';
import { refusal } from './rpc-server.ts';

test.after.always(() => server.close());

const caches = createImageCaches(settings);
const PASSWORD = 'planted registry password';
const plain: ImageCacheSpec = {
  clientToken: 'token',
  imageCacheName: 'sample',
  images: ['centos:latest', 'busybox:latest'],
  securityGroupId: 'sg-1',
  vSwitchId: 'vsw-1',
  tags: [{ key: 'owner', value: 'us' }],
};

test.serial(
  'a cache is asked for in the words of CreateImageCache, and nothing that was left out is sent',
  async (t) => {
    server.play(() => ({ RequestId: 'REQ-1', ImageCacheId: 'imc-1', ContainerGroupId: 'eci-1' }));
    t.deepEqual(await caches.createImageCache(plain), { imageCacheId: 'imc-1' });
    const query = {
      RegionId: 'cn-beijing',
      ClientToken: 'token',
      ImageCacheName: 'sample',
      'Image.1': 'centos:latest',
      'Image.2': 'busybox:latest',
      SecurityGroupId: 'sg-1',
      VSwitchId: 'vsw-1',
      'Tag.1.Key': 'owner',
      'Tag.1.Value': 'us',
    };
    t.deepEqual(server.requests[0]?.query, query);
    await caches.createImageCache({
      ...plain,
      sizeGiB: 25,
      retentionDays: 7,
      resourceGroupId: 'rg-1',
      reusesLayers: true,
      flash: true,
      plainHttpRegistries: ['a', 'b'],
      insecureRegistries: ['c'],
      acrInstances: [{ instanceId: 'cri-1', regionId: 'cn-beijing' }],
      registryCredentials: [{ server: 's', userName: 'u', password: PASSWORD }],
    });
    t.deepEqual(server.requests[1]?.query, {
      ...query,
      ImageCacheSize: '25',
      RetentionDays: '7',
      ResourceGroupId: 'rg-1',
      AutoMatchImageCache: 'true',
      Flash: 'true',
      PlainHttpRegistry: 'a,b',
      InsecureRegistry: 'c',
      'AcrRegistryInfo.1.InstanceId': 'cri-1',
      'AcrRegistryInfo.1.RegionId': 'cn-beijing',
      'ImageRegistryCredential.1.Server': 's',
      'ImageRegistryCredential.1.UserName': 'u',
      'ImageRegistryCredential.1.Password': PASSWORD,
    });
  },
);

test.serial('what cannot be meant is refused before anything is sent, and no fault repeats a password', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1', ImageCacheId: 'imc-1' }));
  const wrong: Promise<unknown>[] = [
    { ...plain, clientToken: '' },
    { ...plain, vSwitchId: 'vsw-1,vsw-2' },
    { ...plain, images: [] },
    { ...plain, images: Array.from({ length: 21 }, (_, n) => `image-${n}`) },
  ].map((spec) => caches.createImageCache(spec));
  for (const call of [
    ...wrong,
    caches.describeImageCaches({ tags: [] }),
    caches.describeImageCaches({ imageCacheId: '' }),
  ])
    t.is((await faultOf(call)).code, 'InvalidParameter.Local');
  t.is(server.requests.length, 0);
  server.play(refusal(400, 'InvalidParameter', { Message: `not valid: ${PASSWORD}` }));
  const credentials = [{ server: 's', userName: 'u', password: PASSWORD }];
  const fault = await faultOf(caches.createImageCache({ ...plain, registryCredentials: credentials }));
  t.is(fault.kind, 'refused');
  t.regex(fault.message, /an image cache of centos:latest and busybox:latest/u);
  t.false(`${fault.message} ${fault.stack}`.includes(PASSWORD));
});

const wireCache = (id: string, owner = 'us') => ({
  ImageCacheId: id,
  Status: 'Ready',
  Tags: [{ Key: 'owner', Value: owner }],
});

test.serial('a list is read page by page, and what the filter does not mean is left out', async (t) => {
  const pages = [
    {
      RequestId: 'REQ-1',
      NextToken: 'more',
      ImageCaches: [
        {
          ...wireCache('imc-1'),
          Progress: '100%',
          CreationTime: '2026-11-20T10:00:00Z',
          ExpireDateTime: '',
          Events: [{ Type: 'Normal', Reason: 'Pulled', Message: 'm', Count: 2, LastTimestamp: 'l' }],
        },
        wireCache('imc-2', 'others'),
      ],
    },
    { RequestId: 'REQ-2', ImageCaches: [wireCache('imc-3')] },
  ];
  server.play(() => pages.shift() ?? {});
  const [first, ...others] = await caches.describeImageCaches({ tags: plain.tags });
  t.deepEqual(first, {
    imageCacheId: 'imc-1',
    status: 'Ready',
    progress: '100%',
    creationTime: '2026-11-20T10:00:00Z',
    expireDateTime: undefined,
    tags: new Map([['owner', 'us']]),
    events: [
      { type: 'Normal', reason: 'Pulled', message: 'm', count: 2, firstTimestamp: undefined, lastTimestamp: 'l' },
    ],
  });
  t.deepEqual(
    others.map(({ imageCacheId }) => imageCacheId),
    ['imc-3'],
  );
  t.is(server.requests[1]?.query['NextToken'], 'more');
  server.play(() => ({ RequestId: 'REQ-3', ImageCaches: [wireCache('imc-1'), wireCache('imc-9')] }));
  t.is((await caches.describeImageCaches({ imageCacheId: 'imc-9' })).length, 1);
  server.play(refusal(404, 'InvalidImageCacheId.NotFound'));
  t.deepEqual(await caches.describeImageCaches({ imageCacheId: 'imc-9' }), []);
  // One that nobody could delete any more if it were left out silently.
  server.play(() => ({ RequestId: 'REQ-4', ImageCaches: [{ ImageCacheId: '', Status: 'Ready' }] }));
  t.is((await faultOf(caches.describeImageCaches({ tags: plain.tags }))).code, 'UnreadableAnswer');
  server.play(() => ({ RequestId: 'REQ-5', ImageCaches: [], NextToken: 'round' }));
  t.is((await faultOf(caches.describeImageCaches({ tags: plain.tags }))).code, 'InconsistentPages');
});
