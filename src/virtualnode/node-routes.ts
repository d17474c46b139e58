import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import { cadvisorMetrics, kubeletMetrics, resourceMetrics } from './node-metrics.ts';
import type { NodeUsage, PodInstance } from './node-usage.ts';
import { summaryOf, type StatsNode } from './stats-summary.ts';
import { WORKLOAD_POD, type WorkloadPod } from './workload-pod.ts';

/** What an answer of these paths says; they are answered with 200. */
interface NodeAnswer {
  readonly contentType: string;
  readonly body: string;
}

interface Ports {
  readonly kube: Kube;
  readonly clock: Clock;
  /** What the pods use. */
  readonly usage: { read(signal: AbortSignal): Promise<NodeUsage> };
  readonly instances: () => readonly PodInstance[];
}

interface Settings extends StatsNode {
  readonly listen: { readonly host: string; readonly port: number };
}

interface Asked {
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
}

type Route = (asked: Asked) => Promise<NodeAnswer>;

/** How long a list of the pods is shared, milliseconds. */
const SHARED_MS = 5_000;

const json = (value: unknown): NodeAnswer => ({ contentType: 'application/json', body: JSON.stringify(value) });
const metricsText = (body: string): NodeAnswer => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body });

/**
 * The configuration that a kubelet would have that works as this one does (kubelet.config.k8s.io/v1beta1): see
 * heartbeat.ts and ../kube/authorizer.ts.
 */
const configOf = ({ listen }: Settings) => ({
  kubeletconfig: {
    kind: 'KubeletConfiguration',
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    address: listen.host,
    port: listen.port,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true, cacheTTL: '1m0s' } },
    authorization: { mode: 'Webhook', webhook: { cacheAuthorizedTTL: '1m0s', cacheUnauthorizedTTL: '10s' } },
    nodeStatusUpdateFrequency: '10s',
    nodeStatusReportFrequency: '5m0s',
    nodeLeaseDurationSeconds: 40,
  },
});

const healthy: Route = () => Promise.resolve({ contentType: 'text/plain; charset=utf-8', body: 'ok' });

/**
 * What a kubelet says of its node and its pods, by path. Neither the API server nor the cloud is asked before somebody
 * wants to know, and answers are shared for some seconds.
 */
export const createNodeRoutes = (
  { kube, clock, usage, instances }: Ports,
  settings: Settings,
): ReadonlyMap<string, Route> => {
  let listed: { readonly pods: Promise<readonly WorkloadPod[]>; readonly at: number } | undefined;
  const pods: Route = async ({ signal }) => {
    if (!listed || clock.mono() - listed.at >= SHARED_MS) {
      const fieldSelector = `spec.nodeName=${settings.nodeName}`;
      listed = { pods: kube.list(WORKLOAD_POD, { fieldSelector }, signal), at: clock.mono() };
      const { pods: asked } = listed;
      // A refusal is not shared.
      asked.catch(() => {
        if (listed?.pods === asked) listed = undefined;
      });
    }
    return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: await listed.pods });
  };
  return new Map<string, Route>([
    ['/healthz', healthy],
    ['/healthz/ping', healthy],
    ['/healthz/syncloop', healthy],
    ['/pods', pods],
    ['/pods/', pods],
    ['/configz', () => Promise.resolve(json(configOf(settings)))],
    [
      '/stats/summary',
      async ({ query, signal }) => {
        const used = await usage.read(signal);
        // A kubelet fails here, too, when it knows nothing; what is known of some pods is said.
        if (used.fault && used.pods.length === 0) throw used.fault;
        return json(summaryOf(used, settings, query.get('only_cpu_and_memory') === 'true'));
      },
    ],
    ['/metrics/resource', async ({ signal }) => metricsText(resourceMetrics(await usage.read(signal)))],
    ['/metrics/cadvisor', async ({ signal }) => metricsText(cadvisorMetrics(await usage.read(signal)))],
    // ECI counts no results of probes. Whoever scrapes kubelets takes a 404 for a node that is down.
    ['/metrics/probes', () => Promise.resolve(metricsText(''))],
    [
      '/metrics',
      () => {
        const running = instances().map(({ group }) =>
          group.containers.filter(({ currentState }) => currentState?.state === 'Running'),
        );
        const counts = {
          pods: running.filter((containers) => containers.length > 0).length,
          containers: running.flat().length,
        };
        return Promise.resolve(metricsText(kubeletMetrics(settings.nodeName, counts)));
      },
    ],
  ]);
};
