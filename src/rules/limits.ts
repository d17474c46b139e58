import type { Finding } from '../api/finding.ts';
import { ECI_KEYS, KEYS } from '../api/annotations.ts';
import { planCreation } from '../request/provisioner.ts';
import { creationFacts, isLimited, overLimits, policiesOf, UNRESTRICTED } from '../policies/policy.ts';
import { overDefaultLimit } from '../policies/purchases.ts';
import { surplusOf } from './rollout.ts';
import { finding, writtenKeys, type Rule, type RuleContext } from './rule.ts';
import { podsOf } from './scale.ts';

/**
 * How much the namespace may hold. As long as nobody has looked where a pod runs this is silent, because then its
 * address is not asked for but recorded: one that it has already stays on record under a limit that came later. Under
 * the default limit nobody counts here what the namespace holds, and only what exceeds it by itself is refused.
 */
export const limits: Rule = (it) => {
  const { workload, target, facts } = it;
  if (target === undefined && facts.held === undefined) return [];
  const pods = podsOf(workload);
  const over = excessOf(it, pods);
  if (over) return [{ ...over, keys: writtenKeys(over.keys, workload.annotations) }];
  const more = surplusOf(workload, pods);
  const inRollout = more > 0 ? excessOf(it, pods + more) : undefined;
  if (!inRollout) return [];
  const [what, remedy] = workload.isKnative
    ? ['the old Revision keeps its pods until the new ones are Ready', 'delete the old Revision when it waits']
    : ['no old pod stops until a new one is Ready', 'write strategy: { type: Recreate }'];
  return [
    finding(
      'NoRoomForRollout',
      writtenKeys(inRollout.keys, workload.annotations),
      `a rollout waits: ${what}, and ${inRollout.problem}`,
      `ask for room for ${more === 1 ? 'one' : more} more, or ${remedy}`,
    ),
  ];
};

/** The finding about so many pods that ask for new EIPs, which are more than the namespace may hold. */
const excessOf = (
  { parsed: { request }, settings, facts: { held } }: RuleContext,
  pods: number,
): Finding | undefined => {
  if (request?.kind !== 'new') return undefined;
  const { policy = UNRESTRICTED, namespaceLimits } = settings;
  return overLimits(policy, held, request, pods) ?? overDefaultLimit(namespaceLimits?.eips, policy, { request, pods });
};

/**
 * The virtual node makes an EIP at once, and nobody can say no before: a limit would mean nothing. Said only where the
 * pods are known to go there, so that a pod that runs is read as it was before there was a limit.
 */
export const uncounted: Rule = ({ workload, target, settings, parsed }) => {
  const { policy = UNRESTRICTED } = settings;
  if (parsed.request?.kind !== 'new' || target?.on !== 'eci' || target.by !== 'add-on' || !isLimited(policy)) return [];
  const { annotations } = workload;
  const pods = podsOf(workload);
  if (pods <= 0) return [];
  if (planCreation(parsed, annotations, target, creationFacts(settings)).how !== 'add-on') return [];
  const keys = writtenKeys(KEYS.withEip, annotations);
  const [key = KEYS.withEip[1]] = keys;
  return [
    finding(
      'UncountedOnEci',
      keys,
      `the EIPs of this namespace are limited (${policiesOf(policy.names)}), and the virtual node of ECI makes ${pods === 1 ? 'one' : pods} without asking whether there is room`,
      `${keys.includes(ECI_KEYS.withEip) ? `write ${KEYS.withEip[1]} instead of ${ECI_KEYS.withEip}` : `keep ${key}`} with enableVirtualNode: true in the configuration, so that the controller buys the EIP and counts it, or ask an operator to leave the namespace out of the limits`,
    ),
  ];
};
