import { IMAGE_CACHE } from '../api/imagecache.ts';
import { createKube } from '../kube/client.ts';
import type { KubeFault } from '../kube/fault.ts';
import type { Happening, ObjectReference } from '../kube/recorder.ts';
import { createReflector } from '../kube/reflector.ts';
import { createNodeIdentity } from '../virtualnode/node-identity.ts';
import { nodeScoped } from '../virtualnode/node-scoped.ts';
import { createPodWatch } from '../virtualnode/pod-watch.ts';
import { createRegistration, hintForNode } from '../virtualnode/registration.ts';
import { requestServingCertificate } from '../virtualnode/serving-certificate.ts';
import { electionOf } from './elections.ts';
import type { ManagerOptions } from './manager-options.ts';
import { claimNode } from './node-claim.ts';
import type { VirtualNodeSource } from './virtual-node-wiring.ts';

interface SourceParts extends Pick<ManagerOptions, 'config' | 'connection' | 'clock' | 'random' | 'log' | 'version'> {
  readonly record: (about: ObjectReference, happening: Happening) => void;
  /** Called for each failure of the watch of pods. */
  readonly onTrouble: (fault: KubeFault) => void;
}

/** Calls per second for those who read logs on the virtual node; each costs one or two, and is remembered. */
const ENDPOINT_BUDGET = { qps: 5, burst: 10 };
/** The Secret of the client certificate, in the namespace of the Lease; config/virtual-node has its name, too. */
const IDENTITY_SECRET = 'knative-eip-virtual-node-identity';

const HINT_FOR_IMAGE_CACHES = 'Apply config/virtual-node-image-caches, or set virtualNode.imageCaches to false';

/** What the virtual node of the configuration runs on: as whom it asks the API server, and by which Lease. */
export const createVirtualNodeSource = (parts: SourceParts): VirtualNodeSource => {
  const { config, connection, clock, random, log, version, record, onTrouble } = parts;
  const { nodeName, identity: asWhom, kubelet } = config.virtualNode;
  const own = { kube: createKube({ transport: connection.calls, clock }), clock, log, record, nodeName };
  const identity =
    asWhom === 'serviceAccount'
      ? undefined
      : createNodeIdentity({
          ...own,
          connection,
          secret: { namespace: config.leaderElection.namespace, name: IDENTITY_SECRET },
          mayUseServiceAccount: asWhom === 'certificateOrServiceAccount',
        });
  const { calls, watches } = identity ?? connection;
  const kubeOf = (limits: { readonly qps?: number; readonly burst?: number } = {}) => {
    const kube = createKube({ transport: calls, clock, ...limits });
    return identity ? nodeScoped(kube, nodeName) : kube;
  };
  const serving =
    identity && kubelet.requestCertificate && kubelet.advertiseAddress !== undefined
      ? requestServingCertificate({
          ...own,
          kube: kubeOf(),
          isCertified: () => identity.isCertified(),
          address: kubelet.advertiseAddress,
        })
      : undefined;
  const election = electionOf(parts, nodeName);
  const isNode = () => identity?.isCertified() === true;
  const onPodTrouble = (fault: KubeFault) => {
    const hint = isNode() ? hintForNode(fault) : undefined;
    if (hint === undefined) onTrouble(fault);
    else log.error({ node: nodeName }, `The node may not watch its pods (retrying): ${fault.message}. ${hint}`);
  };
  return {
    isNode,
    registration: createRegistration(),
    transport: calls,
    pods: createPodWatch({ transport: watches, clock, random, log, onTrouble: onPodTrouble }, nodeName),
    imageCaches: config.virtualNode.imageCaches
      ? createReflector({
          transport: connection.watches,
          clock,
          random,
          log,
          resource: IMAGE_CACHE,
          keep: (cache) => cache,
          onTrouble: ({ kind, message }) =>
            log.error({ kind }, `ImageCaches cannot be watched (retrying): ${message}. ${HINT_FOR_IMAGE_CACHES}`),
        })
      : undefined,
    nodeKube: kubeOf({ qps: config.kubeClientQPS, burst: config.kubeClientBurst }),
    heartbeatKube: createKube({ transport: identity?.heartbeats ?? calls, clock }),
    endpointKube: kubeOf(ENDPOINT_BUDGET),
    version,
    record,
    identity,
    serving,
    claim: election && claimNode(election),
  };
};
