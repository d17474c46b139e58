import { withDeadline } from '../kube/deadline.ts';
import { objectPath } from '../kube/path.ts';
import type { KubeObject, KubeRequest, KubeTransport, ObjectRef, Resource } from '../kube/port.ts';
import { faultOfAnswer, faultOfError } from '../kube/api-status.ts';
import type { Clock } from '../lib/clock.ts';
import { tokenSecondsOf } from './token-lifetime.ts';
import { WORKLOAD_POD, type TokenProjection, type WorkloadPod } from './workload-pod.ts';

/** The requests of a kubelet that the Kubernetes port does not offer. Both reject as that port does. */
export interface KubeletCalls {
  /**
   * Removes the object of a pod whose containers have ended: without grace period, and only if it still has this UID.
   * Resolves as well if it is already gone. Source: kubernetes pkg/kubelet/status/status_manager.go.
   */
  finishDeletion(pod: WorkloadPod, signal?: AbortSignal): Promise<void>;
  /**
   * A token of the pod's service account, which the API server does not accept after the pod is gone, nor
   * after its time (TokenRequest; see `tokenSecondsOf`).
   */
  requestToken(pod: WorkloadPod, projection: TokenProjection, signal?: AbortSignal): Promise<string>;
  /** The API server's minor version, such as `1.36`; undefined if its answer has none. */
  version(signal?: AbortSignal): Promise<string | undefined>;
}

const SERVICE_ACCOUNT: Resource<KubeObject> = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};

const TIMEOUT_MS = 10_000;

/** @param tokenSeconds how long a token may live at most */
export const createKubeletCalls = ({
  transport,
  clock,
  tokenSeconds,
}: {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly tokenSeconds: number;
}): KubeletCalls => {
  const exchange = async (request: KubeRequest, signal: AbortSignal | undefined, absent: boolean): Promise<string> => {
    try {
      return await withDeadline(clock, TIMEOUT_MS, signal, async (signal) => {
        const contentType = 'application/json';
        const response = await transport({ accept: contentType, contentType, ...request, signal });
        const body = await response.text();
        if (response.status < 300 || (absent && response.status === 404)) return body;
        throw faultOfAnswer(response, body, clock.now());
      });
    } catch (error) {
      throw signal?.aborted === true ? (signal.reason as Error) : faultOfError(error);
    }
  };
  return {
    finishDeletion: async ({ metadata }, signal) => {
      const preconditions = { uid: metadata.uid };
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions });
      await exchange({ method: 'DELETE', path: pathOf(metadata), body }, signal, true);
    },
    requestToken: async ({ metadata, spec }, projection, signal) => {
      const { audience } = projection;
      const { namespace, name, uid } = metadata;
      const place = { namespace, name: spec.serviceAccountName ?? 'default', subresource: 'token' };
      const body = JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: audience === undefined ? [] : [audience],
          expirationSeconds: tokenSecondsOf(projection, tokenSeconds),
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
        },
      });
      const answer = await exchange({ method: 'POST', path: objectPath(SERVICE_ACCOUNT, place), body }, signal, false);
      return tokenIn(answer);
    },
    version: async (signal) => {
      const answer = JSON.parse(await exchange({ method: 'GET', path: '/version' }, signal, false)) as unknown;
      const { major, minor } = (answer ?? {}) as { readonly major?: unknown; readonly minor?: unknown };
      // Distributions write a plus sign behind the minor version.
      const numbers = [major, minor].map((each) => Number.parseInt(String(each), 10));
      return numbers.every((number) => number >= 0) ? numbers.join('.') : undefined;
    },
  };
};

const pathOf = ({ namespace, name }: ObjectRef): string => objectPath(WORKLOAD_POD, { namespace, name });

const tokenIn = (answer: string): string => {
  const { status } = JSON.parse(answer) as { status?: { token?: unknown } };
  if (typeof status?.token !== 'string') throw new Error('The API server answered a TokenRequest without a token.');
  return status.token;
};
