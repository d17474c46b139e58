import type { Cloud } from '../../cloud/port.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import type { ObservedState } from './observation.ts';
import type { Action, ActionOutcome } from './step.ts';
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

/** The acts that change the cloud; each can take effect without an answer. */
const CLOUD_ACTS: ReadonlySet<Action['do']> = new Set([
  'Allocate',
  'Tag',
  'TransferOwnership',
  'ForceDetach',
  'JoinBandwidthPackage',
  'Associate',
  'Unassociate',
  'LeaveBandwidthPackage',
  'Release',
] satisfies Action['do'][]);

export const changesCloud = (step: Action): boolean => CLOUD_ACTS.has(step.do);

/**
 * Does one step. Guarantees: at most one change to the cloud, and it is never made before the write to the PodEIP that
 * announces it. Safe to stop on any line: whoever comes next finds the write, the tag or the token. Rejects with a
 * CloudFault or a KubeFault.
 *
 * @param epoch the attempt of calls that may have to be made again: see {@link Caller}
 */
export const runAction = async (
  step: Action,
  { pod, podEip, namespace, quota }: ObservedState,
  { kube, cloud, clock, cluster }: ActionPorts,
  epoch: string,
  signal: AbortSignal,
): Promise<ActionOutcome> => {
  if (step.do === 'Claim') {
    if (!pod) throw new Error('a claim without a pod');
    const { request, release, generation } = step;
    const { metadata } = await podEips.writeClaim(
      kube,
      { pod, podEip, request, release, generation, region: cluster.region },
      signal,
    );
    return podEip ? {} : { created: metadata.uid };
  }
  if (step.do === 'RecordExternal') {
    if (!pod) throw new Error('a record without a pod');
    await podEips.createExternal(kube, pod, step.isExisting, signal);
    return {};
  }
  if (!podEip) throw new Error(`${step.do} without a PodEIP`);
  const caller: Caller = { subject: podEip.metadata.uid, attempt: epoch };
  switch (step.do) {
    case 'Retire':
      await podEips.deletePodEip(kube, podEip, signal);
      return {};
    case 'Retain':
      await podEips.markRetained(kube, podEip, clock.now(), signal);
      return {};
    case 'TakeOver':
      await podEips.assignPod(kube, podEip, step, signal);
      return { allocationId: podEip.spec.allocationID };
    case 'Adopt':
      await podEips.writeAdoption(kube, podEip, step, cluster.region, signal);
      return { allocationId: podEip.spec.allocationID };
    case 'Preempt':
      await podEips.deletePodEip(kube, step.competitor, signal);
      return { allocationId: step.allocationId };
    case 'Unclaim':
      await podEips.recordEip(kube, podEip, '', signal);
      return { allocationId: step.allocationId };
    case 'Forget':
      await podEips.forgetEip(kube, podEip, step.generation, signal);
      return { allocationId: step.allocationId };
    case 'MarkReusable':
      await podEips.markReusable(kube, podEip, signal);
      return {};
    case 'AssignSuccessor':
      await podEips.assignSuccessor(kube, step.predecessor, podEip.metadata.uid, signal);
      return {};
    case 'CancelTransfer':
      await podEips.assignSuccessor(kube, step.predecessor, null, signal);
      return {};
    case 'TransferOwnership':
    case 'Tag':
      await cloud.tagEip(step.allocationId, allTags(cluster, podEip), signal);
      return { allocationId: step.allocationId };
    case 'ForceDetach': {
      const { allocationId, from } = step;
      const { instanceId: networkInterfaceId, instanceType, privateIpAddress } = from;
      const foreign = { allocationId, networkInterfaceId, instanceType, privateIpAddress };
      await cloud.unassociateEip(withToken('UnassociateEipAddress', caller, foreign), signal);
      return { allocationId };
    }
    case 'Reserve': {
      if (!namespace || !quota) throw new Error('a place is taken without counting');
      const { bandwidthMbps, reclaimed } = step;
      await reserve(kube, { namespace, usage: quota.usage, podEip, bandwidthMbps, reclaimed }, signal);
      return {};
    }
    case 'Allocate': {
      const bought = await cloud.allocateEip(allocateCall(cluster, podEip, step.request, step.generation), signal);
      // Not under the signal: whoever is stopping still writes down what has just been bought.
      await podEips.recordEip(kube, podEip, bought.allocationId);
      return bought;
    }
    case 'Record':
      await podEips.recordEip(kube, podEip, step.allocationId, signal);
      return { allocationId: step.allocationId };
    case 'RecordBinding':
      await podEips.recordBinding(kube, podEip, step.binding, signal);
      return {};
    case 'JoinBandwidthPackage':
    case 'LeaveBandwidthPackage': {
      const { allocationId, bandwidthPackageId } = step;
      const membership = withToken(step.do, caller, { allocationId, bandwidthPackageId });
      await (step.do === 'JoinBandwidthPackage'
        ? cloud.joinBandwidthPackage(membership, signal)
        : cloud.leaveBandwidthPackage(membership, signal));
      return { allocationId };
    }
    case 'Associate':
      await cloud.associateEip(bindingCall('AssociateEipAddress', caller, step.allocationId, step.binding), signal);
      return { allocationId: step.allocationId };
    case 'Unassociate':
      await cloud.unassociateEip(bindingCall('UnassociateEipAddress', caller, step.allocationId, step.binding), signal);
      return { allocationId: step.allocationId };
    case 'Release':
      await cloud.releaseEip(step.allocationId, signal);
      return { allocationId: step.allocationId };
    case 'RemoveFinalizer':
      await podEips.dropFinalizer(kube, podEip, signal);
      return {};
    case 'Publish':
    case 'StandAside':
    case 'Unpublish': {
      if (!pod) throw new Error(`${step.do} without a pod`);
      await announce(kube, pod, { says: announcementOf(step), isGated: step.isGated, now: clock.now() }, signal);
      return step.do === 'Publish' ? { ipAddress: step.ipAddress } : {};
    }
  }
};

const announcementOf = (step: Extract<Action, { do: 'Publish' | 'StandAside' | 'Unpublish' }>): Announcement => {
  if (step.do === 'Publish') return { ipAddress: step.ipAddress };
  return step.do === 'StandAside' ? { successor: step.successor } : 'nothing';
};
