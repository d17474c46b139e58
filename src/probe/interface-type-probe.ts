import { AskFailed, type Lab } from './lab.ts';
import { asAssumed, differs, probe, refusedAsKnown } from './probe.ts';

/** An address of the interface of `--eni` that an EIP may have for a moment. @throws AskFailed where there is none */
const freeAddressOf = async (lab: Lab, id: string): Promise<{ readonly type: string; readonly ip: string }> => {
  const eni = (await lab.interfaces({ 'NetworkInterfaceId.1': id }))[0];
  if (!eni) throw new AskFailed('DescribeNetworkInterfaces does not list the interface of --eni');
  // The node itself speaks from it.
  if (eni.type === 'Primary') throw new AskFailed("the interface of --eni is a node's primary one");
  const bound = await lab.eips({ AssociatedInstanceType: 'NetworkInterface', AssociatedInstanceId: id });
  // At a primary address it may be described as empty.
  const taken = new Set([...eni.publicIps.keys(), ...bound.map(({ privateIp }) => privateIp || eni.primaryIp)]);
  const secondary = eni.privateIps.filter((address) => address !== eni.primaryIp);
  const ip = [...secondary, eni.primaryIp].find((address) => !taken.has(address));
  if (ip === undefined) throw new AskFailed('each address of the interface of --eni has an EIP');
  return { type: eni.type, ip };
};

/**
 * About an interface that the run did not make: Terway's trunk and member interfaces cannot be made without a node. The
 * interface is not changed but for the EIP of the run at an address that has none, for a moment.
 */
export const interfaceTypeProbe = probe({
  id: 'P10-eni',
  assumption: 'an EIP is bound to an interface of whatever type, and described there',
  needs: ['eni'],
  run: async (lab) => {
    const [{ allocationId }, id] = [await lab.second(), lab.site.networkInterfaceId ?? ''];
    const { type, ip } = await freeAddressOf(lab, id);
    const { code, known } = await lab.call('AssociateEipAddress', lab.bindingQuery(allocationId, { id, ip }));
    const isBound = code === 'OK';
    const { last, ms } = await lab.settle(allocationId, (eip) => eip?.status === (isBound ? 'InUse' : 'Available'));
    await lab.unassociate(allocationId);
    return {
      type,
      code,
      known,
      ms,
      status: last?.status ?? 'not listed',
      instanceType: last?.instanceType ?? '',
      isInterface: last?.instanceId === id,
      isAddress: last?.privateIp === ip || last?.privateIp === '',
    };
  },
  evaluate: ({ type, code, known, status, instanceType, isInterface, isAddress }) => {
    if (code !== 'OK') return differs(`${type}: ${refusedAsKnown({ code, known }).says}`);
    if (status !== 'InUse') return differs(`${type}: it was accepted, and the EIP is ${status}`);
    return instanceType === 'NetworkInterface' && isInterface && isAddress
      ? asAssumed(`${type}: it is`)
      : differs(
          `${type}: as ${instanceType}, ${isInterface ? 'the interface' : 'another ID'}, ${isAddress ? 'the address' : 'another address'}`,
        );
  },
});
