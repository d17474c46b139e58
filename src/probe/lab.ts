import { NO_ANSWER, type NamedAnswer, type NamedProduct } from '../cloud/named-answer.ts';
import { fieldAt, textAt } from './answer-fields.ts';
import type { Mark } from './run-mark.ts';
import { MARK_TAG } from './run-mark.ts';
import type { ProbePorts, Site } from './port.ts';
import { eipsIn, groupsIn, interfacesIn, type EipSeen, type GroupSeen, type InterfaceSeen } from './seen.ts';
import { LAG_MS, LOOK_MS, watchEip } from './watch-eip.ts';

/** A question that could not be put, because what it needs could not be had. */
export class AskFailed extends Error {
  override readonly name = 'AskFailed';
}

/** How long a read that did not lag before is trusted not to, milliseconds. */
const SHORT_MS = 750;
/** How long a transition of an EIP is waited for, milliseconds. */
const TRANSITION_MS = 60_000;
/** How often a container group is looked at, milliseconds. */
const GROUP_LOOK_MS = 2_000;
/** How long an instance may take until it runs, and until it is gone, milliseconds. */
const GROUP_MS = 180_000;
/** Refusals that pass by themselves in seconds. */
const PASSING: ReadonlySet<string> = new Set([
  'TaskConflict',
  'OperationConflict',
  'Operation.Conflict',
  'IncorrectEipStatus',
  'FrequentPurchase.EIP',
  'SystemBusy',
  'OperationFailed.SystemBusy',
]);
/** So often a call of which nothing was heard is made, with one token. */
const MOST_SENDS = 3;

/** Each action's API. */
export const productOf = (action: string): NamedProduct => {
  if (action.includes('NetworkInterface')) return 'ecs';
  return /Container|ImageCache/u.test(action) ? 'eci' : 'vpc';
};

/** Computes once, and gives everybody the same. */
const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
};

/**
 * The objects of one run and the calls on them. Whatever is created carries the mark in the call that creates it, so
 * that it can be found although the process dies before the answer.
 */
export class Lab {
  readonly ports: ProbePorts;
  readonly site: Site;
  readonly mark: Mark;
  /** Whether a read was seen to lag. */
  #lags = true;
  #tokens = 0;

  constructor(ports: ProbePorts, site: Site, mark: Mark) {
    this.ports = ports;
    this.site = site;
    this.mark = mark;
  }

  /** A token that no other call of this run has. */
  token(): string {
    this.#tokens += 1;
    return `${MARK_TAG}-${this.mark.run}-${this.#tokens}`;
  }

  call(action: string, query: Readonly<Record<string, string>> = {}): Promise<NamedAnswer> {
    return this.ports.api(productOf(action), action, { RegionId: this.site.region, ...query });
  }

  /** A call that has to succeed. One of which nothing is heard is made again, as it is. @throws AskFailed */
  async must(action: string, query: Readonly<Record<string, string>>): Promise<NamedAnswer> {
    let answer = await this.call(action, query);
    for (let sends = 1; sends < MOST_SENDS; sends += 1) {
      if (answer.code === NO_ANSWER) answer = await this.call(action, query);
      else if (PASSING.has(answer.code)) {
        await this.ports.clock.sleep(GROUP_LOOK_MS);
        // Refused for sure, so that another token buys nothing twice.
        answer = await this.call(action, { ...query, ...('ClientToken' in query && { ClientToken: this.token() }) });
      } else break;
    }
    if (answer.code !== 'OK') throw new AskFailed(`${action} was answered with ${answer.code}`);
    return answer;
  }

  async eips(where: Readonly<Record<string, string>>): Promise<readonly EipSeen[]> {
    return eipsIn((await this.must('DescribeEipAddresses', { PageSize: '100', ...where })).body);
  }

  async eip(allocationId: string): Promise<EipSeen | undefined> {
    return (await this.eips({ AllocationId: allocationId }))[0];
  }

  async interfaces(where: Readonly<Record<string, string>>): Promise<readonly InterfaceSeen[]> {
    return interfacesIn((await this.must('DescribeNetworkInterfaces', where)).body);
  }

  /** One page of interfaces, and the token of the next; '' after the last. */
  async interfacePage(
    where: Readonly<Record<string, string>>,
  ): Promise<{ readonly interfaces: readonly InterfaceSeen[]; readonly nextToken: string }> {
    const { body } = await this.must('DescribeNetworkInterfaces', where);
    return { interfaces: interfacesIn(body), nextToken: textAt(body, 'NextToken') };
  }

  /** What AllocateEipAddress is asked for. */
  eipQuery(what: string, name = this.mark.eipName(what)): Readonly<Record<string, string>> {
    return {
      Bandwidth: '1',
      InternetChargeType: 'PayByTraffic',
      InstanceChargeType: 'PostPaid',
      Name: name,
      Description: this.mark.description,
      ...this.mark.tag,
    };
  }

  /** Buys the first EIP, and watches it; where it has no tags, it is tagged and watched again. */
  readonly purchase = once(async () => {
    const query = { ...this.eipQuery('1'), ClientToken: this.token() };
    let sent: Readonly<Record<string, string>> = query;
    const first = await this.call('AllocateEipAddress', sent);
    const isNameRefused = first.code !== 'OK' && first.code !== NO_ANSWER && first.code.includes('Name');
    if (isNameRefused) sent = { ...this.eipQuery('1', this.mark.plainEipName('1')), ClientToken: this.token() };
    const { body } = first.code === 'OK' ? first : await this.must('AllocateEipAddress', sent);
    const [allocationId, address] = [textAt(body, 'AllocationId'), textAt(body, 'EipAddress')];
    const bought = await watchEip(this, { allocationId, address });
    const tag = { ResourceType: 'EIP', 'ResourceId.1': allocationId, ...this.mark.tag };
    if (!bought.hasTag) await this.must('TagResources', tag);
    const tagged = bought.hasTag ? bought : await watchEip(this, { allocationId, address });
    this.#lags = bought.unlistedMs > 0 || bought.wentBack || tagged.wentBack;
    return { allocationId, address, query: sent, nameCode: isNameRefused ? first.code : 'OK', bought, tagged };
  });

  /**
   * The second EIP. A token is refused first, for a bandwidth that there is not, and then tried for one that there is;
   * where it is not taken, a fresh one is.
   */
  readonly second = once(async () => {
    const ClientToken = this.token();
    const refused = await this.call('AllocateEipAddress', { ...this.eipQuery('2'), Bandwidth: '100000', ClientToken });
    const again = await this.call('AllocateEipAddress', { ...this.eipQuery('2'), ClientToken });
    const bought =
      again.code === 'OK'
        ? again
        : await this.must('AllocateEipAddress', { ...this.eipQuery('2'), ClientToken: this.token() });
    const allocationId = textAt(bought.body, 'AllocationId');
    await this.settle(allocationId, (eip) => eip?.status === 'Available');
    return { allocationId, refused, again };
  });

  /** One more EIP, for one question; the run gives it back with all others. */
  async another(what: string): Promise<string> {
    const query = { ...this.eipQuery(what, this.mark.plainEipName(what)), ClientToken: this.token() };
    const allocationId = textAt((await this.must('AllocateEipAddress', query)).body, 'AllocationId');
    await this.settle(allocationId, (eip) => eip?.status === 'Available');
    return allocationId;
  }

  /** An interface that is attached to nothing, with a secondary address. */
  readonly networkInterface = once(async () => {
    const { body } = await this.must('CreateNetworkInterface', {
      VSwitchId: this.site.vSwitchId,
      SecurityGroupId: this.site.securityGroupId,
      NetworkInterfaceName: this.mark.interfaceName,
      SecondaryPrivateIpAddressCount: '1',
      ClientToken: this.token(),
      ...this.mark.tag,
    });
    const id = textAt(body, 'NetworkInterfaceId');
    const eni = await this.until(
      TRANSITION_MS,
      LOOK_MS * 4,
      async () => (await this.interfaces({ 'NetworkInterfaceId.1': id }))[0],
      (seen) => seen?.status === 'Available' && seen.privateIps.length > 1,
    );
    const secondaryIp = eni?.privateIps.find((ip) => ip !== eni.primaryIp);
    if (!eni || secondaryIp === undefined) throw new AskFailed('the network interface did not become Available');
    return { id, vpcId: eni.vpcId, primaryIp: eni.primaryIp, secondaryIp };
  });

  /** The first EIP, bound to the secondary address. */
  readonly bound = once(async () => {
    const [{ allocationId }, eni] = [await this.purchase(), await this.networkInterface()];
    const query = this.bindingQuery(allocationId, { ip: eni.secondaryIp, ...eni });
    const { states, eip, ms } = await this.associate(query);
    return { allocationId, query, states, eip, ms, eni };
  });

  /** The container group whose EIP is made with it; its address is waited for. */
  readonly autoGroup = once(async () => {
    const { clock } = this.ports;
    const asked = clock.mono();
    const id = await this.#createGroup(this.mark.groupNames.auto, { AutoCreateEip: 'true', EipBandwidth: '1' });
    const running = await this.runningGroup(id);
    const began = clock.mono();
    const runningMs = began - asked;
    const shown = await this.until(
      TRANSITION_MS,
      GROUP_LOOK_MS,
      () => this.group(id),
      (seen) => seen?.publicIp !== '',
    );
    const address = shown?.publicIp ?? '';
    const eip = address === '' ? undefined : (await this.eips({ EipAddress: address }))[0];
    // It is the instance's, and goes with it; should it not, this is how it is found.
    if (eip && !eip.isManaged)
      await this.must('TagResources', { ResourceType: 'EIP', 'ResourceId.1': eip.allocationId, ...this.mark.tag });
    const lateMs = clock.mono() - began;
    return { id, runningMs, wasLate: running.publicIp === '', lateMs, group: shown ?? running, eip };
  });

  /** The container group without an EIP. */
  readonly plainGroup = once(async () => {
    const id = await this.#createGroup(this.mark.groupNames.plain, {});
    return { id, group: await this.runningGroup(id) };
  });

  /** What a dry run of the call that makes the first group is answered with. */
  readonly dryRunCode = once(async () => {
    const query = { ...this.groupQuery(this.mark.groupNames.auto), AutoCreateEip: 'true', DryRun: 'true' };
    return (await this.call('CreateContainerGroup', query)).code;
  });

  /** What CreateContainerGroup is asked for: one container that sleeps. */
  groupQuery(name: string): Readonly<Record<string, string>> {
    return {
      ContainerGroupName: name,
      VSwitchId: this.site.vSwitchId,
      SecurityGroupId: this.site.securityGroupId,
      RestartPolicy: 'Never',
      Cpu: '0.5',
      Memory: '1',
      'Container.1.Name': 'sleep',
      'Container.1.Image': this.site.image,
      'Container.1.Command.1': 'sleep',
      'Container.1.Arg.1': '3600',
      ...this.mark.tag,
    };
  }

  async #createGroup(name: string, more: Readonly<Record<string, string>>): Promise<string> {
    const query = { ...this.groupQuery(name), ...more, ClientToken: this.token() };
    return textAt((await this.must('CreateContainerGroup', query)).body, 'ContainerGroupId');
  }

  /** The group, or undefined where it is not there, however that is said. */
  async group(id: string): Promise<GroupSeen | undefined> {
    const { code, body } = await this.call('DescribeContainerGroups', { ContainerGroupIds: JSON.stringify([id]) });
    return code === 'OK' ? groupsIn(body)[0] : undefined;
  }

  /** @throws AskFailed where it does not run in time */
  async runningGroup(id: string): Promise<GroupSeen> {
    const group = await this.until(
      GROUP_MS,
      GROUP_LOOK_MS,
      () => this.group(id),
      (seen) => seen?.status === 'Running',
    );
    if (group?.status !== 'Running') throw new AskFailed(`the container instance is ${group?.status ?? 'not there'}`);
    return group;
  }

  /** Waits until a group is not there. @throws AskFailed */
  async goneGroup(id: string): Promise<void> {
    const left = await this.until(
      GROUP_MS,
      GROUP_LOOK_MS,
      () => this.group(id),
      (seen) => seen === undefined,
    );
    if (left) throw new AskFailed(`the container instance is still ${left.status}`);
  }

  /** What binds an EIP to an address of an interface. */
  bindingQuery(
    allocationId: string,
    to: { readonly id: string; readonly ip: string },
  ): Readonly<Record<string, string>> {
    return {
      AllocationId: allocationId,
      InstanceType: 'NetworkInterface',
      InstanceId: to.id,
      PrivateIpAddress: to.ip,
      ClientToken: this.token(),
    };
  }

  /** Binds, and waits until it is. @throws AskFailed */
  async associate(
    query: Readonly<Record<string, string>>,
  ): Promise<{ states: readonly string[]; eip: EipSeen; ms: number }> {
    await this.must('AssociateEipAddress', query);
    const { states, last, ms } = await this.settle(query['AllocationId'] ?? '', (eip) => eip?.status === 'InUse');
    if (last?.status !== 'InUse') throw new AskFailed(`the EIP is ${last?.status ?? 'not listed'} and not InUse`);
    return { states, eip: last, ms };
  }

  /** Ends a binding as it is described, and waits until the EIP is Available. @throws AskFailed */
  async unassociate(allocationId: string): Promise<{ readonly states: readonly string[]; readonly ms: number }> {
    const eip = await this.eip(allocationId);
    if (eip && eip.status !== 'Available')
      await this.must('UnassociateEipAddress', { ...unbindingQuery(eip), ClientToken: this.token() });
    const { states, last, ms } = await this.settle(allocationId, (seen) => seen?.status === 'Available');
    if (last?.status !== 'Available') throw new AskFailed(`the EIP is ${last?.status ?? 'not listed'}, not Available`);
    return { states, ms };
  }

  /** Looks at an EIP until it fits, and goes on fitting for as long as reads may lag. */
  async settle(
    allocationId: string,
    fits: (eip: EipSeen | undefined) => boolean,
  ): Promise<{ readonly states: readonly string[]; readonly last: EipSeen | undefined; readonly ms: number }> {
    const { clock } = this.ports;
    const began = clock.mono();
    const states: string[] = [];
    let fitsSince: number | undefined;
    for (;;) {
      const last = await this.eip(allocationId);
      const state = last?.status ?? 'not listed';
      if (states.at(-1) !== state) states.push(state);
      fitsSince = fits(last) ? (fitsSince ?? clock.mono()) : undefined;
      const isSteady = fitsSince !== undefined && clock.mono() - fitsSince >= (this.#lags ? LAG_MS : SHORT_MS);
      if (isSteady || clock.mono() - began >= TRANSITION_MS)
        return { states, last, ms: (fitsSince ?? clock.mono()) - began };
      await clock.sleep(LOOK_MS);
    }
  }

  /** What a look shows as soon as it fits, or after `mostMs`. */
  async until<T>(mostMs: number, everyMs: number, look: () => Promise<T>, fits: (seen: T) => boolean): Promise<T> {
    const { clock } = this.ports;
    const began = clock.mono();
    for (;;) {
      const seen = await look();
      if (fits(seen) || clock.mono() - began >= mostMs) return seen;
      await clock.sleep(everyMs);
    }
  }
}

/** What ends a binding: everything as Describe shows it. */
export const unbindingQuery = (eip: EipSeen): Readonly<Record<string, string>> => ({
  AllocationId: eip.allocationId,
  InstanceId: eip.instanceId,
  InstanceType: eip.instanceType,
  ...(eip.privateIp !== '' && { PrivateIpAddress: eip.privateIp }),
});

/** How many entries an answer says that there are, or -1. */
export const totalOf = ({ body }: NamedAnswer): number => {
  const total = fieldAt(body, 'TotalCount');
  return typeof total === 'number' ? total : -1;
};
