import { readFileSync } from 'node:fs';
import type { ImageCache } from '../api/imagecache.ts';
import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import { readPolicy, recallPolicy, type Policies } from '../policies/policy-cache.ts';
import type { Kube, KubeTransport } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import type { Reflector } from '../kube/reflector.ts';
import { parseHostPort } from '../lib/address.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Settings } from '../controllers/podeip/observation.ts';
import type { VirtualNodeMetrics } from '../virtualnode/metrics.ts';
import { keepFromEviction } from '../virtualnode/heartbeat.ts';
import { runImageCaches } from '../virtualnode/imagecache/controller.ts';
import type { NodeIdentity } from '../virtualnode/node-identity.ts';
import type { PodWatch } from '../virtualnode/pod-watch.ts';
import type { Registration } from '../virtualnode/registration.ts';
import { runVirtualNode, type VirtualNodeSettings } from '../virtualnode/provider.ts';
import type { requestServingCertificate } from '../virtualnode/serving-certificate.ts';
import type { NodeClaim } from './node-claim.ts';

/** What the virtual node needs beside the dependencies of the controllers. */
export interface VirtualNodeSource {
  /** For requests that the typed client does not offer. */
  readonly transport: KubeTransport;
  readonly pods: PodWatch;
  /** For the Node's Lease, whose renewal must not wait behind the work on pods. */
  readonly heartbeatKube: Kube;
  /** The ImageCaches of the cluster; undefined where none is to be made. */
  readonly imageCaches?: Reflector<ImageCache> | undefined;
  /** Whether the requests for the Node and its pods are the node's at the moment, and not the service account's. */
  readonly isNode?: (() => boolean) | undefined;
  /** Whether the Node is there. */
  readonly registration?: Registration | undefined;
  /** For the kubelet endpoint, whose readers must not slow the work on pods. */
  readonly endpointKube: Kube;
  /** For the pods of the node and what they refer to. By default the controller's. */
  readonly nodeKube?: Kube | undefined;
  /** The node's own identity; undefined if all is asked by the service account. */
  readonly identity?: Pick<NodeIdentity, 'usable' | 'isWaiting' | 'certifiedUntil' | 'run' | 'close'> | undefined;
  /** The certificate of the kubelet endpoint, where it is asked for. */
  readonly serving?: ReturnType<typeof requestServingCertificate> | undefined;
  /** The Lease of the node; undefined if this process is the only one. */
  readonly claim?: NodeClaim | undefined;
  /** The version of the product. */
  readonly version: string;
  readonly record: (about: ObjectReference, happening: Happening) => void;
}

interface VirtualNodeWorld extends VirtualNodeSource {
  readonly metrics: VirtualNodeMetrics;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly kube: Kube;
  readonly caches: Pick<Caches, 'podEips'>;
  readonly cloud: AssembledCloud;
  readonly policies?: Policies | undefined;
  /** Until this resolves, only the Node is kept alive. */
  readonly begin: Promise<void>;
  /** The settings of the decisions about PodEIPs, because both depend on the delays of the same cloud. */
  readonly settings: Settings;
}

/** Interval between reads of pods that are changing, milliseconds. Each of 10,000 calls in a minute shows 200. */
const POLL_MS = 500;

/**
 * Runs the virtual node as configured until the signal aborts, once its Lease is ours and it may ask the API server as
 * who it is; resolves when nothing is under way any more.
 */
export const workAsVirtualNode = async (world: VirtualNodeWorld, signal: AbortSignal): Promise<void> => {
  const { cloud, caches, config, settings, version, policies, identity, serving, claim, imageCaches, ...ports } = world;
  // What is held is given back by whoever ends the process, and not at the signal.
  await unlessStopped(signal, claim?.acquire(new AbortController().signal));
  if (!signal.aborted) ports.metrics.leading(true);
  if (identity) ports.metrics.certificate(() => ({ until: identity.certifiedUntil() }));
  const keeping = identity?.run(signal);
  // By the service account, which needs no certificate for it.
  const caching =
    imageCaches && !signal.aborted
      ? runImageCaches(
          {
            ...ports,
            watched: imageCaches,
            imageCaches: cloud.imageCaches,
            settings: imageCacheSettings(virtualNodeSettings(config, settings, version)),
          },
          signal,
        )
      : undefined;
  await unlessStopped(signal, identity && waitFor(identity, world, signal));
  // Only who is known as the node may ask for it.
  const asking = serving?.run(signal);
  if (!signal.aborted)
    await runVirtualNode(
      {
        ...ports,
        cloud: cloud.cloud,
        ...(policies && {
          policyOf: async (namespace: string, isFresh: boolean, stop: AbortSignal) =>
            isFresh
              ? (await readPolicy(policies, ports.kube, namespace, stop)).effective
              : recallPolicy(policies, ports.kube, namespace, stop),
        }),
        containerGroups: cloud.containerGroups,
        podEips: caches.podEips,
        settings: withServing(virtualNodeSettings(config, settings, version), serving),
      },
      signal,
    );
  await keeping;
  await asking;
  await caching;
};

/** Waits until requests can be sent. A Node that is there already has its heartbeat meanwhile. */
const waitFor = async (
  { usable }: Pick<NodeIdentity, 'usable'>,
  { config, settings, version, heartbeatKube, ...ports }: VirtualNodeWorld,
  signal: AbortSignal,
): Promise<void> => {
  const waiting = new AbortController();
  const { description } = virtualNodeSettings(config, settings, version);
  const kept = keepFromEviction(
    { ...ports, kube: heartbeatKube },
    description,
    AbortSignal.any([signal, waiting.signal]),
  );
  await unlessStopped(signal, usable);
  waiting.abort(new Error('the node can be asked for by its own identity'));
  await kept;
};

const imageCacheSettings = ({ node, settleMs, missingMs, readLagMs }: VirtualNodeSettings) => ({
  ...node,
  settleMs,
  missingMs,
  readLagMs,
});

/** The certificate of the endpoint comes from the request for it, where there is one. */
const withServing = (
  { kubelet, ...settings }: VirtualNodeSettings,
  serving: VirtualNodeSource['serving'],
): VirtualNodeSettings => ({
  ...settings,
  kubelet: kubelet && serving ? { ...kubelet, certificate: serving.certificate, renewed: serving.renewed } : kubelet,
});

/** Resolves when `work` does, or the signal aborts. */
const unlessStopped = async (signal: AbortSignal, work: Promise<void> | undefined): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await Promise.race([work, promise]);
};

/** What the configuration makes of the virtual node. Reads the files that it names. */
export const virtualNodeSettings = (config: Config, settings: Settings, version: string): VirtualNodeSettings => {
  const { virtualNode, regionID } = config;
  const { nodeName, zoneID, vSwitchIDs, securityGroupID, resourceGroupID, kubelet } = virtualNode;
  const listen = parseHostPort(kubelet.address);
  return {
    nodeName,
    description: {
      name: nodeName,
      region: regionID,
      zone: zoneID,
      capacity: virtualNode.capacity,
      providerID: virtualNode.providerID,
      version,
    },
    node: {
      clusterUid: settings.clusterUid,
      zoneId: zoneID,
      vSwitchIds: vSwitchIDs,
      // The check of the configuration requires one with a virtual node.
      securityGroupId: securityGroupID ?? '',
      resourceGroupId: resourceGroupID,
      clusterDNS: virtualNode.clusterDNS,
      clusterDomain: virtualNode.clusterDomain,
      serviceEnvironment: serviceEnvironmentOf(virtualNode.apiServerAddress),
    },
    ...(listen &&
      kubelet.advertiseAddress !== undefined && {
        kubelet: {
          listen,
          address: kubelet.advertiseAddress,
          ...(kubelet.clientCAFile !== undefined && { clientCA: readFileSync(kubelet.clientCAFile, 'utf8') }),
          certificate: certificateIn(kubelet),
        },
      }),
    defaults: settings.defaults,
    statefulKinds: settings.statefulKinds,
    enableVirtualNode: settings.enableVirtualNode,
    region: settings.region,
    existingEips: settings.existingEips,
    existingEipNamespaces: settings.existingEipNamespaces,
    settleMs: settings.settleMs,
    missingMs: settings.missingMs,
    readLagMs: settings.readLagMs,
    tokenSeconds: virtualNode.tokenSeconds,
    workers: virtualNode.maxConcurrentReconciles,
    pollMs: POLL_MS,
    garbageCollectionMs: settings.recheckMs,
    brakeAbove: virtualNode.orphanBrakeAbove,
  };
};

/** Reads the files of the certificate; undefined if there are none. */
const certificateIn = ({ certFile, keyFile }: Config['virtualNode']['kubelet']) =>
  certFile === undefined || keyFile === undefined
    ? undefined
    : () => ({ cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') });

/** What a kubelet sets for the Service `kubernetes` (pkg/kubelet/envvars), as far as clients in a cluster read it. */
const serviceEnvironmentOf = (address: string | undefined): ReadonlyMap<string, string> | undefined => {
  const api = parseHostPort(address ?? '');
  return (
    api &&
    new Map([
      ['KUBERNETES_SERVICE_HOST', api.host],
      ['KUBERNETES_SERVICE_PORT', String(api.port)],
      ['KUBERNETES_SERVICE_PORT_HTTPS', String(api.port)],
    ])
  );
};
