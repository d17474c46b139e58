import test from 'ava';
import type { CloudFault } from '../../src/cloud/fault.ts';
import { refusal } from './rpc-server.ts';
import type { Script } from './rpc-server.ts';
import { allocation, calls, cloud, faultOf, membership, server, unmapped } from './alicloud-fixture.ts';

test.after.always(() => server.close());

test.serial('errors become faults with kind, code, status and request ID', async (t) => {
  const cases: [string, Script, Partial<CloudFault>][] = [
    [
      'ReleaseEipAddress',
      refusal(404, 'InvalidAllocationId.NotFound'),
      { kind: 'gone', status: 404, requestId: 'REQ-1' },
    ],
    ['AssociateEipAddress', refusal(400, 'IncorrectEipStatus'), { kind: 'later' }],
    ['AssociateEipAddress', refusal(400, 'InvalidAssociation.Duplicated'), { kind: 'already' }],
    ['AllocateEipAddress', refusal(400, 'QuotaExceeded.Eip'), { kind: 'quota', code: 'QuotaExceeded.Eip' }],
    [
      'AllocateEipAddress',
      refusal(400, 'IdempotentParameterMismatch'),
      { kind: 'refused', code: 'IdempotentParameterMismatch' },
    ],
    ['AllocateEipAddress', refusal(500, 'InternalError'), { kind: 'unknown', status: 500 }],
    ['DescribeEipAddresses', refusal(503, 'ServiceUnavailable'), { kind: 'later', status: 503 }],
    [
      'AllocateEipAddress',
      refusal(400, 'Throttling.User', {}, { 'x-acs-retry-after': '1500' }),
      { kind: 'throttled', code: 'Throttling.User', retryAfterMs: 1500 },
    ],
    [
      'AllocateEipAddress',
      refusal(400, 'Throttling', {}, { 'x-acs-retry-after': '-1' }),
      { kind: 'throttled', retryAfterMs: undefined },
    ],
    [
      'AllocateEipAddress',
      refusal(400, 'Throttling', {}, { 'x-acs-retry-after': '1e9999999999' }),
      { kind: 'throttled', retryAfterMs: 1 },
    ],
    ['AllocateEipAddress', refusal(429, undefined as unknown as string), { kind: 'throttled', code: 'HTTP429' }],
    ['AllocateEipAddress', refusal(403, 'Forbbiden'), { kind: 'misconfigured', code: 'Forbbiden' }],
  ];
  for (const [action, script, expected] of cases) {
    server.play(script);
    t.like(await faultOf(calls[action]?.(cloud) ?? Promise.resolve()), { action, ...expected });
  }
  server.play((_request, response) => {
    response.writeHead(400, { 'content-type': 'text/xml;charset=utf-8' });
    response.end('<?xml version="1.0"?><Error><RequestId>REQ-2</RequestId><Code>TaskConflict</Code></Error>');
    return undefined;
  });
  t.like(await faultOf(cloud.releaseEip('eip-1')), { kind: 'later', code: 'TaskConflict', requestId: 'REQ-2' });
});

test.serial('leaving a package that the EIP is not in is success', async (t) => {
  server.play(refusal(400, 'OperationUnsupported.IpNotInCbwp'));
  await t.notThrowsAsync(cloud.leaveBandwidthPackage(membership));
  t.is((await faultOf(cloud.joinBandwidthPackage(membership))).kind, 'later');
});

const denied = (NoPermissionType: string) =>
  refusal(403, 'NoPermission', { AccessDeniedDetail: { AuthAction: 'vpc:TagResources', NoPermissionType } });

test.serial('an unknown code is counted, and a missing permission names the RAM action', async (t) => {
  unmapped.length = 0;
  server.play(refusal(400, 'Brand.NewCode'));
  t.is((await faultOf(cloud.releaseEip('eip-1'))).kind, 'unrecognized');
  server.play(refusal(404, 'Something.NotFound'));
  t.is((await faultOf(cloud.releaseEip('eip-1'))).kind, 'unrecognized');
  t.deepEqual(unmapped, [
    { action: 'ReleaseEipAddress', code: 'Brand.NewCode', status: 400 },
    { action: 'ReleaseEipAddress', code: 'Something.NotFound', status: 404 },
  ]);
  // Every action names its own, whether or not the answer has the detail.
  for (const [action, call] of Object.entries(calls)) {
    server.play(
      refusal(403, 'Forbidden.RAM', { Message: 'User not authorized to operate on the specified resource.' }),
    );
    const fault = await faultOf(call(cloud));
    t.is(fault.kind, 'misconfigured');
    const name = `${action === 'DescribeNetworkInterfaces' ? 'ecs' : 'vpc'}:${action}`;
    t.true(
      fault.message.endsWith(
        `User not authorized to operate on the specified resource: To grant it, add "${name}" to the RAM policy of the user or role that signs in.`,
      ),
      fault.message,
    );
  }
  // Allocating with tags also needs the right to tag: what the answer says is what is missing.
  server.play(denied('ImplicitDeny'));
  t.regex((await faultOf(cloud.allocateEip(allocation))).message, /add "vpc:TagResources" to the RAM policy/u);
  server.play(denied('ExplicitDeny'));
  t.regex((await faultOf(cloud.allocateEip(allocation))).message, /denies "vpc:TagResources": remove that Deny/u);
});

test.serial('the advice is for what the code says, not for the kind alone', async (t) => {
  const owner = { Message: 'The eip instance owner error' };
  for (const action of ['ReleaseEipAddress', 'AssociateEipAddress', 'UnassociateEipAddress']) {
    server.play(refusal(400, 'Forbidden', owner));
    const fault = await faultOf(calls[action]?.(cloud) ?? Promise.resolve());
    t.is(fault.kind, 'refused');
    t.regex(fault.message, /belongs to another account, or another cloud service manages it/u);
    t.notRegex(fault.message, /RAM policy/u);
  }
  const advice: readonly (readonly [code: string, status: number, text: RegExp])[] = [
    ['RealNameAuthenticationError', 403, /Register the real name of the account/u],
    ['OperationDenied.NotOpenDdosOriginProtectService', 400, /Activate Anti-DDoS Origin/u],
    ['InvalidVpcId.NotFound', 404, /Check vpcID of the configuration/u],
    ['Forbidden.RamRoleNotExist', 403, /ram:PassRole for it is missing/u],
    ['InsufficientBalance.Eip', 400, /Top up the account/u],
    ['PAY.INSUFFICIENT_BALANCE', 400, /Top up the account/u],
    ['Forbidden.FinancialLocked', 403, /locked for want of payment/u],
    ['OrderError.EIP', 400, /may not order this/u],
    ['COMMODITY.INVALID_COMPONENT', 400, /may not order this/u],
    ['OperationFailed.RiskControl', 400, /ask its support/u],
    ['QuotaExceeded.Eip', 400, /Release EIPs that nobody needs, or have the quota of EIPs raised/u],
    ['ReserveIpFail', 400, /ask for another line type, or wait/u],
    ['InvalidBandwidth.Malformed', 400, /Correct the bandwidth \(annotation eip-bandwidth\)/u],
    ['InvalidComponent.EipBandwidthMax', 400, /Correct the bandwidth/u],
    ['IllegalParam.Isp', 400, /Correct the line type \(annotation eip-isp\)/u],
    ['InvalidResourceGroupId', 404, /Correct the resource group/u],
    ['ResourceNotFound.PublicIpAddressPool', 404, /Correct the address pool/u],
    ['FrequentPurchase.EIP', 400, /knative\.holdOffSeconds/u],
    ['Brand.New', 400, /does not know this code.*within ten minutes/u],
  ];
  for (const [code, status, text] of advice) {
    server.play(refusal(status, code));
    t.regex((await faultOf(cloud.allocateEip(allocation))).message, text, code);
  }
  const ofActions: readonly (readonly [action: string, code: string, text: RegExp])[] = [
    ['AssociateEipAddress', 'UnsupportedFeature.EipBindPrefixIp', /turn prefix mode .* off/u],
    ['AssociateEipAddress', 'Mode.Conflict', /An EIP in another mode/u],
    ['AssociateEipAddress', 'InvalidAssociation.Duplicated', /The address has another EIP/u],
    ['AssociateEipAddress', 'OperationDenied.Unauthorized', /name one of your own/u],
    ['AddCommonBandwidthPackageIp', 'InvalidBandwidthPackage.NotExist', /Correct the bandwidth package/u],
    ['AddCommonBandwidthPackageIp', 'IpInstanceId.QuotaExceeded', /The bandwidth package is full/u],
    ['AddCommonBandwidthPackageIp', 'BandwidthPackage.FinancialLocked', /Pay for the bandwidth package/u],
    ['ReleaseEipAddress', 'InvalidOperation.DeletionProtection', /Turn its deletion protection off/u],
    ['ReleaseEipAddress', 'Forbidden.ChargeTypeIsPrepaid', /a subscription/u],
  ];
  for (const [action, code, text] of ofActions) {
    server.play(refusal(400, code));
    t.regex((await faultOf(calls[action]?.(cloud) ?? Promise.resolve())).message, text, code);
  }
  // What is refused to an action is not the endpoint's fault.
  server.play(refusal(400, 'InvalidAction.Denied'));
  t.notRegex((await faultOf(calls['AssociateEipAddress']?.(cloud) ?? Promise.resolve())).message, /endpoint/u);
});

const asking = async (code: string, status: number, call: () => Promise<unknown>): Promise<string> => {
  server.play(refusal(status, code));
  return (await faultOf(call())).message;
};

test.serial('a refusal says with which values it was asked, and a throttle or a missing right does not', async (t) => {
  const eip = { ...allocation, bandwidthMbps: 900, isp: 'BGP_PRO', publicIpAddressPoolId: 'pippool-1', name: 'hush' };
  const bought = await asking('InvalidBandwidth.Malformed', 400, () => cloud.allocateEip(eip));
  t.regex(bought, /: Asked for was an EIP of 900 Mbit\/s, PayBy\w+, line type BGP_PRO, pool pippool-1.*: Correct the/u);
  t.false(bought.includes('hush'));
  const words: Readonly<Record<string, RegExp>> = {
    AssociateEipAddress: /Asked for was to bind eip-\w+ at \d[\d.]+ of eni-\w+/u,
    UnassociateEipAddress: /Asked for was to unbind eip-\w+ at \d[\d.]+ of eni-\w+/u,
    ReleaseEipAddress: /Asked for was to release eip-\w+/u,
    AddCommonBandwidthPackageIp: /Asked for was to put eip-\w+ into cbwp-\w+/u,
    RemoveCommonBandwidthPackageIp: /Asked for was to take eip-\w+ out of cbwp-\w+/u,
    TagResources: /Asked for was to tag eip-\w+/u,
  };
  for (const [action, text] of Object.entries(words)) {
    const call = () => calls[action]?.(cloud) ?? Promise.resolve();
    t.regex(await asking('OperationDenied', 400, call), text);
    for (const [code, status] of [
      ['Throttling.User', 400],
      ['Forbidden.RAM', 403],
    ] as const)
      t.notRegex(await asking(code, status, call), /Asked for/u);
  }
});
