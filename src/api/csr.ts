import type { KubeObject, Resource } from '../kube/port.ts';

/** certificates.k8s.io/v1. */
export interface CertificateSigningRequest extends KubeObject {
  readonly spec: {
    /** PEM of a PKCS#10 request, base64. */
    readonly request: string;
    readonly signerName: string;
    readonly usages: readonly string[];
    /** Signers may give less; whole seconds, at least 600. */
    readonly expirationSeconds?: number | undefined;
    /** Who made the request; the API server writes it. */
    readonly username?: string | undefined;
  };
  readonly status?:
    | {
        readonly conditions?:
          | readonly {
              readonly type: string;
              readonly status: string;
              readonly reason?: string | undefined;
              readonly message?: string | undefined;
            }[]
          | undefined;
        /** PEM, base64; with those of intermediate authorities behind it. */
        readonly certificate?: string | undefined;
      }
    | undefined;
}

export const CERTIFICATE_SIGNING_REQUEST: Resource<CertificateSigningRequest> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  plural: 'certificatesigningrequests',
  kind: 'CertificateSigningRequest',
  namespaced: false,
};

/**
 * The signers of a kubelet's certificates, and what they ask for: organization `system:nodes`, common name
 * `system:node:NAME`, these usages, and no names (client) or addresses and DNS names only (serving). Sources:
 * Kubernetes, "Certificate Signing Requests", "Kubernetes signers"; kubernetes pkg/apis/certificates/helpers.go,
 * ValidateKubeletClientCSR and ValidateKubeletServingCSR. Neither wants `key encipherment` of an elliptic key.
 */
export const KUBELET_SIGNERS = {
  client: { signerName: 'kubernetes.io/kube-apiserver-client-kubelet', usages: ['digital signature', 'client auth'] },
  serving: { signerName: 'kubernetes.io/kubelet-serving', usages: ['digital signature', 'server auth'] },
} as const;

/** The user of a node, by which the Node authorizer knows it (kubernetes pkg/auth/nodeidentifier). */
export const nodeUser = (nodeName: string): string => `system:node:${nodeName}`;
