import type { Kube, KubeObject, Resource } from '../../src/kube/port.ts';
import { covers, rights, type Asked, type Right } from '../config/roles.ts';
import { until } from '../harness/until.ts';
import { HOME } from './rights.ts';
import type { Stage } from './stage.ts';

/* Rights that are taken off roles of a real API server, and given back. */

const kind = (name: string, plural: string, namespaced: boolean): Resource<KubeObject> => ({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural,
  kind: name,
  namespaced,
});
const ROLE = kind('Role', 'roles', true);
const CLUSTER_ROLE = kind('ClusterRole', 'clusterroles', false);

const ruleOf = ({ group, resource, verb, names }: Right) => ({
  apiGroups: [group],
  resources: [resource],
  verbs: [verb],
  ...(names && { resourceNames: names }),
});

const keyOf = ({ role, namespace }: Right): string => `${namespace ?? ''}/${role}`;

/** Has the roles of these rights allow what is shipped, but for what is away. */
const write = async (kube: Kube, of: readonly Right[], away: ReadonlySet<Right>): Promise<void> => {
  for (const [one] of Map.groupBy(of, keyOf).values()) {
    const { role: name, namespace } = one!;
    const left = rights.filter((right) => keyOf(right) === keyOf(one!) && !away.has(right));
    const body = { rules: left.map(ruleOf) };
    await kube.patch(namespace === undefined ? CLUSTER_ROLE : ROLE, { name, namespace }, { type: 'merge', body });
  }
};

/** Whether the authorizer of the API server would allow a service account of the product what was asked. */
const mayAsk = async ({ transport }: Stage, account: string, asked: Asked): Promise<boolean> => {
  const { group, verb, name, namespace } = asked;
  const [resource, subresource] = asked.resource.split('/');
  const response = await transport({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    contentType: 'application/json',
    body: JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${HOME}:${account}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${HOME}`, 'system:authenticated'],
        resourceAttributes: { group, verb, namespace, resource, subresource, ...(verb !== 'create' && { name }) },
      },
    }),
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(text);
  return (JSON.parse(text) as { status: { allowed: boolean } }).status.allowed;
};

/** A service account of the product, and the rights that it has. */
interface Holding {
  readonly account: string;
  readonly granted: readonly Right[];
}

/** Asks to be refused; gives it back by what it resolves to. */
type TakeOff = (asked: Asked) => Promise<() => Promise<void>>;

/**
 * Takes what allows a request, and waits until the API server would refuse it; a right that two roles have is taken
 * from both. What is returned gives it back, and waits until that is so. Several may be away at once.
 */
export const taking = (stage: Stage, { account, granted }: Holding): TakeOff => {
  const away = new Set<Right>();
  return async (asked) => {
    const taken = granted.filter((right) => covers(right, asked));
    const isAllowed = (wanted: boolean) =>
      until(
        `${asked.verb} of ${asked.resource} is ${wanted ? 'allowed' : 'refused'}`,
        () => mayAsk(stage, account, asked),
        (allowed) => allowed === wanted,
      );
    await isAllowed(true);
    for (const right of taken) away.add(right);
    await write(stage.kube, taken, away);
    await isAllowed(false);
    return async () => {
      for (const right of taken) away.delete(right);
      await write(stage.kube, taken, away);
      await isAllowed(true);
    };
  };
};
