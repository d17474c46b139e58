import type { Situation } from './situation.ts';

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
