import { ALLOCATED_ADDRESS, HANDED_OVER, KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { PodEip } from '../../src/api/podeip.ts';
import type { Ask } from './script.ts';

/** What is written on a pod that asks for this. */
export const annotationsOf = (ask: Ask): Record<string, string> => {
  switch (ask.for) {
    case 'new':
      return {
        [KEYS.withEip[1]]: 'true',
        ...(ask.inPackage && { [KEYS.bandwidthPackageId[1]]: 'cbwp-1' }),
        ...(ask.strategy !== undefined && { [KEYS.releaseStrategy[1]]: ask.strategy }),
      };
    case 'existing':
      return {
        [KEYS.instanceId[1]]: ask.allocationId,
        ...(ask.strategy !== undefined && { [KEYS.releaseStrategy[1]]: ask.strategy }),
      };
    case 'nothing':
      return {};
    case 'nonsense':
      return { [KEYS.withEip[1]]: 'true', [KEYS.bandwidth[1]]: 'fast' };
  }
};

/** What the pod asks for. */
export const asks = ({ metadata: { annotations = {} } }: Pod): 'new' | (string & {}) | undefined => {
  const existing = KEYS.instanceId.map((key) => annotations[key]).find((it) => it !== undefined);
  return existing ?? (KEYS.withEip.some((key) => annotations[key] === 'true') ? 'new' : undefined);
};

/** Whether the pod says that it has an address. */
export const announces = (pod: Pod | PodEip | undefined): string | undefined =>
  pod?.metadata.annotations?.[ALLOCATED_ADDRESS] ??
  ((pod as Pod | undefined)?.status?.conditions?.some(
    ({ type, status, reason }) => type === READINESS_GATE && status === 'True' && reason !== HANDED_OVER,
  )
    ? 'readiness only'
    : undefined);
