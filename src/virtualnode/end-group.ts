import type { ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';

/**
 * Asks a container group to end. Resolves once that was accepted, and also if there is no such group. The API reference
 * lists no code for a group that does not exist, so any refusal is followed by a read, except for a throttled call,
 * which says nothing about the group.
 *
 * @throws CloudFault the refusal, if the group exists all the same, or cannot be read
 */
export const endGroup = async (
  api: Pick<ContainerGroups, 'deleteContainerGroup' | 'describeContainerGroups'>,
  group: { readonly containerGroupId: string; readonly clientToken: string },
  signal: AbortSignal,
): Promise<void> => {
  try {
    await api.deleteContainerGroup(group, signal);
  } catch (error) {
    if (!(error instanceof CloudFault)) throw error;
    const { effect, retry } = FAULT[error.kind];
    if (effect === 'absent') return;
    const isAnswered = error.status !== undefined && error.status < 500 && effect !== 'possible';
    if (!isAnswered || retry === 'throttle') throw error;
    const { containerGroupId } = group;
    const found = await api.describeContainerGroups({ containerGroupIds: [containerGroupId] }, signal).catch(() => {
      throw error;
    });
    if (found.length > 0) throw error;
  }
};
