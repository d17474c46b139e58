import { KNATIVE_SERVICE, SERVICE_LABEL } from '../api/knative.ts';
import { PODEIP } from '../api/podeip.ts';
import type { EipClaim, ClusterFacts } from '../rules/cluster-facts.ts';
import { namesExisting } from '../rules/naming.ts';
import type { Workload } from '../rules/workload.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

interface ClaimsParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of the 3 s that the API server waits for the answer. Milliseconds. */
const TIMEOUT_MS = 1_500;

/**
 * What in the cluster names an existing EIP: PodEIPs, and Knative Services, which may have no pod at present. Asked only
 * for a workload that names one itself and has no owner, and each time anew: who was let in a moment ago counts. Where the
 * API server does not say it in time the object is judged without, and the controller, which looks again, has the last
 * word; as it has about two that come at the same moment.
 */
export const clusterClaims = ({ kube, clock, log }: ClaimsParts): ((workload: Workload) => Promise<ClusterFacts>) => {
  const read = async (): Promise<readonly EipClaim[] | undefined> => {
    const stop = new AbortController();
    const cancel = clock.timer(TIMEOUT_MS, () => stop.abort(new Error('the API server took too long')));
    try {
      const [podEips, services] = await Promise.all([
        kube.list(PODEIP, {}, stop.signal),
        kube.list(KNATIVE_SERVICE, {}, stop.signal).catch((error: unknown) => {
          // Knative Serving is not installed.
          if (error instanceof KubeFault && error.kind === 'notFound') return [];
          throw error;
        }),
      ]);
      return [
        ...podEips
          .filter(({ spec }) => spec.allocationID !== '')
          .map(({ metadata: { namespace = '', name, labels = {} }, spec }) => ({
            allocationId: spec.allocationID,
            kind: 'PodEIP',
            namespace,
            name,
            service: labels[SERVICE_LABEL],
          })),
        ...services.flatMap(({ metadata: { namespace = '', name, deletionTimestamp }, spec }) => {
          const allocationId = namesExisting(spec?.template?.metadata?.annotations);
          return allocationId === undefined || deletionTimestamp !== undefined
            ? []
            : [{ allocationId, kind: 'Service', namespace, name, service: name }];
        }),
      ];
    } catch (error) {
      if (!(error instanceof KubeFault) && !stop.signal.aborted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      log.warn({}, `Who names which EIP cannot be read, the controller will find out: ${why}`);
      return undefined;
    } finally {
      cancel();
    }
  };
  return async ({ annotations, owner }) =>
    namesExisting(annotations) === undefined || owner ? {} : { claims: await read() };
};
