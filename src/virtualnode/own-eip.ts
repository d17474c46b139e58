import type { ContainerGroup } from '../cloud/container-groups.ts';
import type { Eip } from '../cloud/port.ts';
import { MADE_WITH_GROUP, TAG_EIP } from './create.ts';

/** Whether an EIP was made with the group, and is released with it. */
export const makesEip = ({ tags }: ContainerGroup): boolean => tags.get(TAG_EIP) === MADE_WITH_GROUP;

/** The EIP must be bound to this instance: addresses are given to others once they are released. */
export const isBoundToGroup = ({ instanceId }: Eip, { eniInstanceId, containerGroupId }: ContainerGroup): boolean =>
  instanceId === containerGroupId || (instanceId !== undefined && instanceId === eniInstanceId);
