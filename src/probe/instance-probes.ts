import { instanceDenialProbe } from './denial-probes.ts';
import { listAt, textAt } from './answer-fields.ts';
import { AskFailed, unbindingQuery } from './lab.ts';
import { asAssumed, codeSeen, differs, notAsked, probe, refusedAsKnown, type Probe, type Verdict } from './probe.ts';

/** The code of ECI for a group that is not there, as Terraform's provider expects it. */
const NOT_FOUND = 'InvalidParameter.NotFound';

/** The code of a dry run that found nothing wrong. */
const DRY_RUN = 'DryRunOperation';

/** How far back a change is asked for: the instance has run for less, seconds. */
const STATUS_SECONDS = '300';

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
    assumption: 'CreateContainerGroup passes a dry run, with AutoCreateEip and with the ID of an EIP',
    needs: ['eci'],
    run: async (lab) => {
      const { auto } = lab.mark.groupNames;
      const dry = async (more: Readonly<Record<string, string>>) =>
        (await lab.call('CreateContainerGroup', { ...lab.groupQuery(auto), ...more, DryRun: 'true' })).code;
      const code = await lab.dryRunCode();
      // Where a dry run is none, one is enough.
      if (code === 'OK') return { code };
      const { allocationId } = await lab.second();
      await lab.unassociate(allocationId);
      return {
        code,
        named: await dry({ EipInstanceId: allocationId }),
        namedAndMade: await dry({ EipInstanceId: allocationId, AutoCreateEip: 'true' }),
        bandwidthAlone: await dry({ EipBandwidth: '1' }),
        packageAlone:
          lab.site.packageId === undefined ? undefined : await dry({ EipCommonBandwidthPackage: lab.site.packageId }),
      };
    },
    evaluate: ({ code, named, namedAndMade, bandwidthAlone, packageAlone }) => {
      if (code === 'OK') return differs('a dry run makes an instance');
      if (code !== DRY_RUN) return differs(`refused with ${code}`);
      if (named !== DRY_RUN) return differs(`with the ID of an EIP it is refused with ${named}`);
      const rest = `with both: ${namedAndMade}; with EipBandwidth alone: ${bandwidthAlone}`;
      return asAssumed(
        packageAlone === undefined
          ? `it does; ${rest}`
          : `it does; ${rest}; with EipCommonBandwidthPackage alone: ${packageAlone}`,
      );
    },
  }),
  probe({
    id: 'P19',
    assumption: 'an instance that runs shows the public address that is made with it',
    needs: ['eci'],
    run: async (lab) => {
      const { runningMs, wasLate, lateMs, group } = await lab.autoGroup();
      return { runningMs, wasLate, lateMs, hasAddress: group.publicIp !== '' };
    },
    evaluate: ({ runningMs, wasLate, lateMs, hasAddress }) => {
      if (!hasAddress) return differs(`it shows none for ${lateMs} ms`, 'lateInstanceAddress');
      return wasLate
        ? differs(`${lateMs} ms after it was Running`, 'lateInstanceAddress')
        : asAssumed(`it does, after ${runningMs} ms`);
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
        tags: eip?.tags.size,
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
    assumption: 'DescribeContainerGroupStatus shows the state of an instance that has changed, and of its containers',
    needs: ['eci'],
    run: async (lab) => {
      const { id } = await lab.autoGroup();
      const { code, body } = await lab.call('DescribeContainerGroupStatus', { SinceSecond: STATUS_SECONDS });
      const shown = listAt(body, 'Data').find((group) => textAt(group, 'ContainerGroupId') === id);
      return {
        code,
        isListed: shown !== undefined,
        status: textAt(shown, 'Status'),
        phase: textAt(shown, 'PodStatus', 'Phase'),
        containers: listAt(shown, 'PodStatus', 'ContainerStatuses').length,
      };
    },
    evaluate: ({ code, isListed, status, phase, containers }) => {
      if (code !== 'OK') return differs(`refused with ${code}`);
      if (!isListed) return differs('it does not list the instance');
      const says = `Status ${status || '(none)'}, Phase ${phase || '(none)'}, containers: ${containers}`;
      return status !== '' && phase !== '' && containers > 0 ? asAssumed(says) : differs(says);
    },
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
    id: 'P18-bound',
    assumption: 'CreateContainerGroup with the ID of an EIP that is bound is refused',
    needs: ['eci'],
    run: async (lab) => {
      if ((await lab.dryRunCode()) !== DRY_RUN) throw new AskFailed('CreateContainerGroup passes no dry run');
      const { allocationId } = await lab.second();
      if ((await lab.eip(allocationId))?.status !== 'InUse') throw new AskFailed('the EIP could not be bound');
      const query = { ...lab.groupQuery(lab.mark.groupNames.auto), EipInstanceId: allocationId, DryRun: 'true' };
      return codeSeen(await lab.call('CreateContainerGroup', query));
    },
    evaluate: (seen) => (seen.code === DRY_RUN ? notAsked('a dry run does not look at the EIP') : refusedAsKnown(seen)),
  }),
  probe({
    id: 'P20-unbind',
    assumption: 'UnassociateEipAddress ends a binding to an instance, named as it is described',
    needs: ['eci'],
    run: async (lab) => {
      const [{ allocationId }, { group }] = [await lab.second(), await lab.plainGroup()];
      const eip = await lab.eip(allocationId);
      if (eip?.status !== 'InUse') throw new AskFailed('the EIP could not be bound');
      const query = { ...unbindingQuery(eip), ClientToken: lab.token() };
      const { code } = await lab.call('UnassociateEipAddress', query);
      const { states, last, ms } = await lab.settle(
        allocationId,
        (seen) => seen?.status === (code === 'OK' ? 'Available' : 'InUse'),
      );
      const status = last?.status ?? 'not listed';
      // For the end of the instance, which comes next.
      if (status === 'Available')
        await lab.associate(lab.bindingQuery(allocationId, { id: group.networkInterfaceId, ip: group.privateIp }));
      return { code, status, states, ms };
    },
    evaluate: ({ code, status, ms }) => {
      if (code !== 'OK') return differs(`refused with ${code}`);
      return status === 'Available' ? asAssumed(`after ${ms} ms`) : differs(`it was accepted, and is ${status}`);
    },
  }),
  instanceDenialProbe,
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
