import type { KubeObject, Resource } from '../kube/port.ts';

/** A condition of a pod. Readiness gates are conditions that somebody else sets. */
export interface PodCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastProbeTime?: string | null | undefined;
  readonly lastTransitionTime?: string | null | undefined;
}

/** One toleration of a pod. An empty key with `Exists` tolerates everything; an empty effect, every effect. */
export interface Toleration {
  readonly key?: string | undefined;
  /** `Equal` where it is left out. */
  readonly operator?: string | undefined;
  readonly value?: string | undefined;
  readonly effect?: string | undefined;
}

export interface Taint {
  readonly key: string;
  readonly value?: string | undefined;
  readonly effect: string;
}

/** All of the expressions must hold. A term without any matches no node. */
export interface NodeSelectorTerm {
  readonly matchExpressions?:
    | readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] | undefined }[]
    | undefined;
  readonly matchFields?:
    | readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] | undefined }[]
    | undefined;
}

/** What of a pod's spec says where it may run. */
export interface Placement {
  readonly nodeName?: string | undefined;
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
  readonly tolerations?: readonly Toleration[] | undefined;
  readonly affinity?:
    | {
        readonly nodeAffinity?:
          | {
              /** One of the terms must match. */
              readonly requiredDuringSchedulingIgnoredDuringExecution?:
                { readonly nodeSelectorTerms: readonly NodeSelectorTerm[] } | undefined;
            }
          | undefined;
      }
    | undefined;
  readonly containers?: readonly ProbedContainer[] | undefined;
}

/** A container, as far as its probes are read: whether there are any. */
export interface ProbedContainer {
  readonly name?: string | undefined;
  readonly startupProbe?: object | null | undefined;
  readonly readinessProbe?: { readonly exec?: object | null | undefined } | null | undefined;
}

/**
 * What a pod is made from, before there is one: `spec.template` of a Knative Service or a Deployment, a Knative
 * Revision itself, or a pod at admission.
 */
export interface PodTemplate {
  readonly metadata?:
    | {
        readonly labels?: Readonly<Record<string, string>> | undefined;
        readonly annotations?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
  readonly spec?: GatedPlacement | undefined;
}

type GatedPlacement = Placement & {
  readonly readinessGates?: readonly { readonly conditionType: string }[] | undefined;
};

/** The part of a Pod that this product reads. */
export interface Pod extends KubeObject {
  readonly spec: GatedPlacement & {
    readonly hostNetwork?: boolean | undefined;
  };
  readonly status?:
    | {
        readonly phase?: string | undefined;
        /** Why it is in this phase, in CamelCase; written by the kubelet or virtual node. */
        readonly reason?: string | undefined;
        readonly message?: string | undefined;
        readonly podIP?: string | undefined;
        readonly podIPs?: readonly { readonly ip: string }[] | undefined;
        readonly hostIP?: string | undefined;
        readonly conditions?: readonly PodCondition[] | undefined;
      }
    | undefined;
}

/** The part of a Node that this product reads. */
export interface Node extends KubeObject {
  readonly spec?:
    | {
        readonly providerID?: string | undefined;
        readonly podCIDR?: string | undefined;
        readonly taints?: readonly Taint[] | undefined;
      }
    | undefined;
  readonly status?:
    | {
        readonly addresses?: readonly { readonly type: string; readonly address: string }[] | undefined;
        readonly conditions?: readonly { readonly type: string; readonly status: string }[] | undefined;
      }
    | undefined;
}

export type Namespace = KubeObject;

const core = <T extends KubeObject>(plural: string, kind: string, namespaced: boolean): Resource<T> => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced,
});

export const POD = core<Pod>('pods', 'Pod', true);
export const NODE = core<Node>('nodes', 'Node', false);
export const NAMESPACE = core<Namespace>('namespaces', 'Namespace', false);

/** `data` is text, `binaryData` base64. */
export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | undefined;
  readonly binaryData?: Readonly<Record<string, string>> | undefined;
}

export const CONFIG_MAP = core<ConfigMap>('configmaps', 'ConfigMap', true);

export interface Secret extends KubeObject {
  readonly type?: string | undefined;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>> | undefined;
}

export const SECRET = core<Secret>('secrets', 'Secret', true);
