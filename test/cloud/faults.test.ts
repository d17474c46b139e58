import { inspect } from 'node:util';
import test from 'ava';
import { systemClock } from '../../src/lib/clock.ts';
import { createCloud, type AlicloudCloud } from '../../src/cloud/alicloud/vpc.ts';
import { SigningCredentials } from '../../src/cloud/credentials.ts';
import { CALL_TIMEOUT_MS } from '../../src/cloud/call-deadline.ts';
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
  raw,
  server,
  settings,
  silent,
  timedCloud,
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
