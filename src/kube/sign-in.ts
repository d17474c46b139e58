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

/** How a user signs in, request by request. */
export interface SignIn {
  /** The credential for the next request, kept for as long as it is valid. Rejects with {@link KubeconfigError}. */
  readonly credential: () => Promise<KubeCredential>;
  /**
   * The API server has answered 401: the next request gets another one, as with client-go. A token need not say when it
   * expires; that of `ack-ram-tool credential-plugin get-token` does not.
   */
  readonly refused: () => void;
}
