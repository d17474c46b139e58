import type { ContainerGroupSpec } from '../cloud/container-groups.ts';
import type { Happening } from '../kube/recorder.ts';
import type { Failure, StatusChange } from './instance-status.ts';
import type { Remark } from './translate/input.ts';

/** What must be read before the decision can be made. */
export type PodRead =
  /** The pod's container groups, by their tags. */
  | { readonly do: 'ReadGroup' }
  /** The PodEIP of the pod's name. */
  | { readonly do: 'ReadPodEip' }
  /** The EIP of this allocation ID. */
  | { readonly do: 'ReadEip'; readonly allocationId: string }
  /** The EIP with this address. */
  | { readonly do: 'ReadEipByAddress'; readonly ipAddress: string }
  /**
   * The policy of the pod's namespace. An EIP is bought only after a quorum read (`isFresh`), never by what the cache
   * says.
   */
  | { readonly do: 'ReadPolicy'; readonly isFresh: boolean }
  /** The ConfigMaps, Secrets and tokens that the pod refers to. */
  | { readonly do: 'ReadReferences' };

/** One side effect. */
export type PodAction =
  | {
      readonly do: 'CreateGroup';
      readonly spec: ContainerGroupSpec;
      readonly notes: readonly Remark[];
      /** The UIDs of claims whose volume one instance may have at a time; undefined for a request that is repeated. */
      readonly claims?: readonly string[] | undefined;
    }
  | { readonly do: 'DeleteGroup'; readonly containerGroupId: string; readonly because: string }
  /** One patch of pods/status. */
  | {
      readonly do: 'WriteStatus';
      /** null removes one. */
      readonly annotations?: Readonly<Record<string, string | null>> | undefined;
      readonly status?: StatusChange | undefined;
      /** Why the pod does not run; recorded as an Event as well. */
      readonly warning?: Failure | undefined;
      /** What the cloud tells of the instance. */
      readonly happenings?: readonly Happening[] | undefined;
    }
  /** Removes the pod's object: its containers have ended, and the account shows that the group is gone. */
  | { readonly do: 'FinishDeletion' };

/** Nothing to do now. */
export type PodResult =
  | { readonly do: 'Done' }
  /** Decided again after `ms`, with a new read of the cloud. */
  | { readonly do: 'Wait'; readonly because: string; readonly ms: number };

/** Exactly one next step for a pod. */
export type PodStep = PodRead | PodAction | PodResult;

export const waitFor = (because: string, ms: number): PodResult => ({ do: 'Wait', because, ms });

const SORT = {
  ReadGroup: 'read',
  ReadPodEip: 'read',
  ReadEip: 'read',
  ReadEipByAddress: 'read',
  ReadPolicy: 'read',
  ReadReferences: 'read',
  CreateGroup: 'action',
  DeleteGroup: 'action',
  WriteStatus: 'action',
  FinishDeletion: 'action',
  Done: 'result',
  Wait: 'result',
} as const satisfies Record<PodRead['do'], 'read'> &
  Record<PodAction['do'], 'action'> &
  Record<PodResult['do'], 'result'>;

export const isPodRead = (step: PodStep): step is PodRead => SORT[step.do] === 'read';
export const isPodResult = (step: PodStep): step is PodResult => SORT[step.do] === 'result';
