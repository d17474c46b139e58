import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { parse } from 'yaml';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import type { KubeObject, KubeTransport, Resource } from '../../src/kube/port.ts';
import { createReaderAuthorizer } from '../../src/kube/reader.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createApp } from '../../src/web/app.ts';
import { serve } from '../../src/web/http-server.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { controlPlaneAvailable, HOW_TO_GET_ONE, startControlPlane } from '../kube-api/real.ts';
import { ManualClock } from '../harness/clock.ts';

interface Review {
  readonly kind: string;
  readonly spec: { readonly token?: string; readonly user?: string; readonly groups?: string[] };
}

/** An API server that knows two tokens, one of which may read the metrics. */
const apiServer = () => {
  const asked: Review[] = [];
  const server = { asked, status: 201 };
  const transport: KubeTransport = ({ body = '' }) => {
    const review = JSON.parse(body) as Review;
    asked.push(review);
    const { token = '', user } = review.spec;
    const status =
      review.kind === 'TokenReview'
        ? /^(prometheus|stranger)$/.test(token)
          ? { authenticated: true, user: { username: token, groups: ['system:authenticated'] } }
          : { authenticated: false }
        : { allowed: user === 'prometheus' };
    const answer =
      server.status === 201
        ? { ...review, metadata: {}, status }
        : { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: server.status };
    return Promise.resolve({
      status: server.status,
      header: () => 'application/json',
      text: () => Promise.resolve(JSON.stringify(answer)),
      lines: async function* () {},
    });
  };
  return { server, transport };
};

const guarded = () => {
  const { server, transport } = apiServer();
  const clock = new ManualClock();
  return {
    server,
    clock,
    guard: createReaderAuthorizer({ kube: createKube({ transport, clock, qps: 0 }), clock, log: silentLog }),
  };
};

test('only whom the API server knows and allows to get /metrics may read them', async (t) => {
  const { server, guard } = guarded();
  t.is(await guard('Bearer prometheus'), 200);
  t.deepEqual(server.asked.at(-1)?.spec, {
    user: 'prometheus',
    groups: ['system:authenticated'],
    nonResourceAttributes: { path: '/metrics', verb: 'get' },
  } as object);
  t.is(await guard('Bearer stranger'), 403);
  t.is(await guard('Bearer made-up'), 401);
  const count = server.asked.length;
  for (const header of [undefined, '', 'Basic prometheus', 'Bearer', 'Bearer a b']) t.is(await guard(header), 401);
  t.is(server.asked.length, count, 'who shows no token is not worth a question');
});

test('an answer is believed for a while and then asked for again; a failure is not remembered', async (t) => {
  const { server, clock, guard } = guarded();
  for (let scrape = 0; scrape < 3; scrape += 1) t.is(await guard('Bearer prometheus'), 200);
  t.is(server.asked.length, 2);
  await clock.advance(61_000);
  server.status = 403;
  t.is(await guard('Bearer prometheus'), 503);
  server.status = 201;
  t.is(await guard('Bearer prometheus'), 200);
  t.is(server.asked.length, 5);
});

test('a flood of tokens waits for itself, is asked about a few at a time, and forgets nobody who may read', async (t) => {
  const { server, transport } = apiServer();
  const clock = new ManualClock();
  let gate = Promise.resolve();
  const held: KubeTransport = async (call) => {
    await gate;
    return transport(call);
  };
  const guard = createReaderAuthorizer({
    kube: createKube({ transport: held, clock, qps: 0 }),
    clock,
    log: silentLog,
  });
  const app = createApp({ exposition, guard, log: silentLog });
  const http = await serve(app, '127.0.0.1:0', systemClock);
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const statusOf = async (token: string, localAddress = '127.0.0.3') => {
    const headers = { authorization: `Bearer ${token}` };
    const call = request(`${http.url}/metrics`, { headers, localAddress, agent });
    const [response] = (await once(call.end(), 'response')) as [IncomingMessage];
    await text(response);
    return response.statusCode;
  };
  try {
    t.is(await statusOf('prometheus'), 200);
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    const flood = Array.from({ length: 20 }, (_, n) => statusOf(`held-${n}`));
    t.is(await Promise.race(flood), 503);
    t.is(await statusOf('prometheus'), 200, 'remembered');
    const other = statusOf('stranger', '127.0.0.4');
    resolve();
    t.is(await other, 403, 'another address waits for nobody of this one');
    t.true((await Promise.all(flood)).every((status) => status === 401 || status === 503));
    for (let n = 0; n < 1_100; n += 1) await guard(`Bearer bogus-${n}`, '127.0.0.3');
    const count = server.asked.length;
    t.is(await statusOf('prometheus'), 200);
    t.is(server.asked.length, count, 'a thousand refusals later, too');
  } finally {
    agent.destroy();
    await http.close();
  }
});

const exposition = () => Promise.resolve({ contentType: 'text/plain', body: 'up 1\n' });

test('/metrics asks the guard, and everything else does not', async (t) => {
  const { guard } = guarded();
  const app = createApp({ exposition, guard, log: silentLog });
  const server = await serve(app, '127.0.0.1:0', systemClock);
  try {
    const get = (path: string, authorization?: string) =>
      fetch(server.url + path, authorization === undefined ? {} : { headers: { authorization } });
    const refused = await get('/metrics');
    t.is(refused.status, 401);
    t.is(refused.headers.get('www-authenticate'), 'Bearer');
    t.is((await get('/metrics', 'Bearer stranger')).status, 403);
    const allowed = await get('/metrics', 'Bearer prometheus');
    t.is(await allowed.text(), 'up 1\n');
    t.is(allowed.headers.get('content-encoding'), 'gzip', 'compressed for those who take it');
    const plain = await fetch(`${server.url}/metrics`, {
      headers: { authorization: 'Bearer prometheus', 'accept-encoding': 'identity' },
    });
    t.is(plain.headers.get('content-encoding'), null);
    t.is((await get('/other')).status, 404);
  } finally {
    await server.close();
  }
});

interface Token extends KubeObject {
  readonly status: { readonly token: string };
}

const resource = (group: string, plural: string, kind = plural): Resource<KubeObject> => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: group === '',
});

const withPlane = controlPlaneAvailable() ? test : test.skip;

withPlane(
  `a real API server knows the tokens of service accounts, and who may get /metrics${controlPlaneAvailable() ? '' : ` – ${HOW_TO_GET_ONE}`}`,
  async (t) => {
    const plane = await startControlPlane();
    t.truthy(plane);
    if (!plane) return;
    const connection = await connect({ kubeconfigPath: plane.kubeconfig });
    try {
      const clock = systemClock;
      const kube = createKube({ transport: connection.calls, clock });
      const rbac = (name: string, file: string) =>
        kube.create(resource('rbac.authorization.k8s.io', name), parse(readFileSync(file, 'utf8')));
      const accounts = resource('', 'serviceaccounts', 'ServiceAccount');
      const tokenOf = async (name: string): Promise<string> => {
        await kube.create(accounts, { metadata: { name, namespace: 'default' } });
        const { status } = await kube.create(
          { ...accounts, plural: `serviceaccounts/${name}/token`, kind: 'TokenRequest' } as Resource<Token>,
          {
            apiVersion: 'authentication.k8s.io/v1',
            kind: 'TokenRequest',
            metadata: { namespace: 'default' },
            spec: {},
          },
        );
        return status.token;
      };
      await rbac('clusterroles', 'config/metrics/reader_role.yaml');
      await kube.create(resource('rbac.authorization.k8s.io', 'clusterrolebindings'), {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'reader' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'knative-eip-metrics-reader' },
        subjects: [{ kind: 'ServiceAccount', name: 'prometheus', namespace: 'default' }],
      });
      const [allowed, stranger] = [await tokenOf('prometheus'), await tokenOf('stranger')];
      const guard = createReaderAuthorizer({ kube, clock, log: silentLog });
      t.is(await guard(`Bearer ${allowed}`), 200);
      t.is(await guard(`Bearer ${stranger}`), 403);
      t.is(await guard('Bearer made-up'), 401);
    } finally {
      await connection.close();
      await plane.stop();
    }
  },
);
