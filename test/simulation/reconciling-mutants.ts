import type { Caches } from '../../src/controllers/caches.ts';
import type { Kube } from '../../src/kube/port.ts';
import { mutant, played, type Mutant } from './mutant.ts';
import {
  kube,
  atRest,
  carry,
  controller,
  controllers,
  fence,
  queue,
  reconciling,
  reflector,
  retry,
  status,
  step,
} from './seams.ts';

const cachesOf = new WeakMap<Kube, Caches>();

/** The loop, its reads and its watches, its leader, and what it writes. */
export const reconcilingMutants: readonly Mutant[] = [
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
            ? { ...options, keep: (object) => object as never, mayKeep: undefined }
            : options,
        ),
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
      carry('stateAfter', (original) => (step, seen, acted) => {
        const after = original(step, seen, acted);
        return after && { ...after, eip: seen.eip };
      }),
    ),
    redundant: 'a reading may lag anyway: what was just accepted is not sent again before a reading shows it',
  },
];
