import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterClaims } from '../webhook/claims.ts';
import { namespaceHoldings } from '../webhook/holdings.ts';
import { createReviewers } from '../webhook/handlers.ts';
import { ReviewError } from '../webhook/review.ts';
import { routedRevisions } from '../webhook/revisions.ts';
import { rotate } from '../webhook/rotation.ts';
import type { Config } from '../config/schema.ts';
import type { OtherControllers } from '../controllers/preflight/other-controllers.ts';
import type { PolicyCache } from '../controllers/policy-cache.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from './metrics-registry.ts';
import { createReviewApp } from '../webhook/server.ts';
import { serveTls, type ServerCertificate, type TlsServing } from '../web/http-server.ts';
import { settingsOf } from './controllers.ts';

interface WebhookParts {
  readonly config: Config;
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly policies: Pick<PolicyCache, 'known'>;
  readonly otherControllers?: Pick<OtherControllers, 'known'> | undefined;
}

/** The webhooks at work. */
interface Webhooks {
  /** Whether there is a certificate, and the API server can call. */
  readonly isServing: () => boolean;
  /** Undefined as long as there is no certificate. */
  readonly url: () => string | undefined;
  /** Resolves once nothing is served any more; rejects with a ServeError where the address cannot be listened on. */
  readonly ended: Promise<void>;
}

/** Between two looks at the files of a certificate. Milliseconds. */
const LOOK_MS = 60_000;
const RETRY_MS = 5_000;

/** Serves the webhooks until the signal aborts, on every replica: who leads makes no difference to them. */
export const serveWebhooks = (parts: WebhookParts, signal: AbortSignal): Webhooks => {
  const { config, kube, clock, log, metrics } = parts;
  const { address, serviceName, secretName, configurationName, certificateDirectory, hosts } = config.webhook;
  const { namespace } = config.leaderElection;
  const claims = clusterClaims({ kube, clock, log });
  const holdings = namespaceHoldings({ kube, clock, log });
  const revisions = routedRevisions({ kube, clock, log });
  const reviewers = createReviewers({
    kube,
    clock,
    log,
    settings: settingsOf(config, ''),
    provider: config.virtualNode.enabled ? 'ours' : 'add-on',
    policies: parts.policies,
    onConflict: config.webhook.onConflict,
    known: async (workload, settings) => {
      const [claimed, holding, routed] = await Promise.all([
        claims(workload),
        holdings(workload, settings),
        revisions(workload),
      ]);
      return { ...claimed, ...holding, ...routed, otherControllers: parts.otherControllers?.known() };
    },
    found: (finding) => metrics.life.found(finding),
    observe: (webhook, answer, durationMs) => metrics.reviewed(webhook, answer, durationMs / 1_000),
  });
  const app = createReviewApp(reviewers, (error): error is ReviewError => error instanceof ReviewError, log);
  let server: TlsServing | undefined;
  const present = async (certificate: ServerCertificate) => {
    if (server) return server.present(certificate);
    server = await serveTls(app, { address, key: 'webhook.address' }, certificate, clock);
    log.info({ url: server.url }, 'Serving webhooks');
  };
  const keeping =
    certificateDirectory === undefined
      ? rotate(
          {
            kube,
            clock,
            log,
            secret: { namespace, name: secretName },
            configuration: configurationName,
            hosts: [`${serviceName}.${namespace}.svc`, `${serviceName}.${namespace}.svc.cluster.local`, ...hosts],
            present: ({ cert, key }) => present({ cert, key }),
          },
          signal,
        )
      : follow(certificateDirectory, present, { clock, log }, signal);
  const ended = (async () => {
    try {
      await keeping;
    } finally {
      await server?.close();
    }
  })();
  return { isServing: () => server !== undefined, url: () => server?.url, ended };
};

/** Presents what is in the files, each time that they change. */
const follow = async (
  directory: string,
  present: (certificate: ServerCertificate) => Promise<void>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> => {
  let shown = '';
  while (!signal.aborted) {
    let waitMs = LOOK_MS;
    try {
      const [cert, key] = await Promise.all(
        ['tls.crt', 'tls.key'].map((name) => readFile(join(directory, name), 'utf8')),
      );
      if (cert !== undefined && key !== undefined && cert !== shown) {
        await present({ cert, key });
        shown = cert;
      }
    } catch (error) {
      if (error instanceof Error && error.name === 'ServeError') throw error;
      waitMs = RETRY_MS;
      // Node's messages about keys and certificates name the library's reason, never their text.
      const why = error instanceof Error ? error.message : String(error);
      log.warn({ directory }, `The certificate of the webhooks cannot be used (retrying): ${why}`);
    }
    await clock.sleep(waitMs, signal).catch(() => undefined);
  }
};
