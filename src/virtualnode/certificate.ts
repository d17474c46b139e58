// The library of certificates asks for it, before it is loaded itself.
// oxlint-disable-next-line no-unassigned-import
import 'reflect-metadata';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';

/** Private key and certificate as PEM. */
interface ServingCertificate {
  readonly key: string;
  readonly cert: string;
}

const DAY_MS = 24 * 3600 * 1000;
/** Longer than any process runs; a new process makes a new one, and nobody keeps a copy. */
const VALID_MS = 3650 * DAY_MS;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * A certificate for the kubelet endpoint, signed by itself, as a kubelet makes one that is given none: the API server
 * does not check it unless it is started with --kubelet-certificate-authority.
 */
export const selfSigned = async (
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  nodeName: string,
  addresses: readonly string[],
): Promise<ServingCertificate> => {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const names = [nodeName, ...addresses].map((value) => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }));
  const now = clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // Sixteen bytes, positive: the first bit is clear.
    serialNumber: `0${random.uuid().replaceAll('-', '').slice(1)}`,
    name: [{ CN: [nodeName] }],
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + VALID_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { key, cert: certificate.toString('pem') };
};
