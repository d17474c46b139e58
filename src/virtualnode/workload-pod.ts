import type { Pod, PodCondition } from '../api/core.ts';
import type { Resource } from '../kube/port.ts';

/**
 * A Pod as the virtual node reads it: the fields of core/v1 that can be run on ECI, and those that are refused by name.
 */
export interface WorkloadPod extends Pod {
  readonly spec: Omit<Pod['spec'], 'containers'> & {
    readonly containers: readonly WorkloadContainer[];
    readonly initContainers?: readonly WorkloadContainer[] | undefined;
    readonly volumes?: readonly Volume[] | undefined;
    readonly restartPolicy?: string | undefined;
    readonly terminationGracePeriodSeconds?: number | undefined;
    readonly activeDeadlineSeconds?: number | undefined;
    readonly serviceAccountName?: string | undefined;
    readonly hostPID?: boolean | undefined;
    readonly hostIPC?: boolean | undefined;
    readonly hostname?: string | undefined;
    readonly shareProcessNamespace?: boolean | undefined;
    readonly dnsPolicy?: string | undefined;
    readonly dnsConfig?:
      | {
          readonly nameservers?: readonly string[] | undefined;
          readonly searches?: readonly string[] | undefined;
          readonly options?: readonly { readonly name: string; readonly value?: string | undefined }[] | undefined;
        }
      | undefined;
    readonly hostAliases?:
      readonly { readonly ip: string; readonly hostnames?: readonly string[] | undefined }[] | undefined;
    readonly imagePullSecrets?: readonly { readonly name: string }[] | undefined;
    readonly securityContext?:
      | {
          readonly runAsUser?: number | undefined;
          readonly runAsGroup?: number | undefined;
          readonly runAsNonRoot?: boolean | undefined;
          readonly sysctls?: readonly { readonly name: string; readonly value: string }[] | undefined;
          readonly fsGroup?: number | undefined;
          readonly supplementalGroups?: readonly number[] | undefined;
          readonly windowsOptions?: object | undefined;
          readonly seccompProfile?: object | undefined;
          readonly appArmorProfile?: object | undefined;
          readonly seLinuxOptions?: object | undefined;
        }
      | undefined;
    readonly ephemeralContainers?: readonly { readonly name: string }[] | undefined;
  };
  readonly status?: WorkloadStatus | undefined;
}

export type WorkloadStatus = NonNullable<Pod['status']> & {
  readonly message?: string | undefined;
  readonly startTime?: string | undefined;
  readonly conditions?: readonly PodCondition[] | undefined;
  readonly containerStatuses?: readonly object[] | undefined;
  readonly initContainerStatuses?: readonly object[] | undefined;
};

export interface WorkloadContainer {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  readonly workingDir?: string | undefined;
  readonly restartPolicy?: string | undefined;
  readonly env?: readonly EnvVar[] | undefined;
  readonly envFrom?:
    | readonly {
        readonly prefix?: string | undefined;
        readonly configMapRef?: Reference | undefined;
        readonly secretRef?: Reference | undefined;
      }[]
    | undefined;
  readonly ports?:
    | readonly {
        readonly name?: string | undefined;
        readonly containerPort: number;
        readonly hostPort?: number | undefined;
        readonly protocol?: string | undefined;
      }[]
    | undefined;
  readonly resources?:
    { readonly limits?: Quantities | undefined; readonly requests?: Quantities | undefined } | undefined;
  readonly volumeMounts?:
    | readonly {
        readonly name: string;
        readonly mountPath: string;
        readonly readOnly?: boolean | undefined;
        readonly subPath?: string | undefined;
        readonly subPathExpr?: string | undefined;
        readonly mountPropagation?: string | undefined;
      }[]
    | undefined;
  readonly volumeDevices?: readonly { readonly name: string }[] | undefined;
  readonly readinessProbe?: WorkloadProbe | undefined;
  readonly livenessProbe?: WorkloadProbe | undefined;
  readonly startupProbe?: WorkloadProbe | undefined;
  readonly lifecycle?: { readonly postStart?: Hook | undefined; readonly preStop?: Hook | undefined } | undefined;
  readonly securityContext?:
    | {
        readonly privileged?: boolean | undefined;
        readonly runAsUser?: number | undefined;
        readonly runAsGroup?: number | undefined;
        readonly runAsNonRoot?: boolean | undefined;
        readonly readOnlyRootFilesystem?: boolean | undefined;
        readonly capabilities?:
          { readonly add?: readonly string[] | undefined; readonly drop?: readonly string[] | undefined } | undefined;
        readonly allowPrivilegeEscalation?: boolean | undefined;
        readonly seccompProfile?: object | undefined;
        readonly appArmorProfile?: object | undefined;
        readonly seLinuxOptions?: object | undefined;
      }
    | undefined;
  readonly stdin?: boolean | undefined;
  readonly stdinOnce?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly terminationMessagePath?: string | undefined;
  readonly terminationMessagePolicy?: string | undefined;
}

type Quantities = Readonly<Record<string, string | number>>;

interface Reference {
  readonly name: string;
  readonly optional?: boolean | undefined;
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string | undefined;
  readonly valueFrom?:
    | {
        readonly fieldRef?: { readonly fieldPath: string } | undefined;
        readonly resourceFieldRef?: ResourceFieldRef | undefined;
        readonly configMapKeyRef?: (Reference & { readonly key: string }) | undefined;
        readonly secretKeyRef?: (Reference & { readonly key: string }) | undefined;
      }
    | undefined;
}

export interface ResourceFieldRef {
  readonly containerName?: string | undefined;
  readonly resource: string;
  readonly divisor?: string | number | undefined;
}

export interface HttpGet {
  readonly path?: string | undefined;
  readonly port: number | string;
  readonly host?: string | undefined;
  readonly scheme?: string | undefined;
  readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[] | undefined;
}

export interface Hook {
  readonly exec?: { readonly command?: readonly string[] | undefined } | undefined;
  readonly httpGet?: HttpGet | undefined;
  readonly tcpSocket?: { readonly host?: string | undefined; readonly port: number | string } | undefined;
  readonly sleep?: { readonly seconds: number } | undefined;
}

export interface WorkloadProbe extends Hook {
  readonly grpc?: { readonly port: number; readonly service?: string | null | undefined } | undefined;
  readonly initialDelaySeconds?: number | undefined;
  readonly periodSeconds?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly successThreshold?: number | undefined;
  readonly failureThreshold?: number | undefined;
}

export interface KeyToPath {
  readonly key: string;
  readonly path: string;
  readonly mode?: number | undefined;
}

export interface DownwardFile {
  readonly path: string;
  readonly mode?: number | undefined;
  readonly fieldRef?: { readonly fieldPath: string } | undefined;
  readonly resourceFieldRef?: ResourceFieldRef | undefined;
}

/** One source of a projected volume. */
interface Projection {
  readonly configMap?: (Reference & { readonly items?: readonly KeyToPath[] | undefined }) | undefined;
  readonly secret?: (Reference & { readonly items?: readonly KeyToPath[] | undefined }) | undefined;
  readonly downwardAPI?: { readonly items?: readonly DownwardFile[] | undefined } | undefined;
  readonly serviceAccountToken?: TokenProjection | undefined;
}

export interface TokenProjection {
  readonly path: string;
  readonly audience?: string | undefined;
  readonly expirationSeconds?: number | undefined;
}

/** A volume: its name, and one source. Sources that ECI supports are typed. */
export interface Volume {
  readonly name: string;
  readonly emptyDir?:
    { readonly medium?: string | undefined; readonly sizeLimit?: string | number | undefined } | undefined;
  readonly configMap?:
    | (Reference & { readonly items?: readonly KeyToPath[] | undefined; readonly defaultMode?: number | undefined })
    | undefined;
  readonly secret?:
    | {
        readonly secretName: string;
        readonly optional?: boolean | undefined;
        readonly items?: readonly KeyToPath[] | undefined;
        readonly defaultMode?: number | undefined;
      }
    | undefined;
  readonly projected?:
    { readonly sources?: readonly Projection[] | undefined; readonly defaultMode?: number | undefined } | undefined;
  readonly downwardAPI?:
    { readonly items?: readonly DownwardFile[] | undefined; readonly defaultMode?: number | undefined } | undefined;
  readonly nfs?:
    { readonly server: string; readonly path: string; readonly readOnly?: boolean | undefined } | undefined;
  readonly flexVolume?:
    | {
        readonly driver: string;
        readonly fsType?: string | undefined;
        readonly secretRef?: { readonly name?: string | undefined } | undefined;
        readonly options?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
  readonly hostPath?: { readonly path: string; readonly type?: string | undefined } | undefined;
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean | undefined } | undefined;
  /** A claim that Kubernetes makes for the pod. */
  readonly ephemeral?: object | undefined;
}

export const WORKLOAD_POD: Resource<WorkloadPod> = {
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  namespaced: true,
};
