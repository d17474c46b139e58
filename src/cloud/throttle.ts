import type { Clock } from '../lib/clock.ts';
import type { CloudAction } from './api-actions.ts';
import type { FoldableCloud } from './batch.ts';
import type { ContainerGroups } from './container-groups.ts';
import { CloudFault } from './fault.ts';
import { FAULT } from './fault-policy.ts';

/**
 * Calls per minute that an account may make (VPC documentation, "EIP quotas": AllocateEipAddress and
 * AssociateEipAddress 120, DescribeEipAddresses and ReleaseEipAddress 600 per 60 s; API reference,
 * UnassociateEipAddress: 120 per 60 s; ECI, "API throttling": DescribeContainerGroups 2000,
 * DescribeContainerGroupStatus 10000, DescribeContainerLog 500 per 60 s; CreateContainerGroup and DeleteContainerGroup
 * have a bucket of 100 that regains 20 a second, see {@link ACCOUNT_BURSTS}). No figure is published for the others: a
 * careful 60 stands for those that change something. The look-up of network interfaces, which every pod needs, begins
 * as fast as the other reads; if that is too fast, the cloud says so and it slows down.
 */
export const ACCOUNT_RATES_PER_MINUTE: Readonly<Record<CloudAction, number>> = {
  AllocateEipAddress: 120,
  AssociateEipAddress: 120,
  DescribeEipAddresses: 600,
  ReleaseEipAddress: 600,
  CreateContainerGroup: 1200,
  DeleteContainerGroup: 1200,
  DescribeContainerGroups: 2000,
  DescribeContainerGroupStatus: 10_000,
  DescribeContainerLog: 500,
  UnassociateEipAddress: 120,
  AddCommonBandwidthPackageIp: 60,
  RemoveCommonBandwidthPackageIp: 60,
  TagResources: 60,
  DescribeNetworkInterfaces: 600,
};

/**
 * Actions whose bucket is published (ECI, "API throttling"): so many calls at once, and beside them the whole rate.
 * Elsewhere only a number of calls in any minute is known.
 */
const ACCOUNT_BURSTS: Readonly<Partial<Record<CloudAction, number>>> = {
  CreateContainerGroup: 100,
  DeleteContainerGroup: 100,
};

/** The slowest that throttling can make an action, as a share of its rate. */
const SLOWEST = 0.05;
/** What an action regains of its rate for every {@link REGAIN_EVERY_MS} without a throttle. */
const REGAIN = 0.05;
const REGAIN_EVERY_MS = 10_000;
/** Throttles that come together, from calls that were under way together, count once. */
const SAME_THROTTLE_MS = 1_000;

/** Token buckets, one for each action. */
export interface Throttle {
  /**
   * Resolves when the action may be called, in the order of asking; rejects with the signal's reason when it aborts
   * before that. Passes at once while the bucket has tokens.
   */
  acquire(action: CloudAction, signal?: AbortSignal): Promise<void>;
  /** The cloud throttled the action: empties its bucket, halves its rate, and waits at least `retryAfterMs`. */
  slowDown(action: CloudAction, retryAfterMs?: number): void;
  /** Calls that wait for their turn. */
  waiting(action: CloudAction): number;
  /** The action's present rate as a share of its full one, 0.05–1. */
  pace(action: CloudAction): number;
  /** Calls of the action that could be sent now without a wait. */
  left(action: CloudAction): number;
  /** Calls of the action per minute at its full rate: this cluster's share of the account's. */
  perMinute(action: CloudAction): number;
}

interface Waiter {
  readonly resolve: () => void;
}

class Bucket {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #perMs: number;
  readonly #queue: Waiter[] = [];
  #tokens: number;
  #filledAt: number;
  #notBefore = Number.NEGATIVE_INFINITY;
  #share = 1;
  #slowedAt: number | undefined;
  #regained = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, perMinute: number, burst?: number) {
    this.#clock = clock;
    if (burst !== undefined) {
      this.#burst = Math.max(1, Math.floor(burst));
      this.#perMs = perMinute / 60_000;
      this.#tokens = this.#burst;
      this.#filledAt = clock.mono();
      return;
    }
    // A sixth of the minute's calls at once, the rest spread over it: their sum is the rate, in any minute.
    this.#burst = Math.max(1, Math.floor(perMinute / 6));
    this.#perMs = Math.max(perMinute - this.#burst, (perMinute * 5) / 6) / 60_000;
    this.#tokens = this.#burst;
    this.#filledAt = clock.mono();
  }

  get waiting(): number {
    return this.#queue.length;
  }

  pace(): number {
    this.#fill();
    return this.#share;
  }

  left(): number {
    this.#fill();
    return this.#notBefore <= this.#filledAt ? Math.floor(this.#tokens) : 0;
  }

  acquire(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(signal?.reason as Error);
        this.#pump();
      };
      const waiter: Waiter = {
        resolve: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#queue.push(waiter);
      this.#pump();
    });
  }

  slowDown(retryAfterMs: number): void {
    this.#fill();
    const now = this.#clock.mono();
    this.#tokens = 0;
    this.#notBefore = Math.max(this.#notBefore, now + retryAfterMs);
    if (this.#slowedAt === undefined || now - this.#slowedAt >= SAME_THROTTLE_MS) {
      this.#share = Math.max(SLOWEST, this.#share / 2);
      this.#regained = 0;
      this.#slowedAt = now;
    }
    this.#pump();
  }

  /** Adds the tokens since the last look, at the rate of that time, then gives back what the rate has regained. */
  #fill(): void {
    const now = this.#clock.mono();
    this.#tokens = Math.min(
      Math.max(1, this.#burst * this.#share),
      this.#tokens + (now - this.#filledAt) * this.#perMs * this.#share,
    );
    this.#filledAt = now;
    if (this.#slowedAt === undefined) return;
    const regained = Math.floor((now - this.#slowedAt) / REGAIN_EVERY_MS);
    this.#share = Math.min(1, this.#share + REGAIN * (regained - this.#regained));
    this.#regained = regained;
    if (this.#share === 1) this.#slowedAt = undefined;
  }

  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#fill();
    while (this.#notBefore <= this.#filledAt && this.#tokens >= 1) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#tokens -= 1;
      next.resolve();
    }
    if (this.#queue.length === 0) return;
    const blockedMs = this.#notBefore - this.#filledAt;
    const tokenMs = (1 - this.#tokens) / (this.#perMs * this.#share);
    this.#cancelTimer = this.#clock.timer(Math.max(1, Math.ceil(Math.max(blockedMs, tokenMs))), () => this.#pump());
  }
}

/**
 * A throttle over the account's rates. `share` is this cluster's part of them, above 0 and at most 1: the rates belong
 * to the account, and other clusters and people use them too.
 */
export const createThrottle = (
  clock: Clock,
  share = 1,
  rates: Readonly<Record<CloudAction, number>> = ACCOUNT_RATES_PER_MINUTE,
): Throttle => {
  if (!(share > 0 && share <= 1))
    throw new RangeError(`the share of the API rates is ${share}; it must be above 0, at most 1`);
  const buckets = new Map<CloudAction, Bucket>();
  const bucket = (action: CloudAction): Bucket => {
    const known = buckets.get(action);
    if (known !== undefined) return known;
    const burst = ACCOUNT_BURSTS[action];
    const fresh = new Bucket(clock, rates[action] * share, burst === undefined ? undefined : burst * share);
    buckets.set(action, fresh);
    return fresh;
  };
  return {
    acquire: (action, signal) => bucket(action).acquire(signal),
    slowDown: (action, retryAfterMs = 0) => bucket(action).slowDown(retryAfterMs),
    waiting: (action) => bucket(action).waiting,
    pace: (action) => bucket(action).pace(),
    left: (action) => bucket(action).left(),
    perMinute: (action) => rates[action] * share,
  };
};

const turnsOf =
  (throttle: Throttle) =>
  async <T>(action: CloudAction, signal: AbortSignal | undefined, send: () => Promise<T>): Promise<T> => {
    await throttle.acquire(action, signal);
    try {
      return await send();
    } catch (error) {
      const isThrottle = error instanceof CloudFault && FAULT[error.kind].retry === 'throttle';
      if (isThrottle) throttle.slowDown(action, error.retryAfterMs);
      throw error;
    }
  };

/**
 * The cloud behind the throttle: each function waits for its turn, and a `throttled` fault slows its action down. The
 * later pages of a list take their turns inside the cloud (see `nextPage` of alicloud/cloud.ts).
 */
export const throttled = (cloud: FoldableCloud, throttle: Throttle): FoldableCloud => {
  const take = turnsOf(throttle);
  return {
    allocateEip: (request, signal) => take('AllocateEipAddress', signal, () => cloud.allocateEip(request, signal)),
    describeEip: (id, signal) => take('DescribeEipAddresses', signal, () => cloud.describeEip(id, signal)),
    describeEips: (ids, signal) => take('DescribeEipAddresses', signal, () => cloud.describeEips(ids, signal)),
    findEips: (tags, signal) => take('DescribeEipAddresses', signal, () => cloud.findEips(tags, signal)),
    findEipByAddress: (ipAddress, signal) =>
      take('DescribeEipAddresses', signal, () => cloud.findEipByAddress(ipAddress, signal)),
    associateEip: (binding, signal) => take('AssociateEipAddress', signal, () => cloud.associateEip(binding, signal)),
    unassociateEip: (binding, signal) =>
      take('UnassociateEipAddress', signal, () => cloud.unassociateEip(binding, signal)),
    releaseEip: (id, signal) => take('ReleaseEipAddress', signal, () => cloud.releaseEip(id, signal)),
    joinBandwidthPackage: (membership, signal) =>
      take('AddCommonBandwidthPackageIp', signal, () => cloud.joinBandwidthPackage(membership, signal)),
    tagEip: (id, tags, signal) => take('TagResources', signal, () => cloud.tagEip(id, tags, signal)),
    leaveBandwidthPackage: (membership, signal) =>
      take('RemoveCommonBandwidthPackageIp', signal, () => cloud.leaveBandwidthPackage(membership, signal)),
    findNetworkInterfaces: (where, signal) =>
      take('DescribeNetworkInterfaces', signal, () => cloud.findNetworkInterfaces(where, signal)),
    networkInterfacesOf: (id, signal) =>
      take('DescribeNetworkInterfaces', signal, () => cloud.networkInterfacesOf(id, signal)),
  };
};

/** The ECI API behind the throttle, as {@link throttled}. */
export const throttledContainerGroups = (groups: ContainerGroups, throttle: Throttle): ContainerGroups => {
  const take = turnsOf(throttle);
  return {
    createContainerGroup: (spec, signal) =>
      take('CreateContainerGroup', signal, () => groups.createContainerGroup(spec, signal)),
    deleteContainerGroup: (group, signal) =>
      take('DeleteContainerGroup', signal, () => groups.deleteContainerGroup(group, signal)),
    describeContainerGroups: (filter, signal) =>
      take('DescribeContainerGroups', signal, () => groups.describeContainerGroups(filter, signal)),
    describeContainerGroupStatus: (filter, signal) =>
      take('DescribeContainerGroupStatus', signal, () => groups.describeContainerGroupStatus(filter, signal)),
    describeContainerLog: (query, signal) =>
      take('DescribeContainerLog', signal, () => groups.describeContainerLog(query, signal)),
  };
};
