import { asAssumed, codeSeen, differs, notAsked, probe, type Probe, type Verdict } from './probe.ts';

/** The code of ECI for a group that is not there, as Terraform's provider expects it. */
const NOT_FOUND = 'InvalidParameter.NotFound';

/** How an EIP at an instance is described. */
const spellingOf = (
  eip: { readonly instanceType: string; readonly instanceId: string },
  group: { readonly containerGroupId: string; readonly networkInterfaceId: string },
): { readonly instanceType: string; readonly id: string } => ({
  instanceType: eip.instanceType,
  id:
    eip.instanceId === group.networkInterfaceId
      ? 'interface'
      : eip.instanceId === group.containerGroupId
        ? 'instance'
        : 'another',
});

const evaluateSpelling = ({ instanceType, id }: { readonly instanceType: string; readonly id: string }): Verdict => {
  if (instanceType === 'NetworkInterface' && id === 'interface') return asAssumed('it is');
  const says = `as ${instanceType} and the ID of the ${id}`;
  return id === 'instance' ? differs(says, 'eciSpelling') : differs(says);
};

/** About elastic container instances. */
export const instanceProbes: readonly Probe[] = [
  probe({
    id: 'P18',
    assumption: 'CreateContainerGroup with AutoCreateEip passes a dry run',
    needs: ['eci'],
    run: async (lab) => {
      const { auto } = lab.mark.groupNames;
      const dry = async (more: Readonly<Record<string, string>>) =>
        (await lab.call('CreateContainerGroup', { ...lab.groupQuery(auto), ...more, DryRun: 'true' })).code;
      const code = await dry({ AutoCreateEip: 'true' });
      // Where a dry run is none, one is enough.
      if (code === 'OK') return { code };
      const { allocationId } = await lab.second();
      return {
        code,
        named: await dry({ EipInstanceId: allocationId }),
        namedAndMade: await dry({ EipInstanceId: allocationId, AutoCreateEip: 'true' }),
        bandwidthAlone: await dry({ EipBandwidth: '1' }),
        packageAlone:
          lab.site.packageId === undefined ? undefined : await dry({ EipCommonBandwidthPackage: lab.site.packageId }),
      };
    },
    evaluate: ({ code }) => {
      if (code === 'DryRunOperation') return asAssumed('it does');
      return code === 'OK' ? differs('a dry run makes an instance') : differs(`refused with ${code}`);
    },
  }),
  probe({
    id: 'P19',
    assumption: 'an instance that runs shows the public address that is made with it',
    needs: ['eci'],
    run: async (lab) => {
      const { wasLate, lateMs, group } = await lab.autoGroup();
      return { wasLate, lateMs, hasAddress: group.publicIp !== '' };
    },
    evaluate: ({ wasLate, lateMs, hasAddress }) => {
      if (!hasAddress) return differs(`it shows none for ${lateMs} ms`, 'lateInstanceAddress');
      return wasLate ? differs(`${lateMs} ms after it was Running`, 'lateInstanceAddress') : asAssumed('it does');
    },
  }),
  probe({
    id: 'P19-eip',
    assumption: 'the EIP that is made with an instance is listed, and no other service manages it',
    needs: ['eci'],
    run: async (lab) => {
      const { eip } = await lab.autoGroup();
      return {
        listed: eip !== undefined,
        isManaged: eip?.isManaged,
        meteredBy: eip?.meteredBy,
        bandwidth: eip?.bandwidth,
      };
    },
    evaluate: ({ listed, isManaged, meteredBy, bandwidth }) => {
      if (!listed) return differs('it is not listed');
      return isManaged === true ? differs('a service manages it') : asAssumed(`${meteredBy}, ${bandwidth} Mbit/s`);
    },
  }),
  probe({
    id: 'P19-spelling',
    assumption: 'the EIP that is made with an instance is described at its interface',
    needs: ['eci'],
    run: async (lab) => {
      const { eip, group } = await lab.autoGroup();
      return { listed: eip !== undefined, ...(eip ? spellingOf(eip, group) : { instanceType: '', id: '' }) };
    },
    evaluate: ({ listed, ...spelling }) => (listed ? evaluateSpelling(spelling) : notAsked('the EIP is not listed')),
  }),
  probe({
    id: 'P19-status',
    assumption: 'DescribeContainerGroupStatus may be called',
    needs: ['eci'],
    run: async (lab) => {
      await lab.autoGroup();
      return codeSeen(await lab.call('DescribeContainerGroupStatus', { SinceSecond: '60' }));
    },
    evaluate: ({ code }) => (code === 'OK' ? asAssumed('it may') : differs(`refused with ${code}`)),
  }),
  probe({
    id: 'P20',
    assumption: 'an EIP that is bound to the interface of an instance is described there',
    needs: ['eci'],
    run: async (lab) => {
      const [{ allocationId }, { group }] = [await lab.second(), await lab.plainGroup()];
      await lab.unassociate(allocationId);
      const to = { id: group.networkInterfaceId, ip: group.privateIp };
      const { eip } = await lab.associate(lab.bindingQuery(allocationId, to));
      return spellingOf(eip, group);
    },
    evaluate: evaluateSpelling,
  }),
  probe({
    id: 'P20-end',
    assumption: 'an EIP that was bound to an instance outlives it, and is not bound then',
    needs: ['eci'],
    run: async (lab) => {
      const [{ allocationId }, { id }] = [await lab.second(), await lab.plainGroup()];
      await lab.must('DeleteContainerGroup', { ContainerGroupId: id });
      await lab.goneGroup(id);
      const { last, ms } = await lab.settle(allocationId, (eip) => eip?.status === 'Available');
      return { status: last?.status ?? 'not listed', ms };
    },
    evaluate: ({ status, ms }) => (status === 'Available' ? asAssumed(`after ${ms} ms`) : differs(`it is ${status}`)),
  }),
  probe({
    id: 'P21',
    assumption: 'the EIP that is made with an instance goes with it',
    needs: ['eci'],
    run: async (lab) => {
      const { id, eip } = await lab.autoGroup();
      await lab.must('DeleteContainerGroup', { ContainerGroupId: id });
      await lab.goneGroup(id);
      if (!eip) return { listed: false, status: '', ms: 0 };
      const { last, ms } = await lab.settle(eip.allocationId, (seen) => seen === undefined);
      return { listed: true, status: last?.status ?? 'not listed', ms };
    },
    evaluate: ({ listed, status, ms }) => {
      if (!listed) return notAsked('the EIP was not listed');
      return status === 'not listed' ? asAssumed(`after ${ms} ms`) : differs(`it is ${status}`);
    },
  }),
  probe({
    id: 'P21-codes',
    assumption: 'DescribeContainerGroups of an instance that is gone is an empty list',
    needs: ['eci'],
    run: async (lab) => {
      const { id } = await lab.autoGroup();
      await lab.goneGroup(id);
      const shown = await lab.call('DescribeContainerGroups', { ContainerGroupIds: JSON.stringify([id]) });
      const deleted = await lab.call('DeleteContainerGroup', { ContainerGroupId: id });
      const log = await lab.call('DescribeContainerLog', { ContainerGroupId: id, ContainerName: 'sleep' });
      return { shown: shown.code, deleted: deleted.code, log: log.code };
    },
    evaluate: ({ shown, deleted, log }) => {
      const says = `${shown}; a second deletion: ${deleted}; its log: ${log}`;
      if ([shown, deleted, log].includes(NOT_FOUND)) return differs(says, 'goneCodes');
      return shown === 'OK' ? asAssumed(says) : differs(says);
    },
  }),
];
