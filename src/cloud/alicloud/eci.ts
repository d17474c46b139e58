import type { CallerSettings } from './call.ts';
import { createCaller } from './call.ts';
import type { ClientSettings } from './clients.ts';
import { createClients } from './clients.ts';
import { UnreadableAnswer } from './faults.ts';

/** Looks up ECI container groups; beside the cloud port, for pods on a virtual node whose interface is not annotated. */
export interface ContainerGroups {
  /**
   * The network interface of a container group (ECI API reference, DescribeContainerGroups, EniInstanceId), or
   * undefined where the group is not listed or has none yet. Rejects with a CloudFault, as the cloud port does.
   */
  findContainerGroupInterface(containerGroupId: string, signal?: AbortSignal): Promise<string | undefined>;
}

export const createContainerGroups = (settings: ClientSettings & CallerSettings): ContainerGroups => {
  const clients = createClients(settings);
  const call = createCaller(settings);
  return {
    findContainerGroupInterface: (containerGroupId, signal) =>
      call('DescribeContainerGroups', signal, clients.eci, async ({ client, sdk }) => {
        const request = new sdk.DescribeContainerGroupsRequest({
          regionId: clients.region,
          // A JSON array in a string, at most 20 IDs.
          containerGroupIds: JSON.stringify([containerGroupId]),
          limit: 20,
        });
        const { statusCode, body } = await client.describeContainerGroups(request);
        if (statusCode !== 200 || body?.containerGroups === undefined) {
          throw new UnreadableAnswer('the answer cannot be read: it has no ContainerGroups');
        }
        const eni = body.containerGroups.find((group) => group.containerGroupId === containerGroupId)?.eniInstanceId;
        if (eni === undefined || eni === '') return undefined;
        if (!/^eni-[\w-]{1,120}$/u.test(eni)) throw new UnreadableAnswer('the answer cannot be read: EniInstanceId');
        return eni;
      }),
  };
};
