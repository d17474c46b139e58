import { readFile } from 'node:fs/promises';
import { clusterClaims } from '../webhook/claims.ts';
import { namespaceHoldings } from '../webhook/holdings.ts';
import { createReviewers } from '../webhook/handlers.ts';
import { ReviewError } from '../webhook/review.ts';
import { routedRevisions } from '../webhook/revisions.ts';
import { rotate } from '../webhook/rotation.ts';
import type { Config } from '../config/schema.ts';
import type { OtherControllers } from '../controllers/preflight/other-controllers.ts';
import type { PolicyCache } from '../policies/policy-cache.ts';
import type { Kube, KubeTransport } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import { watchBundles } from './bundle-watch.ts';
import { watchEciProfile } from './eci-profile-watch.ts';
import { followCertificate } from './certificate-files.ts';
import type { Metrics } from './metrics-registry.ts';
import { createReviewApp } from '../webhook/server.ts';
import { serveTls, type ServerCertificate, type TlsServing } from '../web/http-server.ts';
import { ServeError } from '../web/listen.ts';
import { ruleSettingsOf } from './settings.ts';

interface WebhookParts {
  readonly config: Config;
  readonly kube: Kube;
  /** For watches. */
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly policies: Pick<PolicyCache, 'known'>;
  readonly otherControllers?: Pick<OtherControllers, 'known'> | undefined;
  readonly record: (about: ObjectReference, happening: Happening) => void;
}

/** The webhooks, running. */
interface Webhooks {
  /** Whether there is a certificate, so that the API server can call, and all is known that pods are changed by. */
  readonly isServing: () => boolean;
  /** Undefined until there is a certificate. */
  readonly url: () => string | undefined;
  /** Resolves when nothing is served any more; rejects with a ServeError if the server cannot listen on its address. */
  readonly ended: Promise<void>;
}

/** Serves the webhooks until the signal aborts, on every replica, leader or not. */
export const serveWebhooks = (parts: WebhookParts, signal: AbortSignal): Webhooks => {
  const { config, kube, transport, clock, random, log, metrics, record } = parts;
  const { address, serviceName, secretName, configurationName, certificateDirectory, clientCA, hosts } = config.webhook;
  const { namespace } = config.leaderElection;
  const claims = clusterClaims({ kube, clock, log });
  const holdings = namespaceHoldings({ kube, clock, log });
  const revisions = routedRevisions({ kube, clock, log });
  const profile = config.virtualNode.eciProfile
    ? watchEciProfile({ transport, clock, random, log, config, record })
    : undefined;
  if (profile) metrics.profile(profile.isBroken);
  const following = profile?.run(signal);
  const reviewers = createReviewers({
    kube,
    clock,
    log,
    settings: ruleSettingsOf(config),
    provider: config.virtualNode.enabled ? 'ours' : 'add-on',
    policies: parts.policies,
    profile: profile?.selectors,
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
    const authorities = clientCA === undefined ? undefined : await readAuthorities(clientCA);
    const options = { certificate, clientCA: authorities, connections: 'many' } as const;
    server = await serveTls(app, { address, key: 'webhook.address' }, options, clock);
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
            follow: watchBundles({ transport, clock, random, log, configuration: configurationName }),
          },
          signal,
        )
      : followCertificate({ directory: certificateDirectory, whose: 'webhooks', present }, { clock, log }, signal);
  const ended = (async () => {
    try {
      await keeping;
      await following;
    } finally {
      await server?.close();
    }
  })();
  return { isServing: () => server !== undefined && (profile?.hasSynced() ?? true), url: () => server?.url, ended };
};

/** @throws {ServeError} rather than answer everybody */
const readAuthorities = async (path: string): Promise<string> => {
  const unusable = (why: string, cause?: unknown) =>
    new ServeError(
      `cannot serve the webhooks: the file ${path} ${why}; write the PEM of the authority of the API servers' client certificates there, or change webhook.clientCA`,
      { cause },
    );
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unusable(`cannot be read (${error.code ?? 'unknown error'})`, error);
  });
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw unusable('has no certificate in it');
  return text;
};
