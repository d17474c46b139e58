import { FINALIZER } from '../../src/api/podeip.ts';
import { FAULT } from '../../src/cloud/fault-policy.ts';
import type { Caches } from '../../src/controllers/caches.ts';
import type { Kube } from '../../src/kube/port.ts';
import type { Replacement } from './mutation.ts';
import { tellingMutants } from './telling-mutants.ts';
import {
  podeip,
  kube,
  actions,
  atRest,
  bandwidthPackage,
  bindings,
  binding,
  calls,
  carry,
  competing,
  controller,
  controllers,
  detached,
  fence,
  finalizing,
  locate,
  ownership,
  precedence,
  queue,
  quota,
  reconciling,
  quiet,
  record,
  reflector,
  retry,
  sandboxCloud,
  sending,
  status,
  step,
  token,
  transfer,
  writes,
} from './seams.ts';

/** The product without one of its defences. */
export interface Mutant {
  readonly name: string;
  readonly replacements: readonly Replacement[];
  /** The scenario that is there for it: it is played first, without a crash and then with each. */
  readonly scenario?: string;
  /**
   * The test that notices it, where what is lost shows in no world of the simulation: what people are told, and what
   * the commands of operators say.
   */
  readonly test?: NoticingTest;
  /** Why nobody can notice it, where that is so: another defence does the same work. */
  readonly redundant?: string;
}

/** A test of AVA's. */
export interface NoticingTest {
  /** Below `test`. */
  readonly file: string;
  /** As AVA's `--match` takes it: `*` stands for anything. */
  readonly title: string;
}

const mutant = (name: string, ...replacements: readonly Replacement[]): Mutant => ({ name, replacements });

/** One that shows where what it is for is played. */
const played = (scenario: string, it: Mutant): Mutant => ({ ...it, scenario });

interface Body {
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The same client, but for what it sends to change objects. */
const patching = (client: Kube, change: (body: Body) => Body): Kube => ({
  ...client,
  patch: (resource, ref, patch, signal) =>
    client.patch(resource, ref, { ...patch, body: change(patch.body as Body) }, signal),
});

const randomToken = calls('allocateCall', (original) => {
  let attempts = 0;
  return (cluster, podEip, request, generation) => {
    attempts += 1;
    return original(cluster, podEip, request, generation + 1_000 * attempts);
  };
});

const withoutProof = podeip('provesOwnership', () => () => true);

const cachesOf = new WeakMap<Kube, Caches>();

/**
 * What is imported here is loaded before anything is replaced, so that no module of a mutant may be.
 *
 * Each takes one defence away, and must be noticed. They replace exports as modules are loaded and nothing else: the
 * product has no switch for any of them.
 */
const worldMutants: readonly Mutant[] = [
  mutant(
    'intent after effect: the finalizer comes with the EIP, not before it',
    podeip('finalizersFor', (original) => (request, podEip) => original(podEip ? request : undefined, podEip)),
    // What puts a finalizer back that somebody took off would cover it.
    podeip('hasLostFinalizer', () => () => false),
    writes(
      'recordEip',
      (original) => (client, podEip, record, signal) =>
        original(
          patching(client, (body) => ({ ...body, metadata: { ...body.metadata, finalizers: [FINALIZER] } })),
          podEip,
          record,
          signal,
        ),
    ),
  ),
  played(
    'somebody detaches the EIP of a pod at rest',
    mutant(
      'a list that is not read: whatever says that it is in use is at rest',
      atRest(
        'isAtRest',
        () =>
          ({ podEip }) =>
            podEip.status?.conditions?.some((it) => it.type === 'Ready' && it.status === 'True') ?? false,
      ),
    ),
  ),
  mutant('random token: each attempt has its own', randomToken),
  mutant(
    'random token without adoption: what is tagged is not looked for before buying',
    randomToken,
    podeip('boughtBefore', () => () => ({ kind: 'value', value: undefined })),
  ),
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
    'a pod of an overlay network has no interface',
    mutant(
      'an EIP is bought before it is known that an interface can take it',
      locate('locateInterface', (original) => (it, privateIpAddress) => {
        const { podEip, record } = it;
        return podEip.spec.allocationID === ''
          ? {
              kind: 'value',
              value: { networkInterfaceId: '', privateIpAddress, isPrimary: false, podUid: record.podUid },
            }
          : original(it, privateIpAddress);
      }),
    ),
  ),
  played(
    'a pod names a bandwidth package that does not exist, and then none',
    mutant(
      'an EIP is bought before it is known that its bandwidth package is there',
      bandwidthPackage('packageObstacle', () => () => undefined),
    ),
  ),
  played(
    'pods that are container instances give their EIPs back',
    mutant(
      'the spelling of a binding is not learnt',
      record('asDescribed', () => (binding) => binding),
    ),
  ),
  played(
    'an operator declares the EIP of a pod theirs',
    mutant(
      'an EIP that an operator declared theirs is released',
      podeip('isGivenAway', () => () => false),
    ),
  ),
  played(
    'the finalizer is taken off, and the pod goes at once',
    mutant(
      'a finalizer that was taken off stays off',
      podeip('hasLostFinalizer', () => () => false),
    ),
  ),
  played(
    'a pod ends by itself',
    mutant(
      'a pod that has ended keeps the address in its annotation',
      podeip('toldPodOf', (original) => (it) => {
        const pod = original(it);
        return /^(?:Succeeded|Failed)$/u.test(pod?.status?.phase ?? '') ? undefined : pod;
      }),
    ),
  ),
  played(
    'a pod whose EIP has lost its tags is deleted at once',
    mutant(
      'an EIP whose tags were dropped is not tagged on its way out',
      ownership('tag', () => () => undefined),
    ),
  ),
  {
    ...mutant(
      'a token is used for ever, however often it was refused',
      podeip('isTokenGivenUp', () => () => false),
    ),
    redundant:
      'the third refusal with a token is followed by a pause, and what was refused for a time has a new token after it',
  },
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
    'finalizer first: the PodEIP goes before its EIP',
    finalizing('finalize', (original) => (it) => {
      const next = original(it);
      const isTelling = ['ReadCompetingClaims', 'StandAside', 'Unpublish', 'Done'].includes(next.do);
      return isTelling ? next : { do: 'RemoveFinalizer', podEip: it.podEip, because: 'gone' };
    }),
  ),
  mutant(
    'the EIPs of users are released too',
    podeip('isUsers', (original) => (it) => original(it) && it.podEip.spec.allocationID === ''),
    withoutProof,
  ),
  mutant(
    'not found means gone: another EIP is bought at once',
    podeip('isGone', () => () => ({ kind: 'value', value: true })),
  ),
  mutant(
    'not found means gone: one look is enough on the way out',
    podeip('notReleasedYet', () => () => undefined),
  ),
  mutant(
    'stale reads: decisions are made from the caches',
    controllers('runControllers', (original) => (parts) => {
      cachesOf.set(parts.kube, parts.caches);
      return original(parts);
    }),
    controller('reconcilePodEip', (original) => (ports) => {
      const caches = cachesOf.get(ports.kube);
      const stores = { pods: caches?.pods.store, podeips: caches?.podEips.store };
      return original({
        ...ports,
        kube: {
          ...ports.kube,
          get: async (resource, ref, signal) => {
            const { plural } = resource;
            return plural === 'pods' || plural === 'podeips'
              ? (stores[plural]?.get(`${ref.namespace}/${ref.name}`) as never)
              : ports.kube.get(resource, ref, signal);
          },
        },
      });
    }),
    // The caches keep less than decisions need.
    reflector(
      'createReflector',
      (original) => (options) =>
        original(
          options.resource.plural === 'pods' || options.resource.plural === 'podeips'
            ? { ...options, keep: (object) => object as never }
            : options,
        ),
    ),
  ),
  mutant(
    'blind unbind: Unassociate does not say from what',
    bindings('unassociateParameters', () => (regionId, { allocationId, clientToken }) => ({
      regionId,
      allocationId,
      clientToken,
    })),
  ),
  mutant(
    'no settle window',
    controller(
      'reconcilePodEip',
      (original) => (ports) => original({ ...ports, settings: { ...ports.settings, settleMs: 0 } }),
    ),
  ),
  mutant(
    'no allowance for reads that lag',
    controller(
      'reconcilePodEip',
      (original) => (ports) => original({ ...ports, settings: { ...ports.settings, readLagMs: 0 } }),
    ),
  ),
  mutant(
    'token life 3 s',
    sandboxCloud('createSandboxCloud', (original) => (options) => original({ ...options, tokenLifetimeMs: 3_000 })),
  ),
  mutant(
    'everything is certain: silence means no',
    podeip('mayTakeEffect', () => () => false),
  ),
  {
    ...mutant(
      'a refusal is believed of silence too',
      retry(
        'refusalMs',
        (original) => (kind, action) =>
          FAULT[kind].effect === 'possible' ? [60_000, 600_000] : original(kind, action),
      ),
    ),
    redundant:
      'a new token is used only after the settle window and after a look for what is tagged: by then an attempt that did buy is found',
  },
  mutant(
    'published before it is in use',
    podeip(
      'isServing',
      (original) => (record, eip, podIP) =>
        eip.status !== 'Available' && original(record, { ...eip, status: 'InUse' }, podIP),
    ),
  ),
  mutant(
    'not unpublished before it is taken away',
    podeip('toldPodOf', () => () => undefined),
  ),
  mutant(
    'taken from wherever it is: a binding of others is undone',
    podeip('mayTakeFrom', () => (_, { instanceId = '', privateIpAddress = '' }) => ({
      kind: 'value',
      value: { instanceId, instanceType: 'NetworkInterface', privateIpAddress },
    })),
    podeip('ourBinding', (original) => (record, eip) => {
      const { instanceId: networkInterfaceId = '', privateIpAddress = '' } = eip;
      return original(record, eip) ?? { networkInterfaceId, privateIpAddress, isPrimary: false, podUid: '' };
    }),
  ),
  mutant(
    'recorded after it is bound',
    podeip('isRecorded', () => () => true),
  ),
  mutant(
    'competitors are not looked for',
    podeip('competitorsOf', () => () => ({ kind: 'value', value: [] })),
  ),
  mutant(
    'of two that record an EIP none yields',
    competing('yieldOrWait', () => () => undefined),
  ),
  mutant(
    'an EIP is handed over although the other pod has not given it up',
    competing('yieldOrWait', (original) => (it, asked, allocationId) => {
      const next = original(it, asked, allocationId);
      return next?.do === 'Preempt' || next?.do === 'Wait' ? undefined : next;
    }),
    binding('bind', (original) => (it, eip, takeAway) => {
      const { seen, podEip, record } = it;
      const isAttached = record.bindings.at(-1)?.podUid === record.podUid;
      if (record.request?.kind !== 'existing' || isAttached) return original(it, eip, takeAway);
      return original(it, eip, ({ instanceId: networkInterfaceId = '' }) => {
        const privateIpAddress = seen.pod?.status?.podIP ?? '';
        const its = { networkInterfaceId, privateIpAddress, isPrimary: false, podUid: record.podUid };
        return { do: 'RecordBinding', podEip, binding: its };
      });
    }),
  ),
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
  mutant(
    'the way out does not wait for an EIP that is being bound',
    podeip('isMoving', () => () => false),
  ),
  mutant(
    'an error ends the key: it is not tried again',
    reconciling(
      'runController',
      (original) => (options, stop) =>
        original(
          {
            ...options,
            reconcile: async (key, signal) => {
              try {
                return await options.reconcile(key, signal);
              } catch (error) {
                if (signal.aborted) throw error;
                return 'done';
              }
            },
          },
          stop,
        ),
    ),
  ),
  mutant(
    'a fault of the cloud ends the key',
    retry('requeueAfter', (original) => (fault, refusal, settings) => {
      const again = original(fault, refusal, settings);
      return again === 'backoff' ? { afterMs: 1e9 } : again;
    }),
  ),
  mutant(
    'an expired watch goes on',
    kube('needsList', (original) => (fault, isListing) => fault.kind !== 'expired' && original(fault, isListing)),
  ),
  mutant(
    'a silent watch is waited for',
    reflector('createReflector', (original) => (options) => original({ ...options, idleMs: 9e9 })),
  ),
  mutant(
    'a status is written at every look',
    status('statusPatch', (original) => (before, after) => ({
      ...original(before, after),
      managedBy: after.managedBy,
    })),
  ),
  mutant(
    'what the cloud has said stays in the condition when it says it no more',
    status('statusOf', (original) => (podEip, seen, said, time) => {
      const before = podEip.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
      const isOfCloud = /^[A-Z][A-Za-z]+: \S+ \(HTTP/u.test(before);
      return original(podEip, seen, isOfCloud ? { ...said, message: before } : said, time);
    }),
  ),
  mutant(
    'two leaders: the lease is taken while another holds it',
    kube('isHeldByOther', () => () => false),
  ),
  mutant(
    'no fence: a leader sends although its lease may be over',
    fence('fenced', () => (cloud) => cloud),
    fence('fencedContainerGroups', () => (groups) => groups),
  ),
  mutant(
    'what needs a person is looked at without a pause',
    step('RETRY_MS', () => 1),
    step(
      'fail',
      (original) =>
        (reason, message, ...[ms]) =>
          original(reason, message, ms ?? 1),
    ),
  ),
  mutant(
    'a failure is tried again at once',
    queue('createQueue', (original) => (options) => {
      const it = original(options);
      const retryAtOnce = (key: string): number => {
        it.add(key);
        return 0;
      };
      return { ...it, retry: retryAtOnce };
    }),
  ),
  mutant(
    'an EIP whose successor has it is given up on the word of an old reading',
    transfer('transferState', (original) => (it, successorUid) => {
      const state = original(it, successorUid);
      const isWritten = it.seen.successor?.spec.allocationID === it.podEip.spec.allocationID;
      return state.kind === 'step' && state.step.do === 'Wait' && isWritten
        ? { kind: 'value', value: 'notTransferred' }
        : state;
    }),
  ),
  mutant(
    'an EIP is released although a successor may be taking it',
    transfer('transferState', (original) => (it, successorUid) => {
      const state = original(it, successorUid);
      const isEnding = it.podEip.metadata.deletionTimestamp !== undefined;
      return state.kind === 'step' && isEnding ? { kind: 'value', value: 'notTransferred' } : state;
    }),
  ),
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
    'the limit of a namespace is counted against, and no reservation is written down',
    quota('checkQuota', (original) => (it, request) => {
      const next = original(it, request);
      return next?.do === 'Reserve' && next.reclaimed.length === 0 ? undefined : next;
    }),
  ),
  mutant(
    'a reservation is written down whatever has been written since it was counted',
    actions('runAction', (original) => (action, ports, epoch, signal) => {
      const blind = patching(ports.kube, (body) => ({
        ...body,
        // What is undefined is not sent.
        metadata: { ...body.metadata, resourceVersion: undefined },
      }));
      return original(action, action.do === 'Reserve' ? { ...ports, kube: blind } : ports, epoch, signal);
    }),
  ),
  mutant(
    'the reservation of a PodEIP that has no EIP yet is given to another',
    quota('checkQuota', (original) => (it, request) => {
      const { quota: held } = it.seen;
      const podEips = held?.podEips.filter(({ spec }) => spec.allocationID !== '') ?? [];
      return original({ ...it, seen: { ...it.seen, quota: held && { ...held, podEips } } }, request);
    }),
  ),
  mutant(
    'only the EIPs that are there count, and no reservation before them',
    quota('checkQuota', (original) => (it, request) => {
      const { quota: held } = it.seen;
      if (!held?.usage) return original(it, request);
      const places = held.usage.places?.filter(({ podEipUID }) => podEipUID === it.podEip.metadata.uid);
      const usage = { ...held.usage, places };
      const next = original({ ...it, seen: { ...it.seen, quota: { ...held, usage } } }, request);
      return next?.do === 'Reserve' ? { ...next, usage: held.usage } : next;
    }),
  ),
  played(
    'a pod is replaced and its private address is used again',
    mutant(
      'tokens do not say for which PodEIP a call is made',
      token(
        'withToken',
        (original) =>
          (action, { attempt }, parameters) =>
            original(action, { subject: '', attempt }, parameters),
      ),
    ),
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
  mutant(
    'the gate of the pod that hands its EIP over closes',
    finalizing('finalize', (original) => (it) => {
      const next = original(it);
      return next.do === 'StandAside' ? { do: 'Unpublish', pod: next.pod, isGated: next.isGated } : next;
    }),
  ),
  mutant(
    'an EIP stays with the newest Revision, wherever the requests go',
    precedence(
      'hasPriorityOver',
      (original) => (podEip, pod, competitor) => original(podEip, pod, competitor, () => undefined),
    ),
  ),
  mutant(
    'a pod without an address becomes ready before the one that has it gets the requests',
    podeip(
      'isServed',
      () =>
        ({ pod }) =>
          pod !== null,
    ),
  ),
  mutant(
    'a reading that took long counts as one of the moment when it came',
    quiet('asOfAsking', () => (memory) => memory),
  ),
  {
    ...mutant(
      'what a process before wrote of its quiet counts after something was sent',
      sending('endQuiet', () => () => Promise.resolve(undefined)),
    ),
    redundant:
      'what is sent on the way out only undoes, and names what: one that comes late meets nothing, unless the same address is bound anew within its delay and a note is older than a minute by then',
  },
  played(
    'the quota is exhausted for a while',
    mutant(
      'a new generation of a dead process may arrive after an EIP was bought with the old one',
      sending(
        'endQuiet',
        (original) => (change, ports, signal) => original({ ...change, isPurchase: false }, ports, signal),
      ),
    ),
  ),
  mutant(
    'an EIP is free by any reading that says so after it was detached',
    detached(
      'isSeenDetached',
      () =>
        ({ seen: { eip, memory } }) =>
          eip?.status === 'Available' && memory.accepted === 'Unassociate',
    ),
  ),
  mutant(
    'the answer to a purchase says all, whatever is known of tags',
    ownership(
      'isReadByAnswer',
      () =>
        ({ memory }) =>
          memory.isUntouched === true,
    ),
  ),
  {
    ...mutant(
      'a turn goes on with what the last one has left, whatever the watches show',
      carry('isCurrent', () => () => true),
    ),
    redundant:
      'the next turn comes at once, so that what it goes on from is as old as a slow reading, and each write names the version that it was decided on',
  },
  {
    ...mutant(
      'a reading of the EIP goes on after a change of the cloud',
      carry('stateAfter', (original) => (step, seen, acted, settings) => {
        const after = original(step, seen, acted, settings);
        return after && { ...after, eip: seen.eip };
      }),
    ),
    redundant: 'a reading may lag anyway: what was just accepted is not sent again before a reading shows it',
  },
  mutant(
    'a pod that no request gets to never becomes ready',
    podeip('isIdle', () => () => false),
  ),
];

/** All of them. */
export const mutants: readonly Mutant[] = [...worldMutants, ...tellingMutants];

/** What the mutant of this name replaces: threads are told the name, as functions cannot be sent. */
export const replacementsOf = (name: string): readonly Replacement[] => {
  const found = mutants.find((it) => it.name === name);
  if (!found) throw new Error(`there is no mutant ${name}`);
  return found.replacements;
};
