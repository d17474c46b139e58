import type { PodEip } from '../../api/podeip.ts';
import type { Eip } from '../../cloud/port.ts';
import { stepToRelease, type CandidateVerdict, type CollectStep, type OrphanCandidate } from './orphans.ts';

/** What is known of an EIP that is due for release, when it is looked at once more. */
export interface DueEip {
  /** What the pass found out about it. */
  readonly verdict: CandidateVerdict;
  /** The EIP as it is now; undefined where it is not listed any more. */
  readonly eip: Eip | undefined;
  /** What it is a candidate for now; undefined where it is none any more, or not for certain. */
  readonly candidate: OrphanCandidate | undefined;
  /** All of the cluster, listed after the EIP was described. */
  readonly podEips: readonly PodEip[];
  /** The primary address of the interface that it is bound to; null where nothing names it any more. */
  readonly primaryAddress?: string | null | undefined;
}

/** The primary address of the interface must be read before the EIP can be detached from it. */
export interface ReleaseRead {
  readonly do: 'ReadPrimaryAddress';
  readonly networkInterfaceId: string;
}

/** One change to the cloud, with the private address that the cloud demands. */
export type ReleaseAction =
  | Extract<CollectStep, { do: 'Unassociate' | 'LeaveBandwidthPackage' }>
  | { readonly do: 'Release'; readonly candidate: OrphanCandidate };

/** Nothing to do now. */
export type ReleaseResult = Extract<CollectStep, { do: 'Wait' | 'Blocked' }>;

type ReleaseStep = ReleaseRead | ReleaseAction | ReleaseResult;

const SORT = {
  ReadPrimaryAddress: 'read',
  Unassociate: 'action',
  LeaveBandwidthPackage: 'action',
  Release: 'action',
  Wait: 'result',
  Blocked: 'result',
} as const satisfies Record<ReleaseRead['do'], 'read'> &
  Record<ReleaseAction['do'], 'action'> &
  Record<ReleaseResult['do'], 'result'>;

export const isReleaseRead = (step: ReleaseStep): step is ReleaseRead => SORT[step.do] === 'read';
export const isReleaseResult = (step: ReleaseStep): step is ReleaseResult => SORT[step.do] === 'result';

/**
 * The one thing to do next for an EIP that is due, if it still is the candidate that the pass saw. The VPC API shows ""
 * for the primary address of an interface, and demands the address itself to undo the binding.
 */
export const decideRelease = ({ verdict, eip, candidate, primaryAddress }: DueEip): ReleaseStep => {
  if (!eip) return { do: 'Wait', because: 'it is not listed any more' };
  if (candidate?.kind !== verdict.kind || candidate.podEipUid !== verdict.podEipUid)
    return { do: 'Wait', because: 'it belongs to a PodEIP now' };
  const step = stepToRelease(eip);
  switch (step.do) {
    case 'Unassociate': {
      const { networkInterfaceId } = step;
      if (step.privateIpAddress !== '' || step.instanceType !== undefined) return step;
      if (primaryAddress === undefined) return { do: 'ReadPrimaryAddress', networkInterfaceId };
      return primaryAddress === null
        ? {
            do: 'Blocked',
            because: `it is bound to the primary address of ${networkInterfaceId}, which nothing names any more, so that it cannot be detached safely; detach it in the console`,
          }
        : { ...step, privateIpAddress: primaryAddress };
    }
    case 'Release':
      return { do: 'Release', candidate };
    case 'LeaveBandwidthPackage':
    case 'Wait':
    case 'Blocked':
      return step;
  }
};
