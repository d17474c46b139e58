import { POD } from '../api/core.ts';
import { KNATIVE_SERVICE, SERVICE_LABEL, type KnativeService } from '../api/knative.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import type { EipClaim, ClusterFacts } from '../rules/cluster-facts.ts';
import { isFinal } from '../api/pod.ts';
import { readRecord } from '../controllers/podeip/record.ts';
import { namesExisting } from '../rules/naming.ts';
import type { Workload } from '../rules/workload.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import { CONTEXT_TIMEOUT_MS, readWithin, type ContextReader } from './read-within.ts';

/**
 * Finds what else in the namespace names an existing EIP: PodEIPs, and Knative Services, which may have no pod at the
 * moment. Reads only for a workload that names one itself and has no owner, and without a cache, so that a workload
 * that was admitted a moment ago counts. What is on its way out does not: whoever replaces a pod is not refused for the
 * old one. If the API server does not answer in time, the workload is admitted without this check. The controller
 * checks again and decides, also between two workloads that were admitted at the same moment.
 */
export const clusterClaims = ({ kube, clock, log }: ContextReader): ((workload: Workload) => Promise<ClusterFacts>) => {
  const read = async (namespace: string, named: string): Promise<readonly EipClaim[] | undefined> => {
    const reading = await readWithin(clock, CONTEXT_TIMEOUT_MS, async (signal) => {
      const [podEips, services] = await Promise.all([
        kube.list(PODEIP, { namespace }, signal),
        kube.list(KNATIVE_SERVICE, { namespace }, signal).catch((error: unknown) => {
          // Knative Serving is not installed.
          if (error instanceof KubeFault && error.kind === 'notFound') return [];
          throw error;
        }),
      ]);
      const naming = podEips.filter(({ spec }) => spec.allocationID === named).slice(0, MOST_ASKED);
      const isGoing = await Promise.all(naming.map((podEip) => isOnItsWayOut(podEip, kube, signal)));
      return [naming.filter((_, index) => !isGoing[index]), services] as const;
    });
    if (reading.kind === 'unread') {
      log.warn({}, `Who names which EIP cannot be read, the controller will find out: ${reading.why}`);
      return undefined;
    }
    const [podEips, services] = reading.value;
    return [...podEips.map(claimOfPodEip), ...services.flatMap(claimOfService)];
  };
  return async ({ annotations, owner, namespace }) => {
    const named = namesExisting(annotations);
    return named === undefined || owner ? {} : { claims: await read(namespace, named) };
  };
};

/** An EIP is written down in one PodEIP, and in two for a moment. */
const MOST_ASKED = 5;

/** Whether the PodEIP gives its EIP up: it is deleted, or goes with a pod that is gone or ends. */
const isOnItsWayOut = async (podEip: PodEip, kube: Kube, signal: AbortSignal): Promise<boolean> => {
  const { metadata, spec } = podEip;
  if (metadata.deletionTimestamp !== undefined) return true;
  if (spec.allocationType.releaseStrategy !== 'Follow') return false;
  const pod = await kube.get(POD, { namespace: metadata.namespace, name: metadata.name }, signal);
  if (!pod || pod.metadata.uid !== readRecord(podEip).podUid) return true;
  return pod.metadata.deletionTimestamp !== undefined || isFinal(pod);
};

const claimOfPodEip = ({ metadata: { namespace = '', name, labels = {} }, spec }: PodEip): EipClaim => ({
  allocationId: spec.allocationID,
  kind: 'PodEIP',
  namespace,
  name,
  service: labels[SERVICE_LABEL],
});

const claimOfService = ({ metadata, spec }: KnativeService): readonly EipClaim[] => {
  const { namespace = '', name, deletionTimestamp } = metadata;
  const allocationId = namesExisting(spec?.template?.metadata?.annotations);
  return allocationId === undefined || deletionTimestamp !== undefined
    ? []
    : [{ allocationId, kind: 'Service', namespace, name, service: name }];
};
