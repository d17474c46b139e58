import { EIP_USAGE } from '../api/eippolicy.ts';
import { SERVICE_LABEL } from '../api/knative.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import type { RuleSettings } from '../rules/rule.ts';
import type { ClusterFacts } from '../rules/cluster-facts.ts';
import { isOwn } from '../rules/duplicate-claims.ts';
import { podsOf } from '../rules/scale.ts';
import type { Workload } from '../rules/workload.ts';
import { isLimited, UNRESTRICTED, type Usage } from '../request/policy.ts';
import { parseAnnotations } from '../request/parse.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { heldWithout } from '../controllers/podeip/quota.ts';
import { readWithin } from './read-within.ts';

interface HoldingsParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/** With the second that the labels of the namespace may take, of the 3 s that the API server waits for the answer. */
const TIMEOUT_MS = 1_500;

/** Whether the limits of the namespace have anything to say about the workload by what others hold. */
const isCounted = (workload: Workload, { policy = UNRESTRICTED, defaults }: RuleSettings): boolean =>
  !workload.owner &&
  isLimited(policy) &&
  podsOf(workload) > 0 &&
  parseAnnotations(workload.annotations, defaults).request?.kind === 'new';

/**
 * What the namespace of a workload holds under its limits, without what the workload's own pods hold: neither an update
 * nor the pods that come beside the old ones in a rollout count against it. Asked only for a workload without owner
 * that asks for new EIPs in a namespace that is limited, and each time anew. It is a forecast, so that the two reads
 * need no order: of two that come at the same moment both are let in, and the controller, which takes places one by one
 * before it buys, has the last word; as it has where the API server does not say it in time.
 */
export const namespaceHoldings = ({
  kube,
  clock,
  log,
}: HoldingsParts): ((workload: Workload, settings: RuleSettings) => Promise<ClusterFacts>) => {
  const read = async (workload: Workload): Promise<Usage | undefined> => {
    const { namespace } = workload;
    const reading = await readWithin(clock, TIMEOUT_MS, (signal) =>
      Promise.all([kube.get(EIP_USAGE, { name: namespace }, signal), kube.list(PODEIP, { namespace }, signal)]),
    );
    if (reading.kind === 'unread') {
      log.warn({ namespace }, `What the namespace holds cannot be read, the controller will find out: ${reading.why}`);
      return undefined;
    }
    const [usage, podEips] = reading.value;
    return heldWithout({ usage: usage ?? null, podEips }, (podEip) => isOwn(claimedBy(podEip, namespace), workload));
  };
  return async (workload, settings) => (isCounted(workload, settings) ? { held: await read(workload) } : {});
};

const claimedBy = ({ metadata: { name, labels = {} } }: PodEip, namespace: string) => ({
  kind: 'PodEIP',
  namespace,
  name,
  service: labels[SERVICE_LABEL],
});
