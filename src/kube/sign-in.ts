/** The kubeconfig, or the service account of the pod, cannot be used. The message says which, why and what to do. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

/** Bearer token or client certificate, by which the API server knows who asks. */
export interface KubeCredential {
  readonly token?: string | undefined;
  /** PEM, with its `key`. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Gives the credential for the next request; it keeps one for as long as it is valid. Rejects with
 * {@link KubeconfigError}.
 */
export type SignIn = () => Promise<KubeCredential>;
