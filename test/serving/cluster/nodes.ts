import { NODE, type Node } from '../../../src/api/core.ts';
import { refOf } from '../../../src/kube/store.ts';
import type { Kube } from '../../../src/kube/port.ts';
import { followObjects, type FollowContext } from '../../../src/sandbox/cluster/follow-objects.ts';

const CAPACITY = { cpu: '100', memory: '100Gi', pods: '250', 'ephemeral-storage': '100Gi' };

/** What an ECS node can take, which its kubelet says. */
export const sayCapacity = async (kube: Kube, name: string): Promise<void> => {
  const status = { capacity: CAPACITY, allocatable: CAPACITY };
  await kube.patch(NODE, { name }, { type: 'merge', subresource: 'status', body: { status } });
};

const isReady = ({ status }: Node): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

const isOfLifecycle = ({ key }: { readonly key: string }): boolean => key.startsWith('node.kubernetes.io/');

/** Stand-in for the node-lifecycle controller: takes the taints of new nodes away once they are Ready. */
export const openNodes = (context: FollowContext, kube: Kube, signal: AbortSignal): Promise<void> =>
  followObjects(
    context,
    [{ resource: NODE }],
    async (key) => {
      const node = await kube.get(NODE, refOf(key));
      const taints = node?.spec?.taints ?? [];
      if (!node || !isReady(node) || !taints.some(isOfLifecycle)) return 'done';
      const left = taints.filter((taint) => !isOfLifecycle(taint));
      await kube.patch(NODE, refOf(key), { type: 'merge', body: { spec: { taints: left } } });
      return 'done';
    },
    signal,
  );
