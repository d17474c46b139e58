import type { Tag } from '../../cloud/port.ts';
import type { EipCreationParameters } from '../../cloud/container-groups.ts';
import type { ConfigMap, Secret } from '../../api/core.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/persistent-volumes.ts';
import type { EffectivePolicy } from '../../policies/policy.ts';
import type { TokenProjection, WorkloadPod } from '../workload-pod.ts';

/** What the translation needs to know about cluster and node; the same for every pod. */
export interface NodeSettings {
  readonly clusterUid: string;
  /** The value of `status.hostIP`; undefined: the instance's own address, because on ECI the instance is the host. */
  readonly hostIP?: string | undefined;
  readonly zoneId?: string | undefined;
  readonly vSwitchIds: readonly string[];
  readonly securityGroupId: string;
  readonly resourceGroupId?: string | undefined;
  /** Name servers of the cluster, for the DNS policy ClusterFirst; if there are none, the VPC's are used. */
  readonly clusterDNS: readonly string[];
  /** For example `cluster.local`. */
  readonly clusterDomain: string;
  /**
   * Variables that every container has unless it sets them itself, such as KUBERNETES_SERVICE_HOST, which the kubelet
   * adds for the Service `kubernetes` (pkg/kubelet getServiceEnvVarMap).
   */
  readonly serviceEnvironment?: ReadonlyMap<string, string> | undefined;
  /** Tags of every instance. */
  readonly tags?: readonly Tag[] | undefined;
}

/** A claim as it was read, with the volume that it names. */
export interface ReadClaim {
  readonly claim: PersistentVolumeClaim;
  /** Undefined: there is none, or the claim is not bound. */
  readonly volume?: PersistentVolume | undefined;
  /** Another pod that has the volume; asked for where only one may. */
  readonly usedBy?: ClaimUser | undefined;
}

/** A pod that has the volume of a claim. */
export interface ClaimUser {
  readonly name: string;
  /** Its node, where that is another one, and only its word keeps the volume. */
  readonly node?: string | undefined;
  /** False: its instance may have been asked for, by an earlier process or on another node. */
  readonly isSure: boolean;
  /** It asks at the same time on another node, and is the one that steps back if it has not sent its request yet. */
  readonly isAfter?: boolean | undefined;
}

/** A pod, and the existing objects that it refers to, by name. All are in the pod's namespace. */
export interface TranslationInput {
  readonly pod: WorkloadPod;
  readonly nodeName: string;
  readonly settings: NodeSettings;
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Tokens of the pod's service account, by {@link tokenKey}. */
  readonly tokens: ReadonlyMap<string, string>;
  /** The claims of its volumes. */
  readonly claims: ReadonlyMap<string, ReadClaim>;
  /** What of all these may not be read: the pod waits for it. @default none */
  readonly withheld?: readonly Remark[] | undefined;
  readonly eip: EipCreationParameters;
  /** What the pod's namespace may choose of the account. */
  readonly policy: EffectivePolicy;
}

/** The key of a service-account token in `tokens`. */
export const tokenKey = ({ audience = '', expirationSeconds = 3600 }: TokenProjection): string =>
  JSON.stringify([audience, expirationSeconds]);

/**
 * A problem with a field of the pod, and its remedy. Sentences without full stop; never contain the content of a
 * secret.
 */
export interface Remark {
  /** For example `spec.containers[app].startupProbe`. */
  readonly field: string;
  readonly problem: string;
  readonly remedy: string;
}

/** A virtual node has no machine of its own that a pod of a DaemonSet could look after. */
export const DAEMON_SET_REFUSED =
  'pods of a DaemonSet are not run on a virtual node, which has no machine to look after; exclude nodes with the label type=virtual-kubelet in its affinity';

/** Collects the problems of a translation. A pod is run only if there are no refusals and nothing is missing. */
export interface Remarks {
  readonly refusals: Remark[];
  /** The pod runs, with small differences from what was written. */
  readonly notes: Remark[];
  /** What may still come, such as ConfigMaps, keys and claims that are bound: the kubelet waits for them as well. */
  readonly missing: Remark[];
}

export const noRemarks = (): Remarks => ({ refusals: [], notes: [], missing: [] });

/** One line for an Event. */
export const remarkLine = ({ field, problem, remedy }: Remark): string => `${field}: ${problem}; ${remedy}`;
