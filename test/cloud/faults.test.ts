import { inspect } from 'node:util';
import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { createCloud, type AlicloudCloud } from '../../src/cloud/alicloud/vpc.ts';
import { SigningCredentials } from '../../src/cloud/credentials.ts';
import { CALL_TIMEOUT_MS } from '../../src/cloud/deadline.ts';
import type { CloudFault } from '../../src/cloud/fault.ts';
import type { AllocateEip } from '../../src/cloud/port.ts';
import { refusal } from './rpc-server.ts';
import type { Script, RpcRequest } from './rpc-server.ts';
import {
  AK,
  SK,
  TOKEN,
  allocation,
  at,
  calls,
  cloud,
  eipPage,
  faultOf,
  half,
  isRead,
  membership,
  raw,
  server,
  settings,
  silent,
  timedCloud,
  unmapped,
  wireEip,
} from './alicloud-fixture.ts';
import { ManualClock, settled } from '../harness/clock.ts';

test.after.always(() => server.close());

test.serial('answers that make no sense are unknown for mutations and later for reads, in every form', async (t) => {
  const nonsense: Record<string, Script> = {
    'HTML with 200': raw(200, '<html>secret page</html>', 'text/html'),
    'HTML with 502': raw(502, '<html>Bad Gateway</html>', 'text/html'),
    'an empty body': raw(200, ''),
    'no content': raw(204, ''),
    'cut JSON': raw(200, '{"RequestId":"REQ-1","Alloc'),
    'an array': raw(200, '[]'),
    null: raw(200, 'null'),
    'an empty object': raw(200, '{}'),
    'an empty object with 500': raw(500, '{}'),
    'a redirect with JSON': raw(302, '{"RequestId":"REQ-1","AllocationId":"eip-1","EipAddress":"47.0.0.1"}'),
    'null with 400': raw(400, 'null'),
    'XML without an error': raw(400, '<a/>', 'text/xml;charset=utf-8'),
    'a reset connection': (request) => {
      request.hangUp();
      return undefined;
    },
    'a reset after the headers': (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"RequestId"', () => request.hangUp());
      return undefined;
    },
  };
  for (const [name, script] of Object.entries(nonsense)) {
    for (const [action, call] of Object.entries(calls)) {
      server.play(script);
      const fault = await faultOf(call(cloud));
      t.is(fault.kind, isRead(action) ? 'later' : 'unknown', `${name}, ${action}: ${fault.message}`);
      t.false(fault.message.includes('secret page'));
    }
  }
});

test.serial('an answer whose deciding fields are wrong is not taken for an answer', async (t) => {
  const eips: Record<string, object> = {
    'no allocation ID': wireEip(''),
    'a number for an allocation ID': { ...wireEip('x'), AllocationId: 12 },
    'no allocation ID at all': { ...wireEip('x'), AllocationId: null },
    'no address': wireEip('eip-1', { IpAddress: 'pending' }),
    'no state': wireEip('eip-1', { Status: '' }),
    'a state with control characters': wireEip('eip-1', { Status: 'In\u0000Use' }),
    'a private address that is none': wireEip('eip-1', { PrivateIpAddress: 'eni' }),
    'a tag without a key': wireEip('eip-1', { Tags: { Tag: [{ Value: 'x' }] } }),
    'a tag twice': wireEip('eip-1', {
      Tags: {
        Tag: [
          { Key: 'a', Value: '1' },
          { Key: 'a', Value: '2' },
        ],
      },
    }),
    'tags that are no list': wireEip('eip-1', { Tags: { Tag: {} } }),
  };
  for (const [name, eip] of Object.entries(eips)) {
    server.play(() => eipPage([eip]));
    t.like(await faultOf(cloud.describeEip('eip-1')), { kind: 'later', code: 'UnreadableAnswer' }, name);
  }
  const pages: Record<string, object> = {
    'no count': eipPage([], null),
    'a negative count': eipPage([], -1),
    'a count of words': eipPage([], 'many'),
    'a count without a list': { RequestId: 'REQ-1', TotalCount: 1 },
    'an object for a list': { RequestId: 'REQ-1', TotalCount: 1, EipAddresses: { EipAddress: wireEip('eip-1') } },
    'a null in the list': { RequestId: 'REQ-1', TotalCount: 1, EipAddresses: { EipAddress: [null] } },
    'more than were asked for': eipPage([wireEip('eip-2')], 500),
    'the same EIP twice': eipPage([wireEip('eip-1'), wireEip('eip-1')]),
    'the same EIP twice, counted once': eipPage([wireEip('eip-1'), wireEip('eip-1')], 1),
  };
  for (const [name, page] of Object.entries(pages)) {
    server.play(() => page);
    t.is((await faultOf(cloud.describeEip('eip-1'))).kind, 'later', name);
  }
  server.play(() => ({ RequestId: 'REQ-1', EipAddress: '47.0.0.1' }));
  t.like(await faultOf(cloud.allocateEip(allocation)), { kind: 'unknown', code: 'UnreadableAnswer' });
});

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

test.serial('what cannot be sent is refused, and what is aborted is not sent', async (t) => {
  server.play(() => ({ RequestId: 'REQ-1' }));
  t.is((await faultOf(cloud.describeEip('eip-1,eip-2'))).kind, 'refused');
  t.is((await faultOf(cloud.releaseEip('eip-1&Force=true'))).kind, 'refused');
  t.is((await faultOf(cloud.allocateEip({ ...allocation, clientToken: 'x'.repeat(65) }))).kind, 'refused');
  t.is((await faultOf(cloud.allocateEip({ ...allocation, name: 'a\ud800' }))).kind, 'refused');
  await t.throwsAsync(cloud.releaseEip('eip-1', AbortSignal.abort(new Error('enough'))), { message: 'enough' });
  t.is(server.requests.length, 0);
});

test.serial('a host that refuses or does not exist is told apart from one that does not answer', async (t) => {
  t.like(await faultOf(at('http://127.0.0.1:1').releaseEip('eip-1')), { kind: 'later', code: 'ECONNREFUSED' });
  // The server speaks no TLS.
  t.is((await faultOf(at(`https://${server.host}`).describeEip('eip-1'))).kind, 'misconfigured');
  t.is((await faultOf(at(`https://${server.host}`).releaseEip('eip-1'))).kind, 'unknown');
});

test.serial('no call outlives its timeout, on a fresh and on a used connection, before and in the body', async (t) => {
  const timed = timedCloud();
  // Three calls, so that the connection has timers of earlier requests on it.
  server.play(() => ({ RequestId: 'REQ-1' }));
  await timed.cloud.releaseEip('eip-1');
  for (const script of [silent, half]) {
    server.play(script);
    t.is((await timed.outOfTime((on) => on.releaseEip('eip-1'))).kind, 'unknown');
    server.play(script);
    t.is((await timed.outOfTime((on) => on.describeEip('eip-1'))).kind, 'later');
  }
});

test.serial('no secret reaches a fault, wherever it was planted', async (t) => {
  const planted = [AK, SK, TOKEN, 'STS.NTplantedOtherKey', 'hunter2', 'eyJplanted.eyJplanted.sig'];
  const text =
    `Specified token ${TOKEN} and secret ${SK} of ${AK} and STS.NTplantedOtherKey in ` +
    `https://user:hunter2@example.com/?Signature=hunter2&x=1 POST /?SecurityToken=hunter2 ` +
    `Authorization: Bearer eyJplanted.eyJplanted.sig password=hunter2 "AccessKeySecret":"hunter2" x-acs-security-token:hunter2`;
  const everywhere = (status: number, code: string): Script =>
    refusal(status, code, {
      Message: text,
      Recommend: text,
      HostId: text,
      Description: text,
      AccessDeniedDetail: { AuthAction: text, EncodedDiagnosticMessage: text },
      RequestId: text,
      Data: { nested: text },
    });
  const scripts: Script[] = [
    everywhere(400, 'SignatureDoesNotMatch'),
    everywhere(400, 'IncompleteSignature'),
    everywhere(403, 'NoPermission'),
    everywhere(400, 'IncorrectEipStatus'),
    everywhere(400, text),
    everywhere(500, 'InternalError'),
    everywhere(400, 'Throttling'),
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(text);
      return undefined;
    },
    () => ({
      RequestId: text,
      AllocationId: text,
      EipAddress: text,
      TotalCount: 1,
      EipAddresses: { EipAddress: [text] },
    }),
    () => eipPage([wireEip(text, { Status: text })]),
    (request: RpcRequest) => {
      request.hangUp();
      return undefined;
    },
  ];
  const timed = timedCloud();
  const named: AllocateEip = { ...allocation, name: 'hunter2', description: SK };
  for (const [n, script] of [...scripts, silent].entries())
    for (const call of [(on: AlicloudCloud) => on.allocateEip(named), (on: AlicloudCloud) => on.describeEip('eip-1')]) {
      server.play(script);
      const fault = await (script === silent ? timed.outOfTime(call) : faultOf(call(cloud)));
      const shown = [fault.message, fault.stack, JSON.stringify(fault), inspect(fault, { depth: 9, showHidden: true })];
      for (const secret of planted)
        t.false(shown.join('\n').includes(secret), `script ${n}: ${secret} in ${fault.message}`);
      t.is(fault.cause, undefined);
      t.false(/[\p{Cc}]/u.test(fault.message));
    }
  t.false(inspect(settings.credentials, { depth: 9, showHidden: true }).includes(SK));
  t.false(JSON.stringify(await settings.credentials?.get()).includes(SK));
});

test.serial('a call that the SDK never ends is ended, and late credentials mean that nothing is sent', async (t) => {
  const clock = new ManualClock(0);
  let sent = 0;
  const callApi = () => {
    sent += 1;
    return new Promise<never>(() => undefined);
  };
  const base = { region: 'cn-beijing', clock, callApi };
  const stuck = createCloud(base);
  await stuck.warmUp();
  const release = faultOf(stuck.releaseEip('eip-1'));
  const describe = faultOf(stuck.describeEip('eip-1'));
  await clock.advance(CALL_TIMEOUT_MS);
  t.like(await release, { kind: 'unknown', code: 'RequestTimeout' });
  t.like(await describe, { kind: 'later', code: 'RequestTimeout' });
  t.is(sent, 2);

  const credentials = Promise.withResolvers<SigningCredentials>();
  const late = createCloud({
    ...base,
    credentials: {
      source: 'a slow one',
      get: () => credentials.promise,
      latest: () => undefined,
      discard: () => undefined,
    },
  });
  const unsent = faultOf(late.releaseEip('eip-1'));
  await clock.advance(CALL_TIMEOUT_MS);
  credentials.resolve(
    new SigningCredentials({ accessKeyId: 'a', accessKeySecret: 'b', securityToken: '', providerName: 'test' }),
  );
  await settled();
  t.like(await unsent, { kind: 'later', code: 'CredentialsTimeout' });
  t.is(sent, 2);
});

test.serial('credentials that the cloud does not accept are not tried again', async (t) => {
  let discarded = 0;
  let code = 'InvalidSecurityToken.Expired';
  const signing = new SigningCredentials({
    accessKeyId: 'a',
    accessKeySecret: 'b',
    securityToken: '',
    providerName: '',
  });
  const refused = createCloud({
    region: 'cn-beijing',
    clock: systemClock,
    callApi: () => Promise.reject(Object.assign(new Error('no'), { code, statusCode: 400, data: {} })),
    credentials: {
      source: 'a test',
      get: () => Promise.resolve(signing),
      latest: () => signing,
      discard: () => {
        discarded += 1;
      },
    },
  });
  t.is((await faultOf(refused.releaseEip('eip-1'))).kind, 'misconfigured');
  t.is(discarded, 1);
  code = 'IncorrectEipStatus';
  await faultOf(refused.releaseEip('eip-1'));
  t.is(discarded, 1);
});
