import { KubeFault, UNAUTHORIZED } from '../kube/fault.ts';

/** Whether the Node is there, for `/readyz`. */
export interface Registration {
  /** A process begins to keep the Node. */
  begun(): void;
  /** The Node exists and is ours. */
  done(): void;
  /** Whether somebody keeps the Node, and it never was there. */
  isMissing(): boolean;
}

export const createRegistration = (): Registration => {
  let state: 'idle' | 'begun' | 'done' = 'idle';
  return {
    begun: () => {
      state = 'begun';
    },
    done: () => {
      state = 'done';
    },
    isMissing: () => state === 'begun',
  };
};

/**
 * What to do where a request that was made *as the node* is forbidden; undefined for other failures. No role has what a
 * node may do: the Node authorizer allows it, and where there is none, a certificate is signed all the same and opens
 * nothing.
 */
export const hintForNode = (error: unknown): string | undefined =>
  error instanceof KubeFault && error.kind === 'forbidden' && error.status !== UNAUTHORIZED
    ? 'The API server knows the node by its certificate and allows it nothing: is the Node authorizer on (kube-apiserver --authorization-mode=Node,RBAC)? Where it cannot be, set virtualNode.identity to serviceAccount, and apply config/virtual-node-service-account'
    : undefined;
