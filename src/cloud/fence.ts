import { prepareChange } from '../lib/prepare.ts';
import type { CloudAction } from './api-actions.ts';
import type { FoldableCloud } from './batch.ts';
import type { ContainerGroups } from './container-groups.ts';
import { CALL_TIMEOUT_MS } from './call-deadline.ts';
import { CloudFault, LEADERSHIP_UNCERTAIN } from './fault.ts';
import type { ImageCaches } from './image-caches.ts';

/**
 * Whether a change may be sent. `accountUnseen`: it may not, because nobody could see yet whether the credentials are
 * of the cluster's account; that does not pass by itself, so that people are told.
 */
type Permission =
  { readonly kind: 'open' } | { readonly kind: 'leadershipUncertain' } | { readonly kind: 'accountUnseen' };

export const OPEN: Permission = { kind: 'open' };

/** Asked for a change that takes `needMs`. */
export type MayMutate = (needMs: number) => Permission;

const closed = (action: CloudAction, kind: Exclude<Permission['kind'], 'open'>, needMs: number): CloudFault =>
  kind === 'leadershipUncertain'
    ? new CloudFault({
        kind: 'later',
        action,
        code: LEADERSHIP_UNCERTAIN,
        message: `${action}: not sent, the leadership is not certain for another ${needMs} ms`,
      })
    : new CloudFault({
        kind: 'misconfigured',
        action,
        code: 'AccountUnseen',
        message: `${action}: not sent, because whether the credentials are of the cluster’s account cannot be seen; the log of the controller says why (cloud.checkAccount: false in the configuration leaves this out)`,
      });

const guardOf =
  (mayMutate: MayMutate, needMs: number) =>
  async <T>(action: CloudAction, send: () => Promise<T>): Promise<T> => {
    await prepareChange();
    const { kind } = mayMutate(needMs);
    if (kind !== 'open') throw closed(action, kind, needMs);
    return send();
  };

/**
 * The cloud behind a fence: before each mutating call it asks whether the leadership still covers `needMs`, the time
 * that the call may take; if not, the call is rejected with kind `later`, code `LeadershipUncertain`, and nothing is
 * sent. A lease does not fence by itself (client-go, tools/leaderelection: it "does not guarantee that only one client
 * is acting as a leader"). Reads pass.
 *
 * Put it nearer to the network than whatever waits (the throttle): time passes while a call waits for its turn.
 */
export const fenced = (cloud: FoldableCloud, mayMutate: MayMutate, needMs: number = CALL_TIMEOUT_MS): FoldableCloud => {
  const guard = guardOf(mayMutate, needMs);
  return {
    describeEips: (ids, signal) => cloud.describeEips(ids, signal),
    describeEip: (id, signal) => cloud.describeEip(id, signal),
    findEips: (tags, signal) => cloud.findEips(tags, signal),
    listFreeEips: (signal) => cloud.listFreeEips(signal),
    findEipsByAddress: (ipAddresses, signal) => cloud.findEipsByAddress(ipAddresses, signal),
    findNetworkInterfaces: (where, signal) => cloud.findNetworkInterfaces(where, signal),
    findNetworkInterfacesOfMany: (where, signal) => cloud.findNetworkInterfacesOfMany(where, signal),
    networkInterfacesOf: (id, signal) => cloud.networkInterfacesOf(id, signal),
    findBandwidthPackage: (id, signal) => cloud.findBandwidthPackage(id, signal),
    allocateEip: (request, signal) => guard('AllocateEipAddress', () => cloud.allocateEip(request, signal)),
    associateEip: (binding, signal) => guard('AssociateEipAddress', () => cloud.associateEip(binding, signal)),
    unassociateEip: (binding, signal) => guard('UnassociateEipAddress', () => cloud.unassociateEip(binding, signal)),
    releaseEip: (id, signal) => guard('ReleaseEipAddress', () => cloud.releaseEip(id, signal)),
    joinBandwidthPackage: (membership, signal) =>
      guard('AddCommonBandwidthPackageIp', () => cloud.joinBandwidthPackage(membership, signal)),
    tagEip: (id, tags, signal) => guard('TagResources', () => cloud.tagEip(id, tags, signal)),
    untagEip: (id, keys, signal) => guard('UnTagResources', () => cloud.untagEip(id, keys, signal)),
    leaveBandwidthPackage: (membership, signal) =>
      guard('RemoveCommonBandwidthPackageIp', () => cloud.leaveBandwidthPackage(membership, signal)),
  };
};

/** The ECI API behind the same fence as {@link fenced}. */
export const fencedContainerGroups = (
  groups: ContainerGroups,
  mayMutate: MayMutate,
  needMs: number = CALL_TIMEOUT_MS,
): ContainerGroups => {
  const guard = guardOf(mayMutate, needMs);
  return {
    createContainerGroup: (spec, signal) =>
      guard('CreateContainerGroup', () => groups.createContainerGroup(spec, signal)),
    deleteContainerGroup: (group, signal) =>
      guard('DeleteContainerGroup', () => groups.deleteContainerGroup(group, signal)),
    describeContainerGroups: (filter, signal) => groups.describeContainerGroups(filter, signal),
    describeContainerGroupStatus: (filter, signal) => groups.describeContainerGroupStatus(filter, signal),
    describeContainerLog: (query, signal) => groups.describeContainerLog(query, signal),
    describeContainerGroupMetrics: (ids, signal) => groups.describeContainerGroupMetrics(ids, signal),
    execContainerCommand: (query, signal) =>
      guard('ExecContainerCommand', () => groups.execContainerCommand(query, signal)),
  };
};

/** The image caches of the ECI API behind the same fence as {@link fenced}. */
export const fencedImageCaches = (
  caches: ImageCaches,
  mayMutate: MayMutate,
  needMs: number = CALL_TIMEOUT_MS,
): ImageCaches => {
  const guard = guardOf(mayMutate, needMs);
  return {
    createImageCache: (spec, signal) => guard('CreateImageCache', () => caches.createImageCache(spec, signal)),
    deleteImageCache: (cache, signal) => guard('DeleteImageCache', () => caches.deleteImageCache(cache, signal)),
    describeImageCaches: (filter, signal) => caches.describeImageCaches(filter, signal),
  };
};
