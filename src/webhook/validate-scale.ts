import * as z from 'zod';
import { DEPLOYMENT, STATEFUL_SET, type Scalable } from '../api/apps.ts';
import type { Resource } from '../kube/port.ts';
import { namesExisting } from '../rules/naming.ts';
import { readWorkload } from '../manifest/read-workload.ts';
import { unreadable, type Unreadable } from '../manifest/wire.ts';
import type { AdmissionRequest, Admitted } from './review.ts';
import { isEvaluated, NO_CHANGE, type ReadChange } from './validate.ts';

/** A request for more pods through an object's subresource `scale`. */
export interface Scaling {
  readonly resource: Resource<Scalable>;
  readonly namespace: string;
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** `none`: the number of pods does not grow. */
type ReadScaling = { readonly kind: 'scaling'; readonly scaling: Scaling } | { readonly kind: 'none' } | Unreadable;

/** autoscaling/v1, Scale; 0 replicas are left out (`omitempty`). */
const scaleSchema = z.object({
  metadata: z.object({ name: z.string().min(1) }),
  spec: z.object({ replicas: z.number().nullish() }).nullish(),
});

const SCALED: Readonly<Record<string, Resource<Scalable>>> = {
  'apps/deployments': DEPLOYMENT,
  'apps/statefulsets': STATEFUL_SET,
};

/**
 * Reads the review of a subresource `scale`, which has the number of pods and nothing else of the object. Scaling down
 * is always allowed.
 */
export const readScaling = (request: AdmissionRequest): ReadScaling => {
  const { operation, resource: of, subResource, namespace, object, oldObject } = request;
  const resource = Object.hasOwn(SCALED, of) ? SCALED[of] : undefined;
  if (!resource || subResource !== 'scale' || operation !== 'UPDATE') return { kind: 'none' };
  const after = scaleSchema.safeParse(object);
  if (!after.success) return unreadable(after.error, object);
  const before = scaleSchema.safeParse(oldObject);
  if (!before.success) return unreadable(before.error, oldObject);
  const [from, to] = [before.data.spec?.replicas ?? 0, after.data.spec?.replicas ?? 0];
  if (to <= from) return { kind: 'none' };
  return { kind: 'scaling', scaling: { resource, namespace, name: after.data.metadata.name, from, to } };
};

/** The change to evaluate; `none` if the object has nothing to do with EIPs, or cannot be read. */
export const changeOfScale = ({ resource, namespace, from, to }: Scaling, scaled: Scalable): ReadChange => {
  const { group, version, kind } = resource;
  const read = readWorkload({ ...scaled, apiVersion: `${group}/${version}`, kind });
  if (read.kind !== 'workload' || !isEvaluated(read.workload)) return NO_CHANGE;
  const workload = { ...read.workload, namespace };
  const change = { before: { ...workload, replicas: from }, after: { ...workload, replicas: to } };
  return { kind: 'change', change };
};

/**
 * The answer without the ID of the EIP that the object names. The request does not have it, and the API server does not
 * prove to everybody's webhooks that it is the one that asks.
 */
export const withoutNamedEip = (answer: Admitted, change: ReadChange): Admitted => {
  const named = change.kind === 'change' ? namesExisting(change.change.after.annotations) : undefined;
  if (named === undefined || named === '') return answer;
  const hide = (text: string) => text.replaceAll(named, 'the EIP that it names');
  const { denied, warnings } = answer;
  return {
    ...answer,
    warnings: warnings.map(hide),
    ...(denied && { denied: { ...denied, message: hide(denied.message) } }),
  };
};

/**
 * Whether the request comes from a controller of the cluster itself, such as the horizontal pod autoscaler. It is
 * warned and never refused: it cannot react to a refusal, and pods that do not start are worse than pods without an
 * address. The controller buys nothing above the limit in any case. Sources: kubernetes/kubernetes
 * cmd/kube-controller-manager, which is `system:kube-controller-manager`, or with --use-service-account-credentials a
 * service account of kube-system for each of its controllers.
 */
export const isOfCluster = (username: string | undefined): boolean =>
  username === 'system:kube-controller-manager' || (username ?? '').startsWith('system:serviceaccount:kube-system:');
