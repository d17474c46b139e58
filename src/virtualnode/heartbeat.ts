import { KubeFault } from '../kube/fault.ts';
import { LEASE } from '../kube/lease.ts';
import { microTime } from '../kube/microtime.ts';
import type { Kube } from '../kube/port.ts';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { hintForNode, type Registration } from './registration.ts';
import {
  isOurNode,
  missingLabels,
  missingProviderID,
  newNode,
  nodeStatusPatch,
  VIRTUAL_NODE,
  type NodeDescription,
  type VirtualNode,
} from './node.ts';

/**
 * The kubelet's defaults (KubeletConfiguration: nodeLeaseDurationSeconds 40, renewed after a quarter of it, and
 * nodeStatusReportFrequency 5 min). The node-lifecycle controller considers a node dead whose Lease was not renewed for
 * 40 s.
 */
const LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;
const BEAT_MS = 10_000;
const REPORT_MS = 300_000;
/** Wait after a failed heartbeat: short enough for three more before the Lease expires. */
const RETRY_MS = 5_000;

interface HeartbeatPorts {
  readonly kube: Kube;
  /** For labels, of which a node may not write all itself. By default `kube`. */
  readonly labelKube?: Kube | undefined;
  /** Whether `kube` asks as the node at the moment, and not as a service account. */
  readonly isNode?: (() => boolean) | undefined;
  readonly registration?: Registration | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** The heartbeat of the Node. */
interface Heartbeat {
  /** Resolves once the Node exists and is ours. Stays pending while another machine has its name. */
  readonly registered: Promise<void>;
  /** Resolves after the signal. Never rejects. */
  readonly ended: Promise<void>;
}

/**
 * Registers the Node, and keeps it and its Lease alive until the signal aborts. If somebody deletes the Node or the
 * Lease, it is created again. Nothing is deleted at the end, because the next leader continues with the same Node.
 */
export const keepAlive = (ports: HeartbeatPorts, description: NodeDescription, signal: AbortSignal): Heartbeat => {
  const registered = Promise.withResolvers<void>();
  ports.registration?.begun();
  const keep = () => keepNode(ports, description, signal);
  const kept = () => {
    registered.resolve();
    ports.registration?.done();
  };
  const ended = beat(ports, { name: description.name, keep, kept }, signal);
  return { registered: registered.promise, ended };
};

/**
 * Keeps a Node that is there from being taken for dead until the signal aborts, and makes none: its pods would be
 * evicted, and their instances and addresses with them, while nobody may do more for them yet. Never rejects.
 */
export const keepFromEviction = (
  ports: HeartbeatPorts,
  description: NodeDescription,
  signal: AbortSignal,
): Promise<void> => {
  const { kube, clock } = ports;
  const { name } = description;
  const keep = async (): Promise<VirtualNode | 'absent'> => {
    const node = await kube.get(VIRTUAL_NODE, { name }, signal);
    if (!node || !isOurNode(node)) return 'absent';
    // Its Lease alone keeps it Ready; what the node-lifecycle controller has written is taken back.
    if (node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) return node;
    const conditions = nodeStatusPatch(node, description, clock.now(), 0)?.conditions;
    const body = { metadata: { uid: node.metadata.uid }, status: { conditions } };
    return kube.patch(VIRTUAL_NODE, { name }, { type: 'strategic', subresource: 'status', body }, signal);
  };
  return beat(ports, { name, keep, kept: () => undefined }, signal);
};

interface Beating {
  readonly name: string;
  /** Resolves to the Node whose Lease is to be renewed; undefined if it is somebody else's. */
  readonly keep: () => Promise<VirtualNode | 'absent' | undefined>;
  readonly kept: () => void;
}

const beat = async (ports: HeartbeatPorts, { name, keep, kept }: Beating, signal: AbortSignal): Promise<void> => {
  const { clock, log } = ports;
  let trouble = '';
  while (!signal.aborted) {
    let waitMs = BEAT_MS;
    try {
      const node = await keep();
      if (node) {
        if (node !== 'absent') {
          await renewLease(ports, node, signal);
          kept();
        }
        trouble = '';
      } else if (trouble !== 'foreign') {
        trouble = 'foreign';
        log.error(
          { node: name },
          'There is a Node of this name that is not the virtual node of this provider; nothing is run. Choose another name, or delete that Node if it is no machine.',
        );
      }
    } catch (error) {
      if (signal.aborted) break;
      waitMs = RETRY_MS;
      const message = error instanceof Error ? error.message : String(error);
      const hint = ports.isNode?.() === true ? hintForNode(error) : undefined;
      if (message !== trouble)
        log[hint === undefined ? 'warn' : 'error'](
          { node: name },
          `The virtual node could not report: ${message}${hint === undefined ? '' : `. ${hint}`}`,
        );
      trouble = message;
    }
    await sleepUnlessAborted(clock, waitMs, signal);
  }
};

/** Updates the Node; undefined if a Node of this name belongs to somebody else. */
const keepNode = async (
  { kube, labelKube = kube, clock, log }: HeartbeatPorts,
  description: NodeDescription,
  signal: AbortSignal,
): Promise<VirtualNode | undefined> => {
  const { name } = description;
  let node = await kube.get(VIRTUAL_NODE, { name }, signal);
  if (!node) {
    node = await kube.create(VIRTUAL_NODE, newNode(description), signal);
    log.info({ node: name }, 'Registered the virtual node');
  }
  if (!isOurNode(node)) return undefined;
  const labels = missingLabels(node, description);
  const { uid } = node.metadata;
  if (labels)
    node = await labelKube.patch(
      VIRTUAL_NODE,
      { name },
      { type: 'merge', body: { metadata: { uid, labels } } },
      signal,
    );
  const providerID = missingProviderID(node, description);
  if (providerID !== undefined)
    node = await kube.patch(
      VIRTUAL_NODE,
      { name },
      { type: 'merge', body: { metadata: { uid }, spec: { providerID } } },
      signal,
    );
  const status = nodeStatusPatch(node, description, clock.now(), REPORT_MS);
  if (status) {
    const body = { metadata: { uid }, status };
    node = await kube.patch(VIRTUAL_NODE, { name }, { type: 'strategic', subresource: 'status', body }, signal);
  }
  return node;
};

const renewLease = async (
  { kube, clock }: HeartbeatPorts,
  { metadata: { name, uid } }: VirtualNode,
  signal: AbortSignal,
): Promise<void> => {
  const ref = { namespace: LEASE_NAMESPACE, name };
  const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime(clock.now()) };
  const owner = { apiVersion: 'v1', kind: 'Node', name, uid };
  const lease = await kube.get(LEASE, ref, signal);
  if (lease) {
    const metadata = { uid: lease.metadata.uid, ownerReferences: [owner] };
    await kube.patch(LEASE, ref, { type: 'merge', body: { metadata, spec } }, signal);
    return;
  }
  const object = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...ref, ownerReferences: [owner] },
    spec,
  };
  try {
    await kube.create(LEASE, object, signal);
  } catch (error) {
    // Another process created it first, or the namespace is being created: the next heartbeat finds out.
    if (!(error instanceof KubeFault) || error.kind !== 'exists') throw error;
  }
};
