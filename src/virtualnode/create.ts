import { ECI_ATTEMPT, ECI_PROFILE_LEFT_OUT, EIP_PENDING, POD_UID, TAG_PREFIX } from '../api/annotations.ts';
import type { PodEip } from '../api/podeip.ts';
import type { ContainerGroupSpec } from '../cloud/container-groups.ts';
import { planCreation, type CreationPlan } from '../request/provisioner.ts';
import { creationFacts } from '../policies/policy.ts';
import { profileLeftOut, profileRecord } from '../request/profile-record.ts';
import type { Target } from '../request/target.ts';
import { parsePod } from '../controllers/podeip/pod-request.ts';
import { underPolicy, UNRESTRICTED } from '../policies/policy.ts';
import { forbiddenChoices } from '../policies/instance-policy.ts';
import { isOurs } from '../controllers/podeip/record.ts';
import { provesOwnership } from '../controllers/podeip/safeguards.ts';
import { asksByItself, turnAnnotation, turnOf, wantsClaims } from './claim-turn.ts';
import type { DecideSettings, ObservedPod, TrackedPod } from './observation.ts';
import {
  failedStatus,
  GIVEN_UP,
  inSameWords,
  REFERENCES_MISSING,
  waitingStatus,
  type Failure,
  type StatusFailure,
} from './instance-status.ts';
import { payAsYouGo, withoutSpotRefusal } from './spot-fallback.ts';
import { waitFor, type PodAction, type PodStep } from './step.ts';
import { isTokenSpent } from '../lib/token.ts';
import { claimsForOne } from './translate/bound-claims.ts';
import { onRefusalOf } from './translate/eci-annotations.ts';
import { choicesOf } from './translate/temporary-storage.ts';
import { attemptOf, groupToken, translate } from './translate/group.ts';
import { DAEMON_SET_REFUSED, remarkLine, type Remark } from './translate/input.ts';
import type { WorkloadPod } from './workload-pod.ts';

/** Tag of a group whose EIP was created with it, and is released with it. */
export const TAG_EIP = `${TAG_PREFIX}eip`;
export const MADE_WITH_GROUP = 'made-with-group';
const EIP_TAG = { key: TAG_EIP, value: MADE_WITH_GROUP };

/** Interval between reads of a PodEIP that has no EIP yet, in case the watch misses a change. */
const BUYING_MS = 10_000;
/** Interval between reads of an EIP that is not listed yet, or not Available. */
const EIP_MS = 2_000;
/** Interval between reads of objects that a pod refers to and that do not exist; the period of the kubelet. */
const REFERENCES_MS = 10_000;
/** The longest interval where they are kept from the pod for long; there may be hundreds of such pods. */
const REFERENCES_MOST_MS = 60_000;
/** Interval between reads of a pod on another node that asks for the same volume and comes after this one. */
const TURN_MS = 2_000;
/** The longest one, for its node may have died. */
const TURN_MOST_MS = 30_000;

/** A part of the time that it has lasted already, between these two; milliseconds. */
const longerAndLonger = (
  keptMs: number,
  { least, most, part }: { least: number; most: number; part: number },
): number => Math.min(most, Math.max(least, keptMs / part));
/** A refusal depends on the pod, whose changes are watched, and on ConfigMaps, whose changes are not. */
const REFUSED_MS = 300_000;

/**
 * The next step for a pod that has no group and never had one. Nothing is bought before everything is known to be
 * valid.
 *
 * An existing EIP is bound by the PodEIP controller, which knows which pods may have it and which one has it now.
 */
export const createGroup = (given: ObservedPod, settings: DecideSettings): PodStep => {
  const seen = withoutSpotRefusal(given);
  return inTurn(seen, nextStep(seen, settings), settings);
};

/**
 * The step, unless pods on other nodes have to know something first: that this one asks for a volume that one instance
 * may have, or, once it is certain that it has not, that it waits. See claim-turn.ts.
 */
const inTurn = (seen: ObservedPod, step: PodStep, { settleMs }: DecideSettings): PodStep => {
  const { pod, memory, references } = seen;
  const turn = turnOf(pod);
  if (step.do === 'CreateGroup')
    return (step.claims?.length ?? 0) > 0 && !asksByItself(pod, memory.claimTurn)
      ? { do: 'WriteStatus', annotations: turnAnnotation(pod, 'asks') }
      : step;
  if ((step.do !== 'Wait' && step.do !== 'WriteStatus') || turn === 'waits' || !wantsClaims(pod)) return step;
  const isFirst = turn === 'asks' && isBeforeAll(references);
  const keepsAskingMs = isFirst ? turnMs(memory) : unaskedInMs(memory, settleMs);
  if (isFirst && step.do === 'Wait') return { ...step, ms: keepsAskingMs };
  if (keepsAskingMs > 0) return step.do === 'Wait' ? { ...step, ms: Math.min(step.ms, keepsAskingMs) } : step;
  const waits = turnAnnotation(pod, 'waits');
  return step.do === 'Wait'
    ? { do: 'WriteStatus', annotations: waits }
    : { ...step, annotations: { ...step.annotations, ...waits } };
};

const turnMs = ({ keptMs = 0 }: TrackedPod): number =>
  longerAndLonger(keptMs, { least: TURN_MS, most: TURN_MOST_MS, part: 30 });

/** When it is certain that no instance was asked for; milliseconds. */
const unaskedInMs = ({ createdId, unanswered, wasListed, quietMs }: TrackedPod, settleMs: number): number =>
  createdId !== undefined || unanswered !== undefined || wasListed ? Infinity : Math.max(0, settleMs - quietMs);

/** Whether all whom the pod waits for have to step back before it. */
const isBeforeAll = (references: ObservedPod['references']): boolean => {
  const users = [...(references?.claims.values() ?? [])].flatMap(({ usedBy }) => usedBy ?? []);
  return users.length > 0 && users.every(({ isAfter }) => isAfter === true);
};

const nextStep = (seen: ObservedPod, settings: DecideSettings): PodStep => {
  const { pod, memory, references } = seen;
  const { nodeName } = settings;
  const waiting = heldByCloud(seen, settings);
  if (waiting) return waiting;
  // The same token with other contents would be refused, and the outcome of the first request would stay unknown.
  if (memory.unanswered) return { do: 'CreateGroup', spec: memory.unanswered, notes: [] };
  const renewal = renewToken(seen, settings);
  if (renewal) return renewal;

  const { annotations } = pod.metadata;
  if (!seen.policy?.isFresh && choosesBeyondConfiguration(pod, settings)) return { do: 'ReadPolicy', isFresh: true };
  if (!seen.policy && parsePod(pod, settings).wanted) return { do: 'ReadPolicy', isFresh: false };
  const under = underPolicy(settings, seen.policy?.effective);
  const target: Target = { on: 'eci', by: 'ours', certainty: 'proved', because: `it is bound to ${nodeName}` };
  const plan = planCreation(parsePod(pod, under), annotations, target, creationFacts(under));
  // Once the pod is accepted, the objects that it refers to are read again only when its EIP is there.
  if (plan.how === 'vpc-first' && pod.status?.reason === EIP_PENDING) {
    const bought = boughtEip(seen, plan.because, settings);
    if (bought.kind === 'wait') return bought.step;
  }
  return references ? translated({ ...seen, references }, plan, settings) : { do: 'ReadReferences' };
};

/** The step of a pod that is not to run here, or for which nothing is to be asked yet. */
const heldByCloud = (seen: ObservedPod, settings: DecideSettings): PodStep | undefined => {
  const { pod, memory } = seen;
  const { refusal, ownerRefusal, unanswered, pauseMs = 0 } = memory;
  if (pod.metadata.ownerReferences?.some(({ kind, controller }) => controller === true && kind === 'DaemonSet'))
    return hold(seen, { reason: 'UnsupportedByECI', message: DAEMON_SET_REFUSED }, REFUSED_MS);
  const unsureMs = unaskedInMs(memory, settings.settleMs);
  const last = payAsYouGo(seen, unsureMs) ?? givenUp(seen, settings);
  if (last) return last;
  if (refusal && refusal.dueInMs > 0) return hold(seen, refusal, refusal.dueInMs);
  if (ownerRefusal && !unanswered && onRefusalOf(pod) === 'fails')
    return hold(seen, saidAfter(AFTER_ANOTHER, ownerRefusal), ownerRefusal.dueInMs);
  return pauseMs > 0 ? waitFor('the cloud is busy', pauseMs) : undefined;
};

const TO_ASK_ANEW =
  'no instance is asked for again (k8s.aliyun.com/eci-fail-strategy: fail-fast), whatever else is said here; delete the pod to have that done: ';
const AFTER_ANOTHER =
  'another pod of its controller failed for this a moment ago, and the next instance is asked for after a pause: ';

const saidAfter = (words: string, { reason, message, topic }: StatusFailure): StatusFailure => ({
  reason,
  message: `${words}${message}`.slice(0, MOST_CHARACTERS),
  topic: topic && `${words}${topic}`,
});

/**
 * The pod stays as it is or fails, where its author wants that and certainly nothing was made; undefined where an
 * instance is asked for. Whose EIP was bought before fails only after the pause: it is given back with the pod, and
 * whoever makes the next pod at once would have one bought each time.
 */
const givenUp = (seen: ObservedPod, { settleMs }: DecideSettings): PodStep | undefined => {
  const { pod, memory, now } = seen;
  const { refusal, unanswered } = memory;
  const way = onRefusalOf(pod);
  if (way === 'retries' || unanswered) return undefined;
  if (!refusal)
    return way === 'stays' && pod.status?.reason === GIVEN_UP ? waitFor(TO_ASK_ANEW, REFUSED_MS) : undefined;
  const unsureMs = unaskedInMs(memory, settleMs);
  if (unsureMs === Infinity) return undefined;
  const leftMs = Math.max(unsureMs, way === 'fails' && refusal.isEipBought === true ? refusal.dueInMs : 0);
  if (leftMs > 0) return hold(seen, refusal, leftMs);
  const said = way === 'stays' ? saidAfter(TO_ASK_ANEW, refusal) : refusal;
  const failure = inSameWords(pod, { ...said, reason: way === 'stays' ? GIVEN_UP : 'ProviderFailed' });
  const status = way === 'stays' ? waitingStatus(pod, failure, now) : failedStatus(pod, failure, now);
  if (!status) return waitFor(failure.message, REFUSED_MS);
  return { do: 'WriteStatus', status, warning: { reason: refusal.reason, message: failure.message } };
};

/** Whether a policy has to say what the instance may be like: by a quorum read, because it may be an identity. */
const choosesBeyondConfiguration = ({ metadata, spec }: WorkloadPod, { node }: DecideSettings): boolean => {
  const choices = choicesOf(metadata.annotations, spec.volumes, spec);
  const isBounded = choices.some((choice) => 'amount' in choice && choice.isCounted === true);
  return isBounded || forbiddenChoices(choices, UNRESTRICTED, node).length > 0;
};

/**
 * The token of the attempt has been refused so often that it may go on being refused whatever the cause. The next
 * attempt is recorded first, so that a new process does not repeat the old one. By then no group is listed; a group
 * that an unanswered request may still create is waited for.
 */
const renewToken = ({ pod, memory }: ObservedPod, { node, settleMs }: DecideSettings): PodStep | undefined => {
  const attempt = attemptOf(pod);
  const { tokenRefusals, quietMs } = memory;
  if (!tokenRefusals) return undefined;
  // Of another attempt: who has written this one, late or by hand, did not wait for what this process has sent.
  const isOfAnother = tokenRefusals.clientToken !== groupToken(node.clusterUid, pod.metadata.uid, attempt);
  if (!isOfAnother && !isTokenSpent(tokenRefusals.times)) return undefined;
  if (quietMs < settleMs) return waitFor('a request may still take effect', settleMs - quietMs);
  return isOfAnother ? undefined : { do: 'WriteStatus', annotations: { [ECI_ATTEMPT]: String(attempt + 1) } };
};

type Make = PodAction & { readonly do: 'CreateGroup' };

/** The group with the contents of the objects that the pod refers to, or why it cannot be created from them. */
const translated = (
  seen: ObservedPod & { readonly references: NonNullable<ObservedPod['references']> },
  plan: CreationPlan,
  settings: DecideSettings,
): PodStep => {
  const { pod, memory, references } = seen;
  const { node, nodeName } = settings;
  const eip = plan.how === 'container-group' ? plan.eip : {};
  const isMadeWithGroup = 'autoCreateEip' in eip;
  const translation = translate({
    pod,
    nodeName,
    settings: isMadeWithGroup ? { ...node, tags: [EIP_TAG, ...(node.tags ?? [])] } : node,
    ...references,
    eip,
    policy: seen.policy?.effective ?? UNRESTRICTED,
  });
  switch (translation.kind) {
    case 'refused': {
      const message = [lines(translation.refusals), profileRecord(pod.metadata.annotations) ?? []].flat().join('. ');
      return hold(seen, { reason: 'UnsupportedByECI', message: message.slice(0, MOST_CHARACTERS) }, REFUSED_MS);
    }
    case 'waiting':
      return hold(
        seen,
        { reason: REFERENCES_MISSING, message: lines(translation.missing) },
        references.isForbidden
          ? longerAndLonger(memory.keptMs ?? 0, { least: REFERENCES_MS, most: REFERENCES_MOST_MS, part: 4 })
          : REFERENCES_MS,
      );
    case 'spec': {
      const { spec } = translation;
      const notes = [...translation.notes, ...leftOutOf(pod)];
      const claims = claimsForOne(references.claims);
      const make: Make = { do: 'CreateGroup', spec, notes, ...(claims.length > 0 && { claims }) };
      if (isMadeWithGroup) return withEip(seen, make, settings);
      if (plan.how !== 'vpc-first') return make;
      // An unanswered request of an earlier process may still create an instance with an EIP of its own.
      const leftMs = settings.settleMs - memory.quietMs;
      if (leftMs > 0 && pod.status?.reason !== EIP_PENDING) return waitFor('a request may still take effect', leftMs);
      const bought = boughtEip(seen, plan.because, settings);
      return bought.kind === 'wait' ? bought.step : { ...make, spec: { ...spec, eip: bought.eip } };
    }
  }
};

const leftOutOf = ({ metadata: { annotations } }: WorkloadPod): readonly Remark[] => {
  const problem = profileLeftOut(annotations);
  const remedy = 'delete the pod, if it does not have what they add';
  return problem === undefined ? [] : [{ field: `metadata.annotations[${ECI_PROFILE_LEFT_OUT}]`, problem, remedy }];
};

/**
 * Creates the instance with an EIP of its own, unless an EIP is already being bought for the pod under an earlier
 * policy, configuration or annotation: then the instance gets that one. The order makes this safe: first the pod no
 * longer says that it waits for an EIP, and then there is no PodEIP; see `awaitsInstance`.
 */
const withEip = (seen: ObservedPod, make: Make, settings: DecideSettings): PodStep => {
  const { pod, podEip, policy } = seen;
  if (!policy?.isFresh) return { do: 'ReadPolicy', isFresh: true };
  if (podEip === undefined) return { do: 'ReadPodEip' };
  if (isPodEipOf(pod, podEip)) {
    const bought = boughtEip(seen, 'it was asked for', settings);
    return bought.kind === 'wait' ? bought.step : { ...make, spec: { ...withoutEip(make.spec), eip: bought.eip } };
  }
  return pod.status?.reason === EIP_PENDING ? hold(seen, CREATING, 0, true) : make;
};

const CREATING: Failure = { reason: 'Creating', message: 'the instance is made, with an EIP of its own' };

/** The tag says that the EIP is released with the instance. */
const withoutEip = (spec: ContainerGroupSpec): ContainerGroupSpec => ({
  ...spec,
  tags: spec.tags.filter(({ key }) => key !== TAG_EIP),
});

/** Whether the PodEIP is that of an EIP which is bought for this pod. */
const isPodEipOf = (pod: WorkloadPod, podEip: PodEip | null): podEip is PodEip =>
  podEip !== null && isOurs(podEip) && podEip.metadata.annotations?.[POD_UID] === pod.metadata.uid;

/** Of the note of an Event, which takes 1,024 bytes of text, and of the message of the status. */
const MOST_CHARACTERS = 1_000;

const lines = (remarks: readonly Remark[]): string => {
  const text = remarks.map(remarkLine).join('. ');
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text;
};

/** The pod stays Pending with this reason: reported once, and reconciled again after `ms`. */
const hold = ({ pod, now }: ObservedPod, failure: StatusFailure, ms: number, isQuiet = false): PodStep => {
  const { reason, message } = inSameWords(pod, failure);
  const status = waitingStatus(pod, { reason, message }, now);
  if (!status) return waitFor(message, ms);
  return { do: 'WriteStatus', status, ...(!isQuiet && { warning: { reason, message } }) };
};

/** `wait`: something has to come first. */
type BoughtEip =
  | { readonly kind: 'bought'; readonly eip: { readonly eipInstanceId: string } }
  | { readonly kind: 'wait'; readonly step: PodStep };

const wait = (step: PodStep): BoughtEip => ({ kind: 'wait', step });

/**
 * The EIP that has been bought for the pod through the VPC API, or the step that has to come first. The PodEIP of the
 * pod names it, but it is given to the instance only if its own tags prove that: anybody who may write PodEIPs may
 * write the ID of another EIP there.
 */
const boughtEip = (seen: ObservedPod, because: string, { node }: DecideSettings): BoughtEip => {
  const { pod, podEip, eip } = seen;
  if (podEip === undefined) return wait({ do: 'ReadPodEip' });
  const pending = (message: string, ms: number) => wait(hold(seen, { reason: EIP_PENDING, message }, ms, true));
  if (!isPodEipOf(pod, podEip) || podEip.metadata.deletionTimestamp !== undefined || podEip.spec.allocationID === '')
    return pending(
      `the EIP is bought before the instance is made, because ${because}; see the PodEIP of the pod`,
      BUYING_MS,
    );
  const { allocationID } = podEip.spec;
  if (eip === undefined) return wait({ do: 'ReadEip', allocationId: allocationID });
  if (eip?.status !== 'Available')
    return pending(
      `${allocationID} is ${eip?.status ?? 'not listed yet'}; the instance waits until it is Available`,
      EIP_MS,
    );
  if (!provesOwnership(eip, podEip, node.clusterUid))
    return pending(
      `the tags of ${allocationID} do not name this cluster and the PodEIP of the pod; it is not used`,
      EIP_MS,
    );
  return { kind: 'bought', eip: { eipInstanceId: allocationID } };
};
