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

/** One requirement of a node affinity. */
export interface NodeRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

/** The part of a PodSpec that this product reads. */
export interface PodSpec {
  readonly nodeName?: string | undefined;
  readonly hostNetwork?: boolean | undefined;
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
  readonly affinity?:
    | {
        readonly nodeAffinity?:
          | {
              readonly requiredDuringSchedulingIgnoredDuringExecution?:
                | { readonly nodeSelectorTerms: readonly { readonly matchExpressions?: readonly NodeRequirement[] }[] }
                | undefined;
            }
          | undefined;
      }
    | undefined;
  readonly readinessGates?: readonly { readonly conditionType: string }[] | undefined;
}

/** The part of a Pod that this product reads. */
export interface Pod extends KubeObject {
  readonly spec: PodSpec;
  readonly status?:
    | {
        readonly phase?: string | undefined;
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
        readonly taints?:
          readonly { readonly key: string; readonly value?: string; readonly effect: string }[] | undefined;
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
