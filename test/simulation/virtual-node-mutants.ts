import { CLAIM_TURN, ECI_INSTANCE_ID, ECI_PAY_AS_YOU_GO } from '../../src/api/annotations.ts';
import type { ObservedPod } from '../../src/virtualnode/observation.ts';
import type { PodAction } from '../../src/virtualnode/step.ts';
import { tested, type Mutant } from './mutant.ts';
import {
  claimTurn,
  creation,
  deciding,
  eciAnnotations,
  endAndLook,
  ended,
  healing,
  imageCacheDecision,
  imageCacheRequest,
  nodes,
  orphanBreaker,
  orphanPasses,
  ownEip,
  ownerPauses,
  podTracker,
  podeip,
  spotFallback,
  writeStatus,
} from './seams.ts';

const PROVIDER = 'virtualnode/provider.test.ts';
const DECIDE = 'virtualnode/decide.test.ts';
const EIP = 'virtualnode/eip.test.ts';
const SPOT = 'virtualnode/spot-fallback.test.ts';
const TURN = 'virtualnode/claim-turn.test.ts';
const CLAIMED = 'virtualnode/claimed-volumes.test.ts';
const ORPHANS = 'virtualnode/orphans.test.ts';
const CACHES = 'virtualnode/imagecache/image-caches.test.ts';
const CACHE_DECISIONS = 'virtualnode/imagecache/image-cache-decisions.test.ts';

/** The same pod with another memory. */
const remembering = (seen: ObservedPod, memory: Partial<ObservedPod['memory']>): ObservedPod => ({
  ...seen,
  memory: { ...seen.memory, ...memory },
});

const isGoing = ({ pod }: ObservedPod): boolean => pod.metadata.deletionTimestamp !== undefined;

/** The step without one of the annotations that it writes. */
const without = (key: string, step: PodAction | undefined): PodAction | undefined => {
  if (step?.do !== 'WriteStatus') return step;
  const { [key]: _, ...annotations } = step.annotations ?? {};
  return { ...step, annotations };
};

/** Defences of the virtual node: no instance too many, none that is left, none that is somebody else's. */
export const virtualNodeMutants: readonly Mutant[] = [
  tested(
    ['virtualnode/tokens.test.ts', 'a token that remembers its refusals keeps no pod*'],
    'each attempt at a container group has the same token',
    creation(
      'createGroup',
      (original) => (seen, settings) =>
        original({ ...seen, memory: { ...seen.memory, tokenRefusals: undefined } }, settings),
    ),
  ),
  tested(
    ['virtualnode/tokens.test.ts', 'a request without an answer is waited for*'],
    'another token is used although the attempt before may still make a container group',
    creation(
      'createGroup',
      (original) => (seen, settings) =>
        original({ ...seen, memory: { ...seen.memory, unanswered: undefined } }, { ...settings, settleMs: 0 }),
    ),
  ),
  tested(
    ['virtualnode/claim-turn.test.ts', 'of 2 pods on as many virtual nodes*'],
    'a pod that asks for a disk on another virtual node is taken for one that waits',
    claimTurn('turnOf', (original) => (each) => (original(each) === 'asks' ? 'waits' : original(each))),
  ),
  tested(
    ['virtualnode/claimed-volumes.test.ts', 'a pod that is held keeps nobody on another virtual node waiting*'],
    'a pod that is held does not say that it asks for no disk',
    claimTurn('wantsClaims', () => () => false),
  ),
  // One instance for a pod.
  tested(
    [PROVIDER, 'of two instances of one pod the one*'],
    'of two instances of one pod both go on',
    deciding('decidePod', (original) => (seen, settings) => original({ ...seen, surplus: [] }, settings)),
  ),
  tested(
    [DECIDE, 'a group is looked for before one is made'],
    'an instance is made for a pod that a process before may have made one for, without a look',
    deciding('decidePod', (original) => (seen, settings) => original(remembering(seen, { isNew: true }), settings)),
  ),
  tested(
    [DECIDE, 'an instance ID that came with the template*'],
    'an instance ID in the annotations of a pod that no node has begun is believed',
    deciding(
      'decidePod',
      (original) => (seen, settings) =>
        original(
          { ...seen, pod: { ...seen.pod, status: { startTime: '2026-01-01T00:00:00Z', ...seen.pod.status } } },
          settings,
        ),
    ),
  ),
  tested(
    [DECIDE, 'the instance of another pod is not ended*'],
    'the instance that the annotation of a pod names is ended with it',
    deciding('decidePod', (original) => (seen, settings) => {
      const createdId = seen.memory.createdId ?? seen.pod.metadata.annotations?.[ECI_INSTANCE_ID];
      return original(remembering(seen, { createdId }), settings);
    }),
  ),
  tested(
    [PROVIDER, 'a pod is not gone while a creation that got no answer*'],
    'the object of a pod goes while a request for it may still make an instance',
    deciding(
      'decidePod',
      (original) => (seen, settings) => original(seen, isGoing(seen) ? { ...settings, settleMs: 0 } : settings),
    ),
  ),
  tested(
    [DECIDE, 'the object of a pod goes only when nothing can be left'],
    'the object of a pod goes by the first reading that does not show its instance',
    deciding(
      'decidePod',
      (original) => (seen, settings) => original(seen, isGoing(seen) ? { ...settings, readLagMs: 0 } : settings),
    ),
  ),
  tested(
    [DECIDE, 'an instance that no reading shows is called gone once*'],
    'an instance is called gone by the first reading that does not show it',
    deciding(
      'decidePod',
      (original) => (seen, settings) => original(seen, { ...settings, missingMs: 0, readLagMs: 0 }),
    ),
  ),
  tested(
    ['virtualnode/troubles.exhaustive.test.ts', 'an instance to be ended: whatever*'],
    'what the cloud refuses to delete is taken for gone',
    endAndLook('endAndLook', (original) => (remove, find) => original(remove, find).catch(() => undefined)),
  ),
  // Spot instances, and pay-as-you-go instances in their place.
  tested(
    [SPOT, 'a spot instance that an unanswered request makes late*'],
    'a pay-as-you-go instance is asked for while a spot instance may still come',
    spotFallback('payAsYouGo', (original) => (seen) => original(seen, 0)),
  ),
  tested(
    [SPOT, 'for no other refusal is anything else asked for*'],
    'a pay-as-you-go instance is asked for whatever the cloud has said of the spot instance',
    podTracker(
      'PodTracker',
      (Original) =>
        class extends Original {
          override refused(...[uid, failure, answer]: Parameters<InstanceType<typeof Original>['refused']>) {
            return super.refused(uid, failure, { ...answer, code: 'OperationDenied.NoStock' });
          }
        },
    ),
  ),
  tested(
    [SPOT, 'where there is no spot instance*'],
    'that no spot instance is asked for any more is not written on the pod',
    spotFallback('payAsYouGo', (original) => (seen, unsureMs) => without(ECI_PAY_AS_YOU_GO, original(seen, unsureMs))),
  ),
  tested(
    [SPOT, 'the mark of another pod*'],
    'a pay-as-you-go instance is asked for by the mark of another pod',
    eciAnnotations('annotated', (original) => (metadata, settings, remarks) => {
      const [uid = ''] = metadata.annotations?.[ECI_PAY_AS_YOU_GO]?.split(' ') ?? [];
      return original({ ...metadata, uid }, settings, remarks);
    }),
  ),
  tested(
    [SPOT, 'a pod that fails when it is refused does so*'],
    'a pod fails for want of a spot instance although it may have another',
    spotFallback('payAsYouGo', () => () => undefined),
  ),
  tested(
    [SPOT, 'an attempt that somebody else has written is made*'],
    'an attempt that somebody else has written is made while the one before may still take effect',
    creation('createGroup', (original) => (seen, settings) => {
      const { unanswered } = seen.memory;
      return original(unanswered ? seen : remembering(seen, { tokenRefusals: undefined }), settings);
    }),
  ),
  tested(
    ['virtualnode/given-up.test.ts', 'a ReplicaSet that makes failed pods anew*'],
    'each pod of a controller asks anew for what the cloud has just refused to the last one',
    ownerPauses(
      'OwnerPauses',
      (Original) =>
        class extends Original {
          override of(): undefined {
            return undefined;
          }
        },
    ),
  ),
  // Disks that one instance may have.
  tested(
    [TURN, 'of 2 pods on as many virtual nodes*late*'],
    'a request is sent on the word of another process that the pod asks for its disk',
    claimTurn(
      'asksByItself',
      () =>
        ({ metadata }) =>
          metadata.annotations?.[CLAIM_TURN]?.startsWith('asks') === true,
    ),
  ),
  tested(
    [TURN, 'of 2 pods on as many virtual nodes*late*'],
    'what a dead process said of the turn of a pod may arrive whenever it likes',
    writeStatus('patchOfPod', (original) => (pod, step) => {
      const { metadata, ...body } = original(pod, step).body;
      const { resourceVersion: _, ...unversioned } = { resourceVersion: undefined, ...metadata };
      return { ...original(pod, step), body: { ...body, metadata: unversioned } };
    }),
  ),
  tested(
    [CLAIMED, 'pods that the process before could not run*'],
    'two pods of one node ask for one disk',
    podTracker(
      'PodTracker',
      (Original) =>
        class extends Original {
          override holderOf(): undefined {
            return undefined;
          }
        },
    ),
  ),
  // Instances that have ended.
  tested(
    [PROVIDER, 'a pod that ends keeps its exit code and its log*'],
    'an instance that has ended is deleted at once, with what it said',
    ended('keepEnded', () => () => undefined),
  ),
  tested(
    [PROVIDER, 'an ended instance whose address the cloud does not give back*'],
    'an instance that has ended is kept although its EIP is paid for',
    ended('keepEnded', () => () => ({ do: 'Done' })),
  ),
  // Instances whose pods are gone.
  tested(
    [ORPHANS, 'where many instances have no pod at once*'],
    'all instances are deleted that have no pod, however many',
    orphanBreaker('breakerOf', () => () => undefined),
  ),
  tested(
    [PROVIDER, 'an instance whose pod vanished while nobody looked*'],
    'an instance without a pod is deleted at first sight',
    orphanPasses(
      'deleteSeenBefore',
      (original) => (ports, orphans, _, signal) =>
        original(ports, orphans, new Set(orphans.map(({ id }) => id)), signal),
    ),
  ),
  // EIPs that are made with an instance.
  tested(
    [DECIDE, 'an instance with an EIP of its own is made only where*'],
    'an instance is made with an EIP of its own while one is being bought for its pod',
    creation('createGroup', (original) => (seen, settings) => original({ ...seen, podEip: null }, settings)),
  ),
  tested(
    [DECIDE, 'an address that came with the instance is told*'],
    'the ID of an EIP is told although the account shows it bound to something else',
    ownEip('isBoundToGroup', () => () => true),
  ),
  tested(
    [EIP, 'an EIP that a forged PodEIP names*'],
    'whatever EIP the PodEIP of a pod names is given to its instance',
    podeip('provesOwnership', () => () => true),
  ),
  tested(
    ['virtualnode/choices.test.ts', 'a policy that was taken away a moment ago*'],
    'an instance gets what a policy has allowed until a moment ago',
    creation('createGroup', (original) => (seen, settings) => {
      const step = original({ ...seen, policy: seen.policy && { ...seen.policy, isFresh: true } }, settings);
      return step.do === 'ReadPolicy' ? { ...step, isFresh: false } : step;
    }),
  ),
  // Objects of others.
  tested(
    ['virtualnode/node.test.ts', 'a machine that has the name of the virtual node*'],
    'a machine that has the name of the virtual node is taken for it',
    nodes('isOurNode', () => () => true),
  ),
  tested(
    ['virtualnode/healing.test.ts', 'with somebody who takes every change back*'],
    'a status that somebody takes back is put right without a pause',
    healing('healInMs', () => () => 0),
  ),
  // Image caches.
  tested(
    ['virtualnode/imagecache/image-cache-crash.test.ts', 'whichever write a process dies at*'],
    'an ImageCache goes while a request for it may still make a cache',
    imageCacheDecision('decideImageCache', (original) => (seen, settings) => {
      const isLeaving = seen.object.metadata.deletionTimestamp !== undefined;
      return original(seen, isLeaving ? { ...settings, settleMs: 0 } : settings);
    }),
  ),
  tested(
    [CACHE_DECISIONS, 'a cache that is not found by its tags*'],
    'an image cache that is not found by its tags is gone',
    imageCacheDecision(
      'decideImageCache',
      (original) => (seen, settings) => original({ ...seen, byIds: [] }, settings),
    ),
  ),
  tested(
    [CACHE_DECISIONS, 'a process that died anywhere*'],
    'an image cache is made for an object that a process before may have made one for, without a look',
    imageCacheDecision(
      'decideImageCache',
      (original) => (seen, settings) => original({ ...seen, caches: seen.caches ?? [] }, settings),
    ),
  ),
  tested(
    [CACHE_DECISIONS, 'a cache that is not found by its tags*'],
    'an image cache is the object’s whatever its tags say',
    imageCacheRequest('ownerOf', () => () => 'ours'),
  ),
  tested(
    [CACHES, 'what another controller has made is left alone*'],
    'an ImageCache of the add-on is taken over',
    imageCacheDecision('decideImageCache', (original) => (seen, settings) => {
      const isClaimed = (seen.object.metadata.finalizers ?? []).length > 0;
      return original(isClaimed ? seen : { ...seen, object: { ...seen.object, status: undefined } }, settings);
    }),
  ),
  tested(
    [CACHES, 'a cache whose object was taken away with its finalizer*'],
    'an image cache without an object is deleted at first sight',
    orphanPasses(
      'deleteSeenBefore',
      (original) => (ports, orphans, _, signal) =>
        original(ports, orphans, new Set(orphans.map(({ id }) => id)), signal),
    ),
  ),
];
