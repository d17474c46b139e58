// The library of certificates asks for it, before it is loaded itself.
// oxlint-disable-next-line no-unassigned-import
import 'reflect-metadata';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import test, { type ExecutionContext } from 'ava';
import type { Kube } from '../../src/kube/port.ts';
import { systemRandom } from '../../src/lib/random.ts';
import type { KubeletEndpointSettings } from '../../src/virtualnode/logs.ts';
import { serveKubelet } from '../../src/virtualnode/logs.ts';
import { bundleOf, renew } from '../../src/webhook/certificates.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';

const ADDRESS = '127.0.0.1';

const nothing = () => Promise.resolve([]);

/**
 * An endpoint whose API server knows no tokens and lets `kube-apiserver` do everything, and remembers who was asked
 * about.
 */
const endpoint = async (t: ExecutionContext, settings: Partial<KubeletEndpointSettings>) => {
  const clock = new ManualClock();
  const log = recordingLog();
  const asked: { readonly user?: string; readonly groups?: readonly string[] }[] = [];
  const kube = {
    create: (resource: { kind: string }, { spec }: { spec: { user?: string; groups?: readonly string[] } }) => {
      if (resource.kind === 'TokenReview') return Promise.resolve({ status: { authenticated: false } });
      asked.push(spec);
      return Promise.resolve({ status: { allowed: spec.user === 'kube-apiserver' } });
    },
  } as unknown as Kube;
  const containerGroups = {
    describeContainerGroups: nothing,
    describeContainerLog: () => Promise.resolve(''),
    describeContainerGroupMetrics: nothing,
    execContainerCommand: () => Promise.reject(new Error('nobody asks for it')),
  };
  const served = await serveKubelet(
    { kube, containerGroups, clock, random: systemRandom, log },
    { nodeName: 'virtual-1', clusterUid: 'c', listen: { host: ADDRESS, port: 0 }, address: ADDRESS, ...settings },
  );
  t.teardown(() => served.close());
  /** The answer to GET /healthz, or why there is none. */
  const get = async (options: object): Promise<string> => {
    const call = request({ host: ADDRESS, port: served.port, path: '/healthz', agent: false, ...options });
    try {
      const [response] = (await once(call.end(), 'response')) as [IncomingMessage];
      return `${response.statusCode} ${await text(response)}`;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
  };
  return { clock, log, asked, get };
};

/** An authority of clients, and a certificate of it for a client. */
const clientAuthority = async () => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keysOf = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const validity = { notBefore: new Date(Date.now() - 86_400_000), notAfter: new Date(Date.now() + 86_400_000) };
  const keys = await keysOf();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=clients',
    keys,
    signingAlgorithm: algorithm,
    ...validity,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const certify = async (subject: string) => {
    const own = await keysOf();
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: authority.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      ...validity,
      extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
    });
    const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY');
    return { cert: certificate.toString('pem'), key };
  };
  return { ca: authority.toString('pem'), certify };
};

test('under --kubelet-certificate-authority the certificate of the files is accepted, and a renewed one is taken over', async (t) => {
  const authority = await renew(undefined, [ADDRESS], Date.now());
  let files = authority.leaf;
  const { get, clock, log } = await endpoint(t, { certificate: () => files });
  const ca = bundleOf(authority);
  t.is(await get({ ca }), '401 Unauthorized');
  const next = await renew(undefined, [ADDRESS], Date.now());
  t.is(await get({ ca: bundleOf(next) }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  files = { cert: 'half a file', key: next.leaf.key };
  await clock.advance(61_000);
  t.is(await get({ ca }), '401 Unauthorized', 'what cannot be used is not taken');
  t.is(log.lines.filter((line) => /keeps its certificate/.test(line)).length, 1);
  await clock.advance(61_000);
  t.is(log.lines.filter((line) => /keeps its certificate/.test(line)).length, 1, 'told once');
  files = next.leaf;
  await clock.advance(61_000);
  t.is(await get({ ca: bundleOf(next) }), '401 Unauthorized');
});

test('without files the certificate is one that nobody can check, as a kubelet’s', async (t) => {
  const { get } = await endpoint(t, {});
  t.is(await get({}), 'DEPTH_ZERO_SELF_SIGNED_CERT');
  t.is(await get({ rejectUnauthorized: false }), '401 Unauthorized');
});

test('an API server shows its certificate: its name and organizations are what is asked about', async (t) => {
  const { ca, certify } = await clientAuthority();
  const authority = await renew(undefined, [ADDRESS], Date.now());
  let files = authority.leaf;
  const { get, asked, clock } = await endpoint(t, { clientCA: ca, certificate: () => files });
  const server = { ca: bundleOf(authority) };
  const apiServer = await certify('CN=kube-apiserver,O=system:masters,O=second');
  t.is(await get({ ...server, ...apiServer }), '200 ok');
  t.like(asked[0], { user: 'kube-apiserver', groups: ['system:masters', 'second', 'system:authenticated'] });
  t.regex(await get({ ...server, ...(await certify('CN=somebody')) }), /^403 Forbidden/);
  t.is(await get(server), '401 Unauthorized', 'without a certificate it takes a token');
  const foreign = await (await clientAuthority()).certify('CN=kube-apiserver');
  t.is(await get({ ...server, ...foreign }), '401 Unauthorized', 'of another authority');
  files = (await renew(authority, [ADDRESS, 'localhost'], Date.now())).leaf;
  await clock.advance(61_000);
  t.is(await get({ ...server, ...apiServer }), '200 ok', 'also after the certificate was replaced');
});
