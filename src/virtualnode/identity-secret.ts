import { SECRET, type Secret } from '../api/core.ts';
import type { Kube, ObjectRef } from '../kube/port.ts';
import type { CertificateStore, Kept } from './certificate-keeper.ts';

/** As Secrets of type kubernetes.io/tls name them, and the key of the certificate that is asked for. */
const CERT = 'tls.crt';
const KEY = 'tls.key';
const NEXT_KEY = 'next.key';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const textIn = (secret: Secret | undefined, key: string): string | undefined => {
  const value = secret?.data?.[key];
  return value ? Buffer.from(value, 'base64').toString('utf8') : undefined;
};

/**
 * The identity of the node in a Secret of its own, because whoever approves the first certificate is mostly a person:
 * in memory alone it would be lost with each restart and each change of the leader. Not of type kubernetes.io/tls,
 * which takes no key without its certificate.
 */
export const inSecret = (kube: Kube, ref: Required<ObjectRef>): CertificateStore => {
  /** What was read last, for the comparison when it is written. */
  let version: string | undefined;
  return {
    read: async (signal) => {
      const secret = await kube.get(SECRET, ref, signal);
      version = secret?.metadata.resourceVersion;
      const [cert, key] = [textIn(secret, CERT), textIn(secret, KEY)];
      return {
        ...(cert !== undefined && key !== undefined && { current: { cert, key } }),
        nextKey: textIn(secret, NEXT_KEY),
      };
    },
    write: async ({ current, nextKey }, signal) => {
      const data = {
        [CERT]: current ? base64(current.cert) : null,
        [KEY]: current ? base64(current.key) : null,
        [NEXT_KEY]: nextKey === undefined ? null : base64(nextKey),
      };
      const written =
        version === undefined
          ? await kube.create(
              SECRET,
              {
                apiVersion: 'v1',
                kind: 'Secret',
                metadata: { ...ref, labels: { 'app.kubernetes.io/name': 'knative-eip' } },
                type: 'Opaque',
                data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null)),
              },
              signal,
            )
          : await kube.patch(
              SECRET,
              ref,
              { type: 'merge', body: { metadata: { resourceVersion: version }, data } },
              signal,
            );
      version = written.metadata.resourceVersion;
    },
  };
};

/** For what is of no use to the next process. */
export const inMemory = (): CertificateStore => {
  let kept: Kept = {};
  return {
    read: () => Promise.resolve(kept),
    write: (next) => {
      kept = next;
      return Promise.resolve();
    },
  };
};
