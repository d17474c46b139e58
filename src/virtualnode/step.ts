import type { ContainerGroupSpec } from '../cloud/container-groups.ts';
import type { Failure, StatusChange } from './status.ts';
import type { Remark } from './translate/input.ts';

/** What the decision has to know before it can go on. */
export type Look =
  /** The pod's container groups, by their tags. */
  | { readonly do: 'LookForGroup' }
  /** The PodEIP of the pod's name. */
  | { readonly do: 'LookForPodEip' }
  /** The EIP of this allocation ID. */
  | { readonly do: 'LookAtEip'; readonly allocationId: string }
  /** The EIP that has this address. */
  | { readonly do: 'FindEip'; readonly ipAddress: string }
  /** What the EipPolicies say about the pod's namespace. */
  | { readonly do: 'LookAtPolicy' }
  /** The ConfigMaps, Secrets and tokens that the pod refers to. */
  | { readonly do: 'LookForReferences' };

/** One side effect. */
export type Act =
  | { readonly do: 'CreateGroup'; readonly spec: ContainerGroupSpec; readonly notes: readonly Remark[] }
  | { readonly do: 'DeleteGroup'; readonly containerGroupId: string; readonly because: string }
  /** One patch of pods/status. */
  | {
      readonly do: 'WriteStatus';
      readonly annotations?: Readonly<Record<string, string>> | undefined;
      readonly status?: StatusChange | undefined;
      /** Told in an Event too: why the pod does not run. */
      readonly warning?: Failure | undefined;
    }
  /** The pod's object goes: its containers have ended, and the account shows that the group is gone. */
  | { readonly do: 'FinishDeletion' };

/** Nothing to do now. */
export type Rest =
  | { readonly do: 'Done' }
  /** Looked at anew after `ms`, the cloud included. */
  | { readonly do: 'Wait'; readonly because: string; readonly ms: number };

/** Exactly one next step for a pod. */
export type Step = Look | Act | Rest;

export const wait = (because: string, ms: number): Rest => ({ do: 'Wait', because, ms });
