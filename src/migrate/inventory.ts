import type { Node, Pod } from '../api/core.ts';
import type { PodEip } from '../api/podeip.ts';
import type { Eip, NetworkInterface } from '../cloud/port.ts';
import type { Settings } from '../controllers/podeip/observation.ts';

/** Who looked after the addresses before. */
export const PREDECESSORS = ['ack-extend-network-controller', 'terway'] as const;
export type Predecessor = (typeof PREDECESSORS)[number];

/** One pod, and the PodEIP of its name, as they were read. */
export interface SeenPod {
  /** `namespace/name` of both. */
  readonly key: string;
  readonly pod: Pod | null;
  readonly node: Node | null;
  readonly podEip: PodEip | null;
  /**
   * The EIP that the PodEIP names; without a PodEIP, the one that has the address that the pod was told. Null where the
   * account does not list it, undefined where none is named.
   */
  readonly eip: Eip | null | undefined;
  /** The network interfaces of the cluster's VPC that hold the private address at hand. */
  readonly interfaces: readonly NetworkInterface[];
  /** The other pods and PodEIPs that name the same EIP. */
  readonly competitors: readonly string[];
}

/** Whether Terway still makes EIPs: by its configuration; by processes that were started with the one before. */
export type PoolState = 'off' | 'on' | 'restartDue';

/** What holds for every pod. */
export interface Surroundings {
  readonly from: Predecessor;
  /** As of the controller that goes on from here, without the PodEIPs of others being left alone. */
  readonly settings: Settings;
  readonly pool: PoolState;
  /** When this command switched the EIP pool of Terway off; undefined where it did not. Wall time, milliseconds. */
  readonly poolOffSince: number | undefined;
  /**
   * Allocation IDs that the operator vouches for: a PodEIP that names one is believed, although no pod has it. Anybody
   * who may write PodEIPs can name any EIP of the account in one, and whatever is taken over may be released.
   */
  readonly vouchedFor: ReadonlySet<string>;
  /** Wall time, milliseconds. */
  readonly now: number;
}

/** A Lease, as far as it says whether somebody leads. */
export interface SeenLease {
  /** `namespace/name`. */
  readonly name: string;
  readonly holder: string;
  /** Wall time, milliseconds; undefined where it does not say. */
  readonly renewedAt: number | undefined;
  readonly durationMs: number;
}

/** A Deployment that would act on the same PodEIPs. */
export interface SeenDeployment {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
}

/** Everything that a plan is made from. */
export interface Inventory extends Omit<Surroundings, 'pool' | 'poolOffSince'> {
  /** Of ack-extend-network-controller. */
  readonly others: {
    readonly deployments: readonly SeenDeployment[];
    /** `namespace/name` of pods that have not ended. */
    readonly pods: readonly string[];
    readonly leases: readonly SeenLease[];
  };
  /** Of knative-eip. */
  readonly own: { readonly deployments: readonly SeenDeployment[]; readonly leases: readonly SeenLease[] };
  readonly terway: {
    /** The text under `eni_conf`; undefined where there is no such ConfigMap or key. */
    readonly configuration: string | undefined;
    /** When its EIP pool was switched off; undefined where nobody knows. Wall time, milliseconds. */
    readonly offSince: number | undefined;
    /** When this command switched it off last, even if it is on again; undefined where it never did. */
    readonly notedOff: number | undefined;
    /** Whether this command switched it off, and died before it could note when. @default false */
    readonly isTimeMissing?: boolean | undefined;
    /** Its pods, with when each was created; wall time, milliseconds. */
    readonly pods: readonly { readonly name: string; readonly createdAt: number }[];
  };
  /** Whether the definition of PodEIP is protected against being deleted. */
  readonly isGuarded: boolean;
  /** Whether it cannot be: the API server has no ValidatingAdmissionPolicy. @default false */
  readonly isUnguardable?: boolean | undefined;
  readonly seen: readonly SeenPod[];
}
