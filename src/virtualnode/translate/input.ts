import type { Tag } from '../../cloud/port.ts';
import type { EipCreationParameters } from '../../cloud/container-groups.ts';
import type { ConfigMap } from '../../api/core.ts';
import type { Secret, TokenProjection, WorkloadPod } from '../workload-pod.ts';

/** What the translation says of the cluster and the node; the same for every pod. */
export interface NodeSettings {
  readonly clusterUid: string;
  /** What `status.hostIP` becomes; without it the instance's own address, for on ECI the instance is the host. */
  readonly hostIP?: string | undefined;
  readonly zoneId?: string | undefined;
  readonly vSwitchIds: readonly string[];
  readonly securityGroupId: string;
  readonly resourceGroupId?: string | undefined;
  /** Name servers of the cluster, for the DNS policy ClusterFirst; without them the VPC's own are used. */
  readonly clusterDNS: readonly string[];
  /** For example `cluster.local`. */
  readonly clusterDomain: string;
  /**
   * Variables that every container has unless it sets them itself, as the kubelet adds those of the Service
   * `kubernetes`: KUBERNETES_SERVICE_HOST and so on (pkg/kubelet getServiceEnvVarMap).
   */
  readonly serviceEnvironment?: ReadonlyMap<string, string> | undefined;
  /** Tags that every instance gets. */
  readonly tags?: readonly Tag[] | undefined;
}

/** A pod, and everything that it refers to and that was there. Objects are those of the pod's namespace, by name. */
export interface TranslationInput {
  readonly pod: WorkloadPod;
  readonly nodeName: string;
  readonly settings: NodeSettings;
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Tokens of the pod's service account, by {@link tokenKey}. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly eip: EipCreationParameters;
}

/** Under which key a service-account token is handed in. */
export const tokenKey = ({ audience = '', expirationSeconds = 3600 }: TokenProjection): string =>
  JSON.stringify([audience, expirationSeconds]);

/**
 * A field of the pod, what about it cannot be, and what to do. Sentences without full stop; never a secret's content.
 */
export interface Remark {
  /** For example `spec.containers[app].startupProbe`. */
  readonly field: string;
  readonly problem: string;
  readonly remedy: string;
}

/** What is collected on the way. A pod is run only where there are no refusals and nothing is missing. */
export interface Remarks {
  readonly refusals: Remark[];
  /** It goes on, a little differently from what was written. */
  readonly notes: Remark[];
  /** ConfigMaps, Secrets and keys that may still come: the kubelet waits for them too. */
  readonly missing: Remark[];
}

export const noRemarks = (): Remarks => ({ refusals: [], notes: [], missing: [] });

/** One line for an Event. */
export const remarkLine = ({ field, problem, remedy }: Remark): string => `${field}: ${problem}; ${remedy}`;
