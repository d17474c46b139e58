import { proxyAgentOf, sendThrough } from '../cloud/proxy.ts';
import { createCaches } from '../controllers/caches.ts';
import { checkDefinitions } from '../controllers/preflight/installed-definition.ts';
import { createOtherControllers } from '../controllers/preflight/other-controllers.ts';
import { createPolicyCache } from '../policies/policy-cache.ts';
import { createServiceCache } from '../controllers/service/controller.ts';
import type { EventNote } from '../controllers/podeip/events.ts';
import { createKube } from '../kube/client.ts';
import { tellingTime } from '../kube/server-time.ts';
import { UNAUTHORIZED, type KubeFault } from '../kube/fault.ts';
import { createRecorder } from '../kube/recorder.ts';
import type { Log } from '../lib/log.ts';
import { createMetrics } from './metrics-registry.ts';
import type { ShownEndpoint } from '../web/overview.ts';
import { createHealth } from '../web/health.ts';
import { chooseEndpoints, configuredCloud } from './cloud-wiring.ts';
import { runControllers } from './controllers.ts';
import { electionOf } from './elections.ts';
import { listen } from './listeners.ts';
import { withLink } from '../rules/docs-link.ts';
import { createStatus } from './status-page.ts';
import type { Manager, ManagerOptions } from './manager-options.ts';
import { shutDownAtEnd } from './shutdown.ts';
import { lookForUnserved } from './unserved-webhooks.ts';
import { serveWebhooks } from './webhook-wiring.ts';

/** As long as an Event may be (kubernetes pkg/apis/core/validation/events.go). */
const LONGEST_NOTE = 1_024;

/** A Warning says where its reason is explained. */
const explained = (event: EventNote, docsURL: string | undefined): EventNote =>
  event.type === 'Warning' ? { ...event, note: withLink(event.note, event.reason, docsURL, LONGEST_NOTE) } : event;

/** What not everybody runs, undefined where it is not configured: loaded, it takes memory whether it runs or not. */
const loadOptional = async ({ config, runs }: Pick<ManagerOptions, 'config' | 'runs'>) => ({
  virtualNode:
    config.virtualNode.enabled && runs !== 'eip'
      ? { ...(await import('./virtual-node-source.ts')), ...(await import('./virtual-node-wiring.ts')) }
      : undefined,
  cloudEvents:
    config.cloudEvents.sink === undefined ? undefined : await import('../cloudevents/assemble-cloudevents.ts'),
});

/** Assembles the controller as configured, and runs it until the signal. */
export const startManager = async (options: ManagerOptions): Promise<Manager> => {
  const { config, connection, clock, random, log } = options;
  const optional = await loadOptional(options);
  const metrics = createMetrics({ version: options.version, nodeVersion: options.nodeVersion });
  const proxy = proxyAgentOf(options.env);
  if (proxy) {
    await sendThrough(proxy);
    log.info({}, 'The APIs of the cloud are asked through the proxy of HTTPS_PROXY, but for the hosts of NO_PROXY');
  }
  const endpoints = new Map<string, ShownEndpoint>(
    Object.entries(config.endpoints).flatMap(([product, host]) =>
      host === undefined ? [] : [[product, { product, host, is: 'configured' }] as const],
    ),
  );
  const endpointChoice = chooseEndpoints(config, { ...options, proxy }, (product, host, isReached) => {
    metrics.cloudEndpoint(product, host);
    endpoints.set(product, { product, host, is: isReached ? 'reached' : 'unreached' });
  });
  const health = createHealth();
  const limits = { qps: config.kubeClientQPS, burst: config.kubeClientBurst };
  const telling = tellingTime(connection.calls);
  const kube = createKube({ transport: telling.transport, clock, ...limits });
  const caches = createCaches({
    transport: connection.watches,
    clock,
    random,
    log,
    onTrouble: (resource, fault) => logTrouble(log, connection.server, resource, fault),
  });
  for (const [name, reflector] of caches.all) {
    health.ready(name, () => reflector.hasSynced());
  }

  // Leases and Events have a rate limit of their own: a renewal must not wait behind reconciles.
  const election = electionOf(options, config.leaderElection.name);
  const services = config.knative.watch
    ? createServiceCache({ transport: connection.watches, clock, random, log })
    : undefined;
  const work = new AbortController();
  const overview = createStatus({
    config,
    version: options.version,
    clock,
    caches,
    services,
    election,
    endpoints: () => [...endpoints.values()],
    quota: () => metrics.quotaNow(),
  });
  const ending = new AbortController();
  const listeners = await listen(
    {
      ...options,
      health,
      metrics,
      status: overview.status,
      pageSignal: work.signal,
    },
    ending.signal,
  );
  const recorder = createRecorder({
    kube: createKube({ transport: connection.calls, clock }),
    clock,
    random,
    log,
    controller: 'alibabacloud.com/knative-eip',
    instance: config.leaderElection.identity ?? 'knative-eip',
  });

  const policies = createPolicyCache({ transport: connection.watches, clock, random, log });
  const otherControllers =
    config.otherEipControllers === 'refuse'
      ? createOtherControllers({
          kube: createKube({ transport: connection.calls, clock }),
          clock,
          log,
          seen: (names) => metrics.otherControllers(names),
        })
      : undefined;
  const webhooks = config.webhook.enabled
    ? serveWebhooks(
        {
          config,
          kube: createKube({ transport: connection.calls, clock }),
          transport: connection.watches,
          clock,
          random,
          log,
          metrics,
          policies,
          otherControllers,
          record: (about, happening) => recorder.record(about, happening),
        },
        ending.signal,
      )
    : undefined;
  const looking = { kube: createKube({ transport: connection.calls, clock }), clock, log };
  health.ready(
    'webhooks',
    webhooks?.isServing ??
      lookForUnserved({ ...looking, configuration: config.webhook.configurationName }, work.signal),
  );
  void checkDefinitions({ ...looking, existingEips: config.existingEips }, work.signal);
  const sender = optional.cloudEvents?.senderOf(config, clock);
  const virtualNode = optional.virtualNode?.createVirtualNodeSource({
    ...options,
    record: (about, happening) => recorder.record(about, happening),
    onTrouble: (fault) => logTrouble(log, connection.server, 'pods', fault),
  });
  const running = runControllers({
    config,
    clock,
    random,
    log,
    kube,
    serverTime: () => telling.time.latest(),
    onTagsDropped: () => overview.tagsDropped(),
    caches,
    services,
    virtualNode: virtualNode && optional.virtualNode && { ...virtualNode, run: optional.virtualNode.workAsVirtualNode },
    policies,
    otherControllers,
    metrics,
    election,
    record: (regarding, event) => {
      overview.recorded(regarding, event);
      recorder.record(regarding, explained(event, config.docsURL));
    },
    assemble: (mayMutate) => {
      const cloud = configuredCloud(
        { ...options, endpointChoice },
        {
          mayMutate,
          onCall: (call) => {
            const { action, outcome, durationMs } = call;
            metrics.cloudCalled(action, outcome === 'success' ? 'ok' : outcome, durationMs / 1_000);
            overview.called(call);
          },
          unmapped: ({ code }) => metrics.unmappedCloudCode(code),
        },
      );
      overview.throttledBy(cloud.throttle);
      return cloud;
    },
    cloudEvents: sender &&
      optional.cloudEvents && {
        assemble: optional.cloudEvents.assembleCloudEvents,
        sender,
        kube: createKube({ transport: connection.calls, clock, ...limits }),
      },
    work: work.signal,
  });
  health.ready('account', running.fitsAccount);
  if (virtualNode?.identity) {
    health.ready('virtual-node-certificate', () => virtualNode.identity?.isWaiting() !== true);
    health.ready('virtual-node-registered', () => virtualNode.registration?.isMissing() !== true);
  }
  const ended = shutDownAtEnd({
    ...options,
    what: 'the controller',
    // If a server cannot listen, or the controllers cannot work, everything stops: otherwise a process that does half
    // of its work would keep the leadership.
    ends: [running.lost, running.failed, listeners.failed, ...(webhooks ? [failing(webhooks.ended)] : [])],
    work,
    drained: () => running.drained,
    recorder,
    release: () => Promise.all([election?.release(), virtualNode?.claim?.release()]),
    ending,
    closed: async () => {
      await webhooks?.ended.catch(() => undefined);
      await listeners.close();
    },
    identity: virtualNode?.identity,
  });
  return { urls: listeners.urls, webhookUrl: () => webhooks?.url(), ended };
};

/** Resolves to the reason when `work` rejects; never otherwise. */
const failing = (work: Promise<void>): Promise<{ readonly error: unknown }> =>
  new Promise((resolve) => {
    work.catch((error: unknown) => resolve({ error }));
  });

/** Logs what is wrong with a watch and what to do about it; the watch itself retries. */
export const logTrouble = (log: Log, server: string, resource: string, fault: KubeFault): void => {
  const fields = { resource, kind: fault.kind };
  if (fault.kind === 'notFound' && resource === 'podeips')
    log.error(fields, 'The CRD of PodEIP is not installed; install it with: kubectl apply -k config/crd (retrying)');
  else if (fault.kind === 'forbidden' && fault.status !== UNAUTHORIZED)
    log.error(
      fields,
      `The service account may not watch ${resource}; apply config/rbac, and config/virtual-node for the process of a virtual node (retrying): ${fault.message}`,
    );
  else if (fault.kind === 'unavailable')
    log.warn(fields, `The API server ${server} does not answer (retrying): ${fault.message}`);
  else if (fault.kind !== 'expired') log.warn(fields, `Watching ${resource} failed (retrying): ${fault.message}`);
};
