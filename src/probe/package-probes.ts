import { listAt, textAt } from './answer-fields.ts';
import { asAssumed, differs, probe, refusedAsKnown, type Probe } from './probe.ts';

/** About the bandwidth package that was named; the second EIP joins and leaves it. */
export const packageProbes: readonly Probe[] = [
  probe({
    id: 'P14-package',
    assumption:
      'DescribeCommonBandwidthPackages shows a bandwidth package by its ID, with its line and business status',
    needs: ['package'],
    run: async (lab) => {
      const id = lab.site.packageId ?? '';
      const { code, body } = await lab.call('DescribeCommonBandwidthPackages', { BandwidthPackageId: id });
      const shown = listAt(body, 'CommonBandwidthPackages', 'CommonBandwidthPackage').find(
        (one) => textAt(one, 'BandwidthPackageId') === id,
      );
      const [line, businessStatus] = [textAt(shown, 'ISP'), textAt(shown, 'BusinessStatus')];
      return { code, isListed: shown !== undefined, line, businessStatus };
    },
    evaluate: ({ code, isListed, line, businessStatus }) => {
      if (code !== 'OK') return differs(`refused with ${code}`);
      if (!isListed) return differs('it does not list it');
      const says = `ISP ${line || '(none)'}, BusinessStatus ${businessStatus || '(none)'}`;
      return line !== '' && businessStatus !== '' ? asAssumed(says) : differs(says);
    },
  }),
  probe({
    id: 'P14',
    assumption: 'an EIP joins a bandwidth package and leaves it, and twice is refused',
    needs: ['package'],
    run: async (lab) => {
      const { allocationId } = await lab.second();
      await lab.unassociate(allocationId);
      const member = { BandwidthPackageId: lab.site.packageId ?? '', IpInstanceId: allocationId };
      const change = (action: string) => lab.call(action, { ...member, ClientToken: lab.token() });
      await lab.must('AddCommonBandwidthPackageIp', { ...member, ClientToken: lab.token() });
      const joined = await lab.settle(allocationId, (eip) => eip?.packageId === member.BandwidthPackageId);
      const added = await change('AddCommonBandwidthPackageIp');
      await lab.must('RemoveCommonBandwidthPackageIp', { ...member, ClientToken: lab.token() });
      const left = await lab.settle(allocationId, (eip) => eip?.packageId === '');
      const removed = await change('RemoveCommonBandwidthPackageIp');
      return {
        isMember: joined.last?.packageId === member.BandwidthPackageId,
        hasLeft: left.last?.packageId === '',
        added: added.code,
        addedKnown: added.known,
        removed: removed.code,
        removedKnown: removed.known,
      };
    },
    evaluate: ({ isMember, hasLeft, added, addedKnown, removed, removedKnown }) => {
      if (!isMember || !hasLeft) return differs(isMember ? 'it did not leave' : 'it did not join');
      const twice = [
        refusedAsKnown({ code: added, known: addedKnown }),
        refusedAsKnown({ code: removed, known: removedKnown }),
      ];
      const unlike = twice.find(({ kind }) => kind !== 'as assumed');
      return unlike ?? asAssumed(`${added}, ${removed}`);
    },
  }),
  probe({
    id: 'P14-release',
    assumption: 'ReleaseEipAddress of an EIP in a bandwidth package is refused, or ends both',
    needs: ['package'],
    run: async (lab) => {
      const allocationId = await lab.another('3');
      const member = { BandwidthPackageId: lab.site.packageId ?? '', IpInstanceId: allocationId };
      await lab.must('AddCommonBandwidthPackageIp', { ...member, ClientToken: lab.token() });
      const joined = await lab.settle(allocationId, (eip) => eip?.packageId === member.BandwidthPackageId);
      const { code, known } = await lab.call('ReleaseEipAddress', { AllocationId: allocationId });
      const { last } = await lab.settle(allocationId, (eip) => (code === 'OK') === (eip === undefined));
      return {
        isMember: joined.last?.packageId === member.BandwidthPackageId,
        code,
        known,
        isGone: last === undefined,
      };
    },
    evaluate: ({ isMember, code, known, isGone }) => {
      if (!isMember) return differs('it did not join');
      if (code !== 'OK') return refusedAsKnown({ code, known });
      return isGone ? asAssumed('it was released') : differs('the release was accepted, and the EIP is there');
    },
  }),
];
