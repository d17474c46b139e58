import type { Finding } from '../api/finding.ts';
import { notAllowedOnNode } from '../policies/instance-policy.ts';
import { UNRESTRICTED } from '../policies/policy.ts';
import { instanceChoices } from '../request/instance-choices.ts';
import type { RuleInput } from './rule.ts';

/**
 * What a workload that goes to our virtual node may not choose of the account. It is no matter of the EIP, which is
 * neither refused for it nor given back: the virtual node does not run the pod, and asks the same question.
 */
export const instanceFindings = ({ workload, target, settings }: RuleInput): readonly Finding[] =>
  target?.on === 'eci' && target.by === 'ours' && settings.instance
    ? notAllowedOnNode(
        instanceChoices(workload.annotations, workload.volumes),
        settings.policy ?? UNRESTRICTED,
        settings.instance,
      )
    : [];
