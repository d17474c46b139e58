import { readFileSync } from 'node:fs';
import type { AssembledCloud } from '../cloud/assemble-cloud.ts';
import type { Config } from '../config/schema.ts';
import type { Caches } from '../controllers/caches.ts';
import { readPolicy, recallPolicy, type Policies } from '../policies/policy-cache.ts';
import type { Kube, KubeTransport } from '../kube/port.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import { parseHostPort } from '../lib/address.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Settings } from '../controllers/podeip/observation.ts';
import type { VirtualNodeMetrics } from '../virtualnode/metrics.ts';
import type { PodWatch } from '../virtualnode/pod-watch.ts';
import { runVirtualNode, type VirtualNodeSettings } from '../virtualnode/provider.ts';

/** What the virtual node needs beside the dependencies of the controllers. */
export interface VirtualNodeSource {
  /** For requests that the typed client does not offer. */
  readonly transport: KubeTransport;
  readonly pods: PodWatch;
  /** For the Node's Lease, whose renewal must not wait behind the work on pods. */
  readonly heartbeatKube: Kube;
  /** For the kubelet endpoint, whose readers must not slow the work on pods. */
  readonly endpointKube: Kube;
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
  readonly caches: Caches;
  readonly cloud: AssembledCloud;
  readonly policies?: Policies | undefined;
  /** Until this resolves, only the Node is kept alive. */
  readonly begin: Promise<void>;
  /** The settings of the decisions about PodEIPs, because both depend on the delays of the same cloud. */
  readonly settings: Settings;
}

/** Interval between reads of pods that are changing, milliseconds. Each of 10,000 calls in a minute shows 200. */
const POLL_MS = 500;

/** Runs the virtual node as configured until the signal aborts; resolves when nothing is under way any more. */
export const workAsVirtualNode = (world: VirtualNodeWorld, signal: AbortSignal): Promise<void> => {
  const { cloud, caches, config, settings, version, policies, ...ports } = world;
  return runVirtualNode(
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
      settings: virtualNodeSettings(config, settings, version),
    },
    signal,
  );
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
