import { runAction, type ActionPorts } from './actions.ts';
import { ownershipTags } from './calls.ts';
import { NAMESPACE, POD, type Node, type Pod } from '../../api/core.ts';
import { EIP_USAGE } from '../../api/eippolicy.ts';
import { KNATIVE_SERVICE, SERVICE_UID } from '../../api/knative.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import type { Reason } from '../../api/reason.ts';
import { CloudFault, type CloudFaultKind } from '../../cloud/fault.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { ObjectRef } from '../../kube/port.ts';
import type { Requeue } from '../../kube/reconcile-loop.ts';
import type { Log } from '../../lib/log.ts';
import { collectRequests } from '../../lib/requests.ts';
import { decide } from './decide.ts';
import { isSameService } from './precedence.ts';
import { isReusableFor } from './transfer.ts';
import { isDrifting } from './pod-request.ts';
import { isFinal } from '../../api/pod.ts';
import { isOurs, isExternal, readRecord } from './record.ts';
import type { CompetingClaim, ObservedState, Settings } from './observation.ts';
import { isCloudAction, isReadStep, RETRY_MS, type Action, type ReadStep, type Result } from './step.ts';
import { labelOf } from './step-label.ts';
import { noticesOf, regarding, warningsOf, type EventNote, type Regarding } from './events.ts';
import { statusOf, statusPatch, type Readiness } from './status.ts';
import { UNTRACKED, type Tracker } from './tracker.ts';
import type { LatencyTracker } from './latency.ts';
import { readPolicy, recallPolicy, type Policies } from '../policy-cache.ts';

/** What the reconciler of pods and PodEIPs works with. */
export interface PodEipPorts extends ActionPorts {
  readonly settings: Settings;
  /** The VPC of the cluster's nodes: private addresses repeat across VPCs. */
  readonly vpcId: string;
  readonly tracker: Tracker;
  /** Times what is done; undefined where nobody reads the figures. */
  readonly latency?: LatencyTracker | undefined;
  /** The policies of namespaces; undefined where there are none. */
  readonly policies?: Policies | undefined;
  /** Other controllers of EIPs in the cluster; undefined where nobody looks for them. */
  readonly otherControllers?: (() => readonly string[] | undefined) | undefined;
  /** The node of this name, from the cache. */
  readonly nodeOf: (name: string) => Node | undefined;
  /** Whether this process may still change anything: false once the leadership is in doubt. */
  readonly mayAct: () => boolean;
  /** An EIP was given back: those that wait for room may ask again. */
  readonly onQuotaFreed: () => void;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  /** Tells the Knative Service of a pod, or of the pod of a PodEIP, what is wrong there. */
  readonly warnService: (of: Pod | PodEip, event: EventNote) => void;
  /** Who notices what happens to addresses; undefined where nobody wants to know. */
  readonly changes?: Changes | undefined;
  readonly log: Log;
}

/** Notices what happens to addresses, from what each pass sees. Neither method rejects. */
export interface Changes {
  /** Before a step. False if the step must wait: after it, what is not written down yet could not be noticed any more. */
  observed(step: Action | Result, seen: ObservedState): Promise<boolean>;
  /** The cloud refused something, and somebody must act. */
  refused(podEip: PodEip, trouble: { readonly reason: Reason; readonly message: string }): void;
}

/** What people read when the cloud says no, by the kind of its answer; undefined where it passes by itself. */
const REASON: Readonly<Record<CloudFaultKind, Reason>> = {
  again: 'CloudBusy',
  later: 'CloudBusy',
  already: 'CloudBusy',
  gone: 'CloudBusy',
  throttled: 'CloudThrottled',
  unknown: 'CloudUnknown',
  refused: 'CloudRefused',
  quota: 'QuotaExceeded',
  misconfigured: 'CloudMisconfigured',
};

/** Before a throttled call takes its place in the queue of its action again; milliseconds. */
const THROTTLED_MS = 1_000;

/** Until a step that waits for a write is looked at again, if nobody calls before; milliseconds. */
const HELD_MS = 10_000;

/** Kinds that do not pass by themselves: somebody is told, and it is tried again slowly. */
const NEEDS_SOMEBODY: ReadonlySet<CloudFaultKind> = new Set(['refused', 'quota', 'misconfigured']);

/**
 * observe → decide → do one thing → report, for one pod and the PodEIP of its name. One reconciler serves both objects,
 * because one key in one queue means that a pod and its PodEIP are never worked on twice at once.
 *
 * Safe to stop between any two lines and safe to run in two processes. Decisions are made from quorum reads; the caches
 * of the watches only say when to look.
 */
export const reconcilePodEip =
  (ports: PodEipPorts) =>
  async (ref: ObjectRef, signal: AbortSignal): Promise<Requeue> => {
    const { kube, tracker, settings, log } = ports;
    const [podEip, pod] = await Promise.all([kube.get(PODEIP, ref, signal), kube.get(POD, ref, signal)]);
    const uid = podEip?.metadata.uid ?? '';
    if (podEip) tracker.retained(uid, isWithoutPod(podEip, pod));
    const recall = () => (podEip ? tracker.recall(uid) : UNTRACKED);
    const node = pod?.spec.nodeName === undefined ? undefined : ports.nodeOf(pod.spec.nodeName);
    const now = ports.clock.now();
    const effective =
      ports.policies && isAsking(pod, podEip)
        ? await recallPolicy(ports.policies, kube, ref.namespace ?? '', signal)
        : undefined;
    let seen: ObservedState = {
      pod: pod ?? null,
      podEip: podEip ?? null,
      node: node ?? null,
      otherControllers: ports.otherControllers?.(),
      policy: effective && { effective, isFresh: false },
      memory: recall(),
      now,
    };
    try {
      let step = decide(seen, settings);
      while (isReadStep(step)) {
        seen = { ...seen, ...(await read(step, seen, ports, signal)) };
        if (step.do === 'ReadEip')
          tracker.observed(uid, step.allocationId, {
            isDrifting: seen.podEip !== null && isDrifting(seen.pod, seen.eip ?? null, readRecord(seen.podEip)),
            isMissing: seen.eip === null,
          });
        seen = { ...seen, memory: recall() };
        step = decide(seen, settings);
      }
      if (ports.changes && !(await ports.changes.observed(step, seen))) return { afterMs: HELD_MS };
      if (isResult(step)) return await settle(step, seen, ports, signal);
      signal.throwIfAborted();
      if (!ports.mayAct()) return 'backoff';
      const done = await perform(step, seen, ports, signal);
      if (step.do === 'RemoveFinalizer') tracker.forget(uid);
      log.info({ step: labelOf(step.do), ...fieldsOf(step, seen), ...done }, sentenceOf(step));
      return 'now';
    } catch (error) {
      if (error instanceof KubeFault && (error.kind === 'conflict' || error.kind === 'exists')) return 'backoff';
      if (!(error instanceof CloudFault)) throw error;
      return await faulted(error, seen, ports, signal);
    }
  };

/** Whether what the policy says makes a difference: nothing is asked for by a pod that is not there. */
const isAsking = (pod: Pod | undefined, podEip: PodEip | undefined): boolean =>
  pod !== undefined && podEip?.metadata.deletionTimestamp === undefined;

/** Whether the PodEIP outlives its pod at present. */
const isWithoutPod = (podEip: PodEip, pod: Pod | undefined): boolean => {
  const { podUid } = readRecord(podEip);
  return isOurs(podEip) ? podUid === '' : isExternal(podEip) && (!pod || isFinal(pod) || pod.metadata.uid !== podUid);
};

const isResult = (step: Action | Result): step is Result =>
  step.do === 'Wait' || step.do === 'Fail' || step.do === 'Done';

/** Reads what the decision asked for. */
const read = async (
  step: ReadStep,
  seen: ObservedState,
  ports: PodEipPorts,
  signal: AbortSignal,
): Promise<Partial<ObservedState>> => {
  const { podEip, reclaimable = [] } = seen;
  const { cloud, kube, cluster, vpcId } = ports;
  switch (step.do) {
    case 'ReadEip':
      return { eip: (await cloud.describeEip(step.allocationId, signal)) ?? null };
    case 'ReadTaggedEips':
      return { tagged: podEip ? await cloud.findEips(ownershipTags(cluster, podEip.metadata.uid), signal) : [] };
    case 'ReadInterfaces': {
      const { privateIpAddress } = step;
      return { interfaces: await cloud.findNetworkInterfaces({ vpcId, privateIpAddress }, signal) };
    }
    case 'ReadNamespace': {
      const name = podEip?.metadata.namespace ?? '';
      return { namespace: (await kube.get(NAMESPACE, { name }, signal)) ?? null };
    }
    case 'ReadPolicy': {
      if (!ports.policies) return { policy: undefined };
      const name = podEip?.metadata.namespace ?? '';
      const { effective, namespace } = await readPolicy(ports.policies, kube, name, signal);
      return { policy: { effective, isFresh: true }, ...(namespace !== undefined && { namespace }) };
    }
    case 'ReadQuota': {
      const name = podEip?.metadata.namespace ?? '';
      // One after the other: see Room.
      const usage = (await kube.get(EIP_USAGE, { name }, signal)) ?? null;
      return { quota: { usage, podEips: await kube.list(PODEIP, { namespace: name }, signal) } };
    }
    case 'ReadReclaimable': {
      const eips = await cloud.findEips(ownershipTags(cluster, step.podEipUid), signal);
      return { reclaimable: new Map([...reclaimable, [step.podEipUid, eips.length === 0]]) };
    }
    case 'ReadReusable': {
      if (!podEip) return { reusable: [] };
      const { namespace } = podEip.metadata;
      const labelSelector = `${SERVICE_UID}=${podEip.metadata.labels?.[SERVICE_UID] ?? ''}`;
      const all = await kube.list(PODEIP, { namespace, labelSelector }, signal);
      return { reusable: all.filter((it) => isReusableFor(it, podEip)) };
    }
    case 'ReadService': {
      try {
        const service = await kube.get(
          KNATIVE_SERVICE,
          { namespace: podEip?.metadata.namespace, name: step.name },
          signal,
        );
        const isThere = service?.metadata.uid === step.uid && service.metadata.deletionTimestamp === undefined;
        return { service: isThere ? service : null };
      } catch (error) {
        // The rights may be left out, and the kind not be installed: what Knative says is then of no help, and no hindrance.
        const isUnreadable = error instanceof KubeFault && (error.kind === 'forbidden' || error.kind === 'notFound');
        if (isUnreadable) return { service: 'unreadable' };
        throw error;
      }
    }
    case 'ReadSuccessor': {
      const all = await kube.list(PODEIP, { namespace: podEip?.metadata.namespace }, signal);
      return { successor: all.find(({ metadata }) => metadata.uid === step.uid) ?? null };
    }
    case 'ReadCompetingClaims': {
      const all = await kube.list(PODEIP, {}, signal);
      const { uid, namespace } = podEip?.metadata ?? {};
      const others = all.filter(
        (it) =>
          it.metadata.uid !== uid &&
          it.spec.allocationID === step.allocationId &&
          // A record says what annotations of its pod say, and no other namespace is kept from its EIP by that.
          (!isExternal(it) || it.metadata.namespace === namespace),
      );
      const competitors = others.map(async (competitor): Promise<CompetingClaim> => {
        const isOfSameService = podEip !== null && isSameService(podEip, competitor);
        const pod = isOfSameService ? await kube.get(POD, competitor.metadata, signal) : undefined;
        return { podEip: competitor, pod: pod && pod.metadata.uid === readRecord(competitor).podUid ? pod : null };
      });
      return { competitors: await Promise.all(competitors) };
    }
  }
};

/** Does one step, remembers what is known of its outcome, and tells people. Resolves to what its line of the log adds. */
const perform = async (step: Action, seen: ObservedState, ports: PodEipPorts, signal: AbortSignal): Promise<object> => {
  const { tracker, record, latency, clock } = ports;
  const uid = seen.podEip?.metadata.uid ?? '';
  const isCloud = isCloudAction(step);
  const began = clock.mono();
  latency?.begins(step, seen);
  if (isCloud) tracker.sending(uid);
  try {
    const { result: acted, requestIds } = await collectRequests(() =>
      runAction(step, ports, tracker.epoch(uid), signal),
    );
    if (isCloud) tracker.accepted(uid, step);
    if (step.do === 'Release') ports.onQuotaFreed();
    if (acted.created !== undefined) tracker.created(acted.created);
    else if (step.do === 'Claim' || step.do === 'Forget') tracker.renewed(uid);
    latency?.done(step, seen, began);
    const findings = step.do === 'Claim' || step.do === 'RecordExternal' ? step.findings : undefined;
    if (findings) latency?.read({ findings });
    for (const { about, event } of noticesOf(step, acted, seen)) record(about, event);
    // What refuses is in the condition and its Event.
    const isRefused = step.do === 'Claim' && !step.request;
    for (const warning of warningsOf({ findings: isRefused ? [] : (findings ?? []) }))
      warn(warning, { pod: seen.pod, podEip: null }, ports);
    return {
      ...(acted.created !== undefined && { podEipUid: acted.created }),
      ...(acted.allocationId !== undefined && { eip: acted.allocationId }),
      ...(acted.ipAddress !== undefined && { ipAddress: acted.ipAddress }),
      ...(requestIds.length > 0 && { requestId: requestIds.join(' ') }),
    };
  } catch (error) {
    if (isCloud && error instanceof CloudFault) tracker.failed(uid, step, error);
    else if (isCloud) tracker.lostTrack(uid);
    throw error;
  }
};

/** Nothing to do now: say how things stand. */
const settle = async (step: Result, seen: ObservedState, ports: PodEipPorts, signal: AbortSignal): Promise<Requeue> => {
  const isReady = step.do === 'Done' && step.reason === 'InUse';
  await tell({ isReady, reason: step.reason, message: step.message }, step.do === 'Fail', seen, ports, signal);
  return step.ms === undefined ? 'done' : { afterMs: step.ms };
};

/** The cloud said no, or nothing at all. */
const faulted = async (
  fault: CloudFault,
  seen: ObservedState,
  ports: PodEipPorts,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { kind, action, code, requestId, message } = fault;
  const needsSomebody = NEEDS_SOMEBODY.has(kind);
  const fields = { kind, action, code, requestId, ...fieldsOf(undefined, seen) };
  if (needsSomebody) ports.log.warn(fields, message);
  else ports.log.debug(fields, message);
  // The bucket of the action slows everybody down together: a pause of its own would let newcomers pass this one.
  if (kind === 'throttled') return { afterMs: Math.max(THROTTLED_MS, fault.retryAfterMs ?? 0) };
  if (!needsSomebody) return 'backoff';
  if (seen.podEip) ports.changes?.refused(seen.podEip, { reason: REASON[kind], message });
  await tell({ isReady: false, reason: REASON[kind], message, isOfCloud: true }, true, seen, ports, signal);
  // Who may not take an EIP over buys one instead.
  if (seen.podEip && ports.tracker.recall(seen.podEip.metadata.uid).refusal?.action === 'TransferOwnership')
    return { afterMs: ports.settings.readLagMs };
  return { afterMs: Math.max(RETRY_MS, fault.retryAfterMs ?? 0) };
};

/** Tells pod and PodEIP, and their Knative Service, which hears of each reason once and of which pod. */
const warn = (
  warning: EventNote,
  { pod, podEip }: Pick<ObservedState, 'pod' | 'podEip'>,
  { record, warnService }: Pick<PodEipPorts, 'record' | 'warnService'>,
): void => {
  for (const object of regarding({ pod, podEip })) record(object, warning);
  const one = pod ?? podEip;
  if (one) warnService(one, warning);
};

/** Writes the status if it changed, and an Event if somebody must act and has not been told this yet. */
const tell = async (
  readiness: Readiness,
  isWarning: boolean,
  seen: ObservedState,
  ports: PodEipPorts,
  signal: AbortSignal,
): Promise<void> => {
  const { kube, clock, settings } = ports;
  const { podEip } = seen;
  const warning: EventNote = {
    type: 'Warning',
    reason: readiness.reason,
    action: 'Reconcile',
    note: readiness.message,
  };
  if (!podEip || !(isOurs(podEip) || isExternal(podEip))) {
    if (isWarning) warn(warning, { pod: seen.pod, podEip: null }, ports);
    return;
  }
  const before = podEip.status?.conditions?.find(({ type }) => type === 'Ready');
  const time = { now: clock.now(), refreshMs: settings.recheckMs };
  const status = statusPatch(podEip.status, statusOf(podEip, seen, readiness, time));
  if (!status) return;
  const { namespace, name, uid, resourceVersion } = podEip.metadata;
  const body = { metadata: { uid, resourceVersion }, status };
  await kube.patch(PODEIP, { namespace, name }, { type: 'merge', subresource: 'status', body }, signal);
  // The cloud's own messages carry the ID of each request: only another reason is news.
  const hasChanged =
    before?.reason !== readiness.reason || (!readiness.isOfCloud && before.message !== readiness.message);
  // What the cloud refuses has its line already, with the ID of the request.
  const line = { reason: readiness.reason, isReady: readiness.isReady, ...fieldsOf(undefined, seen) };
  if (hasChanged && !readiness.isOfCloud) ports.log[isWarning ? 'warn' : 'debug'](line, readiness.message);
  if (isWarning && hasChanged) warn(warning, seen, ports);
};

/** What a line of the log says about the objects. */
const fieldsOf = (step: Action | undefined, { pod, podEip }: ObservedState) => ({
  namespace: (podEip ?? pod)?.metadata.namespace,
  pod: (podEip ?? pod)?.metadata.name,
  podUid: pod?.metadata.uid ?? (podEip ? readRecord(podEip).podUid || undefined : undefined),
  podEipUid: podEip?.metadata.uid,
  eip: step && 'allocationId' in step ? step.allocationId : podEip?.spec.allocationID || undefined,
});

const sentenceOf = (step: Action): string =>
  'because' in step ? `${labelOf(step.do)}: ${step.because}` : labelOf(step.do);
