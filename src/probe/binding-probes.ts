import { interfaceTypeProbe } from './interface-type-probe.ts';
import { unbindingQuery } from './lab.ts';
import { asAssumed, codeSeen, differs, probe, refusedAsKnown, type Probe, type Verdict } from './probe.ts';
import { LAG_MS, LOOK_MS } from './watch-eip.ts';

/** An ID in the style of the cloud's that nothing has. */
const NO_INSTANCE = 'i-00000000000000000000';
const NO_INTERFACE = 'eni-00000000000000000000';
/** The smallest page of DescribeNetworkInterfaces. */
const SMALLEST_PAGE = '10';

const found = (isFound: boolean): Verdict => (isFound ? asAssumed('found') : differs('not found'));

const toNumber = (address: string): number =>
  address.split('.').reduce((number, part) => number * 256 + Number(part), 0);

/** Whether an IPv4 address is in a CIDR block. */
const isWithin = (address: string, block: string): boolean => {
  const [base = '', bits = ''] = block.split('/');
  const size = 2 ** (32 - Number(bits));
  return Math.floor(toNumber(address) / size) === Math.floor(toNumber(base) / size);
};

/** About the look-up of interfaces by address. */
export const interfaceProbes: readonly Probe[] = [
  probe({
    id: 'P7-primary',
    assumption: 'DescribeNetworkInterfaces finds a primary address by PrivateIpAddress.N',
    run: async (lab) => {
      const { id, vpcId, primaryIp } = await lab.networkInterface();
      const finds = async (where: Readonly<Record<string, string>>) =>
        (await lab.interfaces({ VpcId: vpcId, ...where })).some((eni) => eni.networkInterfaceId === id);
      return {
        byPrivateIpAddress: await finds({ 'PrivateIpAddress.1': primaryIp }),
        byPrimaryIpAddress: await finds({ PrimaryIpAddress: primaryIp }),
      };
    },
    evaluate: ({ byPrivateIpAddress, byPrimaryIpAddress }) => {
      if (byPrivateIpAddress) return asAssumed('it does');
      return byPrimaryIpAddress
        ? differs('only by PrimaryIpAddress', 'primaryFilterOnly')
        : differs('neither so nor by PrimaryIpAddress');
    },
  }),
  probe({
    id: 'P7-secondary',
    assumption: 'DescribeNetworkInterfaces finds a secondary address by PrivateIpAddress.N',
    run: async (lab) => {
      const { id, vpcId, secondaryIp } = await lab.networkInterface();
      const seen = await lab.interfaces({ VpcId: vpcId, 'PrivateIpAddress.1': secondaryIp });
      return { isFound: seen.some((eni) => eni.networkInterfaceId === id) };
    },
    evaluate: ({ isFound }) => found(isFound),
  }),
  probe({
    id: 'P7-unknown',
    assumption: 'DescribeNetworkInterfaces of an instance that does not exist is an empty list',
    run: async (lab) => ({ code: (await lab.call('DescribeNetworkInterfaces', { InstanceId: NO_INSTANCE })).code }),
    evaluate: ({ code }) => {
      if (code === 'OK') return asAssumed('it is');
      return code === 'InvalidEcsId.NotFound'
        ? differs(`refused with ${code}`, 'goneCodes')
        : differs(`refused with ${code}`);
    },
  }),
  probe({
    id: 'P7-page',
    assumption: 'the last page of DescribeNetworkInterfaces has no NextToken',
    run: async (lab) => {
      const { id } = await lab.networkInterface();
      const { nextToken } = await lab.interfacePage({ 'NetworkInterfaceId.1': id, MaxResults: SMALLEST_PAGE });
      return { hasNext: nextToken !== '' };
    },
    evaluate: ({ hasNext }) => (hasNext ? differs('it has one') : asAssumed('it has none')),
  }),
  probe({
    id: 'P7-pod',
    assumption: "a pod's address is a private address of an interface of the VPC",
    needs: ['podAddress'],
    run: async (lab) => {
      const address = lab.site.podAddress ?? '';
      const { vpcId } = await lab.networkInterface();
      for (const where of [{ 'PrivateIpAddress.1': address }, { PrimaryIpAddress: address }])
        if ((await lab.interfaces({ VpcId: vpcId, ...where })).length > 0) return { where: 'an interface' };
      // The address may be of a prefix, which no filter looks into: all of the VPC's interfaces, page by page.
      let next = '';
      do {
        const query = { VpcId: vpcId, MaxResults: '500', ...(next !== '' && { NextToken: next }) };
        const { interfaces, nextToken } = await lab.interfacePage(query);
        if (interfaces.some(({ prefixes }) => prefixes.some((prefix) => isWithin(address, prefix))))
          return { where: 'a prefix' };
        next = interfaces.length > 0 ? nextToken : '';
      } while (next !== '');
      return { where: 'nowhere' };
    },
    evaluate: ({ where }) => {
      if (where === 'an interface') return asAssumed('it is');
      return where === 'a prefix'
        ? differs('it is out of a prefix of an interface', 'prefixMode')
        : differs('no interface of the VPC has it', 'noInterface');
    },
  }),
];

/** About binding and unbinding, on the interface of the run, and for one question on that of `--eni`. */
export const bindingProbes: readonly Probe[] = [
  probe({
    id: 'P8',
    assumption: 'an EIP at a secondary address is described as NetworkInterface, eni-… and that address',
    run: async (lab) => {
      const { states, ms, eip, eni } = await lab.bound();
      return {
        states,
        ms,
        instanceType: eip.instanceType,
        isInterface: eip.instanceId === eni.id,
        isAddress: eip.privateIp === eni.secondaryIp,
      };
    },
    evaluate: ({ instanceType, isInterface, isAddress, states, ms }) =>
      instanceType === 'NetworkInterface' && isInterface && isAddress
        ? asAssumed(`it is (${states.join(', ')}, after ${ms} ms)`)
        : differs(
            `as ${instanceType}, ${isInterface ? 'the interface' : 'another ID'}, ${isAddress ? 'the address' : 'another address'}`,
          ),
  }),
  probe({
    id: 'P7-public',
    assumption: 'DescribeNetworkInterfaces shows the EIP at an address (AssociatedPublicIp)',
    run: async (lab) => {
      const { allocationId, eip, eni } = await lab.bound();
      const shown = await lab.until(
        LAG_MS,
        LOOK_MS,
        async () => (await lab.interfaces({ 'NetworkInterfaceId.1': eni.id }))[0]?.publicIps.get(eni.secondaryIp),
        (at) => at !== undefined,
      );
      return {
        isShown: shown !== undefined,
        isId: shown?.allocationId === allocationId,
        isAddress: shown?.ipAddress === eip.ipAddress,
      };
    },
    evaluate: ({ isShown, isId, isAddress }) => {
      if (!isShown) return differs('it shows none');
      return isId && isAddress ? asAssumed('it does') : differs(`with another ${isId ? 'address' : 'ID'}`);
    },
  }),
  probe({
    id: 'P8-again',
    assumption: 'the same token of AssociateEipAddress is answered as before',
    run: async (lab) => ({ code: (await lab.call('AssociateEipAddress', (await lab.bound()).query)).code }),
    evaluate: ({ code }) => (code === 'OK' ? asAssumed('it is') : differs(`refused with ${code}`)),
  }),
  probe({
    id: 'P8-bound',
    assumption: 'AssociateEipAddress of an EIP that is bound is refused',
    run: async (lab) => {
      const { query } = await lab.bound();
      return codeSeen(await lab.call('AssociateEipAddress', { ...query, ClientToken: lab.token() }));
    },
    evaluate: refusedAsKnown,
  }),
  probe({
    id: 'P11-address',
    assumption: 'UnassociateEipAddress compares the private address that it names',
    run: async (lab) => {
      const { eip, eni } = await lab.bound();
      const query = { ...unbindingQuery(eip), PrivateIpAddress: eni.primaryIp, ClientToken: lab.token() };
      return codeSeen(await lab.call('UnassociateEipAddress', query));
    },
    evaluate: refusedAsKnown,
  }),
  probe({
    id: 'P11-instance',
    assumption: 'UnassociateEipAddress compares the instance that it names',
    run: async (lab) => {
      const { eip } = await lab.bound();
      const query = { ...unbindingQuery(eip), InstanceId: NO_INTERFACE, ClientToken: lab.token() };
      return codeSeen(await lab.call('UnassociateEipAddress', query));
    },
    evaluate: refusedAsKnown,
  }),
  probe({
    id: 'P12-release',
    assumption: 'ReleaseEipAddress of an EIP that is bound is refused',
    run: async (lab) => {
      const { allocationId } = await lab.bound();
      return codeSeen(await lab.call('ReleaseEipAddress', { AllocationId: allocationId }));
    },
    evaluate: refusedAsKnown,
  }),
  probe({
    id: 'P9',
    assumption: 'AssociateEipAddress to an address that has an EIP is refused, and leaves its token free',
    run: async (lab) => {
      const [{ allocationId, eni }, other] = [await lab.bound(), await lab.second()];
      const query = lab.bindingQuery(other.allocationId, { ...eni, ip: eni.secondaryIp });
      const refused = await lab.call('AssociateEipAddress', query);
      const { states, ms } = await lab.unassociate(allocationId);
      // The same request, now that the cause is gone.
      const again = await lab.call('AssociateEipAddress', query);
      await lab.settle(other.allocationId, (eip) => eip?.status === (again.code === 'OK' ? 'InUse' : 'Available'));
      await lab.unassociate(other.allocationId);
      return { refused: refused.code, known: refused.known, again: again.code, states, ms };
    },
    evaluate: ({ refused, known, again }) => {
      if (refused === 'OK') return differs('it was accepted');
      if (again !== 'OK') return differs(`refused with ${refused}, and again with ${again}`, 'tokensRememberRefusals');
      return refusedAsKnown({ code: refused, known });
    },
  }),
  probe({
    id: 'P12-again',
    assumption: 'UnassociateEipAddress of an EIP that is not bound is refused',
    run: async (lab) => {
      const { allocationId, eip } = await lab.bound();
      await lab.unassociate(allocationId);
      return codeSeen(await lab.call('UnassociateEipAddress', { ...unbindingQuery(eip), ClientToken: lab.token() }));
    },
    evaluate: refusedAsKnown,
  }),
  probe({
    id: 'P11-none',
    assumption: 'UnassociateEipAddress without an InstanceId ends the binding: what is not named is not compared',
    run: async (lab) => {
      const { allocationId, eni } = await lab.bound();
      await lab.unassociate(allocationId);
      await lab.associate(lab.bindingQuery(allocationId, { ...eni, ip: eni.secondaryIp }));
      const query = { AllocationId: allocationId, ClientToken: lab.token() };
      const { code, known } = await lab.call('UnassociateEipAddress', query);
      const { last, ms } = await lab.settle(
        allocationId,
        (eip) => eip?.status === (code === 'OK' ? 'Available' : 'InUse'),
      );
      await lab.unassociate(allocationId);
      return { code, known, status: last?.status ?? 'not listed', ms };
    },
    evaluate: ({ code, known, status, ms }) => {
      if (code !== 'OK') return differs(`${refusedAsKnown({ code, known }).says}; the product names it always`);
      return status === 'Available'
        ? asAssumed(`it did, after ${ms} ms`)
        : differs(`it was accepted, and is ${status}`);
    },
  }),
  probe({
    id: 'P10',
    assumption: 'a binding beside one that has just begun is accepted, or is once that one is over',
    run: async (lab) => {
      const [{ allocationId, eni }, other] = [await lab.bound(), await lab.second()];
      await lab.unassociate(allocationId);
      const query = lab.bindingQuery(other.allocationId, { ...eni, ip: eni.primaryIp });
      await lab.must('AssociateEipAddress', lab.bindingQuery(allocationId, { ...eni, ip: eni.secondaryIp }));
      const beside = await lab.call('AssociateEipAddress', query);
      await lab.settle(allocationId, (eip) => eip?.status === 'InUse');
      // The same request, now that the cause is gone.
      const again = beside.code === 'OK' ? beside : await lab.call('AssociateEipAddress', query);
      await lab.settle(other.allocationId, (eip) => eip?.status === (again.code === 'OK' ? 'InUse' : 'Available'));
      await lab.unassociate(other.allocationId);
      await lab.unassociate(allocationId);
      return { beside: beside.code, known: beside.known, again: again.code };
    },
    evaluate: ({ beside, known, again }) => {
      if (beside === 'OK') return asAssumed('it was accepted');
      if (again !== 'OK') return differs(`refused with ${beside}, and again with ${again}`, 'tokensRememberRefusals');
      return refusedAsKnown({ code: beside, known });
    },
  }),
  interfaceTypeProbe,
  probe({
    id: 'P9-primary',
    assumption: 'an EIP at a primary address is described with an empty address, or with that one',
    run: async (lab) => {
      const [{ allocationId }, eni] = [await lab.second(), await lab.networkInterface()];
      const { eip } = await lab.associate(lab.bindingQuery(allocationId, { ...eni, ip: eni.primaryIp }));
      const spelling = eip.privateIp === '' ? 'empty' : eip.privateIp === eni.primaryIp ? 'the address' : 'another';
      return { spelling, instanceType: eip.instanceType };
    },
    evaluate: ({ spelling, instanceType }) =>
      spelling === 'another' || instanceType !== 'NetworkInterface'
        ? differs(`${instanceType}, ${spelling}`)
        : asAssumed(spelling),
  }),
  probe({
    id: 'P13',
    assumption: 'the deletion of an interface ends the binding of the EIP on it, or is refused',
    run: async (lab) => {
      const [{ allocationId }, { id }] = [await lab.second(), await lab.networkInterface()];
      const { code } = await lab.call('DeleteNetworkInterface', { NetworkInterfaceId: id });
      const { last, ms } = await lab.settle(
        allocationId,
        (eip) => eip?.status === (code === 'OK' ? 'Available' : 'InUse'),
      );
      return { code, status: last?.status ?? 'not listed', ms };
    },
    evaluate: ({ code, status, ms }) => {
      if (code !== 'OK') return asAssumed(`refused with ${code}`);
      return status === 'Available' ? asAssumed(`ended after ${ms} ms`) : differs(`the EIP is ${status}`);
    },
  }),
];
