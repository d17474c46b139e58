import { mutant, played, type Mutant } from './mutant.ts';
import { podeip, ownership } from './seams.ts';

const withoutProof = podeip('provesOwnership', () => () => true);

/** Which EIP is ours, and which PodEIP and pod are meant. */
export const owningMutants: readonly Mutant[] = [
  mutant(
    'no adoption on the way out: an EIP that is not recorded was not bought',
    podeip('boughtUnrecorded', () => () => ({ kind: 'value', value: undefined })),
  ),
  played(
    'a pod whose EIP has lost its tags is deleted at once',
    mutant(
      'EIPs whose tags were dropped are not looked for by their marks',
      ownership('sortByMark', () => () => ({ ours: [], suspects: [] })),
    ),
  ),
  played(
    'a pod whose EIP has lost its tags is deleted at once',
    mutant(
      'whether tags were dropped is not looked for right before a purchase, and before the PodEIP goes',
      podeip('unseenMarks', () => () => undefined),
    ),
  ),
  {
    ...mutant(
      'what an unanswered purchase may have bought is not looked for while its pod waits for something else',
      podeip('unseenWhileWaiting', () => () => undefined),
    ),
    test: {
      file: 'controllers/podeip/dropped-tags.test.ts',
      title: '*is found although its pod waits: its address has no interface',
    },
  },
  mutant(
    'an EIP whose tags were dropped is not tagged on its way in',
    ownership('proveOurs', (original) => (it, eip) => {
      const next = original(it, eip);
      return next?.do === 'Tag' ? { do: 'Wait', reason: 'EipNotOurs', message: '', ms: 1_000 } : next;
    }),
  ),
  mutant(
    'any EIP without our tags is one that was bought here',
    ownership('sortByMark', () => (free) => ({ ours: free, suspects: [] })),
  ),
  played(
    'a pod whose EIP has lost its tags is deleted at once',
    mutant(
      'an EIP whose tags were dropped is not tagged on its way out',
      ownership('tag', () => () => undefined),
    ),
  ),
  played(
    'an operator declares the EIP of a pod theirs',
    mutant(
      'an EIP that an operator declared theirs is released',
      podeip('isGivenAway', () => () => false),
    ),
  ),
  mutant(
    'name instead of UID: a pod of the same name is the same pod',
    podeip(
      'isItsPod',
      () =>
        ({ podEip }, pod) =>
          pod.metadata.name === podEip.metadata.name,
    ),
  ),
  mutant(
    'the EIPs of users are released too',
    podeip('isUsers', (original) => (it) => original(it) && it.podEip.spec.allocationID === ''),
    withoutProof,
  ),
  mutant('taken over without tags: an EIP of the other controller is released as it is', withoutProof),
  mutant(
    'a PodEIP is written whatever it was when it was read',
    podeip('writtenAsSeen', () => ({ metadata: { uid } }) => ({ uid })),
  ),
  mutant(
    'a PodEIP is deleted by its name',
    podeip('deletedAsSeen', () => () => ({ uid: '' })),
  ),
  mutant(
    'a pod is told by its name',
    podeip('toldAsSeen', () => () => ({})),
  ),
];
