import { ALLOCATED_ADDRESS, ALLOCATED_ADDRESS_NETWORK } from '../../api/annotations.ts';
import type { Pod } from '../../api/core.ts';
import { sentence, type Finding } from '../../api/finding.ts';
import type { Target } from '../../request/target.ts';
import { servingOn } from '../../rules/conflicting-controllers.ts';
import { besideOf } from '../../rules/context.ts';
import { createdAtOf } from '../../rules/terway-switch.ts';
import type { PodRequest } from './pod-request.ts';
import type { PodEipSituation, Situation } from './situation.ts';
import { fail, unpublish, type Result, type Step } from './step.ts';

/** Interval between checks whether another controller of EIPs is still there, milliseconds. */
const OTHERS_MS = 30_000;

/** The steps that take a place for an EIP, buy one, bind one, or take one from somebody else in order to bind it. */
const HELD: ReadonlySet<Step['do']> = new Set([
  'Allocate',
  'AssignSuccessor',
  'Associate',
  'ForceDetach',
  'Preempt',
  'Reserve',
] satisfies Step['do'][]);

/**
 * The result if another controller makes EIPs where the pod runs; undefined otherwise. What the annotations say does
 * not count: a PodEIP goes on by the request that it recorded, also after somebody has made them unreadable.
 */
export const besideOthers = ({ seen: { otherControllers = [] } }: Situation, asked: PodRequest): Result | undefined => {
  const beside = otherControllers.length === 0 ? undefined : findingBeside(otherControllers, asked.target);
  return beside && fail(beside.id, sentence(beside), OTHERS_MS);
};

/** What is said where one of these makes EIPs for pods that run there; undefined where none does. */
export const findingBeside = (otherControllers: readonly string[], target: Target): Finding | undefined => {
  // What our own virtual node and Container Compute Service make is no business of theirs.
  if (target.on === 'acs' || (target.on === 'eci' && target.by === 'ours')) return undefined;
  const others = servingOn(otherControllers, target.on);
  return others.length === 0 ? undefined : besideOf(others);
};

/** The address that the pod says. */
const saidBy = (pod: Pod): string | undefined =>
  [ALLOCATED_ADDRESS, ALLOCATED_ADDRESS_NETWORK]
    .map((key) => pod.metadata.annotations?.[key])
    .find((said) => said !== undefined);

/**
 * Takes off the pod that it has the EIP, which is not bound to it. Beside another controller the address that it says
 * may be of an EIP that this one gave it, by which `knative-eip migrate` finds it: only our own is taken off.
 */
export const unpublishLost = (it: PodEipSituation, asked: PodRequest): Step => {
  const { seen, podEip } = it;
  const said = saidBy(asked.pod);
  const isOurs = said === undefined || said === (seen.eip?.ipAddress ?? podEip.status?.eipAddress);
  return (isOurs ? undefined : besideOthers(it, asked)) ?? unpublish(asked.pod);
};

/**
 * The result for a pod that says an address and has no PodEIP, from the time of a Terway whose EIP pool is off by now:
 * its EIP is bound to it yet. Undefined for all others.
 */
export const servedByTerway = ({ seen }: Situation, { pod, target }: PodRequest): Result | undefined => {
  const address = saidBy(pod);
  if (seen.podEip || seen.terwayUntil === undefined || target.on !== 'ecs' || address === undefined) return undefined;
  if (createdAtOf(pod) > seen.terwayUntil) return undefined;
  return fail(
    'OtherEipController',
    `the pod says the address ${address.slice(0, 64)} and is older than the pod of Terway on its node, so that it may have an EIP of a Terway from before the EIP pool was switched off; have an operator stop knative-eip and run knative-eip migrate --from terway --apply; if no EIP of that address is bound to the pod, because the annotation is a copy or somebody has released the EIP, take the annotation allocated-eipAddress off, or delete the pod`,
    OTHERS_MS,
  );
};

/**
 * The step, unless it would buy or bind an EIP for a pod that another controller may have given one: the PodEIP may be
 * from before that controller was there. Who has an address keeps it, and everything is given back as always.
 */
export const unlessBesideOthers = (it: Situation, asked: PodRequest, step: Step): Step =>
  HELD.has(step.do) ? (besideOthers(it, asked) ?? step) : step;
