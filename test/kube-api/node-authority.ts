import { webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
// The library of certificates asks for it, before it is loaded itself.
// oxlint-disable-next-line no-unassigned-import
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

/** Writes the authority of a cluster's nodes into a folder, and a certificate by which they know the API server. */
export const nodeAuthority = async (folder: string) => {
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 300 * DAY_MS) };
  const keysOf = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const write = async (name: string, certificate: x509.X509Certificate, { privateKey }: webcrypto.CryptoKeyPair) => {
    const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
    const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
    await writeFile(files.certificate, `${certificate.toString('pem')}\n`);
    await writeFile(files.key, `${key}\n`, { mode: 0o600 });
    return files;
  };
  const keys = await keysOf();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=kubernetes',
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
    ],
  });
  const own = await keysOf();
  const apiServer = await x509.X509CertificateGenerator.create({
    subject: 'CN=kube-apiserver-kubelet-client,O=system:masters',
    issuer: authority.subject,
    publicKey: own.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
  });
  return { authority: await write('ca', authority, keys), apiServer: await write('apiserver', apiServer, own) };
};
