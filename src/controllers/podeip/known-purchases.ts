import type { PodEipSituation } from './situation.ts';

/**
 * Whether this process knows that the EIP which it has released is all that was ever bought for the PodEIP: it created
 * the PodEIP, was answered each time, bought one EIP, and no process works beside it. A process that led before it had
 * no PodEIP to buy for. Otherwise the EIPs of the account are looked through once more.
 */
export const isAllThatWasBought = ({ seen: { memory }, podEip, settings }: PodEipSituation): boolean => {
  const { allocationID } = podEip.spec;
  return (
    settings.isUnelected !== true &&
    memory.isCertain &&
    memory.purchases === 1 &&
    memory.bought === allocationID &&
    memory.accepted === 'Release' &&
    memory.released === allocationID
  );
};
