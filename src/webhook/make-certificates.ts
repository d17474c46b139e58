// @peculiar/x509 needs it, and must be imported after it.
// oxlint-disable-next-line no-unassigned-import
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { isIP } from 'node:net';
import { AUTHORITY_LIFE_MS, LEAF_LIFE_MS, SKEW_MS, type Pair } from './certificate-life.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const makeKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

const pem = async (
  { privateKey }: Awaited<ReturnType<typeof makeKeys>>,
  certificate: X509Certificate,
): Promise<Pair> => ({
  cert: certificate.toString('pem'),
  key: PemConverter.encode(await crypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY'),
});

const life = (now: number, ms: number) => ({ notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + ms) });

/** A new authority, which signs itself. */
export const makeAuthority = async (now: number): Promise<Pair> => {
  const keys = await makeKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // Names are unique, because verifiers look issuers up by name.
    name: [{ CN: [`knative-eip webhook CA ${now}`] }],
    ...life(now, AUTHORITY_LIFE_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature, true),
    ],
  });
  return pem(keys, certificate);
};

/** A new certificate for the hosts, signed by the authority. */
export const makeLeaf = async (signer: Pair, hosts: readonly string[], now: number): Promise<Pair> => {
  const keys = await makeKeys();
  const signingKey = await crypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(signer.key), ALGORITHM, false, [
    'sign',
  ]);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: ['knative-eip webhook'] }],
    issuer: new X509Certificate(signer.cert).subjectName,
    ...life(now, LEAF_LIFE_MS),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        hosts.map((host) => ({ type: isIP(host) > 0 ? ('ip' as const) : ('dns' as const), value: host })),
      ),
    ],
  });
  return pem(keys, certificate);
};
