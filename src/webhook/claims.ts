import { KNATIVE_SERVICE, SERVICE_LABEL, type KnativeService } from '../api/knative.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import type { EipClaim, ClusterFacts } from '../rules/cluster-facts.ts';
import { namesExisting } from '../rules/naming.ts';
import type { Workload } from '../rules/workload.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { readWithin } from './read-within.ts';

interface ClaimsParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of the 3 s that the API server waits for the answer. Milliseconds. */
const TIMEOUT_MS = 1_500;

/**
 * What in the cluster names an existing EIP: PodEIPs, and Knative Services, which may have no pod at present. Asked
 * only for a workload that names one itself and has no owner, and each time anew: who was let in a moment ago counts.
 * Where the API server does not say it in time the object is judged without, and the controller, which looks again, has
 * the last word; as it has about two that come at the same moment.
 */
export const clusterClaims = ({ kube, clock, log }: ClaimsParts): ((workload: Workload) => Promise<ClusterFacts>) => {
  const read = async (): Promise<readonly EipClaim[] | undefined> => {
    const reading = await readWithin(clock, TIMEOUT_MS, (signal) =>
      Promise.all([
        kube.list(PODEIP, {}, signal),
        kube.list(KNATIVE_SERVICE, {}, signal).catch((error: unknown) => {
          // Knative Serving is not installed.
          if (error instanceof KubeFault && error.kind === 'notFound') return [];
          throw error;
        }),
      ]),
    );
    if (reading.kind === 'unread') {
      log.warn({}, `Who names which EIP cannot be read, the controller will find out: ${reading.why}`);
      return undefined;
    }
    const [podEips, services] = reading.value;
    return [...podEips.flatMap(claimOfPodEip), ...services.flatMap(claimOfService)];
  };
  return async ({ annotations, owner }) =>
    namesExisting(annotations) === undefined || owner ? {} : { claims: await read() };
};

const claimOfPodEip = ({ metadata: { namespace = '', name, labels = {} }, spec }: PodEip): readonly EipClaim[] =>
  spec.allocationID === ''
    ? []
    : [{ allocationId: spec.allocationID, kind: 'PodEIP', namespace, name, service: labels[SERVICE_LABEL] }];

const claimOfService = ({ metadata, spec }: KnativeService): readonly EipClaim[] => {
  const { namespace = '', name, deletionTimestamp } = metadata;
  const allocationId = namesExisting(spec?.template?.metadata?.annotations);
  return allocationId === undefined || deletionTimestamp !== undefined
    ? []
    : [{ allocationId, kind: 'Service', namespace, name, service: name }];
};
