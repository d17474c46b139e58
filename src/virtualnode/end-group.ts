import type { ContainerGroups } from '../cloud/container-groups.ts';
import { endAndLook } from './end-and-look.ts';

/** Has a container group end; see {@link endAndLook}. */
export const endGroup = (
  api: Pick<ContainerGroups, 'deleteContainerGroup' | 'describeContainerGroups'>,
  group: { readonly containerGroupId: string; readonly clientToken: string },
  signal: AbortSignal,
): Promise<void> =>
  endAndLook(
    () => api.deleteContainerGroup(group, signal),
    () => api.describeContainerGroups({ containerGroupIds: [group.containerGroupId] }, signal),
  );
