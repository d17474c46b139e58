import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { endpointCandidates, type Product } from '../../src/cloud/alicloud/endpoint.ts';
import { createCloud } from '../../src/cloud/alicloud/vpc.ts';
import { createCredentials } from '../../src/cloud/credentials.ts';
import { createEndpointChoice, FAILURES } from '../../src/cloud/endpoint-choice.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { reaches } from '../../src/cloud/reach.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { server, settings } from './alicloud-fixture.ts';
import { ManualClock } from '../harness/clock.ts';
import { refusal, rpcServer } from './rpc-server.ts';

test.after.always(server.close);

const HOSTS: readonly (readonly [product: Product, region: string, hosts: readonly string[]])[] = [
  ['vpc', 'cn-beijing', ['vpc-vpc.cn-beijing', 'vpc.cn-beijing', 'vpc']],
  ['vpc', 'cn-hangzhou', ['vpc-vpc.cn-hangzhou', 'vpc.cn-hangzhou', 'vpc']],
  ['vpc', 'cn-shanghai-finance-1', ['vpc-vpc.cn-shanghai-finance-1', 'vpc.cn-shanghai-finance-1', 'vpc']],
  ['ecs', 'cn-beijing', ['ecs-vpc.cn-beijing', 'ecs.cn-beijing']],
  ['ecs', 'cn-hangzhou', ['ecs-vpc.cn-hangzhou', 'ecs-cn-hangzhou']],
  ['ecs', 'cn-hangzhou-finance', ['ecs-vpc.cn-hangzhou-finance', 'ecs.cn-hangzhou-finance', 'ecs']],
  ['ecs', 'cn-north-2-gov-1', ['ecs-vpc.cn-north-2-gov-1', 'ecs.cn-north-2-gov-1', 'ecs']],
  ['eci', 'cn-beijing', ['eci-vpc.cn-beijing', 'eci.cn-beijing']],
  [
    'eci',
    'cn-shanghai-finance-1',
    ['eci-vpc.cn-shanghai-finance-1', 'eci.cn-shanghai-finance-1', 'eci.cn-shanghai-finance'],
  ],
  ['sts', 'ap-southeast-6', ['sts-vpc.ap-southeast-6', 'sts.ap-southeast-6', 'sts']],
];

for (const [product, region, hosts] of HOSTS)
  test(`where the ${product} API may be in ${region}`, (t) => {
    t.deepEqual(
      endpointCandidates(product, region),
      hosts.map((host) => `${host}.aliyuncs.com`),
    );
  });

/** A choice among hosts of which some answer, after a while; and what was asked and told. */
const choosing = (answers: Readonly<Record<string, number>>) => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const told: string[] = [];
  const now = { ...answers };
  const choice = createEndpointChoice({
    clock,
    region: 'cn-beijing',
    reaches: async (host, timeoutMs) => {
      asked.push(host);
      const after = now[host];
      await clock.sleep(Math.min(after ?? timeoutMs, timeoutMs));
      return after !== undefined && after < timeoutMs;
    },
    onChosen: ({ host, isReached }) => told.push(`${host} ${isReached}`),
  });
  return { choice, advance: (ms: number) => clock.advance(ms), asked, told, now };
};
const INSIDE = 'vpc-vpc.cn-beijing.aliyuncs.com';
const OUTSIDE = 'vpc.cn-beijing.aliyuncs.com';

test('the host inside the VPC goes first, also where it is the slower one, and one look serves everybody', async (t) => {
  const { choice, advance, asked, told } = choosing({ [INSIDE]: 1_500, [OUTSIDE]: 10 });
  const hosts = Promise.all([choice.of('vpc'), choice.of('vpc')]);
  await advance(2_000);
  t.deepEqual(await hosts, [INSIDE, INSIDE]);
  t.is(await choice.of('vpc'), INSIDE);
  t.deepEqual(asked, [INSIDE, OUTSIDE, 'vpc.aliyuncs.com']);
  t.deepEqual(told, [`${INSIDE} true`]);
});

test('outside of a VPC it is the public host, after two seconds at most', async (t) => {
  const { choice, advance } = choosing({ [OUTSIDE]: 10 });
  const host = choice.of('vpc');
  await advance(2_000);
  t.is(await host, OUTSIDE);
});

test('where none answers, the public host is tried all the same, and all are looked at again after half a minute', async (t) => {
  const { choice, advance, asked, told, now } = choosing({});
  const host = choice.of('vpc');
  await advance(2_000);
  t.is(await host, OUTSIDE);
  t.is(await choice.of('vpc'), OUTSIDE);
  t.is(asked.length, 3);
  await advance(30_000);
  const again = choice.of('vpc');
  await advance(2_000);
  t.is(await again, OUTSIDE);
  t.deepEqual(told, [`${OUTSIDE} false`], 'the same is told once');
  now[INSIDE] = 5;
  await advance(30_000);
  const next = choice.of('vpc');
  await advance(2_000);
  t.is(await next, INSIDE);
  t.deepEqual(told, [`${OUTSIDE} false`, `${INSIDE} true`]);
});

test(`after ${FAILURES} calls in a row without an answer it is chosen anew, and an answer counts from the beginning`, async (t) => {
  const { choice, advance, asked, now } = choosing({ [INSIDE]: 5, [OUTSIDE]: 5 });
  const first = choice.of('vpc');
  await advance(10);
  t.is(await first, INSIDE);
  delete now[INSIDE];
  choice.failed('vpc');
  choice.failed('vpc');
  choice.answered('vpc');
  choice.failed('vpc');
  choice.failed('vpc');
  choice.failed('ecs');
  t.is(await choice.of('vpc'), INSIDE);
  choice.failed('vpc');
  const second = choice.of('vpc');
  await advance(2_000);
  t.is(await second, OUTSIDE);
  t.is(asked.length, 6);
});

const listen = async (t: ExecutionContext, server: Server): Promise<number> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

test.serial('reached is only who shows a certificate for its name that is trusted', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'knative-eip-tls-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const subject = ['-subj', '/CN=a', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2', '-out', certFile];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject], { stdio: 'ignore' });
  const cert = readFileSync(certFile, 'utf8');
  const secure = await listen(t, createTlsServer({ key: readFileSync(keyFile), cert }));
  const plain = await listen(
    t,
    createServer((socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n')),
  );
  const silent = await listen(t, createServer());
  t.false(await reaches('127.0.0.1', 2_000, secure), 'nobody vouches for it');
  const trusted = getCACertificates('default');
  t.teardown(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([...trusted, cert]);
  t.true(await reaches('127.0.0.1', 20_000, secure));
  t.false(await reaches('localhost', 20_000, secure), 'another name');
  t.false(await reaches('127.0.0.1', 20_000, plain), 'no TLS');
  t.false(await reaches('127.0.0.1', 100, silent), 'no answer in time');
  t.false(await reaches('127.0.0.1', 20_000, 1), 'no server');
  t.false(await reaches('no-such-host.invalid', 20_000, secure), 'no such name');
});

test.serial(
  'a client follows the choice: from a host that has gone to the next, and refusals are answers',
  async (t) => {
    const [one, two] = [await rpcServer(() => ({})), await rpcServer(() => ({}))];
    t.teardown(two.close);
    let host = `http://${one.host}`;
    const seen: string[] = [];
    const endpointChoice = {
      of: () => Promise.resolve(host),
      latest: () => host,
      failed: (product: Product) => void seen.push(`failed ${product}`),
      answered: (product: Product) => void seen.push(`answered ${product}`),
    };
    const cloud = createCloud({ ...settings, endpoints: undefined, endpointChoice });
    one.play(refusal(400, 'IncorrectEipStatus'));
    await t.throwsAsync(cloud.releaseEip('eip-1'), { instanceOf: CloudFault });
    await one.close();
    const fault = await t.throwsAsync(cloud.releaseEip('eip-1'), { instanceOf: CloudFault });
    t.true(fault?.message.includes(one.host), `the host is named: ${fault?.message}`);
    host = `http://${two.host}`;
    two.play(() => ({ RequestId: 'REQ-1' }));
    await cloud.releaseEip('eip-1');
    t.is(two.requests.length, 1);
    t.deepEqual(seen, ['answered vpc', 'failed vpc', 'answered vpc']);
  },
);

test('an endpoint of the configuration is asked, and nothing is chosen', async (t) => {
  const given = await rpcServer(() => ({ RequestId: 'REQ-1' }));
  t.teardown(given.close);
  const endpointChoice = {
    of: () => Promise.reject(new Error('nobody asks')),
    latest: () => undefined,
    failed: () => undefined,
    answered: () => undefined,
  };
  const cloud = createCloud({ ...settings, endpoints: { vpc: `http://${given.host}` }, endpointChoice });
  await cloud.releaseEip('eip-1');
  t.is(given.requests.length, 1);
});

test('RRSA asks STS where it can be reached, unless the configuration or the environment says where', async (t) => {
  const env = {
    ALIBABA_CLOUD_ROLE_ARN: 'acs:ram::1:role/eip',
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: 'acs:ram::1:oidc-provider/ack-rrsa-c1',
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: '/no/such/token',
  };
  const asks = async (more: object): Promise<readonly string[]> => {
    const asked: string[] = [];
    const endpointChoice = {
      of: (product: Product) => (asked.push(product), Promise.resolve('127.0.0.1:1')),
      latest: () => undefined,
      failed: (product: Product) => void asked.push(`failed ${product}`),
      answered: () => undefined,
    };
    const credentials = createCredentials({ env, enableRRSA: true, endpointChoice, ...more }, systemClock);
    await t.throwsAsync(credentials.get(), { instanceOf: CloudFault });
    return asked;
  };
  t.deepEqual(await asks({}), ['sts', 'failed sts']);
  t.deepEqual(await asks({ stsEndpoint: 'https://127.0.0.1:1' }), ['failed sts']);
  t.deepEqual(await asks({ env: { ...env, ALIBABA_CLOUD_STS_REGION: 'cn-beijing' } }), ['failed sts']);
});
