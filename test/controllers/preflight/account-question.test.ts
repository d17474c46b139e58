import test from 'ava';
import { CloudFault } from '../../../src/cloud/fault.ts';
import type { NetworkInterface } from '../../../src/cloud/port.ts';
import {
  complaintOf,
  ecsNodesOf,
  isQuestionDenied,
  evaluateAccount,
} from '../../../src/controllers/preflight/account.ts';
import { VPC, node, fault } from './account-fixture.ts';

test('only ECS nodes that are ready and have an IPv4 address are asked about', (t) => {
  const nodes = [
    node('z', 'alicloud://cn-x.i-9', '10.0.0.9'),
    node('a', 'cn-x.i-1', '10.0.0.1'),
    node('none', undefined, '10.0.0.2'),
    node('eci', 'cn-x.eci-1', '10.0.0.3'),
    node('other', 'aws:///us-east-1a/i-1', '10.0.0.4'),
    node('away', 'cn-x.i-5', '10.0.0.5', 'Unknown'),
    node('six', 'cn-x.i-6', 'fd00::6'),
    { ...node('new', 'cn-x.i-7', ''), status: undefined },
  ];
  t.deepEqual(ecsNodesOf(nodes), [
    { name: 'a', region: 'cn-x', instanceId: 'i-1', address: '10.0.0.1' },
    { name: 'z', region: 'cn-x', instanceId: 'i-9', address: '10.0.0.9' },
  ]);
});

const nobody = (): readonly NetworkInterface[] => [];

test('three nodes are asked about at a time, others the next time; one that is found is enough', async (t) => {
  const nodes = Array.from({ length: 5 }, (_, n) => node(`n${n}`, `cn-x.i-${n}`, `10.0.0.${n}`));
  const asked: string[] = [];
  let answer: (instanceId: string) => readonly NetworkInterface[] = nobody;
  const evaluated = (turn: number, region = 'cn-x') =>
    evaluateAccount(
      {
        cloud: {
          networkInterfacesOf: (instanceId) => {
            asked.push(instanceId);
            return new Promise((resolve) => resolve(answer(instanceId)));
          },
        },
        region,
        vpcId: VPC,
        nodes: () => nodes,
      },
      turn,
    );
  t.like(await evaluated(0), { kind: 'otherAccount' });
  t.deepEqual(asked.splice(0), ['i-0', 'i-1', 'i-2']);
  t.like(await evaluated(1), { kind: 'otherAccount' });
  t.deepEqual(asked.splice(0), ['i-3', 'i-4', 'i-0']);

  const eni = {
    networkInterfaceId: 'eni-1',
    status: 'InUse',
    vpcId: VPC,
    primaryIpAddress: '',
    privateIpAddresses: [],
  };
  answer = (instanceId) => (instanceId === 'i-1' ? [eni] : []);
  t.deepEqual(await evaluated(0), { kind: 'fits' });
  t.deepEqual(asked.splice(0), ['i-0', 'i-1']);

  // One that is found outweighs one that was not answered; otherwise nothing is known.
  answer = (instanceId) => {
    if (instanceId === 'i-1') return [eni];
    throw fault('Throttling');
  };
  t.deepEqual(await evaluated(0), { kind: 'fits' });
  answer = (instanceId) => {
    if (instanceId === 'i-1') throw fault('Throttling');
    return [];
  };
  await t.throwsAsync(evaluated(0), { instanceOf: CloudFault });
  // Instances of the account in other VPCs are evidence of another mistake.
  answer = (instanceId) => (instanceId === 'i-2' ? [{ ...eni, vpcId: 'vpc-9' }] : []);
  const other = await evaluated(0);
  t.like(other, { kind: 'otherVpc', vpcIds: ['vpc-9'] });
  t.is(
    complaintOf(other, { region: 'cn-x', vpcId: VPC }),
    'The nodes n0 (i-0, 10.0.0.0), n1 (i-1, 10.0.0.1), n2 (i-2, 10.0.0.2) are in vpc-9, but vpcID is vpc-1: correct vpcID',
  );
  answer = nobody;

  asked.length = 0;
  t.like(await evaluated(0, 'cn-y'), { kind: 'otherRegion' });
  nodes.push(node('away', 'cn-y.i-1', '10.1.0.1'));
  t.like(await evaluated(0, 'cn-y'), { kind: 'otherAccount' });
  t.deepEqual(asked, ['i-1'], 'nodes of other regions beside those of the configured one');
  t.is(complaintOf({ kind: 'fits' }, { region: 'cn-x', vpcId: VPC }), undefined);
});

test('only a RAM policy that does not allow this action is no reason to wait', (t) => {
  for (const code of ['Forbidden.RAM', 'Forbidden', 'NoPermission', 'UnauthorizedOperation', 'Forbidden.SubUser'])
    t.true(isQuestionDenied(fault(code, 'misconfigured')), code);
  // 403 without a code that anybody knows says the same, but for what is known to speak of the credentials
  // or the region.
  t.true(isQuestionDenied(fault('AccessDenied', 'misconfigured', undefined, 403)));
  for (const code of ['InvalidAccessKeyId.Inactive', 'InvalidSecurityToken.Expired', 'SignatureDoesNotMatch'])
    t.false(isQuestionDenied(fault(code, 'misconfigured', undefined, 403)), code);
  for (const code of ['ServiceNotEnabled', 'Forbidden.RegionNotFound', 'InvalidTimeStamp.Expired'])
    t.false(isQuestionDenied(fault(code, 'misconfigured', undefined, 403)), code);
  t.false(isQuestionDenied(fault('ENOTFOUND', 'misconfigured')));
  t.false(isQuestionDenied(fault('InvalidAccessKeyId.NotFound', 'misconfigured')));
  t.false(isQuestionDenied(fault('Forbidden.RegionNotFound', 'misconfigured')));
  t.false(isQuestionDenied(fault('Forbidden.RAM', 'misconfigured', 'DescribeEipAddresses')));
});
