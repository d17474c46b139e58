import { OPEN } from '../cloud/fence.ts';
import { proxyAgentOf, sendThrough } from '../cloud/proxy.ts';
import { createCaches } from '../controllers/caches.ts';
import { awaitAccount, watchAccount } from '../controllers/preflight/account.ts';
import { createKube } from '../kube/client.ts';
import { createRecorder } from '../kube/recorder.ts';
import { createPolicyCache } from '../policies/policy-cache.ts';
import { createHealth } from '../web/health.ts';
import { accountOf } from './account-wiring.ts';
import { chooseEndpoints, configuredCloud } from './cloud-wiring.ts';
import { findClusterUid, unlessStopped } from './cluster-uid.ts';
import { listen } from './listeners.ts';
import { logTrouble } from './manager.ts';
import type { Manager, ManagerOptions } from './manager-options.ts';
import { createMetrics } from './metrics-registry.ts';
import { settingsOf } from './settings.ts';
import { shutDownAtEnd } from './shutdown.ts';
import { createVirtualNodeSource } from './virtual-node-source.ts';
import { workAsVirtualNode } from './virtual-node-wiring.ts';

/**
 * Runs the virtual node as configured and nothing else until the signal: in a process of its own, whose service account
 * and whose rights in the cloud are those of the node alone. It shares nothing with the controller but the API server.
 */
export const startVirtualNode = async (options: ManagerOptions): Promise<Manager> => {
  const { config, connection, clock, random, log } = options;
  const shared = { clock, random, log };
  const metrics = createMetrics({ version: options.version, nodeVersion: options.nodeVersion });
  metrics.virtualNode.leading(false);
  const proxy = proxyAgentOf(options.env);
  if (proxy) await sendThrough(proxy);
  const endpointChoice = chooseEndpoints(config, { ...options, proxy }, (product, host) =>
    metrics.cloudEndpoint(product, host),
  );
  const health = createHealth();
  const kube = createKube({
    transport: connection.calls,
    clock,
    qps: config.kubeClientQPS,
    burst: config.kubeClientBurst,
  });
  const caches = createCaches({
    ...shared,
    transport: connection.watches,
    onTrouble: (resource, fault) => logTrouble(log, connection.server, resource, fault),
  });
  // Of pods it watches its own only, and as the node.
  const watched = [['podeips', caches.podEips] as const, ['nodes', caches.nodes] as const];
  for (const [name, reflector] of watched) {
    health.ready(name, () => reflector.hasSynced());
    metrics.watching(
      name,
      () => reflector.lastActivityAgeMs() / 1_000,
      () => reflector.stats(),
    );
  }
  const policies = createPolicyCache({ ...shared, transport: connection.watches });
  const recorder = createRecorder({
    ...shared,
    kube: createKube({ transport: connection.calls, clock }),
    controller: 'alibabacloud.com/knative-eip',
    instance: config.leaderElection.identity ?? 'knative-eip',
  });
  const source = createVirtualNodeSource({
    ...options,
    record: (about, happening) => recorder.record(about, happening),
    onTrouble: (fault) => logTrouble(log, connection.server, 'pods', fault),
  });
  const { claim, identity } = source;
  health.ready('virtual-node-certificate', () => identity?.isWaiting() !== true);
  health.ready('virtual-node-registered', () => source.registration?.isMissing() !== true);
  const work = new AbortController();
  const ending = new AbortController();
  const listeners = await listen({ ...options, health, metrics, pageSignal: work.signal }, ending.signal);

  /** Set while the credentials have been refused; see controllers.ts. */
  let isAccountOpen = false;
  const cloud = configuredCloud(
    { ...options, endpointChoice },
    {
      mayMutate: (needMs) => {
        if (work.signal.aborted || claim?.outlasts(needMs) === false) return { kind: 'leadershipUncertain' };
        return isAccountOpen ? { kind: 'accountUnseen' } : OPEN;
      },
      onCall: ({ action, outcome, durationMs }) =>
        metrics.cloudCalled(action, outcome === 'success' ? 'ok' : outcome, durationMs / 1_000),
      unmapped: ({ code }) => metrics.unmappedCloudCode(code),
    },
  );
  const { account, isMismatched } = accountOf({
    ...options,
    cloud,
    caches,
    metrics,
    // The log says why. Pods are told by whoever makes their addresses.
    hindered: () => undefined,
  });
  health.ready('account', () => !isMismatched());

  const failed = Promise.withResolvers<{ readonly error: unknown }>();
  const fail = (error: unknown) => {
    if (work.signal.aborted) return;
    log.error({ error }, 'The virtual node cannot work');
    failed.resolve({ error });
  };
  const reflecting = Promise.all([
    ...watched.map(([, reflector]) => reflector.run(work.signal)),
    policies.reflector.run(work.signal),
  ]);
  const begin = Promise.withResolvers<void>();
  const checkAccount = async (): Promise<void> => {
    // Must precede the first look at an instance: in another account, each would look as if it had been deleted.
    const began = config.cloud.checkAccount ? await awaitAccount(account, work.signal) : 'fits';
    isAccountOpen = began === 'refused';
    begin.resolve();
    if (began === 'noNodeToCompare' || began === 'refused')
      await watchAccount({ ...account, answered: () => (isAccountOpen = false) }, work.signal);
  };
  const working = (async () => {
    await unlessStopped(work.signal, Promise.all(watched.map(([, reflector]) => reflector.synced)));
    const clusterUid = await findClusterUid({ kube, ...shared }, work.signal);
    const { namespace } = config.leaderElection;
    log.info({ lease: `${namespace}/${config.virtualNode.nodeName}` }, 'Waiting for the Lease of the virtual node');
    await unlessStopped(work.signal, claim?.acquire(new AbortController().signal) ?? Promise.resolve());
    void checkAccount().catch(fail);
    await workAsVirtualNode(
      {
        ...source,
        // It is ours already.
        claim: undefined,
        ...shared,
        config,
        kube,
        caches,
        cloud,
        settings: settingsOf(config, clusterUid),
        metrics: metrics.virtualNode,
        policies,
        begin: begin.promise,
      },
      work.signal,
    );
  })().catch(fail);

  const ended = shutDownAtEnd({
    ...options,
    what: 'the virtual node',
    ends: [failed.promise, listeners.failed, ...(claim ? [claim.lost] : [])],
    work,
    drained: () => Promise.all([working, reflecting, cloud.idle()]),
    recorder,
    release: async () => claim?.release(),
    ending,
    closed: () => listeners.close(),
    identity,
  });
  return { urls: listeners.urls, webhookUrl: () => undefined, ended };
};
