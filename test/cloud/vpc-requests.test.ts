import Vpc from '@alicloud/vpc20160428';
import { $OpenApiUtil } from '@alicloud/openapi-core';
import test from 'ava';
import { createVpcClient, requests } from '../../src/cloud/alicloud/vpc-client.ts';

/** Every kind of value that the calls have: texts, numbers, switches, lists of texts and of tags. */
const VALUES = {
  regionId: 'cn-hangzhou',
  clientToken: 'token',
  allocationId: 'eip-1',
  instanceId: 'eni-1',
  bandwidthPackageId: 'cbwp-1',
  ipInstanceId: 'eip-1',
  bandwidth: '5',
  ISP: 'BGP',
  pageSize: 100,
  force: false,
  resourceId: ['eip-1', 'eip-2'],
  securityProtectionTypes: ['AntiDDoS_Enhanced'],
  tag: [{ key: 'a', value: '1' }],
  tagKey: ['a', 'b'],
};

test('each call of the VPC API asks for what the client of the SDK asks for', async (t) => {
  const asked: [action: string, query: unknown][] = [];
  const sdk = new Vpc.default(new $OpenApiUtil.Config({ regionId: 'cn-hangzhou', endpoint: 'vpc.example' }));
  Object.assign(sdk, {
    callApi: ({ action }: { action: string }, { query }: { query: unknown }) => {
      asked.push([action, query]);
      return Promise.resolve({ headers: {}, statusCode: 200, body: {} });
    },
  });
  const ours = createVpcClient((action, query) => {
    asked.push([action, query]);
    return Promise.resolve({ headers: {}, statusCode: 200, body: {} });
  });
  for (const [name, make] of Object.entries(requests)) {
    const call = `${name.charAt(0).toLowerCase()}${name.slice(1, -'Request'.length)}` as keyof typeof ours;
    const request = new make(VALUES) as never;
    await sdk[call](request);
    await ours[call](request);
    const [theirs, mine] = asked.splice(0);
    t.deepEqual(mine, theirs, name);
    t.true(Object.keys(mine?.[1] ?? {}).length > 1, name);
  }
  t.is(Object.keys(requests).length, Object.keys(ours).length);
});
