import type { Eip } from '../../cloud/port.ts';
import type { Situation } from './situation.ts';
import { POLL_MS, wait, type Step } from './step.ts';

/**
 * Whether the EIP is read to be free after it was detached, so that nothing has to be waited for: the detachment was
 * answered, as was every change before it, and the reading was asked for after that. It cannot be one of the time
 * before the EIP was bound, because a look showed it in use longer ago than any reading may lag.
 */
export const isSeenDetached = ({ seen: { eip, memory }, settings }: Situation): boolean =>
  eip?.status === 'Available' &&
  memory.isCertain &&
  memory.accepted === 'Unassociate' &&
  memory.quietMs > 0 &&
  (memory.inUseMs ?? 0) >= settings.readLagMs &&
  settings.isUnelected !== true;

/**
 * The wait for an EIP that is read in use, although it was free a moment ago after this process had it detached: the
 * reading may be of the time before. Who waits for the EIP comes as soon as it is free, and knows nothing of it.
 */
export const awaitDetached = ({ seen: { memory }, settings }: Situation, eip: Eip): Step | undefined =>
  eip.status === 'InUse' && memory.detachedMs !== undefined && memory.detachedMs < settings.readLagMs
    ? wait('InTransition', `${eip.allocationId} is being detached`, POLL_MS)
    : undefined;
