// The library of certificates asks for it, before it is loaded itself.
// oxlint-disable-next-line no-unassigned-import
import 'reflect-metadata';
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { nodeUser, type CertificateSigningRequest } from '../api/csr.ts';
import type { ServingCertificate } from './certificate.ts';

/** What a certificate is to be about. */
export interface CertificateSubject {
  readonly nodeName: string;
  /** IP addresses and DNS names; none for a client. */
  readonly addresses: readonly string[];
}

/** From when until when a certificate is good; milliseconds since 1970. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const ORGANIZATION = 'system:nodes';

/** A new private key, PEM. */
export const makeKey = async (): Promise<string> => {
  const { privateKey } = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
};

/** Whether the text is a private key that can be used. */
export const isKey = (pem: string): boolean => {
  try {
    createPrivateKey(pem);
    return true;
  } catch {
    // Whatever else stands there is not ours, and is replaced.
    return false;
  }
};

const publicKeyOf = (key: string): Buffer =>
  createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });

/** The request for a certificate with this key, PEM (PKCS#10). */
export const signingRequest = async (key: string, { nodeName, addresses }: CertificateSubject): Promise<string> => {
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(key), ALGORITHM, false, ['sign']),
    crypto.subtle.importKey('spki', new Uint8Array(publicKeyOf(key)), ALGORITHM, true, ['verify']),
  ]);
  const names = addresses.map((value) => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }));
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ O: [ORGANIZATION] }, { CN: [nodeUser(nodeName)] }],
    keys: { privateKey, publicKey },
    signingAlgorithm: ALGORITHM,
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
  });
  return request.toString('pem');
};

/**
 * The name of the request for this key. The same after a restart, so that a process that died after it was made finds
 * it again; nobody can make one of that name before, for only who has the key knows it.
 */
export const requestName = (key: string, signerName: string, { nodeName, addresses }: CertificateSubject): string => {
  const hash = createHash('sha256')
    .update(publicKeyOf(key))
    .update(JSON.stringify([signerName, nodeName, addresses]));
  return `node-csr-${nodeName}-${hash.digest('hex').slice(0, 16)}`;
};

/** Whether a certificate is for this key and this node, and when it is good; undefined if it is not. */
export const validityOf = (
  { cert, key }: ServingCertificate,
  { nodeName }: CertificateSubject,
): Validity | undefined => {
  try {
    const certificate = new X509Certificate(cert);
    const { CN, O } = certificate.toLegacyObject().subject;
    const isOurs =
      CN === nodeUser(nodeName) && O === ORGANIZATION && certificate.checkPrivateKey(createPrivateKey(key));
    return isOurs ? { from: certificate.validFromDate.getTime(), until: certificate.validToDate.getTime() } : undefined;
  } catch {
    // Neither a certificate nor a key: the same as none.
    return undefined;
  }
};

/** When a certificate is to be replaced: two thirds of its life, so that an approver has the last third. */
export const renewalOf = ({ from, until }: Validity): number => from + ((until - from) * 2) / 3;

/** How a request stands. */
type Answer =
  | { readonly kind: 'issued'; readonly cert: string }
  | { readonly kind: 'pending' }
  /** Approved, and not signed yet. */
  | { readonly kind: 'approved' }
  | { readonly kind: 'refused'; readonly why: string };

/** What approvers and the signer have said to a request. */
export const answerOf = ({ status }: CertificateSigningRequest): Answer => {
  const conditions = status?.conditions?.filter((condition) => condition.status === 'True') ?? [];
  const refusal = conditions.find(({ type }) => type === 'Denied' || type === 'Failed');
  if (refusal) return { kind: 'refused', why: `${refusal.type}: ${refusal.message ?? refusal.reason ?? ''}` };
  if (status?.certificate) return { kind: 'issued', cert: Buffer.from(status.certificate, 'base64').toString('utf8') };
  return { kind: conditions.some(({ type }) => type === 'Approved') ? 'approved' : 'pending' };
};
