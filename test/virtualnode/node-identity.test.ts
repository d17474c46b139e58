// The library of certificates asks for it, before it is loaded itself.
// oxlint-disable-next-line no-unassigned-import
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import test from 'ava';
import { NODE_CERTIFICATE } from '../../src/api/annotations.ts';
import { CRD } from '../../src/api/apiextensions.ts';
import { CERTIFICATE_SIGNING_REQUEST, type CertificateSigningRequest } from '../../src/api/csr.ts';
import { SECRET } from '../../src/api/core.ts';
import { createKube } from '../../src/kube/client.ts';
import type { KubeRequest, KubeResponse, KubeTransport } from '../../src/kube/port.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { LEASE } from '../../src/kube/lease.ts';
import { keepFromEviction } from '../../src/virtualnode/heartbeat.ts';
import { newNode, VIRTUAL_NODE } from '../../src/virtualnode/node.ts';
import { createNodeIdentity } from '../../src/virtualnode/node-identity.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { virtualNodeSettings } from '../harness/settings.ts';
import { until } from '../harness/until.ts';
import { SIGNING_REQUESTS } from './signing-requests.ts';

const NODE_NAME = 'virtual-1';
const SECRET_REF = { namespace: 'default', name: 'identity' };
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
/** How long the authority's certificates last: less than is asked for. */
const LIFE_MS = 3 * 3_600_000;
const HOUR_MS = 3_600_000;

const { plural } = CERTIFICATE_SIGNING_REQUEST;

class Killed extends Error {}

const unauthorized = (): KubeResponse => ({
  status: 401,
  header: () => undefined,
  text: () =>
    Promise.resolve(JSON.stringify({ kind: 'Status', status: 'Failure', message: 'Unauthorized', code: 401 })),
  lines: () => (async function* () {})(),
});

/** A cluster with an authority that signs when it is told to, and processes that want the identity of the node. */
const world = async () => {
  const clock = new ManualClock(Date.now());
  const server = createApiServer({ clock, random });
  const send = transport(server);
  const admin = createKube({ transport: send, clock, qps: 1e6, burst: 1e6 });
  await admin.create(CRD, SIGNING_REQUESTS);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const requests = () => admin.list(CERTIFICATE_SIGNING_REQUEST);
  const answerTo = (request: CertificateSigningRequest, status: object) =>
    admin.patch(
      CERTIFICATE_SIGNING_REQUEST,
      { name: request.metadata.name },
      { type: 'merge', subresource: 'status', body: { status } },
    );
  /** Approves and signs, for the key of the request or another one. */
  const sign = async (request: CertificateSigningRequest, other?: webcrypto.CryptoKey) => {
    const asked = new x509.Pkcs10CertificateRequest(Buffer.from(request.spec.request, 'base64').toString());
    const certificate = await x509.X509CertificateGenerator.create({
      subject: asked.subject,
      issuer: 'CN=kubernetes',
      publicKey: other ?? asked.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(clock.now()),
      notAfter: new Date(clock.now() + LIFE_MS),
    });
    await answerTo(request, {
      conditions: [{ type: 'Approved', status: 'True', reason: 'ByTest' }],
      certificate: Buffer.from(certificate.toString('pem')).toString('base64'),
    });
  };
  const events: string[] = [];
  const log = recordingLog();
  /** Who has sent each request that changed something, or read a request. */
  const asked: string[] = [];
  /** Whether API servers do not know the authority of the node's certificate. */
  let isRefusing = false;
  const setRefusing = (is: boolean) => {
    isRefusing = is;
  };
  /** @param dies whether the process dies before or after this write, by its number */
  const start = (mayUseServiceAccount = false, dies?: { readonly at: number; readonly when: 'before' | 'after' }) => {
    const stop = new AbortController();
    let writes = 0;
    const by =
      (who: string): KubeTransport =>
      async (request: KubeRequest) => {
        if (stop.signal.aborted) throw new Killed();
        const isWrite = request.method !== 'GET';
        if (isWrite) writes += 1;
        const isLast = isWrite && dies?.at === writes;
        if (isLast && dies?.when === 'before') stop.abort(new Killed());
        stop.signal.throwIfAborted();
        if (isWrite) asked.push(`${who} ${request.method} ${request.path.split('/').slice(3).join('/').split('?')[0]}`);
        const response = await send(request);
        if (isLast) stop.abort(new Killed());
        stop.signal.throwIfAborted();
        return response;
      };
    const own = by('service account');
    const identity = createNodeIdentity({
      connection: {
        calls: own,
        watches: own,
        as: (certificate) => {
          const asNode: KubeTransport = async (request) => {
            certificate();
            if (isRefusing) return unauthorized();
            return by('node')(request);
          };
          return { calls: asNode, watches: asNode, close: () => Promise.resolve() };
        },
      },
      kube: createKube({ transport: own, clock, qps: 1e6, burst: 1e6 }),
      clock,
      log,
      record: (about, { reason, note }) =>
        void events.push(`${about.kind} ${reason}${note.includes('(401)') ? ' (401)' : ''}`),
      nodeName: NODE_NAME,
      secret: SECRET_REF,
      mayUseServiceAccount,
    });
    const ended = identity.run(stop.signal);
    return {
      identity,
      /** As whom a request goes out; undefined while none may. */
      asWhom: async (): Promise<string | undefined> => {
        const before = asked.length;
        const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'a-' } });
        const contentType = 'application/json';
        await identity
          .calls({ method: 'POST', path: '/api/v1/namespaces/default/configmaps', contentType, body })
          .catch(() => undefined);
        return asked
          .slice(before)
          .find((line) => line.endsWith('/configmaps'))
          ?.split(' POST')[0];
      },
      isDead: () => stop.signal.aborted,
      kill: async () => {
        stop.abort(new Killed());
        await clock.advance(0);
        await ended;
      },
    };
  };
  /** Signing takes time of its own, beside that of the clock. */
  const passUntil = <T>(what: string, ask: () => Promise<T> | T, fits: (answer: T) => boolean) =>
    until(
      what,
      async () => {
        await clock.advance(5_000);
        return ask();
      },
      fits,
    );
  const keysIn = async () => Object.keys((await admin.get(SECRET, SECRET_REF))?.data ?? {}).toSorted();
  return { admin, clock, requests, answerTo, sign, setRefusing, events, log, asked, start, passUntil, keysIn };
};

test('a certificate is asked for by the service account and renewed by the node, before it ends', async (t) => {
  const { admin, clock, requests, sign, events, asked, start, passUntil, keysIn } = await world();
  await admin.create(VIRTUAL_NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE_NAME } });
  const { identity, asWhom, kill } = start();
  const [first] = await passUntil('it is asked for', requests, (all) => all.length === 1);
  t.is(first?.spec.signerName, 'kubernetes.io/kube-apiserver-client-kubelet');
  t.deepEqual(first?.spec.usages, ['digital signature', 'client auth']);
  t.is(first?.spec.expirationSeconds, 30 * 24 * 3_600);
  t.deepEqual(await keysIn(), ['next.key'], 'the key is kept before the request is made');
  t.is(await asWhom(), undefined);
  t.true(identity.isWaiting());
  t.is(identity.certifiedUntil(), undefined);
  await passUntil(
    'people are told',
    () => events,
    (all) => all.length === 2,
  );
  t.deepEqual(events, ['CertificateSigningRequest NodeCertificatePending', 'Node NodeCertificatePending']);
  const condition = async () =>
    (await admin.get(VIRTUAL_NODE, { name: NODE_NAME }))?.status?.conditions?.find(
      ({ type }) => type === NODE_CERTIFICATE,
    );
  t.like(await condition(), { status: 'False', reason: 'Pending' });
  t.regex(
    (await condition())?.message ?? '',
    /kubectl certificate approve node-csr-virtual-1-[0-9a-f]{16}; until then no pod/,
  );

  await sign(first!);
  await passUntil('it is used', () => identity.isCertified(), Boolean);
  await identity.usable;
  t.is(await asWhom(), 'node');
  const leftMs = (identity.certifiedUntil() ?? 0) - clock.now();
  t.true(leftMs > 2 * HOUR_MS && leftMs <= LIFE_MS, `${leftMs}`);
  t.deepEqual(await keysIn(), ['tls.crt', 'tls.key']);
  await passUntil('the Node says so', condition, (it) => it?.status === 'True');

  await clock.advance(1.8 * HOUR_MS);
  t.is((await requests()).length, 1, 'two thirds of its three hours are not over');
  await clock.advance(0.2 * HOUR_MS);
  const all = await passUntil('another is asked for', requests, (it) => it.length === 2);
  const next = all.find(({ metadata: { name } }) => name !== first?.metadata.name);
  t.deepEqual(
    asked.filter((line) => line.endsWith(plural)),
    [`service account POST v1/${plural}`, `node POST v1/${plural}`],
  );
  t.is(await asWhom(), 'node', 'the old one is good for another hour');
  await sign(next!);
  await passUntil('the new one is kept', keysIn, (keys) => !keys.includes('next.key'));
  t.is(await asWhom(), 'node');
  await clock.advance(1.2 * HOUR_MS);
  t.is(await asWhom(), 'node', 'when the old one has ended');
  await kill();
});

test('wherever the process dies, the next one goes on with the same key and the same request', async (t) => {
  let tried = 0;
  for (const when of ['before', 'after'] as const)
    for (let at = 1; ; at += 1) {
      const { requests, sign, start, passUntil, keysIn } = await world();
      const first = start(false, { at, when });
      // It dies by its write, or has its certificate without one more.
      await passUntil(
        'the first has died, or is done',
        async () => {
          const [open] = (await requests()).filter(({ status }) => !status?.certificate);
          if (open) await sign(open);
          return first.isDead() || first.identity.isCertified();
        },
        Boolean,
      );
      if (!first.isDead()) {
        t.is(at, 4, 'a key is kept, a request made, a certificate kept');
        await first.kill();
        break;
      }
      tried += 1;
      const next = start();
      await passUntil(
        'the next one has the certificate',
        async () => {
          const [open] = (await requests()).filter(({ status }) => !status?.certificate);
          if (open) await sign(open);
          return next.identity.isCertified();
        },
        Boolean,
      );
      t.is((await requests()).length, 1, `${when} write ${at}`);
      t.deepEqual(await keysIn(), ['tls.crt', 'tls.key']);
      await next.kill();
    }
  t.is(tried, 6);
});

test('a request that is denied is told of and made again once it is gone; a certificate of another key is not taken', async (t) => {
  const { admin, requests, answerTo, sign, events, log, start, passUntil, keysIn } = await world();
  const { identity, kill } = start();
  const [first] = await passUntil('it is asked for', requests, (all) => all.length === 1);
  await answerTo(first!, { conditions: [{ type: 'Denied', status: 'True', reason: 'No', message: 'not this one' }] });
  await passUntil(
    'people are told',
    () => events,
    (all) => all.includes('CertificateSigningRequest NodeCertificateRefused'),
  );
  t.regex(log.lines.join('\n'), /was refused \(Denied: not this one\)/);
  await admin.delete(CERTIFICATE_SIGNING_REQUEST, first!.metadata, { uid: first!.metadata.uid });
  const [second] = await passUntil('it is asked for again', requests, (all) => all.length === 1 && !all[0]?.status);
  t.is(second?.metadata.name, first?.metadata.name, 'the same key');
  const foreign = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  await sign(second!, foreign.publicKey);
  const all = await passUntil('another key is made', requests, (it) => it.length === 2);
  t.false(identity.isCertified());
  t.deepEqual(await keysIn(), ['next.key']);
  await sign(all.find(({ metadata: { name } }) => name !== first?.metadata.name)!);
  await passUntil('that one is taken', () => identity.isCertified(), Boolean);
  await kill();
});

test('the service account stands in only where it may, and only while there is no certificate', async (t) => {
  const { clock, requests, sign, log, start, passUntil } = await world();
  const { identity, asWhom, kill } = start(true);
  const [request] = await passUntil('it is asked for', requests, (all) => all.length === 1);
  t.is(await asWhom(), undefined, 'an approver gets a moment');
  await passUntil('it stands in', asWhom, (who) => who === 'service account');
  await identity.usable;
  t.regex(log.lines.join('\n'), /until then its service account does the work, as far as its roles go/);
  await sign(request!);
  await passUntil('the node speaks for itself', asWhom, (who) => who === 'node');
  await kill();

  // Where it may not: a certificate that has ended is as none.
  const strict = start();
  await passUntil('it is read from the Secret', () => strict.identity.isCertified(), Boolean);
  await clock.advance(LIFE_MS);
  await passUntil(
    'it has ended',
    () => strict.identity.isCertified(),
    (is) => !is,
  );
  t.is(await strict.asWhom(), undefined);
  t.true(strict.identity.isWaiting());
  await strict.kill();
});

test('a Node that is there has its heartbeat while the certificate is waited for, and none is made', async (t) => {
  const { admin, clock, requests, sign, asked, start, passUntil } = await world();
  const description = { ...virtualNodeSettings().description, name: NODE_NAME };
  const { identity, kill } = start();
  const stop = new AbortController();
  const kube = createKube({ transport: identity.heartbeats, clock, qps: 1e6, burst: 1e6 });
  const log = recordingLog();
  const kept = keepFromEviction({ kube, clock, log }, description, stop.signal);
  const [request] = await passUntil('the certificate is asked for', requests, (all) => all.length === 1);
  t.is(await admin.get(VIRTUAL_NODE, { name: NODE_NAME }), undefined);

  // The process before has left it, and the node-lifecycle controller has noticed.
  await admin.create(VIRTUAL_NODE, newNode(description));
  const body = { status: { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }] } };
  await admin.patch(VIRTUAL_NODE, { name: NODE_NAME }, { type: 'strategic', subresource: 'status', body });
  const lease = { namespace: 'kube-node-lease', name: NODE_NAME };
  const renewed = async () => (await admin.get(LEASE, lease))?.spec?.renewTime ?? '';
  const first = await passUntil('the Lease is renewed', renewed, (time) => time !== '');
  await passUntil('it is renewed again', renewed, (time) => time > first);
  const node = await admin.get(VIRTUAL_NODE, { name: NODE_NAME });
  t.is(node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  t.deepEqual(log.lines, []);
  t.true(asked.every((line) => line.startsWith('service account ')));
  t.true(identity.isWaiting(), 'nothing else goes on');

  await sign(request!);
  await passUntil(
    'it is the node’s',
    () => asked.at(-1),
    (line) => line === `node PATCH v1/namespaces/kube-node-lease/leases/${NODE_NAME}`,
  );
  stop.abort(new Error('enough'));
  await kept;
  await kill();
});

test('a certificate that API servers refuse is given up after a minute, and the service account asks for the next', async (t) => {
  const { clock, requests, sign, setRefusing, events, log, asked, start, passUntil, keysIn } = await world();
  const { identity, asWhom, kill } = start();
  const [first] = await passUntil('it is asked for', requests, (all) => all.length === 1);
  await sign(first!);
  await passUntil('it is used', () => identity.isCertified(), Boolean);
  // One of several API servers has just started: answers of the others count.
  for (const is of [true, false, true, false]) {
    setRefusing(is);
    await asWhom();
    await clock.advance(50_000);
  }
  t.true(identity.isCertified());
  t.is(await asWhom(), 'node');

  setRefusing(true);
  await passUntil('it is given up', asWhom, () => !identity.isCertified());
  t.regex(log.lines.join('\n'), /API servers have refused the certificate of the node for 60 s \(401\)/);
  t.true(identity.isWaiting());
  await passUntil(
    'people are told why',
    () => events.at(-1),
    (it) => it?.includes('(401)') === true,
  );
  const all = await passUntil('another is asked for', requests, (it) => it.length === 2);
  t.is(asked.filter((line) => line.endsWith(plural)).at(-1), `service account POST v1/${plural}`);
  t.deepEqual(await keysIn(), ['next.key', 'tls.crt', 'tls.key'], 'the next process may try it again');
  setRefusing(false);
  await sign(all.find(({ metadata: { name } }) => name !== first?.metadata.name)!);
  await passUntil('the new one is used', () => identity.isCertified(), Boolean);
  t.is(await asWhom(), 'node');
  t.deepEqual(await keysIn(), ['tls.crt', 'tls.key']);
  await kill();
});

test('whoever deletes the Secret gets another certificate, by the node itself; the one in use does until then', async (t) => {
  const { admin, requests, sign, asked, start, passUntil, keysIn } = await world();
  const { identity, asWhom, kill } = start();
  const [first] = await passUntil('it is asked for', requests, (all) => all.length === 1);
  await sign(first!);
  await passUntil('it is used', () => identity.isCertified(), Boolean);
  await admin.delete(SECRET, SECRET_REF, { uid: (await admin.get(SECRET, SECRET_REF))!.metadata.uid });
  const all = await passUntil('another is asked for', requests, (it) => it.length === 2);
  t.is(
    asked.filter((line) => line.endsWith(plural)).at(-1),
    `node POST v1/${plural}`,
    'so that nobody has to approve it',
  );
  t.deepEqual(await keysIn(), ['next.key'], 'the old one is not put back');
  t.is(await asWhom(), 'node');
  await sign(all.find(({ metadata: { name } }) => name !== first?.metadata.name)!);
  t.deepEqual(await passUntil('the new one is kept', keysIn, (keys) => keys.length === 2), ['tls.crt', 'tls.key']);
  await kill();
});
