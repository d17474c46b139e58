import { KEYS } from '../api/annotations.ts';
import type { EipRequest } from '../request/request.ts';
import { finding, writtenKeys, type Rule } from './rule.ts';
import type { EipClaim } from './cluster-facts.ts';
import type { Workload } from './workload.ts';

/** What the workload itself claims: nothing unless it names an existing EIP. */
export const claimOf = (
  { kind, namespace, name, service }: Workload,
  request: EipRequest | undefined,
): EipClaim | undefined =>
  request?.kind === 'existing' ? { allocationId: request.allocationId, kind, namespace, name, service } : undefined;

/**
 * How the pods of each kind of owner are named after it. Sources: kubernetes/kubernetes pkg/controller; knative/serving
 * pkg/reconciler/revision/resources/names.
 */
const POD_OF: Readonly<Record<string, RegExp>> = {
  Deployment: /^-[a-z0-9]{1,10}-[a-z0-9]{5}$/,
  ReplicaSet: /^-[a-z0-9]{5}$/,
  DaemonSet: /^-[a-z0-9]{5}$/,
  Job: /^-(\d{1,6}-)?[a-z0-9]{5}$/,
  CronJob: /^-\d{8,10}-(\d{1,6}-)?[a-z0-9]{5}$/,
  Configuration: /^-[a-z0-9-]{1,60}-deployment-[a-z0-9]{1,10}-[a-z0-9]{5}$/,
  Revision: /^-deployment-[a-z0-9]{1,10}-[a-z0-9]{5}$/,
};
const STATEFUL_POD = /^-\d{1,10}$/;

/**
 * A generated name is cut to 58 characters before its 5 random ones. Source: apiserver pkg/storage/names/generate.go.
 */
const LONGEST_BASE = 58;
const LONGEST_NAME = LONGEST_BASE + 5;
/** The longest that is put between the name of a Deployment and the 5 characters: a hash of 10 and two hyphens. */
const LONGEST_MIDDLE = 12;

const isPodOf = (kind: string, name: string, pod: string): boolean => {
  if (kind === 'StatefulSet') return pod.startsWith(name) && STATEFUL_POD.test(pod.slice(name.length));
  const rest = POD_OF[kind];
  if (!rest) return false;
  if (pod.startsWith(name) && rest.test(pod.slice(name.length))) return true;
  const isCut = name.length + LONGEST_MIDDLE > LONGEST_BASE && pod.length === LONGEST_NAME;
  return isCut && pod.startsWith(`${name}-`.slice(0, LONGEST_BASE));
};

/** Whether it is the workload's own claim, or that of its pods, which hand the EIP on to each other. */
export const isOwn = (claim: Omit<EipClaim, 'allocationId'>, { kind, namespace, name, service }: Workload): boolean => {
  if (claim.namespace !== namespace) return false;
  if (claim.service !== undefined && claim.service === service) return true;
  const isOfPod = claim.kind === 'PodEIP' || claim.kind === 'Pod';
  if (claim.name === name && (claim.kind === kind || (kind === 'Pod' && isOfPod))) return true;
  return isOfPod && isPodOf(kind, name, claim.name);
};

const MOST_NAMED = 3;

/**
 * The same EIP named by something else of the namespace. A pod with an owner is not checked: its owner was, and in a
 * rollout the pod before it still has the EIP. What other namespaces name counts against nobody here, or whoever may
 * create a pod could keep the owner of an EIP from it: whose it is the controller decides.
 */
export const duplicateClaims: Rule = ({ workload, parsed: { request }, facts: { claims = [] } }) => {
  if (request?.kind !== 'existing' || (workload.kind === 'Pod' && workload.owner)) return [];
  const { allocationId } = request;
  const others = claims.filter(
    (claim) => claim.allocationId === allocationId && claim.namespace === workload.namespace && !isOwn(claim, workload),
  );
  if (others.length === 0) return [];
  const names = [...new Set(others.map(({ kind, name }) => `${kind} ${name}`))].toSorted();
  return [
    finding(
      'EipWantedTwice',
      writtenKeys(KEYS.instanceId, workload.annotations),
      `${allocationId} is wanted by ${names.slice(0, MOST_NAMED).join(', ')} already, and an EIP can serve one pod only`,
      'name another EIP, or take this one from the other first',
    ),
  ];
};
