import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedCloud } from '../../../src/sandbox/cloud/sandbox-cloud.ts';
import type { KubeletPod } from './pod.ts';
import { servePod, type Answer, type Served } from './queue-proxy.ts';

const LOOK_EVERY_MS = 100;
const DEFAULT_USER_PORT = 8080;

/**
 * What runs in the container groups of the embedded cloud: what runs in Knative's pods on nodes, at
 * the group's address.
 */
export const runContainerGroups = async (
  cloud: EmbeddedCloud,
  {
    podOfIp,
    describe,
  }: {
    readonly podOfIp: (privateIp: string) => KubeletPod | undefined;
    readonly describe: (pod: KubeletPod) => Promise<Answer>;
  },
  signal: AbortSignal,
): Promise<void> => {
  const served = new Map<string, Served>();
  while (!signal.aborted) {
    const running = cloud.containerGroups().filter(({ status }) => status === 'Running');
    for (const { containerGroupId, intranetIp } of running) {
      if (served.has(containerGroupId)) continue;
      const pod = podOfIp(intranetIp);
      // The pod does not say its address yet.
      if (!pod) continue;
      const options = { ip: intranetIp, podName: pod.metadata.name, userPort: DEFAULT_USER_PORT };
      served.set(containerGroupId, await servePod({ ...options, describe: () => describe(pod) }));
    }
    for (const [id, group] of served) {
      if (running.some(({ containerGroupId }) => containerGroupId === id)) continue;
      served.delete(id);
      await group.kill();
    }
    await sleep(LOOK_EVERY_MS);
  }
  await Promise.all([...served.values()].map((group) => group.kill()));
};
