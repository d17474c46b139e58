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

/** A certificate and its private key, PEM. The key is empty once it is not needed any more. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/**
 * The state that the replicas share. The first authority signs; the others are only trusted: the one that signs next,
 * and former ones whose certificates may still be in use.
 */
export interface Authority {
  readonly authorities: readonly Pair[];
  readonly leaf: Pair;
}

const DAY_MS = 86_400_000;
/** Lifetimes as of cert-manager's own webhook certificates (pkg/server/tls/authority): a year and a week. */
const AUTHORITY_LIFE_MS = 365 * DAY_MS;
const LEAF_LIFE_MS = 7 * DAY_MS;
/**
 * The next authority is trusted from this long before the current one expires, and signs once it has been trusted for a
 * day.
 */
const AUTHORITY_NEXT_MS = 60 * DAY_MS;
const AUTHORITY_TRUSTED_MS = DAY_MS;
/** Tolerance for differences between the clocks of replicas and API servers. */
const SKEW_MS = 3_600_000;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * Returns the certificates to use from now on: those of `have`, except what has expired, is about to, or cannot be
 * read. An authority is replaced in two steps, so that an API server that does not know the new one yet can still
 * verify: first the new one is trusted, a day later it signs.
 *
 * @param hosts DNS names and addresses of the server; the first one is the certificate's common name
 */
export const renew = async (have: Authority | undefined, hosts: readonly string[], now: number): Promise<Authority> => {
  const usable = (have?.authorities ?? []).filter(({ cert }) => endOf(cert) > now);
  const present = usable.find(({ key }) => key !== '') ?? (await makeAuthority(now));
  const others = usable.filter((it) => it !== present);
  const next = others.find(({ key }) => key !== '');
  let authorities = [present, ...others];
  if (!next && endOf(present.cert) - now < AUTHORITY_NEXT_MS) authorities.push(await makeAuthority(now));
  if (next && now - beginOf(next.cert) > AUTHORITY_TRUSTED_MS + SKEW_MS)
    authorities = [next, { ...present, key: '' }, ...others.filter((it) => it !== next)];
  const [signer = present] = authorities;
  const leaf = have && (await serves(have.leaf, signer, hosts, now)) ? have.leaf : await makeLeaf(signer, hosts, now);
  return { authorities, leaf };
};

/** The certificates of all trusted authorities, as one PEM text. */
export const bundleOf = ({ authorities }: Authority): string =>
  authorities.map(({ cert }) => `${cert.trim()}\n`).join('');

const read = (cert: string): X509Certificate | undefined => {
  try {
    return new X509Certificate(cert);
  } catch {
    // Not a certificate: treated like an expired one.
    return undefined;
  }
};

const endOf = (cert: string): number => read(cert)?.notAfter.getTime() ?? 0;
const beginOf = (cert: string): number => read(cert)?.notBefore.getTime() ?? 0;

/**
 * Whether the certificate can be used for longer. It is renewed after two thirds of its life, so that replicas and API
 * servers that are down have the last third to catch up.
 */
const serves = async ({ cert, key }: Pair, signer: Pair, hosts: readonly string[], now: number): Promise<boolean> => {
  const leaf = read(cert);
  const issuer = read(signer.cert);
  if (!leaf || !issuer || key === '') return false;
  if (!(await leaf.verify({ publicKey: issuer, signatureOnly: true }))) return false;
  const names = leaf.getExtension(SubjectAlternativeNameExtension)?.names.items.map(({ value }) => value) ?? [];
  return leaf.notAfter.getTime() - now > LEAF_LIFE_MS / 3 && hosts.every((host) => names.includes(host));
};

const makeKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

const pem = async (
  { privateKey }: Awaited<ReturnType<typeof makeKeys>>,
  certificate: X509Certificate,
): Promise<Pair> => ({
  cert: certificate.toString('pem'),
  key: PemConverter.encode(await crypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY'),
});

const life = (now: number, ms: number) => ({ notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + ms) });

const makeAuthority = async (now: number): Promise<Pair> => {
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

const makeLeaf = async (signer: Pair, hosts: readonly string[], now: number): Promise<Pair> => {
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
