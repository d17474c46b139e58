import type { Cloud, Eip } from '../../cloud/port.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { withoutCollecting } from '../../lib/requests.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import { isEipAction, isAnnounceAction } from './step.ts';
import type { Action, ActionOutcome, EipAction, AnnounceAction, RecordAction } from './step.ts';
import { allocateCall, allTags, associateCall, unassociateCall, tagsOfEip, type Cluster } from './calls.ts';
import type { Announcement } from './pod-announcement.ts';
import type { Announce } from './publish.ts';
import { readRecord } from './record.ts';
import { provesOwnership } from './safeguards.ts';
import { asNoted } from './sending.ts';
import type { Tracker } from './tracker.ts';
import { TAG_PODEIP_UID } from '../../api/annotations.ts';
import * as podEips from './writes.ts';
import { hold } from '../../policies/holders.ts';
import { reserve } from '../../policies/reservations.ts';

/** The ports and settings that actions use. */
export interface ActionPorts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly announce: Announce;
  /** Which version of a PodEIP the note before a change has made. */
  readonly tracker: Pick<Tracker, 'versionOf'>;
}

/**
 * Carries out one step. Guarantees: at most one change to the cloud, and never before the write to the PodEIP that
 * announces it. Safe to interrupt on any line: the next process finds the write, the tag or the token. Rejects with a
 * CloudFault or a KubeFault.
 *
 * @param epoch the attempt of calls that may have to be repeated: see {@link Caller}
 */
export const runAction = (
  step: Action,
  ports: ActionPorts,
  epoch: string,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  if (isEipAction(step)) return changeCloud(step, ports, epoch, signal);
  if (step.do === 'Hold') return writeHolder(step, ports, signal);
  return isAnnounceAction(step) ? tellPod(step, ports, signal) : writeRecord(step, ports, signal);
};

type Hold = Extract<RecordAction, { do: 'Hold' }>;

const writeHolder = async (step: Hold, { kube, clock }: ActionPorts, signal: AbortSignal): Promise<ActionOutcome> => {
  await hold(kube, step, clock.now(), signal);
  return { allocationId: step.allocationId };
};

const writeRecord = async (
  step: Exclude<RecordAction, Hold>,
  ports: ActionPorts,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  const { kube, clock, cluster } = ports;
  switch (step.do) {
    case 'Claim': {
      const podEip = await podEips.writeClaim(kube, { ...step, region: cluster.region }, signal);
      return { ...(!step.podEip && { created: podEip.metadata.uid }), written: { podEip } };
    }
    case 'RecordExternal':
      await podEips.createExternal(kube, step.pod, step.isExisting, signal);
      return {};
    case 'Retire':
      await podEips.deletePodEip(kube, step.podEip, signal);
      return {};
    case 'Retain':
      return { written: { podEip: await podEips.markRetained(kube, step.podEip, clock.now(), signal) } };
    case 'TakeOver':
      return {
        allocationId: step.podEip.spec.allocationID,
        written: { podEip: await podEips.assignPod(kube, step, signal) },
      };
    case 'Adopt':
      await podEips.writeAdoption(kube, step, cluster.region, signal);
      return { allocationId: step.podEip.spec.allocationID };
    case 'Preempt':
      await podEips.deletePodEip(kube, step.competitor, signal);
      return { allocationId: step.allocationId };
    case 'Unclaim':
      return {
        allocationId: step.allocationId,
        written: { podEip: await podEips.recordEip(kube, step.podEip, '', { signal }) },
      };
    case 'Forget':
      await podEips.forgetEip(kube, step.podEip, step.generation, signal);
      return { allocationId: step.allocationId };
    case 'MarkReusable':
      return { written: { podEip: await podEips.markReusable(kube, step.podEip, signal) } };
    case 'AssignSuccessor':
      return assignSuccessor(step, ports, signal);
    case 'CancelTransfer':
      await podEips.assignSuccessor(kube, step.predecessor, null, signal);
      return {};
    case 'Reserve':
      await reserve(kube, step, signal);
      return {};
    case 'Record':
      return {
        allocationId: step.allocationId,
        written: {
          podEip: await podEips.recordEip(kube, step.podEip, step.allocationId, { binding: step.binding, signal }),
        },
      };
    case 'RecordBinding':
      return { written: { podEip: await podEips.recordBinding(kube, step.podEip, step.binding, signal) } };
    case 'NoteQuiet':
      return { written: { podEip: await podEips.writeQuietNote(kube, step.podEip, step.note, signal) } };
    case 'RestoreFinalizer':
      return { written: { podEip: await podEips.restoreFinalizer(kube, step.podEip, signal) } };
    case 'RemoveFinalizer':
      await podEips.dropFinalizer(kube, step.podEip, signal);
      return {};
  }
};

/** Names the successor, and looks at what is offered beside that: no write of the one that offers it came between. */
const assignSuccessor = async (
  { podEip, predecessor }: Extract<RecordAction, { do: 'AssignSuccessor' }>,
  ports: ActionPorts,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  const [written, eip] = await Promise.all([
    podEips.assignSuccessor(ports.kube, predecessor, podEip.metadata.uid, signal),
    firstLook(predecessor.spec.allocationID, ports, signal),
  ]);
  return { written: { podEip }, predecessor: written, ...(eip && { eip }) };
};

const tellPod = async (
  step: AnnounceAction,
  { announce, clock }: ActionPorts,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  const { pod, isGated } = step;
  const after = await announce(pod, { says: announcementOf(step), isGated, now: clock.now() }, signal);
  return { ...(step.do === 'Publish' && { ipAddress: step.ipAddress }), ...(after && { written: { pod: after } }) };
};

const announcementOf = (step: AnnounceAction): Announcement => {
  if (step.do === 'Publish') return { kind: 'address', ipAddress: step.ipAddress };
  return step.do === 'StandAside' ? { kind: 'handedOver', successor: step.successor } : { kind: 'none' };
};

/** So long a look at an EIP beside what is done with it may take, before that goes on without it; milliseconds. */
const FIRST_LOOK_MS = 200;

/** The EIP; undefined where it cannot be seen at once: the next turn looks. Never rejects. */
const firstLook = async (
  allocationId: string,
  { cloud, clock }: Pick<ActionPorts, 'cloud' | 'clock'>,
  signal: AbortSignal,
): Promise<Eip | undefined> => {
  const limit = new AbortController();
  const cancel = clock.timer(FIRST_LOOK_MS, () => limit.abort());
  try {
    return await withoutCollecting(() => cloud.describeEip(allocationId, AbortSignal.any([signal, limit.signal])));
  } catch {
    return undefined;
  } finally {
    cancel();
  }
};

/**
 * Buys an EIP and writes its ID down. Where it shows its tags at once, the place where it will be bound is written down
 * with it: a process that dies before that leaves what one leaves that dies before it has the answer.
 */
const buy = async (
  step: Extract<EipAction, { do: 'Allocate' }>,
  ports: ActionPorts,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  const { kube, cloud, cluster, tracker } = ports;
  const { podEip, place } = step;
  const answer = await cloud.allocateEip(allocateCall(cluster, podEip, step.request, step.generation), signal);
  const { allocationId } = answer;
  const eip = place && (await firstLook(allocationId, ports, signal));
  const isFree = eip?.status === 'Available' && eip.lockReasons.length === 0;
  const binding = isFree && provesOwnership(eip, podEip, cluster.uid) ? place : undefined;
  // Without the signal: a purchase is written down even while the process is stopping.
  const written = await podEips.recordEip(kube, asNoted(podEip, tracker), allocationId, { binding });
  return { ...answer, written: { podEip: written }, ...(binding && eip && { eip }) };
};

const changeCloud = async (
  step: EipAction,
  ports: ActionPorts,
  epoch: string,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  const { cloud, cluster } = ports;
  const { podEip } = step;
  if (step.do === 'Allocate') return buy(step, ports, signal);
  const { allocationId } = step;
  const caller: Caller = { subject: podEip.metadata.uid, attempt: epoch };
  switch (step.do) {
    case 'Tag':
      await cloud.tagEip(allocationId, tagsOfEip(cluster, podEip, readRecord(podEip).request), signal);
      break;
    case 'TransferOwnership':
      await cloud.tagEip(allocationId, allTags(cluster, podEip), signal);
      break;
    case 'Untag':
      await cloud.untagEip(
        allocationId,
        // One tag of ours stays: an EIP with the mark and without any tag would be taken for a purchase that lost its
        // tags.
        allTags(cluster, podEip).flatMap(({ key }) => (key === TAG_PODEIP_UID ? [] : [key])),
        signal,
      );
      break;
    case 'ForceDetach': {
      const { instanceId: networkInterfaceId, instanceType, privateIpAddress } = step.from;
      const foreign = { allocationId, networkInterfaceId, instanceType, privateIpAddress };
      await cloud.unassociateEip(withToken('UnassociateEipAddress', caller, foreign), signal);
      break;
    }
    case 'JoinBandwidthPackage':
    case 'LeaveBandwidthPackage': {
      const { bandwidthPackageId } = step;
      const membership = withToken(step.do, caller, { allocationId, bandwidthPackageId });
      await (step.do === 'JoinBandwidthPackage'
        ? cloud.joinBandwidthPackage(membership, signal)
        : cloud.leaveBandwidthPackage(membership, signal));
      break;
    }
    case 'Associate':
      await cloud.associateEip(associateCall(caller, allocationId, step.binding), signal);
      break;
    case 'Unassociate':
      await cloud.unassociateEip(unassociateCall(caller, allocationId, step.binding), signal);
      break;
    case 'Release':
      await cloud.releaseEip(allocationId, signal);
      break;
  }
  return { allocationId };
};
