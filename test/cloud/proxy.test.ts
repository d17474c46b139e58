import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createCloud } from '../../src/cloud/alicloud/vpc.ts';
import { proxyAgentOf, sendThrough } from '../../src/cloud/proxy.ts';
import { reachesThrough } from '../../src/cloud/reach.ts';
import { CloudFault } from '../../src/cloud/fault.ts';
import { server, settings } from './alicloud-fixture.ts';

test.after.always(() => server.close());

const HOST = 'vpc.cn-beijing.example.com';

const listen = async (t: ExecutionContext, listener: Server): Promise<number> => {
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return (listener.address() as AddressInfo).port;
};

/** An API with a certificate for {@link HOST} and 127.0.0.1 that is trusted; what it was asked for. */
const api = async (t: ExecutionContext) => {
  const directory = mkdtempSync(join(tmpdir(), 'knative-eip-proxy-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const names = `subjectAltName=DNS:${HOST},IP:127.0.0.1`;
  const subject = ['-subj', '/CN=a', '-addext', names, '-days', '2', '-out', certFile];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject], { stdio: 'ignore' });
  const cert = readFileSync(certFile, 'utf8');
  const trusted = getCACertificates('default');
  t.teardown(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([...trusted, cert]);
  const actions: string[] = [];
  const port = await listen(
    t,
    createHttpsServer({ key: readFileSync(keyFile), cert }, (request, response) => {
      actions.push(String(request.headers['x-acs-action'] ?? request.method));
      response.end(JSON.stringify({ RequestId: 'REQ-1' }));
    }),
  );
  return { port, actions };
};

/** A proxy that leads every host to the port, and notes which it was asked for. */
const proxyTo = async (t: ExecutionContext, port: number) => {
  const asked: string[] = [];
  const proxy = createServer((client) => {
    client.once('data', (head) => {
      asked.push(head.toString().split(' ')[1] ?? '');
      const upstream = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(upstream).pipe(client);
      });
      upstream.on('error', () => client.destroy());
      client.on('close', () => upstream.destroy());
    });
  });
  return { url: `http://127.0.0.1:${await listen(t, proxy)}`, asked };
};

test.serial('calls go through the proxy of HTTPS_PROXY, and past it to the hosts of NO_PROXY', async (t) => {
  const { port, actions } = await api(t);
  const { url, asked } = await proxyTo(t, port);
  for (const [name, except] of [
    ['HTTPS_PROXY', 'NO_PROXY'],
    ['https_proxy', 'no_proxy'],
  ] as const) {
    const agent = proxyAgentOf({ [name]: url, [except]: '127.0.0.1' });
    if (!agent) return t.fail();
    const undo = await sendThrough(agent);
    try {
      await createCloud({ ...settings, endpoints: { vpc: `https://${HOST}` } }).releaseEip('eip-1');
      t.deepEqual(asked.splice(0), [`${HOST}:443`]);
      await createCloud({ ...settings, endpoints: { vpc: `https://127.0.0.1:${port}` } }).releaseEip('eip-1');
      t.deepEqual(asked.splice(0), []);
      t.true(await reachesThrough(agent)(HOST, 20_000));
      t.true(await reachesThrough(agent)('127.0.0.1', 20_000, port));
      t.false(await reachesThrough(agent)('another.example.com', 20_000), 'the certificate is for another name');
      // The connection to the first host is kept.
      t.is(asked.splice(0).at(-1), 'another.example.com:443');
    } finally {
      undo();
    }
  }
  t.deepEqual(actions, [
    'ReleaseEipAddress',
    'ReleaseEipAddress',
    'HEAD',
    'HEAD',
    'ReleaseEipAddress',
    'ReleaseEipAddress',
    'HEAD',
    'HEAD',
  ]);
  t.is(proxyAgentOf({ HTTP_PROXY: url }), undefined);
});

test.serial('a proxy that does not answer is a fault that names the host', async (t) => {
  const agent = proxyAgentOf({ HTTPS_PROXY: 'http://127.0.0.1:1' });
  if (!agent) return t.fail();
  const undo = await sendThrough(agent);
  t.teardown(undo);
  const cloud = createCloud({ ...settings, endpoints: { vpc: `https://${HOST}` } });
  const fault = await t.throwsAsync(cloud.describeEip('eip-1'), { instanceOf: CloudFault });
  t.true(fault?.message.includes(HOST), fault?.message);
  t.false(await reachesThrough(agent)(HOST, 20_000));
});
