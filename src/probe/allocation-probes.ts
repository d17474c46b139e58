import { textAt } from './answer-fields.ts';
import { AskFailed, totalOf } from './lab.ts';
import type { EipSeen } from './seen.ts';
import { asAssumed, codeSeen, differs, notAsked, probe, refusedAsKnown, type Probe } from './probe.ts';
import { LOOK_MS, TAGS_MS } from './watch-eip.ts';

/** How far the product reckons that reads lag: READ_LAG_MS of src/manager/controllers.ts. */
const RECKONED_MS = 3_000;
/** Looks are this far apart; what differs by less is the same. */
const NOISE_MS = 1_000;

/** A tag without a value. */
const EMPTY_TAG = 'knative-eip-probe-empty';
/** A tag with a value that the EIP did not have when it was bought. */
const LATER_TAG = 'knative-eip-probe-later';
const hasEmptyTag = (eip: EipSeen | undefined): boolean => eip?.tags.has(EMPTY_TAG) ?? false;

/** About the purchase of an EIP: tags, lag and tokens. */
export const allocationProbes: readonly Probe[] = [
  probe({
    id: 'P1',
    assumption: 'an EIP has the tags that AllocateEipAddress was sent',
    run: async (lab) => {
      const { bought } = await lab.purchase();
      return { hasTag: bought.hasTag, untaggedMs: bought.untaggedMs };
    },
    evaluate: ({ hasTag, untaggedMs }) =>
      hasTag
        ? asAssumed(untaggedMs === 0 ? 'at once' : `after ${untaggedMs} ms`)
        : differs('it has none before TagResources', 'tagsIgnored'),
  }),
  probe({
    id: 'P1-name',
    assumption: 'the name of an EIP may have a slash and a colon',
    run: async (lab) => ({ code: (await lab.purchase()).nameCode }),
    evaluate: ({ code }) => (code === 'OK' ? asAssumed('it was accepted') : differs(`refused with ${code}`)),
  }),
  probe({
    id: 'P1-answer',
    assumption: 'AllocateEipAddress answers with the ID and the address of the EIP',
    run: async (lab) => {
      const { allocationId, address, tagged } = await lab.purchase();
      return { hasId: allocationId !== '', hasAddress: address !== '', isSame: address === tagged.described };
    },
    evaluate: ({ hasId, hasAddress, isSame }) => {
      if (!hasId || !hasAddress) return differs(hasId ? 'it names no address' : 'it names no ID');
      return isSame ? asAssumed('it does') : differs('with another address than DescribeEipAddresses');
    },
  }),
  probe({
    id: 'P2',
    assumption: 'a query by ID shows an EIP at once, and does not go back in time',
    run: async (lab) => {
      const { bought, tagged } = await lab.purchase();
      return { unlistedMs: bought.unlistedMs, wentBack: bought.wentBack || tagged.wentBack };
    },
    evaluate: ({ unlistedMs, wentBack }) =>
      unlistedMs === 0 && !wentBack
        ? asAssumed('at once')
        : differs(
            `it was not listed for ${unlistedMs} ms${wentBack ? ', and vanished again meanwhile' : ''}` +
              (unlistedMs > RECKONED_MS ? '; that is longer than the product reckons with' : ''),
            'readLag',
          ),
  }),
  probe({
    id: 'P2-tag',
    assumption: 'a query by tag knows what a query by ID knows',
    run: async (lab) => {
      const { untaggedMs, unlistedByTagMs } = (await lab.purchase()).tagged;
      return { untaggedMs, unlistedByTagMs };
    },
    evaluate: ({ untaggedMs, unlistedByTagMs }) =>
      unlistedByTagMs > RECKONED_MS && unlistedByTagMs - untaggedMs >= NOISE_MS
        ? differs(`by tag it was not found for ${unlistedByTagMs} ms`, 'tagFilterLag')
        : asAssumed(unlistedByTagMs === 0 ? 'at once' : `after ${unlistedByTagMs} ms`),
  }),
  probe({
    id: 'P2-address',
    assumption: 'a query by address knows what a query by ID knows',
    run: async (lab) => {
      const { address, bought } = await lab.purchase();
      if (address === '') throw new AskFailed('AllocateEipAddress named no address');
      return { unlistedMs: bought.unlistedMs, unlistedByAddressMs: bought.unlistedByAddressMs };
    },
    evaluate: ({ unlistedMs, unlistedByAddressMs }) =>
      unlistedByAddressMs > RECKONED_MS && unlistedByAddressMs - unlistedMs >= NOISE_MS
        ? differs(`by address it was not found for ${unlistedByAddressMs} ms`)
        : asAssumed(unlistedByAddressMs === 0 ? 'at once' : `after ${unlistedByAddressMs} ms`),
  }),
  probe({
    id: 'P3',
    assumption: 'the same token and the same parameters give the same EIP',
    run: async (lab) => {
      const { allocationId, query } = await lab.purchase();
      const answer = await lab.call('AllocateEipAddress', query);
      return { code: answer.code, isSame: textAt(answer.body, 'AllocationId') === allocationId };
    },
    evaluate: ({ code, isSame }) => {
      if (isSame) return asAssumed('it did');
      return differs(code === 'OK' ? 'a second EIP was bought' : `refused with ${code}`);
    },
  }),
  probe({
    id: 'P4',
    assumption: 'the same token with other parameters is refused',
    run: async (lab) => {
      const { query } = await lab.purchase();
      return codeSeen(await lab.call('AllocateEipAddress', { ...query, Bandwidth: '2' }));
    },
    evaluate: refusedAsKnown,
  }),
  probe({
    id: 'P5',
    assumption: 'a token is free again after a refusal of AllocateEipAddress',
    run: async (lab) => {
      const { refused, again } = await lab.second();
      return { refused: refused.code, again: again.code };
    },
    evaluate: ({ refused, again }) => {
      if (refused === 'OK') return notAsked('a bandwidth of 100,000 Mbit/s was accepted');
      return again === 'OK' ? asAssumed('it was') : differs(`refused again with ${again}`, 'tokensRememberRefusals');
    },
  }),
  probe({
    id: 'P17',
    assumption: 'a query for two IDs, one of which does not exist, shows the other',
    run: async (lab) => {
      const { allocationId } = await lab.purchase();
      const unknown = `${allocationId.slice(0, -4)}0000`;
      const answer = await lab.call('DescribeEipAddresses', { AllocationId: `${allocationId},${unknown}` });
      return { code: answer.code, total: totalOf(answer) };
    },
    evaluate: ({ code, total }) => {
      if (code !== 'OK') return differs(`refused with ${code}`);
      return total === 1 ? asAssumed('TotalCount is 1') : differs(`TotalCount is ${total}`);
    },
  }),
  probe({
    id: 'P15',
    assumption: 'TagResources adds a tag, also one with an empty value, and a filter finds it',
    run: async (lab) => {
      const { allocationId } = await lab.purchase();
      const { clock } = lab.ports;
      const answer = await lab.call('TagResources', {
        ResourceType: 'EIP',
        'ResourceId.1': allocationId,
        'Tag.1.Key': EMPTY_TAG,
        'Tag.1.Value': '',
        'Tag.2.Key': LATER_TAG,
        'Tag.2.Value': lab.mark.run,
      });
      const began = clock.mono();
      const byFilter = { 'Tag.1.Key': LATER_TAG, 'Tag.1.Value': lab.mark.run };
      const isFound = await lab.until(
        TAGS_MS,
        LOOK_MS,
        async () => (await lab.eips(byFilter)).some((eip) => eip.allocationId === allocationId),
        (found) => found || answer.code !== 'OK',
      );
      const filterMs = clock.mono() - began;
      const { last } = await lab.settle(allocationId, (eip) => hasEmptyTag(eip));
      return { code: answer.code, shown: hasEmptyTag(last), isFound, filterMs };
    },
    evaluate: ({ code, shown, isFound, filterMs }) => {
      if (code !== 'OK') return differs(`refused with ${code}`);
      if (!shown) return differs('it is not shown');
      return isFound
        ? asAssumed(`it is shown, and found by a filter after ${filterMs} ms`)
        : differs(`it is shown, and not found by a filter for ${filterMs} ms`);
    },
  }),
];

/** The end of the first EIP: the last thing that is asked of it. */
export const releaseProbes: readonly Probe[] = [
  probe({
    id: 'P16',
    assumption: 'a released EIP is gone at once',
    run: async (lab) => {
      const { allocationId } = await lab.purchase();
      await lab.unassociate(allocationId);
      await lab.must('ReleaseEipAddress', { AllocationId: allocationId });
      const second = await lab.call('ReleaseEipAddress', { AllocationId: allocationId });
      const { states, ms } = await lab.settle(allocationId, (eip) => eip === undefined);
      return { second: second.code, states, ms };
    },
    evaluate: ({ second, states, ms }) =>
      states.includes('Releasing') || second === 'IncorrectEipStatus'
        ? differs(`it was Releasing, and gone after ${ms} ms (a second release: ${second})`, 'asynchronousRelease')
        : asAssumed(`gone after ${ms} ms (a second release: ${second})`),
  }),
  probe({
    id: 'P6',
    assumption: 'the token of an EIP that was released buys no other one',
    run: async (lab) => {
      const { allocationId, query } = await lab.purchase();
      // Should it buy one all the same, that carries the mark of the run, and is given back with everything.
      const { code, body } = await lab.call('AllocateEipAddress', query);
      return { code, isSame: textAt(body, 'AllocationId') === allocationId };
    },
    evaluate: ({ code, isSame }) => {
      if (code !== 'OK') return asAssumed(`refused with ${code}`);
      return isSame ? asAssumed('it is answered as before') : differs('another EIP was bought');
    },
  }),
];

/** When the token of a purchase is tried again, minutes after it. */
const TRIED_AT_MINUTES = [1, 2, 5, 10, 30, 60] as const;

/** What takes an hour: it is asked last. */
export const longProbes: readonly Probe[] = [
  probe({
    id: 'P6-long',
    assumption: 'the token of a purchase is remembered for a minute and longer',
    needs: ['long'],
    run: async (lab) => {
      const query = { ...lab.eipQuery('5', lab.mark.plainEipName('5')), ClientToken: lab.token() };
      const first = await lab.call('AllocateEipAddress', query);
      if (first.code !== 'OK') throw new AskFailed(`AllocateEipAddress was answered with ${first.code}`);
      const allocationId = textAt(first.body, 'AllocationId');
      let [remembered, code] = [0, first.code];
      for (const minutes of TRIED_AT_MINUTES) {
        await lab.ports.clock.sleep((minutes - (TRIED_AT_MINUTES.findLast((it) => it < minutes) ?? 0)) * 60_000);
        const again = await lab.call('AllocateEipAddress', query);
        code = again.code;
        // What is bought by a token that is forgotten carries the mark of the run, and is given back with everything.
        if (code !== 'OK' || textAt(again.body, 'AllocationId') !== allocationId) return { remembered, minutes, code };
        remembered = minutes;
      }
      return { remembered, minutes: undefined, code };
    },
    evaluate: ({ remembered, minutes, code }) => {
      if (code !== 'OK') return differs(`after ${minutes} minutes it was refused with ${code}`);
      const says =
        minutes === undefined ? `for ${remembered} minutes at least` : `for ${remembered} minutes, and not ${minutes}`;
      return remembered > 0 ? asAssumed(says) : differs('it is forgotten within a minute');
    },
  }),
];
