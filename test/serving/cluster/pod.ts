import { POD, type Pod } from '../../../src/api/core.ts';
import type { Resource } from '../../../src/kube/port.ts';

/** Of a port: its number, or its name among the container's ports. */
export type Port = number | string;

export interface Probe {
  readonly httpGet?: {
    readonly path?: string;
    readonly port: Port;
    readonly scheme?: string;
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly tcpSocket?: { readonly port: Port };
  readonly exec?: object;
  readonly grpc?: object;
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string };
    readonly secretKeyRef?: { readonly name: string; readonly key: string; readonly optional?: boolean };
  };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** A pod as a kubelet reads it. */
export interface KubeletPod extends Pod {
  readonly spec: Omit<Pod['spec'], 'containers'> & {
    readonly containers: readonly Container[];
    readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
    readonly serviceAccountName?: string;
    readonly terminationGracePeriodSeconds?: number;
  };
  readonly status?: Pod['status'] & { readonly containerStatuses?: readonly object[] };
}

export const KUBELET_POD = POD as unknown as Resource<KubeletPod>;

export const portOf = (container: Container, port: Port): number => {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  if (named === undefined) throw new Error(`container ${container.name} has no port called ${port}`);
  return named;
};
