import { TAG_CLUSTER_ID, TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID } from '../api/annotations.ts';
import type { Pod } from '../api/core.ts';
import type { PodEip, PodEipSpec } from '../api/podeip.ts';
import type { Action } from '../controllers/podeip/step.ts';

/** The notes that make a PodEIP ours, as the controller itself would write them. */
export type Adoption = Extract<Action, { do: 'Adopt' }>;

/**
 * One write, of a Kubernetes object or of an EIP's tags. None of them buys, binds, detaches or releases anything, and
 * each is repeated, or found done, when the command is run again.
 */
export type MigrationStep =
  /** Have the API server refuse to delete the definition of PodEIP, whoever asks for it. */
  | { readonly do: 'GuardDefinition' }
  /** Write a PodEIP for the EIP that Terway has bound to the pod. It is Terway's until it is taken over. */
  | { readonly do: 'CreatePodEip'; readonly pod: Pod; readonly spec: PodEipSpec }
  /** Switch the EIP pool in Terway's configuration, and leave all else in it as it is by then. */
  | { readonly do: 'SwitchPool'; readonly to: 'on' | 'off' }
  /** Note when the EIP pool was switched off, after a run that died before it knew. */
  | { readonly do: 'NoteSwitch' }
  /** Give the EIP the tags that prove whose it is. */
  | { readonly do: 'Tag'; readonly podEip: PodEip; readonly allocationId: string }
  | Adoption
  /** Take our notes off the PodEIP, and name who looks after it. */
  | { readonly do: 'HandBack'; readonly podEip: PodEip; readonly to: string }
  /** Take our tags off the EIP. */
  | { readonly do: 'Untag'; readonly podEip: PodEip; readonly allocationId: string }
  /**
   * Take the finalizer off a PodEIP that its controller does not know. With `isReleased`, only if the account still
   * does not list its EIP.
   */
  | { readonly do: 'LetGo'; readonly podEip: PodEip; readonly isReleased?: boolean }
  /** Delete a PodEIP without a finalizer. */
  | { readonly do: 'Remove'; readonly podEip: PodEip };

/** The tags that are ours on an EIP of a PodEIP. */
export const OUR_TAGS: readonly string[] = [TAG_CLUSTER_UID, TAG_PODEIP_UID, TAG_CLUSTER_ID, TAG_POD];

const named = ({ metadata: { namespace = '', name } }: Pod | PodEip) => `${namespace}/${name}`;

/** The write, for people. */
export const describeStep = (step: MigrationStep): string => {
  switch (step.do) {
    case 'GuardDefinition':
      return 'create ValidatingAdmissionPolicy and binding: the CRD podeips.alibabacloud.com cannot be deleted';
    case 'CreatePodEip':
      return `create PodEIP ${named(step.pod)}: ${step.spec.allocationID}, ${typeText(step.spec)}`;
    case 'SwitchPool':
      return `patch ConfigMap kube-system/eni-config: enable_eip_pool "${String(step.to === 'on')}"`;
    case 'NoteSwitch':
      return 'patch ConfigMap kube-system/eni-config: the time when its EIP pool was switched off';
    case 'Tag':
      return `TagResources ${step.allocationId}: ${OUR_TAGS.join(', ')}`;
    case 'Adopt':
      return `patch PodEIP ${named(step.podEip)}: knative-eip looks after it, in place of ${step.from}`;
    case 'HandBack':
      return `patch PodEIP ${named(step.podEip)}: ${step.to} looks after it, and the notes of knative-eip go`;
    case 'Untag':
      return `UntagResources ${step.allocationId}: ${OUR_TAGS.join(', ')}`;
    case 'LetGo':
      return `patch PodEIP ${named(step.podEip)}: without its finalizer`;
    case 'Remove':
      return `delete PodEIP ${named(step.podEip)}, which holds nothing`;
  }
};

const typeText = ({ allocationType: { type, releaseStrategy, releaseAfter } }: PodEipSpec): string =>
  `${type} ${releaseStrategy}${releaseAfter === undefined || releaseAfter === '' ? '' : ` ${releaseAfter}`}`;
