// The library of certificates asks for it, before it is loaded itself.
// oxlint-disable-next-line no-unassigned-import
import 'reflect-metadata';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';

/** Private key and certificate, PEM. */
export interface ServingCertificate {
  readonly key: string;
  readonly cert: string;
}

const DAY_MS = 24 * 3600 * 1000;
/** Longer than any process runs. Each process creates its own certificate and stores it nowhere. */
const VALID_MS = 3650 * DAY_MS;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * Creates a self-signed certificate for the kubelet endpoint, as a kubelet does without a configured one: the API
 * server verifies it only with --kubelet-certificate-authority.
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
    // Sixteen bytes. The first bit is 0, so that the number is positive.
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
