import { EIP_PENDING, POD_UID, TAG_PREFIX } from '../api/annotations.ts';
import type { PodEip } from '../api/podeip.ts';
import { planCreation } from '../intent/creation.ts';
import type { Target } from '../intent/target.ts';
import { readPod } from '../plan/pod.ts';
import { underPolicy } from '../plan/policy.ts';
import { isOurs, provesOurs } from '../plan/record.ts';
import type { DecideSettings, PodSeen } from './seen.ts';
import { waitingStatus, type Failure } from './status.ts';
import { wait, type Step } from './step.ts';
import { translate } from './translate/group.ts';
import { remarkLine, type Remark } from './translate/input.ts';
import type { WorkloadPod } from './workload.ts';

/** Tag of a group whose EIP was made with it, and goes with it. */
export const TAG_EIP = `${TAG_PREFIX}eip`;
export const MADE_WITH_GROUP = 'made-with-group';
const EIP_TAG = { key: TAG_EIP, value: MADE_WITH_GROUP };

/** Between two looks at a PodEIP that has no EIP yet. */
const EIP_MS = 2_000;
/** Between two looks at what a pod refers to and is not there; the kubelet's own period. */
const REFERENCES_MS = 10_000;
/** What is refused depends on the pod, whose changes are noticed, and on ConfigMaps, whose are not. */
const REFUSED_MS = 300_000;

/**
 * The next step for a pod that has no group and never had one. Nothing is bought before everything is known to fit.
 *
 * An existing EIP is bound by the PodEIP controller, which knows who may have it and who has it now.
 */
export const create = (seen: PodSeen, configured: DecideSettings): Step => {
  const { pod, memory, references, policy } = seen;
  const { node, nodeName, enableVirtualNode } = configured;
  const { refusal, unanswered } = memory;
  if (pod.metadata.ownerReferences?.some(({ kind, controller }) => controller === true && kind === 'DaemonSet'))
    return hold(seen, DAEMON_SET, REFUSED_MS);
  if (refusal && refusal.dueInMs > 0) return hold(seen, refusal, refusal.dueInMs);
  // The same token with other contents would be refused, and the outcome of the first stay unknown.
  if (unanswered) return { do: 'CreateGroup', spec: unanswered, notes: [] };

  if (policy === undefined && readPod(pod, configured).wanted) return { do: 'LookAtPolicy' };
  const settings = underPolicy(configured, policy ?? undefined);
  const target: Target = { on: 'eci', by: 'ours', certainty: 'proved', because: `it is bound to ${nodeName}` };
  const facts = { eipIsHeld: true, enableVirtualNode };
  const plan = planCreation(readPod(pod, settings), pod.metadata.annotations, target, facts);
  const isAccepted = pod.status?.reason === EIP_PENDING;
  // Whoever has been promised an EIP gets that one, however the annotations have changed since: it has been paid for.
  if (plan.how === 'container-group' && isAccepted && seen.podEip === undefined) return { do: 'LookForPodEip' };
  const because =
    plan.how === 'vpc-first'
      ? plan.because
      : plan.how === 'container-group' && isAccepted && isPodEipOf(pod, seen.podEip ?? null)
        ? 'it was asked for before the annotations changed'
        : undefined;
  // Once it is accepted, what it refers to is read again only when its EIP is there.
  if (because !== undefined && isAccepted) {
    const bought = boughtEip(seen, because, settings);
    if ('do' in bought) return bought;
  }
  if (!references) return { do: 'LookForReferences' };
  const eip = plan.how === 'container-group' && because === undefined ? plan.eip : {};
  const translation = translate({
    pod,
    nodeName,
    settings: 'autoCreateEip' in eip ? { ...node, tags: [EIP_TAG, ...(node.tags ?? [])] } : node,
    ...references,
    eip,
  });
  switch (translation.kind) {
    case 'refused':
      return hold(seen, { reason: 'UnsupportedByECI', message: lines(translation.refusals) }, REFUSED_MS);
    case 'waiting':
      return hold(seen, { reason: 'ReferencesMissing', message: lines(translation.missing) }, REFERENCES_MS);
    case 'spec': {
      const { spec, notes } = translation;
      if (because === undefined) return { do: 'CreateGroup', spec, notes };
      const bought = boughtEip(seen, because, settings);
      return 'do' in bought ? bought : { do: 'CreateGroup', spec: { ...spec, eip: bought }, notes };
    }
  }
};

const DAEMON_SET: Failure = {
  reason: 'UnsupportedByECI',
  message:
    'pods of a DaemonSet are not run on a virtual node, which has no machine to look after; exclude nodes with the label type=virtual-kubelet in its affinity',
};

/** The note of an Event takes 1024 characters; so does this. */
const lines = (remarks: readonly Remark[]): string => {
  const text = remarks.map(remarkLine).join('. ');
  return text.length > 1000 ? `${text.slice(0, 999)}…` : text;
};

/** The pod stays Pending and says why; told once, and looked at again after `ms`. */
const hold = ({ pod, now }: PodSeen, failure: Failure, ms: number, isQuiet = false): Step => {
  const { reason, message } = failure;
  const status = waitingStatus(pod, { reason, message }, now);
  if (!status) return wait(message, ms);
  return { do: 'WriteStatus', status, ...(!isQuiet && { warning: { reason, message } }) };
};

const isPodEipOf = ({ metadata }: WorkloadPod, podEip: PodEip | null): podEip is PodEip =>
  podEip !== null && isOurs(podEip) && podEip.metadata.annotations?.[POD_UID] === metadata.uid;

/**
 * The EIP that has been bought for the pod through the VPC API, or what has to come first. The PodEIP of the pod names it,
 * and only one whose own tags say so is given to the instance: anybody who may write PodEIPs may write another's ID there.
 */
const boughtEip = (
  seen: PodSeen,
  because: string,
  { node }: DecideSettings,
): Step | { readonly eipInstanceId: string } => {
  const { pod, podEip, eip } = seen;
  if (podEip === undefined) return { do: 'LookForPodEip' };
  const pending = (message: string) => hold(seen, { reason: EIP_PENDING, message }, EIP_MS, true);
  if (!isPodEipOf(pod, podEip) || podEip.metadata.deletionTimestamp !== undefined || podEip.spec.allocationID === '')
    return pending(`the EIP is bought before the instance is made, because ${because}; see the PodEIP of the pod`);
  const { allocationID } = podEip.spec;
  if (eip === undefined) return { do: 'LookAtEip', allocationId: allocationID };
  if (eip?.status !== 'Available')
    return pending(`${allocationID} is ${eip?.status ?? 'not listed yet'}; the instance waits until it is Available`);
  if (!provesOurs(eip, podEip, node.clusterUid))
    return pending(`the tags of ${allocationID} do not name this cluster and the PodEIP of the pod; it is not used`);
  return { eipInstanceId: allocationID };
};
