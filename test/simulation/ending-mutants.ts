import { mutant, played, type Mutant } from './mutant.ts';
import {
  podeip,
  detached,
  finalizing,
  handoverOrder,
  knownPurchases,
  quiet,
  sending,
  transfer,
  twin,
} from './seams.ts';

/** What is kept, handed over and given back, and when. */
export const endingMutants: readonly Mutant[] = [
  played(
    'the finalizer is taken off, and the pod goes at once',
    mutant(
      'a finalizer that was taken off stays off',
      podeip('hasLostFinalizer', () => () => false),
    ),
  ),
  mutant(
    'finalizer first: the PodEIP goes before its EIP',
    finalizing('finalize', (original) => (it) => {
      const next = original(it);
      const isTelling = ['ReadCompetingClaims', 'StandAside', 'Unpublish', 'Done'].includes(next.do);
      return isTelling ? next : { do: 'RemoveFinalizer', podEip: it.podEip, because: 'gone' };
    }),
  ),
  mutant(
    'not found means gone: one look is enough on the way out',
    podeip('notReleasedYet', () => () => undefined),
  ),
  {
    ...mutant(
      'what is written down is all that was bought, whoever bought and whatever was answered',
      knownPurchases(
        'isAllThatWasBought',
        () =>
          ({ seen, podEip }) =>
            seen.memory.released === podEip.spec.allocationID,
      ),
    ),
    // In the worlds a second EIP is found by its tags later on, and goes back then.
    test: { file: 'controllers/podeip/known-purchases.test.ts', title: 'who has bought the one EIP*' },
  },
  mutant(
    'kept for nobody: an EIP that is kept stays bound',
    podeip('isStillBound', () => () => false),
  ),
  mutant(
    'kept for good: time does not pass',
    podeip('retainedForMs', (original) => (it, until) => Math.max(60_000, original(it, until))),
  ),
  mutant(
    'kept too short: only the wall clock counts',
    podeip(
      'retainedForMs',
      () =>
        ({ seen }, { endsAt }) =>
          endsAt - seen.now,
    ),
  ),
  mutant(
    'kept too short: only this process counts',
    podeip(
      'retainedForMs',
      () =>
        ({ seen, settings }, { ttlMs }) =>
          Math.min(ttlMs, settings.recheckMs) / 2 - seen.memory.retainedMs,
    ),
  ),
  mutant(
    'never is not never',
    podeip('retentionMs', (original) => (it) => {
      const ms = original(it);
      return ms === Infinity ? 0 : ms;
    }),
  ),
  mutant(
    'a kept EIP is given up although its pod comes',
    podeip('mayTakeOver', () => () => false),
  ),
  mutant(
    'the pod that an EIP was retained from counts as another one of the name',
    podeip(
      'isAnotherOfTheName',
      () =>
        ({ record }, pod) =>
          pod.metadata.uid !== record.podUid,
    ),
  ),
  mutant(
    'an EIP of a Service that is gone is held',
    podeip('isServiceGone', () => () => false),
  ),
  {
    ...mutant(
      'an EIP whose successor has it is given up on the word of an old reading',
      transfer('transferState', (original) => (it, successorUid) => {
        const state = original(it, successorUid);
        const isWritten = it.seen.successor?.spec.allocationID === it.podEip.spec.allocationID;
        return state.kind === 'step' && state.step.do === 'Wait' && isWritten
          ? { kind: 'value', value: 'notTransferred' }
          : state;
      }),
    ),
    test: { file: 'controllers/podeip/transfer.test.ts', title: 'an EIP is not released as long as a successor*' },
  },
  {
    ...mutant(
      'an EIP is released although a successor may be taking it',
      transfer('transferState', (original) => (it, successorUid) => {
        const state = original(it, successorUid);
        const isEnding = it.podEip.metadata.deletionTimestamp !== undefined;
        return state.kind === 'step' && isEnding ? { kind: 'value', value: 'notTransferred' } : state;
      }),
    ),
    test: {
      file: 'controllers/podeip/transfer.test.ts',
      title: 'an EIP is not released as long as a successor may be taking it',
    },
  },
  mutant(
    'an EIP is taken over without being named in the PodEIP that has it',
    transfer('receiveTransfer', (original) => (it) => {
      const next = original(it);
      if (next?.do !== 'AssignSuccessor') return next;
      const { allocationID: allocationId } = next.predecessor.spec;
      return { do: 'TransferOwnership', podEip: next.podEip, allocationId };
    }),
  ),
  played(
    'an EIP that is not needed goes to the next pod of its Service',
    mutant(
      'the PodEIP that hands its EIP on goes before its successor has written the EIP down',
      transfer('transferState', (original) => (it, successorUid) => {
        // As if it were gone: then what the tags say counts.
        const byTags = original({ ...it, seen: { ...it.seen, successor: null } }, successorUid);
        const isTransferred = byTags.kind === 'value' && byTags.value === 'transferred';
        return it.seen.successor && isTransferred ? byTags : original(it, successorUid);
      }),
    ),
  ),
  mutant(
    'the gate of the pod that hands its EIP over closes',
    finalizing('finalize', (original) => (it) => {
      const next = original(it);
      return next.do === 'StandAside' ? { do: 'Unpublish', pod: next.pod, isGated: next.isGated } : next;
    }),
  ),
  mutant(
    'an EIP stays with the newest Revision, wherever the requests go',
    handoverOrder(
      'hasPriorityOver',
      (original) => (podEip, pod, competitor) => original(podEip, pod, competitor, () => undefined),
    ),
  ),
  {
    ...mutant(
      'a reading that took long counts as one of the moment when it came',
      quiet('asOfAsking', () => (memory) => memory),
    ),
    test: {
      file: 'controllers/podeip/late-answers.test.ts',
      title: 'what was not listed when it was asked for is not taken for gone*',
    },
  },
  {
    ...mutant(
      'what a process before wrote of its quiet counts after something was sent',
      sending('endQuiet', () => () => Promise.resolve(undefined)),
    ),
    redundant:
      'what is sent on the way out only undoes, and names what: one that comes late meets nothing, unless the same address is bound anew within its delay and a note is older than a minute by then',
  },
  {
    ...mutant(
      'an EIP is free by any reading that says so after it was detached',
      detached(
        'isSeenDetached',
        () =>
          ({ seen: { eip, memory } }) =>
            eip?.status === 'Available' && memory.accepted === 'Unassociate',
      ),
    ),
    // It takes a binding without an answer, to another address than the one before it, that comes after the detachment.
    test: { file: 'controllers/podeip/detached.test.ts', title: 'what was answered and read is over*' },
  },
  {
    ...mutant(
      'beside a twin only what this process sent itself is waited for',
      podeip(
        'isSettled',
        () =>
          ({ seen: { memory }, settings: { settleMs, readLagMs } }) =>
            memory.quietMs >= (memory.isCertain ? readLagMs : settleMs),
      ),
    ),
    test: { file: 'controllers/podeip/twin.test.ts', title: 'a PodEIP whose EIP a twin may just have bound goes*' },
  },
  {
    ...mutant(
      'the signs of a twin are not heeded',
      twin(
        'Twins',
        (Original) =>
          class extends Original {
            override see(): number {
              return Infinity;
            }
          },
      ),
    ),
    test: {
      file: 'controllers/podeip/twin.test.ts',
      title: 'without an election a sign of a twin begins the quiet anew*',
    },
  },
  {
    ...mutant(
      'what a twin was seen to begin keeps nobody from buying',
      podeip('isTwinAbout', () => () => false),
    ),
    test: { file: 'controllers/podeip/twin.test.ts', title: 'beside a twin nothing is bought*' },
  },
  {
    ...mutant(
      'a transfer is not noted for a twin to see',
      sending('noteTransfer', () => (podEip) => Promise.resolve(podEip)),
    ),
    test: {
      file: 'controllers/podeip/hold-off.test.ts',
      title: 'without an election, where a second process might be at work*',
    },
  },
];
