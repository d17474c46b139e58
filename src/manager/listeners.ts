import { createKube } from '../kube/client.ts';
import { createReaderAuthorizer } from '../kube/reader.ts';
import { createApp } from '../web/app.ts';
import type { Health } from '../web/health.ts';
import { serve, serveTls } from '../web/http-server.ts';
import type { Serving } from '../web/listen.ts';
import type { Exposition } from '../web/metrics-endpoint.ts';
import type { Status } from '../web/overview.ts';
import { serveHealth } from '../web/serve-health.ts';
import { followCertificate } from './certificate-files.ts';
import type { ManagerOptions } from './manager-options.ts';

interface ListenerParts extends Pick<ManagerOptions, 'config' | 'connection' | 'clock' | 'random' | 'log'> {
  readonly health: Health;
  readonly metrics: { render(): ReturnType<Exposition> };
  /** Undefined where there is no status page. */
  readonly status?: Status | undefined;
  /** Ends the streams of the status page. */
  readonly pageSignal: AbortSignal;
}

interface Listeners {
  /** Base URLs; `page` is undefined where there is no status page. */
  readonly urls: { readonly health: string; readonly metrics: string; readonly page: string | undefined };
  /** Resolves to the reason where a server that listened does no longer, and cannot be started anew. */
  readonly failed: Promise<{ readonly error: unknown }>;
  close(): Promise<void>;
}

/** The Service of config/manager that Prometheus finds the replicas by. */
const METRICS_SERVICE = 'knative-eip-metrics';

/**
 * Serves health, metrics and the status page, each at an address of its own, so that none of them can be kept busy
 * through another; health in a thread of its own.
 *
 * @throws {ServeError} if one of them cannot listen
 */
export const listen = async (parts: ListenerParts, signal: AbortSignal): Promise<Listeners> => {
  const { config, clock, log, health, status, pageSignal } = parts;
  const { address, statusPage } = config.http;
  const serving: Serving[] = [];
  const close = async () => {
    await Promise.all(serving.map((each) => each.close()));
  };
  const keep = <T extends Serving>(one: T): T => {
    serving.push(one);
    return one;
  };
  try {
    const healthServer = keep(await serveHealth(health, config.health.address, log));
    const metrics = keep(await serveMetrics(parts, signal));
    const isLocalOnly = statusPage === 'local';
    const page =
      !status || statusPage === 'off'
        ? undefined
        : keep(
            await serve(createApp({ page: { status, clock, signal: pageSignal, isLocalOnly }, log }), address, clock),
          );
    const urls = { health: healthServer.url, metrics: metrics.url, page: page?.url };
    return { urls, failed: healthServer.failed, close };
  } catch (error) {
    await close();
    throw error;
  }
};

const serveMetrics = async (
  { config, connection, clock, random, log, metrics }: ListenerParts,
  signal: AbortSignal,
): Promise<Serving> => {
  const { address, tls, authorization, certificateDirectory } = config.metrics;
  // For reviews of tokens only: they have a rate limit of their own.
  const kube = createKube({ transport: connection.calls, clock });
  const guard = authorization ? createReaderAuthorizer({ kube, clock, log }) : undefined;
  const exposition = () => metrics.render();
  const app = createApp({ exposition, guard, log });
  const where = { address, key: 'metrics.address' };
  if (!tls) return serve(app, where.address, clock, where.key);
  const service = `${METRICS_SERVICE}.${config.leaderElection.namespace}.svc`;
  // Also where files follow: a scrape before these are there fails at their client, and not at a port that is closed.
  // Not before it is wanted: what makes it is a tenth of the CPU until the process is ready.
  const makeOwn = async () => {
    try {
      const { selfSigned } = await import('../virtualnode/certificate.ts');
      return await selfSigned({ clock, random }, service, [`${service}.cluster.local`]);
    } catch (error) {
      log.error({ error: String(error) }, 'No certificate for /metrics could be made; the next scrape tries again');
      throw error;
    }
  };
  const server = await serveTls(app, where, { certificate: makeOwn }, clock);
  if (certificateDirectory !== undefined)
    void followCertificate(
      { directory: certificateDirectory, whose: 'metrics', present: (next) => server.present(next) },
      { clock, log },
      signal,
    );
  return server;
};
