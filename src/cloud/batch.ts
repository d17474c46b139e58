import type { Clock } from '../lib/clock.ts';
import { onBehalfOfMany } from '../lib/on-behalf-of.ts';
import { CloudFault } from './fault.ts';
import { FAULT } from './fault-policy.ts';
import type { Cloud, Eip } from './port.ts';

/** DescribeEipAddresses takes at most 50 IDs (alibabacloud-go/vpc-20160428, DescribeEipAddressesRequest). */
export const LARGEST_BATCH = 50;

/**
 * How long the first describe waits for company, milliseconds: short beside a call, long beside a queue's turn. One
 * that comes after such a time without any is probably alone, and goes with those that ask in the same moment.
 */
const BATCH_WINDOW_MS = 20;

/**
 * The same where many describes have been sent lately: a call that has to wait for its turn anyway takes along whoever
 * comes meanwhile.
 */
const windowMs = ({ left, perMinute }: DescribeCalls): number => {
  const share = left('DescribeEipAddresses') / perMinute('DescribeEipAddresses');
  if (share >= 0.3) return BATCH_WINDOW_MS;
  return share >= 0.1 ? 100 : 250;
};

/** What is known of the account's calls: see throttle.ts. */
interface DescribeCalls {
  readonly left: (action: 'DescribeEipAddresses') => number;
  readonly perMinute: (action: 'DescribeEipAddresses') => number;
}

/** A cloud that can describe several EIPs in one call. An ID that the answer does not list is not in the map. */
export interface FoldableCloud extends Cloud {
  describeEips(allocationIds: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, Eip>>;
}

interface Waiter {
  readonly resolve: (eip: Eip | undefined) => void;
  readonly reject: (reason: unknown) => void;
}

interface Batch {
  readonly waiters: Map<string, Set<Waiter>>;
  readonly abort: AbortController;
  readonly cancelTimer: () => void;
}

/** What an ID may be made of; anything else travels alone, so that it cannot spoil the list of the others. */
const PLAIN_ID = /^[\w-]{1,128}$/u;

/** Codes of an answer that makes no sense as a whole, perhaps because of one EIP in it. */
const SPOILT = new Set(['UnreadableAnswer', 'InconsistentPages']);

/** So many IDs of a spoilt answer are asked for alone. If all of theirs are spoilt too, it is not for one EIP. */
const PROBES = 3;

const isSpoilt = (error: unknown): error is CloudFault => error instanceof CloudFault && SPOILT.has(error.code);

/** The same fault with the EIP in its message. */
const about = (id: string, { kind, action, code, status, requestId, retryAfterMs, message }: CloudFault): CloudFault =>
  new CloudFault({ kind, action, code, status, requestId, retryAfterMs, message: `${id}: ${message}` });

const settle = (waiters: ReadonlySet<Waiter> | undefined, tell: (waiter: Waiter) => void) => {
  for (const waiter of waiters ?? []) tell(waiter);
};

/**
 * Folds describes of single EIPs that come within {@link BATCH_WINDOW_MS}, or together, into one call of at most
 * {@link LARGEST_BATCH} IDs. A fault goes to everybody who waits for the call, but one that blames the request sends
 * each ID again alone, so that one bad ID does not hide the others. So does an answer that cannot be read; the EIP that
 * spoilt it travels alone from then on, until it can be read: otherwise every EIP would be asked for alone each time. A
 * caller that aborts does not disturb the others; a call that is not sent yet is dropped once all callers have aborted.
 */
export const batched = (cloud: FoldableCloud, clock: Clock, calls?: DescribeCalls): Cloud => {
  let open: Batch | undefined;
  let lastAskedAt = Number.NEGATIVE_INFINITY;
  /** EIPs whose answer, alone, could not be read the last time. */
  const spoilers = new Set<string>();

  const describeAlone = async (id: string, signal?: AbortSignal): Promise<Eip | undefined> => {
    try {
      const eip = await cloud.describeEip(id, signal);
      spoilers.delete(id);
      return eip;
    } catch (error) {
      if (!isSpoilt(error)) throw error;
      spoilers.add(id);
      throw about(id, error);
    }
  };

  /** Asks for each ID alone and answers its waiters. Resolves to whether none of the answers could be read. */
  const sendAlone = async (batch: Batch, ids: readonly string[]): Promise<boolean> => {
    const areSpoilt = await Promise.all(
      ids.map((id) =>
        describeAlone(id, batch.abort.signal).then(
          (eip) => {
            settle(batch.waiters.get(id), (waiter) => waiter.resolve(eip));
            return false;
          },
          (fault: unknown) => {
            settle(batch.waiters.get(id), (waiter) => waiter.reject(fault));
            return isSpoilt(fault);
          },
        ),
      ),
    );
    return areSpoilt.every((is) => is);
  };

  const send = async (batch: Batch): Promise<void> => {
    const ids = [...batch.waiters.keys()];
    try {
      const eips = await cloud.describeEips(ids, batch.abort.signal);
      for (const id of ids) settle(batch.waiters.get(id), (waiter) => waiter.resolve(eips.get(id)));
    } catch (error) {
      let unanswered: readonly string[] = ids;
      if (ids.length > 1 && error instanceof CloudFault && FAULT[error.kind].mayBlameOneId) {
        await sendAlone(batch, ids);
        return;
      }
      if (ids.length > 1 && isSpoilt(error)) {
        unanswered = ids.slice(PROBES);
        if (!(await sendAlone(batch, ids.slice(0, PROBES)))) {
          await sendAlone(batch, unanswered);
          return;
        }
      }
      for (const id of unanswered)
        settle(batch.waiters.get(id), (waiter) =>
          waiter.reject(ids.length === 1 && isSpoilt(error) ? about(id, error) : error),
        );
    }
  };

  const close = (batch: Batch) => {
    batch.cancelTimer();
    if (open === batch) open = undefined;
  };

  const flush = (batch: Batch) => {
    close(batch);
    // Who opened it may have much that waits; who joined it has not.
    void onBehalfOfMany(() => send(batch));
  };

  const join = (): Batch => {
    const isQuiet = clock.mono() - lastAskedAt >= BATCH_WINDOW_MS;
    lastAskedAt = clock.mono();
    if (open !== undefined) return open;
    const batch: Batch = {
      waiters: new Map(),
      abort: new AbortController(),
      cancelTimer: clock.timer(isQuiet ? 0 : calls ? windowMs(calls) : BATCH_WINDOW_MS, () => flush(batch)),
    };
    open = batch;
    return batch;
  };

  const describeEip = (id: string, signal?: AbortSignal): Promise<Eip | undefined> => {
    if (!PLAIN_ID.test(id)) return cloud.describeEip(id, signal);
    if (spoilers.has(id)) return describeAlone(id, signal);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const batch = join();
      const leave = () => {
        const sameId = batch.waiters.get(id);
        sameId?.delete(waiter);
        if (sameId?.size === 0) batch.waiters.delete(id);
        reject(signal?.reason as Error);
        if (batch.waiters.size > 0) return;
        close(batch);
        batch.abort.abort(signal?.reason);
      };
      const done = () => signal?.removeEventListener('abort', leave);
      const waiter: Waiter = {
        resolve: (eip) => {
          done();
          resolve(eip);
        },
        reject: (reason) => {
          done();
          reject(reason);
        },
      };
      const sameId = batch.waiters.get(id);
      if (sameId === undefined) batch.waiters.set(id, new Set([waiter]));
      else sameId.add(waiter);
      signal?.addEventListener('abort', leave, { once: true });
      if (batch.waiters.size >= LARGEST_BATCH) flush(batch);
    });
  };

  return {
    describeEip,
    allocateEip: (request, signal) => cloud.allocateEip(request, signal),
    findEips: (tags, signal) => cloud.findEips(tags, signal),
    listFreeEips: (signal) => cloud.listFreeEips(signal),
    findEipsByAddress: (ipAddresses, signal) => cloud.findEipsByAddress(ipAddresses, signal),
    associateEip: (binding, signal) => cloud.associateEip(binding, signal),
    unassociateEip: (binding, signal) => cloud.unassociateEip(binding, signal),
    releaseEip: (id, signal) => cloud.releaseEip(id, signal),
    joinBandwidthPackage: (membership, signal) => cloud.joinBandwidthPackage(membership, signal),
    tagEip: (id, tags, signal) => cloud.tagEip(id, tags, signal),
    untagEip: (id, keys, signal) => cloud.untagEip(id, keys, signal),
    leaveBandwidthPackage: (membership, signal) => cloud.leaveBandwidthPackage(membership, signal),
    findBandwidthPackage: (id, signal) => cloud.findBandwidthPackage(id, signal),
    findNetworkInterfaces: (where, signal) => cloud.findNetworkInterfaces(where, signal),
    findNetworkInterfacesOfMany: (where, signal) => cloud.findNetworkInterfacesOfMany(where, signal),
    networkInterfacesOf: (id, signal) => cloud.networkInterfacesOf(id, signal),
  };
};
