import test from 'ava';
import { createKube } from '../../src/kube/client.ts';
import type { ContainerGroup } from '../../src/cloud/container-groups.ts';
import type { KubeTransport } from '../../src/kube/port.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { serveKubelet } from '../../src/virtualnode/logs.ts';
import { encodeFrame, type Frame } from '../../src/virtualnode/streaming/spdy-frame.ts';
import { EXEC, ask, client } from './stream-fixture.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'uid-1', creationTimestamp: null },
  spec: {
    nodeName: 'virtual-1',
    containers: [
      { name: 'main', image: 'nginx' },
      { name: 'waiting', image: 'nginx' },
    ],
  },
};

/** An API server with one pod; `good` may create nodes/proxy, `weak` is known and may only read it. */
const transport: KubeTransport = ({ path, body = '{}' }) => {
  const { spec } = JSON.parse(body) as {
    spec?: { token?: string; user?: string; resourceAttributes?: { verb: string } };
  };
  const answer = path.endsWith('/tokenreviews')
    ? { status: { authenticated: ['good', 'weak'].includes(spec?.token ?? ''), user: { username: spec?.token } } }
    : path.endsWith('/subjectaccessreviews')
      ? { status: { allowed: spec?.user === 'good' || spec?.resourceAttributes?.verb === 'get' } }
      : path.endsWith('/pods/web')
        ? POD
        : undefined;
  const text = JSON.stringify(
    answer
      ? { metadata: { creationTimestamp: null }, ...answer }
      : {
          apiVersion: 'v1',
          kind: 'Status',
          status: 'Failure',
          code: 404,
          reason: 'NotFound',
          details: { name: 'none' },
        },
  );
  return Promise.resolve({
    status: answer ? (body === '{}' ? 200 : 201) : 404,
    header: () => undefined,
    text: () => Promise.resolve(text),
    lines: () => (async function* () {})(),
  });
};

const state = (name: string, now: 'Running' | 'Waiting') => ({
  name,
  image: '',
  ready: true,
  restartCount: 0,
  currentState: { state: now, ...(now === 'Waiting' && { reason: 'ImagePullBackOff' }) },
});

const GROUP: ContainerGroup = {
  containerGroupId: 'eci-1',
  containerGroupName: 'web',
  status: 'Running',
  tags: new Map(),
  events: [],
  containers: [state('main', 'Running'), state('waiting', 'Waiting')],
  initContainers: [],
};

const serve = () =>
  serveKubelet(
    {
      kube: createKube({ transport, clock, qps: 0 }),
      containerGroups: {
        describeContainerGroups: () => Promise.resolve([GROUP]),
        describeContainerLog: () => Promise.resolve(''),
        describeContainerGroupMetrics: () => Promise.resolve([]),
        // Nobody listens there.
        execContainerCommand: () => Promise.resolve({ webSocketUri: 'ws://127.0.0.1:1/exec/?s=secret' }),
      },
      clock,
      random,
      log: silentLog,
    },
    { nodeName: 'virtual-1', clusterUid: 'c', listen: { host: '127.0.0.1', port: 0 }, address: '127.0.0.1' },
  );

/** The handshake of a WebSocket (RFC 6455, 4.1). */
const webSocket = (headers: object) => ({
  method: 'GET',
  headers: {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    ...headers,
  },
});

test('streams are refused with a Status that says why, and asked about with the verb create', async (t) => {
  const endpoint = await serve();
  t.teardown(() => endpoint.close());
  const refused = async (path: string, more?: Parameters<typeof ask>[2]) => {
    const { rest, socket } = await ask(endpoint.port, path, more);
    socket.destroy();
    const { kind, code, message } = JSON.parse(rest.toString()) as { kind: string; code: number; message: string };
    t.is(kind, 'Status');
    return `${code} ${message}`;
  };
  t.regex(await refused(EXEC, { token: 'nobody' }), /^401 /);
  t.regex(await refused(EXEC, { token: 'weak' }), /^403 .*verb=create, .*\[proxy\]/);
  // To read is not to run commands, by GET neither.
  t.regex(await refused(EXEC, { token: 'weak', method: 'GET' }), /^403 /);
  t.regex(await refused(EXEC, { method: 'PUT' }), /^405 /);
  t.regex(await refused(EXEC, { headers: { upgrade: 'h2c' } }), /^400 .*speaks SPDY\/3\.1 and WebSocket, not "h2c"/);
  t.regex(await refused(EXEC, { headers: { upgrade: 'websocket' } }), /^405 /);
  t.regex(await refused(EXEC, { ...webSocket({}), token: 'weak' }), /^403 .*verb=create/);
  t.regex(await refused(EXEC, webSocket({ 'sec-websocket-key': 'short' })), /^400 .*no handshake of WebSocket 13/);
  t.regex(await refused(EXEC, webSocket({ 'sec-websocket-version': '8' })), /^400 .*no handshake of WebSocket 13/);
  const unknown = webSocket({ 'sec-websocket-protocol': 'v9.channel.k8s.io' });
  t.regex(await refused(EXEC, unknown), /^403 .*client supports \[v9\.channel/);
  for (const [query, words] of [
    ['', /^400 query parameter "port" is required/],
    ['?port=80,http', /^400 unable to parse "http" as a port/],
    ['?port=65536', /^400 unable to parse "65536" as a port/],
    [`?port=${Array(65).fill('80').join(',')}`, /^400 .*names 65 ports, and 64 are the most/],
  ] as const)
    t.regex(await refused(`/portForward/default/web${query}`, webSocket({})), words);
  const protocol = { 'x-stream-protocol-version': 'v1.channel.k8s.io, v9.channel.k8s.io' };
  t.regex(await refused(EXEC, { headers: protocol }), /^403 .*client supports \[v1\.channel\.k8s\.io, v9/);
  for (const path of ['/run/default/web/main', '/exec/default/web', '/exec/default/web/uid-1/main/x', '/exec//a', '/%'])
    t.regex(await refused(path), /^40[04] /, path);
  t.regex(await refused('/exec/default/web/main?command=true'), /^400 you must specify at least 1 of stdin/);
  t.regex(await refused('/exec/default/web/main?output=1'), /^400 there is no command/);
  t.regex(await refused('/exec/default/none/main?command=true&output=1'), /^404 pod does not exist/);
  t.regex(await refused('/exec/default/web/uid-2/main?command=true&output=1'), /^404 pod does not exist/);
  t.regex(await refused('/exec/default/web/other?command=true&output=1'), /^404 container not found \("other"\)/);
  t.regex(
    await refused('/exec/default/web/waiting?command=true&output=1'),
    /^400 container "waiting" in pod "web" is not running: it is Waiting \(ImagePullBackOff\)/,
  );
});

const isRefused = (id: number) => (frame: Frame) =>
  frame.type === 'rst-stream' && frame.streamId === id && frame.status === 3;

test('a command that cannot be run says so on the error stream, without the secret address', async (t) => {
  const endpoint = await serve();
  t.teardown(() => endpoint.close());
  const { head, socket, open, seen, frames, closed } = await client(endpoint.port);
  t.regex(head, /^HTTP\/1\.1 101 [\s\S]*X-Stream-Protocol-Version: v4\.channel\.k8s\.io/);
  socket.write(encodeFrame({ type: 'ping', id: 1 }));
  await seen(({ type }) => type === 'ping');
  await open(1, 'error');
  // Neither a stream that was not asked for, nor one for the second time.
  await open(3, 'stdin');
  await open(5, 'error');
  await seen(isRefused(3));
  await seen(isRefused(5));
  await open(7, 'stdout');
  const told = await seen((frame) => frame.type === 'data' && frame.streamId === 1 && frame.data.length > 0);
  const { status, message } = JSON.parse(told.type === 'data' ? told.data.toString() : '') as Record<string, string>;
  t.is(status, 'Failure');
  t.regex(message ?? '', /the WebSocket of the cloud cannot be opened/);
  t.notRegex(message ?? '', /secret/);
  for (const id of [1, 7]) await seen((frame) => frame.type === 'data' && frame.streamId === id && frame.fin);
  t.is(frames.filter(({ type }) => type === 'syn-reply').length, 2);
  socket.end();
  await closed;
});

test('a client that breaks the protocol, and the end of the endpoint, end a session', async (t) => {
  const endpoint = await serve();
  const wrong = await client(endpoint.port);
  wrong.socket.write(Buffer.from('800200060000000400000001', 'hex'));
  await wrong.closed;
  t.deepEqual(wrong.frames, [{ type: 'goaway', lastStreamId: 0, status: 1 }]);
  const waiting = await client(endpoint.port);
  await endpoint.close();
  await waiting.closed;
  t.pass();
});

test('there are 48 sessions at most, the one after that is told so, and a log can still be read', async (t) => {
  const endpoint = await serve();
  t.teardown(() => endpoint.close());
  const clients = [];
  for (let n = 0; n < 48; n += 1) clients.push(await client(endpoint.port));
  for (const { head } of clients) t.regex(head, / 101 /);
  const { head, rest, socket } = await ask(endpoint.port, EXEC);
  socket.destroy();
  t.regex(head, /^HTTP\/1\.1 429 /);
  t.regex(rest.toString(), /48 sessions already/);
  const logs = await ask(endpoint.port, '/containerLogs/default/web/main', {
    method: 'GET',
    headers: { connection: 'close', upgrade: '' },
  });
  t.regex(logs.head, /^HTTP\/1\.1 200 /);
  logs.socket.destroy();
  // Who leaves makes room.
  clients[0]?.socket.destroy();
  for (;;) {
    const next = await ask(endpoint.port, EXEC);
    next.socket.destroy();
    if (/ 101 /.test(next.head)) break;
  }
  for (const { socket: other } of clients) other.destroy();
});
