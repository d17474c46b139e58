import type { Cloud } from '../../cloud/port.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import { isCloudAction, isPodAction } from './step.ts';
import type { Action, ActionOutcome, CloudAction, PodAction, RecordAction } from './step.ts';
import { allocateCall, allTags, bindingCall, type Cluster } from './calls.ts';
import { announce, type Announcement } from './publish.ts';
import * as podEips from './writes.ts';
import { reserve } from './reserve.ts';

/** What an act needs of the world. */
export interface ActionPorts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly cluster: Cluster;
}

/**
 * Does one step. Guarantees: at most one change to the cloud, and it is never made before the write to the PodEIP that
 * announces it. Safe to stop on any line: whoever comes next finds the write, the tag or the token. Rejects with a
 * CloudFault or a KubeFault.
 *
 * @param epoch the attempt of calls that may have to be made again: see {@link Caller}
 */
export const runAction = (
  step: Action,
  ports: ActionPorts,
  epoch: string,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  if (isCloudAction(step)) return changeCloud(step, ports, epoch, signal);
  return isPodAction(step) ? tellPod(step, ports, signal) : writeRecord(step, ports, signal);
};

const writeRecord = async (
  step: RecordAction,
  { kube, clock, cluster }: ActionPorts,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  switch (step.do) {
    case 'Claim': {
      const { metadata } = await podEips.writeClaim(kube, { ...step, region: cluster.region }, signal);
      return step.podEip ? {} : { created: metadata.uid };
    }
    case 'RecordExternal':
      await podEips.createExternal(kube, step.pod, step.isExisting, signal);
      return {};
    case 'Retire':
      await podEips.deletePodEip(kube, step.podEip, signal);
      return {};
    case 'Retain':
      await podEips.markRetained(kube, step.podEip, clock.now(), signal);
      return {};
    case 'TakeOver':
      await podEips.assignPod(kube, step, signal);
      return { allocationId: step.podEip.spec.allocationID };
    case 'Adopt':
      await podEips.writeAdoption(kube, step, cluster.region, signal);
      return { allocationId: step.podEip.spec.allocationID };
    case 'Preempt':
      await podEips.deletePodEip(kube, step.competitor, signal);
      return { allocationId: step.allocationId };
    case 'Unclaim':
      await podEips.recordEip(kube, step.podEip, '', signal);
      return { allocationId: step.allocationId };
    case 'Forget':
      await podEips.forgetEip(kube, step.podEip, step.generation, signal);
      return { allocationId: step.allocationId };
    case 'MarkReusable':
      await podEips.markReusable(kube, step.podEip, signal);
      return {};
    case 'AssignSuccessor':
      await podEips.assignSuccessor(kube, step.predecessor, step.podEip.metadata.uid, signal);
      return {};
    case 'CancelTransfer':
      await podEips.assignSuccessor(kube, step.predecessor, null, signal);
      return {};
    case 'Reserve':
      await reserve(kube, step, signal);
      return {};
    case 'Record':
      await podEips.recordEip(kube, step.podEip, step.allocationId, signal);
      return { allocationId: step.allocationId };
    case 'RecordBinding':
      await podEips.recordBinding(kube, step.podEip, step.binding, signal);
      return {};
    case 'RemoveFinalizer':
      await podEips.dropFinalizer(kube, step.podEip, signal);
      return {};
  }
};

const tellPod = async (step: PodAction, { kube, clock }: ActionPorts, signal: AbortSignal): Promise<ActionOutcome> => {
  const { pod, isGated } = step;
  await announce(kube, pod, { says: announcementOf(step), isGated, now: clock.now() }, signal);
  return step.do === 'Publish' ? { ipAddress: step.ipAddress } : {};
};

const announcementOf = (step: PodAction): Announcement => {
  if (step.do === 'Publish') return { ipAddress: step.ipAddress };
  return step.do === 'StandAside' ? { successor: step.successor } : 'nothing';
};

const changeCloud = async (
  step: CloudAction,
  ports: ActionPorts,
  epoch: string,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  const { kube, cloud, cluster } = ports;
  const { podEip } = step;
  if (step.do === 'Allocate') {
    const bought = await cloud.allocateEip(allocateCall(cluster, podEip, step.request, step.generation), signal);
    // Not under the signal: whoever is stopping still writes down what has just been bought.
    await podEips.recordEip(kube, podEip, bought.allocationId);
    return bought;
  }
  const { allocationId } = step;
  const caller: Caller = { subject: podEip.metadata.uid, attempt: epoch };
  switch (step.do) {
    case 'TransferOwnership':
    case 'Tag':
      await cloud.tagEip(allocationId, allTags(cluster, podEip), signal);
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
      await cloud.associateEip(bindingCall('AssociateEipAddress', caller, allocationId, step.binding), signal);
      break;
    case 'Unassociate':
      await cloud.unassociateEip(bindingCall('UnassociateEipAddress', caller, allocationId, step.binding), signal);
      break;
    case 'Release':
      await cloud.releaseEip(allocationId, signal);
      break;
  }
  return { allocationId };
};
