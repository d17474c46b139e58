import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { LEAF_LIFE_MS, SKEW_MS, type Pair } from './certificate-life.ts';

export type { Pair } from './certificate-life.ts';

/**
 * The state that the replicas share. The first authority signs; the others are only trusted: the one that signs next,
 * and former ones whose certificates may still be in use.
 */
export interface Authority {
  readonly authorities: readonly Pair[];
  readonly leaf: Pair;
}

const DAY_MS = 86_400_000;
/**
 * The next authority is trusted from this long before the current one expires, and signs once it has been trusted for a
 * day.
 */
const AUTHORITY_NEXT_MS = 60 * DAY_MS;
const AUTHORITY_TRUSTED_MS = DAY_MS;

/** The library that makes certificates is loaded when one is needed: most processes find good ones in the Secret. */
const making = () => import('./make-certificates.ts');

/**
 * Returns the certificates to use from now on: those of `have`, except what has expired, is about to, or cannot be
 * read. An authority is replaced in two steps, so that an API server that does not know the new one yet can still
 * verify: first the new one is trusted, a day later it signs.
 *
 * @param hosts DNS names and addresses of the server; the first one is the certificate's common name
 */
export const renew = async (have: Authority | undefined, hosts: readonly string[], now: number): Promise<Authority> => {
  const usable = (have?.authorities ?? []).filter(({ cert }) => endOf(cert) > now);
  const present = usable.find(({ key }) => key !== '') ?? (await (await making()).makeAuthority(now));
  const others = usable.filter((it) => it !== present);
  const next = others.find(({ key }) => key !== '');
  let authorities = [present, ...others];
  if (!next && endOf(present.cert) - now < AUTHORITY_NEXT_MS)
    authorities.push(await (await making()).makeAuthority(now));
  if (next && now - beginOf(next.cert) > AUTHORITY_TRUSTED_MS + SKEW_MS)
    authorities = [next, { ...present, key: '' }, ...others.filter((it) => it !== next)];
  const [signer = present] = authorities;
  if (have && serves(have.leaf, signer, hosts, now)) return { authorities, leaf: have.leaf };
  return { authorities, leaf: await (await making()).makeLeaf(signer, hosts, now) };
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

const endOf = (cert: string): number => read(cert)?.validToDate.getTime() ?? 0;
const beginOf = (cert: string): number => read(cert)?.validFromDate.getTime() ?? 0;

/** Whether the certificate is for this host, by its subject alternative names. */
const isFor = (certificate: X509Certificate, host: string): boolean =>
  (isIP(host) > 0 ? certificate.checkIP(host) : certificate.checkHost(host, { subject: 'never' })) !== undefined;

/**
 * Whether the certificate can be used for longer. It is renewed after two thirds of its life, so that replicas and API
 * servers that are down have the last third to catch up.
 */
const serves = ({ cert, key }: Pair, signer: Pair, hosts: readonly string[], now: number): boolean => {
  const leaf = read(cert);
  const issuer = read(signer.cert);
  if (!leaf || !issuer || key === '' || !leaf.verify(issuer.publicKey)) return false;
  return leaf.validToDate.getTime() - now > LEAF_LIFE_MS / 3 && hosts.every((host) => isFor(leaf, host));
};
