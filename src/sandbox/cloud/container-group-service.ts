import type { Account, Call, Deed } from './cloud-account.ts';
import { plainEip, refuseUnlessIdle, releaseAtOnce } from './allocation.ts';
import { bindingTo, removeInterface } from './binding.ts';
import { gone } from './container-group-description.ts';
import { readContainerGroup } from './container-group-request.ts';
import type { EipWish } from './container-group-request.ts';
import type { EipRecord } from './eips.ts';
import { draw } from './call-latency.ts';
import type { InterfaceRecord } from './interfaces.ts';
import type { ContainerGroupRecord, ContainerRecord, GroupEvent } from './records.ts';
import { refusal } from './refusal.ts';
import { tagsOfRequest } from './tagging.ts';
import { takeAddress } from './private-addresses.ts';
import type { CloudAnswer } from './rpc-wire.ts';

/** DescribeContainerGroups shows an instance that has ended for one hour more (ECI, "Lifecycle"). */
const KEEP_ENDED_MS = 3_600_000;

/** States from which there is only deletion. */
export const FINAL_STATES: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'ScheduleFailed', 'Expired']);

/**
 * Refuses an EIP that cannot be had. No codes are documented for these.
 *
 * @throws Refusal
 */
const checkEip = (account: Account, wish: EipWish): void => {
  if (wish.kind === 'existing') {
    const eip = account.eips.get(wish.allocationId);
    if (!eip) throw refusal('InvalidParameter', `EipInstanceId: "${wish.allocationId}" does not exist.`);
    refuseUnlessIdle(eip);
    if (eip.status !== 'Available')
      throw refusal('InvalidParameter', `EipInstanceId: "${wish.allocationId}" is bound already.`);
  }
  if (wish.kind !== 'new') return;
  if (account.eips.counted >= account.quota) throw refusal('QuotaExceeded', 'EIPs.');
  const packageId = wish.bandwidthPackageId;
  if (packageId === undefined) return;
  const found = account.packages.get(packageId);
  if (found?.isp !== wish.isp || account.eips.inPackage(packageId).length >= found.capacity)
    throw refusal('InvalidParameter', `EipCommonBandwidthPackage: "${packageId}".`);
};

/**
 * Refuses a disk that another instance has, until that one has ended. No code is documented for this.
 *
 * @throws Refusal
 */
const checkDisks = (account: Account, { volumes }: Pick<ContainerGroupRecord, 'volumes'>): void => {
  const wanted = new Set(disksOf({ volumes }));
  for (const group of account.containerGroups.values())
    for (const disk of FINAL_STATES.has(group.status) ? [] : disksOf(group))
      if (wanted.has(disk)) throw refusal('InvalidParameter', `Volume: the disk ${disk} is attached to an instance.`);
};

const disksOf = ({ volumes }: Pick<ContainerGroupRecord, 'volumes'>): readonly string[] =>
  (volumes ?? []).flatMap(({ driver, options = '{}' }) => {
    if (driver !== 'alicloud/disk') return [];
    const { volumeId } = JSON.parse(options) as { readonly volumeId?: string };
    return volumeId ?? [];
  });

/** Binds the EIP of the wish to the instance's interface; one that is made for it is the instance's own. */
const bindEip = (account: Account, wish: EipWish, eni: InterfaceRecord, at: number): string | undefined => {
  if (wish.kind === 'none') return undefined;
  const deed = (action: string): Deed => ({ action, caller: 'cloud', at });
  let eip: EipRecord;
  if (wish.kind === 'existing') eip = account.eip(wish.allocationId);
  else {
    const { bandwidthMbps, isp, bandwidthPackageId } = wish;
    const allocationId = account.newId('eip');
    eip = {
      ...plainEip(allocationId, account.addresses.take(allocationId), account.wallTime(at)),
      // Which method of metering it gets is not documented; the pod annotation's default is by traffic.
      internetChargeType: 'PayByTraffic',
      bandwidthMbps,
      isp,
      ...(bandwidthPackageId !== undefined && { bandwidthPackage: { id: bandwidthPackageId, status: 'BINDED' } }),
    };
    account.eips.put(eip, at);
    account.record(deed('AllocateEipAddress'), eip);
  }
  const associating: EipRecord = { ...eip, status: 'Associating', binding: bindingTo(eni, eni.primaryIp) };
  account.begin(associating, account.settings.transitions.associate, at, (then) => ({ ...then, status: 'InUse' }));
  account.record(deed('AssociateEipAddress'), associating);
  return wish.kind === 'new' ? eip.allocationId : undefined;
};

/** Writes the next state of a group, with an event that says what happened. */
export const changeGroup = (
  account: Account,
  group: ContainerGroupRecord,
  change: Partial<ContainerGroupRecord>,
  { at, event }: { readonly at: number; readonly event?: Omit<GroupEvent, 'at'> },
): void => {
  const wall = account.wallTime(at);
  const events = event ? [...group.events, { ...event, at: wall }] : group.events;
  account.containerGroups.put({ ...group, ...change, events, changedAt: wall }, at);
};

/** Lets a step of a group's life happen after a drawn time, unless it is in another state by then. */
const later = (
  account: Account,
  { containerGroupId, status }: ContainerGroupRecord,
  { at, span }: { readonly at: number; readonly span: { minMs: number; maxMs: number } },
  step: (group: ContainerGroupRecord, at: number) => void,
): void => {
  account.eventQueue.at(at + draw(span, account.random), (then) => {
    const group = account.containerGroups.get(containerGroupId);
    if (group?.status === status) step(group, then);
  });
};

/** Appends to what a container has written. */
export const writeLog = (
  account: Account,
  { group, container }: { readonly group: ContainerGroupRecord; readonly container: string },
  text: string,
  at: number,
): void => {
  const key = `${group.containerGroupId}/${container}`;
  const lines = account.containerLogs.get(key) ?? [];
  lines.push({ at: account.wallTime(at), text });
  account.containerLogs.set(key, lines);
};

const start = (account: Account, group: ContainerGroupRecord, at: number): void => {
  const wall = account.wallTime(at);
  const running = (container: ContainerRecord): ContainerRecord => ({
    ...container,
    state: 'Running',
    reason: '',
    ready: true,
    startedAt: wall,
  });
  const done = (container: ContainerRecord): ContainerRecord => ({
    ...running(container),
    state: 'Terminated',
    reason: 'Completed',
    finishedAt: wall,
    exitCode: 0,
  });
  for (const { name, image } of group.containers) writeLog(account, { group, container: name }, `started ${image}`, at);
  changeGroup(
    account,
    group,
    {
      status: 'Running',
      containers: group.containers.map(running),
      initContainers: group.initContainers.map(done),
      ...(account.is('lateInstanceAddress') && {
        addressShownAt: at + draw(account.settings.transitions.instanceAddress, account.random),
      }),
    },
    { at, event: { reason: 'Started', message: 'Started all containers' } },
  );
};

/** It has a place now, and its interface can be used; the containers start. */
const place = (account: Account, group: ContainerGroupRecord, at: number): void => {
  const eni = account.interfaces.get(group.eniInstanceId);
  if (eni) account.interfaces.put({ ...eni, status: 'InUse' });
  changeGroup(
    account,
    group,
    { status: 'Pending' },
    {
      at,
      event: { reason: 'Scheduled', message: `Placed in ${group.zoneId} with the address ${group.intranetIp}` },
    },
  );
  const placed = { ...group, status: 'Pending' };
  later(account, placed, { at, span: account.settings.transitions.containerStart }, (then, when) =>
    start(account, then, when),
  );
};

/**
 * CreateContainerGroup: Scheduling, Pending and then Running. The interface and the EIP are made with the call; when
 * the real cloud makes them is not documented, and Describe shows them only once the instance has a place.
 */
export const createContainerGroup = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  const { eip, vSwitchIds, ...wanted } = readContainerGroup(parameters);
  const tags = tagsOfRequest(parameters);
  checkEip(account, eip);
  checkDisks(account, wanted);
  // ECI API reference, CreateContainerGroup, DryRun: everything is checked, and the answer is this error.
  if (parameters.boolean('DryRun')) throw refusal('DryRunOperation');
  const { vSwitch, address } = takeAddress(account, vSwitchIds);
  const containerGroupId = account.newId('eci');
  const eni: InterfaceRecord = {
    networkInterfaceId: account.newId('eni'),
    vpcId: vSwitch.vpcId,
    vSwitchId: vSwitch.vSwitchId,
    instanceId: containerGroupId,
    status: 'Attaching',
    type: 'Secondary',
    primaryIp: address,
    privateIps: [address],
  };
  account.interfaces.put(eni);
  const now = account.wallTime(at);
  const group: ContainerGroupRecord = {
    ...wanted,
    containerGroupId,
    tags,
    status: 'Scheduling',
    eniInstanceId: eni.networkInterfaceId,
    vpcId: vSwitch.vpcId,
    vSwitchId: vSwitch.vSwitchId,
    zoneId: vSwitch.zoneId,
    intranetIp: address,
    ownEip: bindEip(account, eip, eni, at),
    events: [],
    ...(account.is('lateInstanceAddress') && { addressShownAt: Infinity }),
    createdAt: now,
    changedAt: now,
  };
  account.containerGroups.put(group, at);
  later(account, group, { at, span: account.settings.transitions.schedule }, (then, when) =>
    place(account, then, when),
  );
  return { ContainerGroupId: containerGroupId };
};

/** Gives back what the instance holds: the interface, every binding on it, and the EIP that was made with it. */
const releaseResources = (account: Account, group: ContainerGroupRecord, at: number): void => {
  const deed = (action: string): Deed => ({ action, caller: 'cloud', at });
  removeInterface(account, group.eniInstanceId, deed('UnassociateEipAddress'));
  const own = group.ownEip === undefined ? undefined : account.eips.get(group.ownEip);
  if (own) releaseAtOnce(account, own, deed('ReleaseEipAddress'));
};

/** The group is not there any more, nor what it held. */
export const forgetGroup = (account: Account, group: ContainerGroupRecord, at: number): void => {
  releaseResources(account, group, at);
  account.containerGroups.remove(group.containerGroupId, at);
  for (const { name } of group.containers) {
    account.containerLogs.delete(`${group.containerGroupId}/${name}`);
    account.containerUse.delete(`${group.containerGroupId}/${name}`);
  }
};

/** The containers have ended by themselves: all is given back but what Describe shows, for an hour more. */
export const finishGroup = (
  account: Account,
  group: ContainerGroupRecord,
  { status, exitCode }: { readonly status: string; readonly exitCode: number },
  at: number,
): void => {
  releaseResources(account, group, at);
  const ended = (container: ContainerRecord): ContainerRecord => ({
    ...container,
    state: 'Terminated',
    reason: exitCode === 0 ? 'Completed' : 'Error',
    ready: false,
    finishedAt: account.wallTime(at),
    exitCode,
  });
  changeGroup(
    account,
    group,
    { status, ownEip: undefined, containers: group.containers.map(ended) },
    {
      at,
      event: { reason: status, message: `The instance has ended: ${status}` },
    },
  );
  const span = { minMs: KEEP_ENDED_MS, maxMs: KEEP_ENDED_MS };
  later(account, { ...group, status }, { at, span }, (then, when) => forgetGroup(account, then, when));
};

/** DeleteContainerGroup: Terminating and then gone, with its interface and the EIP that was made with it. */
export const deleteContainerGroup = (account: Account, call: Call): CloudAnswer => {
  const { parameters, at } = call;
  parameters.required('RegionId');
  const id = parameters.required('ContainerGroupId');
  const group = account.containerGroups.get(id);
  if (!group) throw gone(account, id);
  if (group.status === 'Terminating') throw refusal('IncorrectStatus', 'It is being deleted.');
  if (FINAL_STATES.has(group.status)) {
    forgetGroup(account, group, at);
    return {};
  }
  const terminating = { ...group, status: 'Terminating' };
  changeGroup(
    account,
    group,
    { status: 'Terminating' },
    { at, event: { reason: 'Killing', message: 'Stopping all containers' } },
  );
  later(account, terminating, { at, span: account.settings.transitions.containerStop }, (then, when) =>
    forgetGroup(account, then, when),
  );
  return {};
};
