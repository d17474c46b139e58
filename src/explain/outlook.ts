import { ALLOCATED_ADDRESS } from '../api/annotations.ts';
import type { Scale } from '../rules/scale.ts';
import type { Workload } from '../rules/workload.ts';
import type { CreationPlan } from '../request/provisioner.ts';
import type { ParsedRequest } from '../request/parse.ts';
import type { EipRequest } from '../request/request.ts';
import type { Target } from '../request/target.ts';

/** A workload, what it asks for, and what becomes of that. */
export interface Outlook {
  readonly workload: Workload;
  readonly parsed: ParsedRequest;
  readonly target: Target;
  readonly plan: CreationPlan;
  readonly scale: Scale;
}

/** What happens to the pods of a workload, in its order, each step in one sentence. */
export const stepsOf = ({ workload, parsed, target, plan, scale }: Outlook): readonly string[] => {
  const { wanted, request, release, handover } = parsed;
  if (!wanted) return ['No address is asked for: nothing happens.'];
  if (!request) return ['The request is refused: nothing is bought, and its pods run without an address of their own.'];
  const steps = [`${podsOf(workload, scale)} ${whereOf(target)}.`];
  const publish = `The address is written on the pod as ${ALLOCATED_ADDRESS}, and its readiness gate opens if it has one.`;
  const end = endOf(request, release, workload);
  switch (plan.how) {
    case 'none':
      return [
        ...steps,
        target.on === 'unknown'
          ? 'Who makes the address is known once the pod is scheduled: the controller on an ECS node, the virtual node on ECI.'
          : `The controller makes no address: ${plan.because}.`,
      ];
    case 'add-on':
      return [
        ...steps,
        'The virtual node reads the annotations when it makes the instance, and never again; the webhook writes them in its spelling.',
        request.kind === 'new'
          ? `ECI makes an EIP of ${request.bandwidthMbps} Mbit/s, ${request.isp}, with the instance.`
          : `ECI binds ${request.allocationId} to the instance.`,
        'The controller records the address in a PodEIP and changes nothing in the cloud.',
        request.kind === 'new'
          ? 'When the instance goes, ECI releases the EIP with it.'
          : `When the instance goes, ECI detaches ${request.allocationId}, which stays.`,
      ];
    case 'container-group':
      return [
        ...steps,
        request.kind === 'new'
          ? `CreateContainerGroup makes an EIP of ${request.bandwidthMbps} Mbit/s, ${request.isp}, with the instance.`
          : `CreateContainerGroup binds ${request.allocationId} to the instance.`,
        publish,
        'When the instance goes, its EIP goes with it.',
      ];
    case 'after-creation':
      return [
        ...steps,
        `The instance is made without an address, and ${plan.allocationId} is bound to it afterwards.`,
        publish,
        end,
      ];
    case 'vpc-first':
      return [
        ...steps,
        `An EIP is bought first, because ${plan.because}.`,
        'The instance is made with this EIP.',
        publish,
        end,
      ];
    case 'podeip':
      return [
        ...steps,
        'A PodEIP is written for each pod before the cloud is touched.',
        ...(request.kind === 'new'
          ? [
              `An EIP is bought: ${request.bandwidthMbps} Mbit/s, ${request.internetChargeType}, ${request.isp}.`,
              ...(request.bandwidthPackageId === undefined ? [] : [`It joins ${request.bandwidthPackageId}.`]),
            ]
          : [
              `${request.allocationId} is looked at: it must be there, free, and one that the namespace may name.`,
              ...(workload.isKnative
                ? [
                    handover === 'wait'
                      ? 'In a rollout the new pod waits until the old one is gone.'
                      : 'In a rollout it comes to the new pod as soon as its containers are ready.',
                  ]
                : []),
            ]),
        'It is bound to the network interface of the pod.',
        publish,
        end,
      ];
  }
};

const podsOf = ({ kind, isKnative }: Workload, { least, most }: Scale): string => {
  if (kind === 'Pod') return 'The pod';
  const count = most === undefined ? `${least} or more` : least === most ? String(least) : `${least} to ${most}`;
  return isKnative ? `Each of its pods (${count}, as requests come)` : `Each of its pods (${count})`;
};

const whereOf = (target: Target): string => {
  const says = `(${target.because})`;
  switch (target.on) {
    case 'ecs':
      return `runs on an ECS node ${says}`;
    case 'eci':
      return target.by === 'ours'
        ? `runs on ECI, on our own virtual node ${says}`
        : `runs on ECI, on the virtual node of the cluster ${says}`;
    case 'acs':
      return `runs on Container Compute Service ${says}`;
    case 'unknown':
      return `runs where nobody can tell yet ${says}`;
  }
};

const endOf = (request: EipRequest, release: ParsedRequest['release'], { isKnative }: Workload): string => {
  if (request.kind === 'existing') return `When the pod goes, ${request.allocationId} is detached and stays.`;
  switch (release.strategy) {
    case 'Follow':
      return isKnative
        ? 'When the pod goes, also at scale to zero, the EIP is released.'
        : 'When the pod goes, the EIP is released.';
    case 'Never':
      return 'When the pod goes, the EIP is kept for the next pod of its name until somebody deletes the PodEIP.';
    case 'TTL':
      return `When the pod goes, the EIP is kept for the next pod of its name for ${release.releaseAfter}, then released.`;
  }
};
