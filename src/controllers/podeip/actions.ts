import type { Cloud } from '../../cloud/port.ts';
import type { Kube } from '../../kube/port.ts';
import type { Clock } from '../../lib/clock.ts';
import { withToken, type Caller } from '../../lib/token.ts';
import type { Seen } from './observation.ts';
import type { Act, Acted } from './step.ts';
import { allocation, allTags, binding, type Cluster } from './calls.ts';
import { announce, type Announcement } from './publish.ts';
import * as podEips from './writes.ts';
import { reserve } from './reserve.ts';

/** What an act needs of the world. */
export interface World {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly cluster: Cluster;
}

/** The acts that change the cloud; each can take effect without an answer. */
const CLOUD_ACTS: ReadonlySet<Act['do']> = new Set([
  'Allocate',
  'Tag',
  'Inherit',
  'Rob',
  'JoinBandwidthPackage',
  'Associate',
  'Unassociate',
  'LeaveBandwidthPackage',
  'Release',
] satisfies Act['do'][]);

export const changesCloud = (step: Act): boolean => CLOUD_ACTS.has(step.do);

/**
 * Does one step. Guarantees: at most one change to the cloud, and it is never made before the write to the PodEIP that
 * announces it. Safe to stop on any line: whoever comes next finds the write, the tag or the token. Rejects with a
 * CloudFault or a KubeFault.
 *
 * @param epoch the attempt of calls that may have to be made again: see {@link Caller}
 */
export const act = async (
  step: Act,
  { pod, podEip, namespace, room }: Seen,
  { kube, cloud, clock, cluster }: World,
  epoch: string,
  signal: AbortSignal,
): Promise<Acted> => {
  if (step.do === 'Claim') {
    if (!pod) throw new Error('a claim without a pod');
    const { request, release, generation } = step;
    const { metadata } = await podEips.claim(
      kube,
      { pod, podEip, request, release, generation, region: cluster.region },
      signal,
    );
    return podEip ? {} : { created: metadata.uid };
  }
  if (step.do === 'Witness') {
    if (!pod) throw new Error('a record without a pod');
    await podEips.witness(kube, pod, step.isExisting, signal);
    return {};
  }
  if (!podEip) throw new Error(`${step.do} without a PodEIP`);
  const caller: Caller = { subject: podEip.metadata.uid, attempt: epoch };
  switch (step.do) {
    case 'Retire':
      await podEips.retire(kube, podEip, signal);
      return {};
    case 'Park':
      await podEips.park(kube, podEip, clock.now(), signal);
      return {};
    case 'TakeOver':
      await podEips.takeOver(kube, podEip, step, signal);
      return { allocationId: podEip.spec.allocationID };
    case 'Adopt':
      await podEips.adopt(kube, podEip, step, cluster.region, signal);
      return { allocationId: podEip.spec.allocationID };
    case 'Supplant':
      await podEips.retire(kube, step.rival, signal);
      return { allocationId: step.allocationId };
    case 'Yield':
      await podEips.recordEip(kube, podEip, '', signal);
      return { allocationId: step.allocationId };
    case 'Forget':
      await podEips.forgetEip(kube, podEip, step.generation, signal);
      return { allocationId: step.allocationId };
    case 'Offer':
      await podEips.offer(kube, podEip, signal);
      return {};
    case 'Bequeath':
      await podEips.bequeath(kube, step.spare, podEip.metadata.uid, signal);
      return {};
    case 'Decline':
      await podEips.bequeath(kube, step.spare, null, signal);
      return {};
    case 'Inherit':
    case 'Tag':
      await cloud.tagEip(step.allocationId, allTags(cluster, podEip), signal);
      return { allocationId: step.allocationId };
    case 'Rob': {
      const { allocationId, from } = step;
      const { instanceId: networkInterfaceId, instanceType, privateIpAddress } = from;
      const foreign = { allocationId, networkInterfaceId, instanceType, privateIpAddress };
      await cloud.unassociateEip(withToken('UnassociateEipAddress', caller, foreign), signal);
      return { allocationId };
    }
    case 'Reserve': {
      if (!namespace || !room) throw new Error('a place is taken without counting');
      const { bandwidthMbps, instead } = step;
      await reserve(kube, { namespace, usage: room.usage, podEip, bandwidthMbps, instead }, signal);
      return {};
    }
    case 'Allocate': {
      const bought = await cloud.allocateEip(allocation(cluster, podEip, step.request, step.generation), signal);
      // Not under the signal: whoever is stopping still writes down what has just been bought.
      await podEips.recordEip(kube, podEip, bought.allocationId);
      return bought;
    }
    case 'Record':
      await podEips.recordEip(kube, podEip, step.allocationId, signal);
      return { allocationId: step.allocationId };
    case 'RecordBinding':
      await podEips.recordPlace(kube, podEip, step.place, signal);
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
      await cloud.associateEip(binding('AssociateEipAddress', caller, step.allocationId, step.place), signal);
      return { allocationId: step.allocationId };
    case 'Unassociate':
      await cloud.unassociateEip(binding('UnassociateEipAddress', caller, step.allocationId, step.place), signal);
      return { allocationId: step.allocationId };
    case 'Release':
      await cloud.releaseEip(step.allocationId, signal);
      return { allocationId: step.allocationId };
    case 'RemoveFinalizer':
      await podEips.removeFinalizer(kube, podEip, signal);
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

const announcementOf = (step: Extract<Act, { do: 'Publish' | 'StandAside' | 'Unpublish' }>): Announcement => {
  if (step.do === 'Publish') return { ipAddress: step.ipAddress };
  return step.do === 'StandAside' ? { successor: step.successor } : 'nothing';
};
