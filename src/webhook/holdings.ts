import { EIP_USAGE } from '../api/eippolicy.ts';
import { SERVICE_LABEL } from '../api/knative.ts';
import { PODEIP, type PodEip } from '../api/podeip.ts';
import type { RuleSettings } from '../rules/rule.ts';
import type { ClusterFacts } from '../rules/cluster-facts.ts';
import { isOwn } from '../rules/duplicate-claims.ts';
import { podsOf } from '../rules/scale.ts';
import type { Workload } from '../rules/workload.ts';
import { isLimited, UNRESTRICTED, type Usage } from '../policies/policy.ts';
import { parseAnnotations } from '../request/parse.ts';
import { heldWithout } from '../policies/usage.ts';
import { CONTEXT_TIMEOUT_MS, readWithin, type ContextReader } from './read-within.ts';

/**
 * Whether what the namespace holds matters for the workload: the namespace is limited, and the workload asks for new
 * EIPs.
 */
const isCounted = (workload: Workload, { policy = UNRESTRICTED, defaults }: RuleSettings): boolean =>
  !workload.owner &&
  isLimited(policy) &&
  podsOf(workload) > 0 &&
  parseAnnotations(workload.annotations, defaults).request?.kind === 'new';

/**
 * Counts what the namespace of a workload holds under its limits, except what the workload's own pods hold: neither an
 * update nor the surplus pods of a rollout count against it. Reads only for a workload without owner that asks for new
 * EIPs in a limited namespace, and without a cache. It is a forecast: two workloads at the same moment are both
 * admitted, so that the order of the two reads does not matter. The controller reserves one place after the other
 * before it buys, and decides, also if the API server does not answer here in time.
 */
export const namespaceHoldings = ({
  kube,
  clock,
  log,
}: ContextReader): ((workload: Workload, settings: RuleSettings) => Promise<ClusterFacts>) => {
  const read = async (workload: Workload): Promise<Usage | undefined> => {
    const { namespace } = workload;
    const reading = await readWithin(clock, CONTEXT_TIMEOUT_MS, (signal) =>
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
