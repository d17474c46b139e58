import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { NODE_CERTIFICATE } from '../../src/api/annotations.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { createKube } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connect.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { serveKube } from '../../src/sandbox/kube/serve-kube.ts';
import { kubeconfig } from '../../src/sandbox/kube/write-kubeconfig.ts';
import { VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { createNodeIdentity } from '../../src/virtualnode/node-identity.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { until } from '../harness/until.ts';
import { SIGNING_REQUESTS } from './signing-requests.ts';

/* An API server, over HTTP, that lets nobody ask for a certificate: by an admission policy, or a webhook that fails. */

const NODE_NAME = 'virtual-1';
const NODE = { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE_NAME } };

const ANSWERS = {
  policy: {
    status: 403,
    reason: 'Forbidden',
    message:
      'certificatesigningrequests.certificates.k8s.io "node-csr" is forbidden: ValidatingAdmissionPolicy "no-csr" with binding "all" denied request: people only',
  },
  webhook: {
    status: 500,
    reason: 'InternalError',
    message: 'Internal error occurred: failed calling webhook "csr.example.com": context deadline exceeded',
  },
} as const;

const cluster = async (t: ExecutionContext, { status, reason, message }: (typeof ANSWERS)[keyof typeof ANSWERS]) => {
  const clock = new ManualClock(Date.now());
  const server = createApiServer({ clock, random });
  const folder = await mkdtemp(join(tmpdir(), 'eip-refused-'));
  const api = await serveKube(
    {
      ...server,
      handle: async (call) =>
        call.method === 'POST' && call.path.includes('/certificatesigningrequests')
          ? {
              status,
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({
                kind: 'Status',
                apiVersion: 'v1',
                status: 'Failure',
                reason,
                message,
                code: status,
              }),
            }
          : server.handle(call),
    },
    { host: '127.0.0.1', port: 0 },
  );
  const kubeconfigPath = join(folder, 'kubeconfig');
  await writeFile(kubeconfigPath, kubeconfig(api.url));
  const connection = await connect({ kubeconfigPath });
  t.teardown(async () => {
    await connection.close();
    await api.close();
    await rm(folder, { recursive: true });
  });
  // Answers take time of their own, beside that of the clock.
  const kube = createKube({ transport: connection.calls, clock: systemClock, qps: 0 });
  await kube.create(CRD, SIGNING_REQUESTS);
  return { clock, kube, connection };
};

const identityIn = (
  { clock, kube, connection }: Awaited<ReturnType<typeof cluster>>,
  mayUseServiceAccount: boolean,
) => {
  const log = recordingLog();
  const events: string[] = [];
  const stop = new AbortController();
  const identity = createNodeIdentity({
    connection,
    kube,
    clock,
    log,
    record: (about, { reason, note }) => void events.push(`${about.kind} ${reason}: ${note}`),
    nodeName: NODE_NAME,
    secret: { namespace: 'default', name: 'identity' },
    mayUseServiceAccount,
  });
  const ended = identity.run(stop.signal);
  const end = async () => {
    stop.abort(new Error('enough'));
    await clock.advance(0);
    await ended;
    await identity.close();
  };
  const pass = <T>(what: string, ask: () => Promise<T> | T, fits: (answer: T) => boolean) =>
    until(
      what,
      async () => {
        await clock.advance(5_000);
        return ask();
      },
      fits,
    );
  return { identity, log, events, end, pass };
};

for (const [what, answer] of Object.entries(ANSWERS)) {
  test(`where no request can be made (${what}) the service account stands in, and the API server’s words are told`, async (t) => {
    const world = await cluster(t, answer);
    const { identity, log, events, end, pass } = identityIn(world, true);
    const condition = async () =>
      (await world.kube.get(VIRTUAL_NODE, { name: NODE_NAME }))?.status?.conditions?.find(
        ({ type }) => type === NODE_CERTIFICATE,
      );
    await pass(
      'it stands in',
      () => identity.isWaiting(),
      (is) => !is,
    );
    await identity.usable;
    t.false(identity.isCertified());
    t.true(
      log.lines.some((line) => line.includes(answer.message)),
      log.lines.join('\n'),
    );
    t.deepEqual(events, [], 'there is no Node to say it of');

    // Its own first request, as registration makes it.
    const made = createKube({ transport: identity.calls, clock: systemClock, qps: 0 }).create(VIRTUAL_NODE, NODE);
    t.is((await made).metadata.name, NODE_NAME);
    const shown = await pass('the Node says why', condition, (it) => it !== undefined);
    t.like(shown, { status: 'False', reason: 'Refused' });
    t.true(shown?.message.includes(answer.message), shown?.message);
    t.regex(shown?.message ?? '', /until then its service account does the work/);
    await pass(
      'so does an Event',
      () => events,
      (all) => all.length > 0,
    );
    await world.clock.advance(60_000);
    t.is(events.length, 1, 'once');
    t.true(events[0]?.startsWith('Node NodeCertificateRefused: ') && events[0].includes(answer.message), events[0]);
    await end();
  });
}

test('where it may not stand in, nothing is sent, and the Node says why', async (t) => {
  const world = await cluster(t, ANSWERS.policy);
  await world.kube.create(VIRTUAL_NODE, NODE);
  const { identity, events, end, pass } = identityIn(world, false);
  await pass(
    'it is told',
    () => events,
    (all) => all.length > 0,
  );
  t.true(identity.isWaiting());
  t.true(
    events[0]?.includes(ANSWERS.policy.message) && events[0].endsWith('until then no pod runs on the node'),
    events[0],
  );
  await t.throwsAsync(identity.calls({ method: 'GET', path: '/api/v1/namespaces' }), {
    message: 'The virtual node has no certificate',
  });
  await end();
});
