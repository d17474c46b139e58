type Port = { readonly port?: number | string | undefined };

/** A readiness probe of a Knative Service, whose port may be left out. Source: k8s.io/api/core/v1, Probe. */
export interface ReadinessProbe {
  readonly httpGet?: (Port & { readonly scheme?: string | undefined }) | undefined;
  readonly tcpSocket?: Port | undefined;
  readonly grpc?: (Port & { readonly service?: string | null | undefined }) | undefined;
  readonly exec?: object | undefined;
  readonly periodSeconds?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly successThreshold?: number | undefined;
  readonly failureThreshold?: number | undefined;
}

const LOCAL = '127.0.0.1';

/**
 * The probe that queue-proxy makes of the user's container, as it is told in SERVING_READINESS_PROBE: with Knative's
 * defaults, at the container itself. Without a probe it asks whether the port is open; one that runs a command stays
 * with the kubelet, and queue-proxy asks for the port beside it.
 *
 * Source: knative/serving pkg/apis/serving/v1/revision_defaults.go (applyUserContainerDefaultReadinessProbe,
 * applyReadinessProbeDefaults), pkg/reconciler/revision/resources/queue.go (applyReadinessProbeDefaults).
 */
export const encodedReadinessProbe = (
  { readinessProbe = {} }: { readonly readinessProbe?: ReadinessProbe | undefined },
  userPort: number,
): string => {
  const { httpGet, tcpSocket, grpc, exec: _, ...timing } = readinessProbe;
  const { periodSeconds = 0, failureThreshold = 3, timeoutSeconds = 1, successThreshold } = timing;
  const at = (given: Port | undefined) => Number(given?.port) || userPort;
  const action = httpGet
    ? { httpGet: { ...httpGet, host: LOCAL, port: at(httpGet), scheme: httpGet.scheme ?? 'HTTP' } }
    : grpc
      ? { grpc: { ...grpc, port: at(grpc), service: grpc.service ?? '' } }
      : { tcpSocket: { host: LOCAL, port: at(tcpSocket) } };
  return JSON.stringify({
    ...action,
    ...timing,
    successThreshold: successThreshold || 1,
    ...(periodSeconds > 0 && { periodSeconds, failureThreshold, timeoutSeconds }),
  });
};
