import { KEYS } from '../api/annotations.ts';
import type { EipRequest } from '../intent/request.ts';
import { finding, written, type Rule } from './case.ts';
import type { Claim } from './facts.ts';
import type { Workload } from './workload.ts';

/** What the workload itself claims: nothing unless it names an existing EIP. */
export const claimOf = (
  { kind, namespace, name, service }: Workload,
  request: EipRequest | undefined,
): Claim | undefined =>
  request?.kind === 'existing' ? { allocationId: request.allocationId, kind, namespace, name, service } : undefined;

/**
 * How the pods of each kind of owner are named after it. Sources: kubernetes/kubernetes pkg/controller, and names.go;
 * knative/serving pkg/reconciler/configuration/resources/revision.go, and revision/resources/names/names.go.
 */
const POD_OF: Readonly<Record<string, RegExp>> = {
  Deployment: /^-[a-z0-9]{1,10}-[a-z0-9]{5}$/,
  ReplicaSet: /^-[a-z0-9]{5}$/,
  DaemonSet: /^-[a-z0-9]{5}$/,
  Job: /^-[a-z0-9]{5}$/,
  StatefulSet: /^-\d{1,10}$/,
  Configuration: /^-\d{5,10}-deployment-[a-z0-9]{1,10}-[a-z0-9]{5}$/,
};

/** Whether it is the workload's own claim, or that of its pods, which hand the EIP on to each other. */
export const isOwn = (claim: Omit<Claim, 'allocationId'>, { kind, namespace, name, service }: Workload): boolean => {
  if (claim.namespace !== namespace) return false;
  if (claim.service !== undefined && claim.service === service) return true;
  const isOfPod = claim.kind === 'PodEIP' || claim.kind === 'Pod';
  if (claim.name === name && (claim.kind === kind || (kind === 'Pod' && isOfPod))) return true;
  return isOfPod && claim.name.startsWith(name) && (POD_OF[kind]?.test(claim.name.slice(name.length)) ?? false);
};

const MOST_NAMED = 3;

/**
 * The same EIP named by something else. A pod with an owner is not asked: its owner was, and in a rollout the pod before
 * it has the EIP still. What is in another namespace is not told.
 */
export const wantedTwice: Rule = ({ workload, reading: { request }, facts: { claims = [] } }) => {
  if (request?.kind !== 'existing' || (workload.kind === 'Pod' && workload.owner)) return [];
  const { allocationId } = request;
  const others = claims.filter((claim) => claim.allocationId === allocationId && !isOwn(claim, workload));
  if (others.length === 0) return [];
  const seen = others.filter(({ namespace }) => namespace === workload.namespace);
  const names = [...new Set(seen.map(({ kind, name }) => `${kind} ${name}`))].toSorted();
  return [
    finding(
      'EipWantedTwice',
      written(KEYS.instanceId, workload.annotations),
      `${allocationId} is wanted by ${names.length > 0 ? names.slice(0, MOST_NAMED).join(', ') : 'something else in this cluster'} already, and an EIP can serve one pod only`,
      'name another EIP, or take this one from the other first',
    ),
  ];
};
