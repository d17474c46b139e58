import type { Clock } from '../lib/clock.ts';
import { currentOwner } from '../lib/on-behalf-of.ts';
import { Turns } from '../lib/turns.ts';
import type { CloudAction } from './api-actions.ts';
import type { FoldableCloud } from './batch.ts';
import type { ContainerGroups } from './container-groups.ts';
import type { ImageCaches } from './image-caches.ts';
import { CloudFault } from './fault.ts';
import { FAULT } from './fault-policy.ts';

/**
 * Calls per minute that an account may make (VPC documentation, "EIP quotas": AllocateEipAddress and
 * AssociateEipAddress 120, DescribeEipAddresses and ReleaseEipAddress 600 per 60 s; API reference,
 * UnassociateEipAddress: 120, AddCommonBandwidthPackageIp: 300 per 60 s; ECI, "Flow control": DescribeContainerGroups
 * and DescribeMultiContainerGroupMetric 2000, DescribeContainerGroupStatus 10000, DescribeContainerLog and
 * ExecContainerCommand 500 per 60 s; of CreateContainerGroup and DeleteContainerGroup one page says 1000 per 60 s and
 * another a bucket of 100 that regains 20 a second: both are kept to, see {@link ACCOUNT_BUCKETS}). For the others none
 * was found: tags, and what leaves a package, begin with the 300 that most changes have ("Flow control" of the VPC
 * API), network interfaces as fast as other reads, and a careful 60 stands for what is seldom called. The cloud says so
 * where that is too fast.
 */
export const ACCOUNT_RATES_PER_MINUTE: Readonly<Record<CloudAction, number>> = {
  AllocateEipAddress: 120,
  AssociateEipAddress: 120,
  DescribeEipAddresses: 600,
  ReleaseEipAddress: 600,
  CreateContainerGroup: 1000,
  DeleteContainerGroup: 1000,
  DescribeContainerGroups: 2000,
  DescribeContainerGroupStatus: 10_000,
  DescribeContainerLog: 500,
  DescribeMultiContainerGroupMetric: 2000,
  ExecContainerCommand: 500,
  CreateImageCache: 60,
  DeleteImageCache: 60,
  DescribeImageCaches: 60,
  UnassociateEipAddress: 120,
  AddCommonBandwidthPackageIp: 300,
  RemoveCommonBandwidthPackageIp: 300,
  TagResources: 300,
  UnTagResources: 300,
  DescribeNetworkInterfaces: 600,
  DescribeCommonBandwidthPackages: 60,
};

/** A bucket: calls at once, and those that it regains in a second. */
interface PublishedBucket {
  readonly burst: number;
  readonly perSecond: number;
}

/** Actions whose bucket is published (ECI, "API throttling"), beside the calls in any minute. */
const ACCOUNT_BUCKETS: Readonly<Partial<Record<CloudAction, PublishedBucket>>> = {
  CreateContainerGroup: { burst: 100, perSecond: 20 },
  DeleteContainerGroup: { burst: 100, perSecond: 20 },
};

/**
 * Actions whose number in any minute is documented. It is used to the full, until the cloud throttles: then somebody
 * else uses the account too.
 */
const DOCUMENTED: ReadonlySet<CloudAction> = new Set([
  'AllocateEipAddress',
  'AssociateEipAddress',
  'UnassociateEipAddress',
  'DescribeEipAddresses',
  'ReleaseEipAddress',
  'CreateContainerGroup',
  'DeleteContainerGroup',
]);
/**
 * A minute of the account, with a second for calls that overtake each other on their way: in no such time are there
 * more calls than the rate, whenever the cloud's minute begins.
 */
const WINDOW_MS = 61_000;
/** The share of a minute's calls that may come at once: beside somebody who is not known yet, half a minute is left. */
const AT_ONCE = 1 / 2;
/** So long after a throttle the calls of a minute are spread over it, as if somebody else used the account too. */
const CAREFUL_MS = 600_000;

/** The slowest that throttling can make an action, as a share of its rate. */
const SLOWEST = 0.05;
/** What an action regains of its rate for every {@link REGAIN_EVERY_MS} without a throttle. */
const REGAIN = 0.05;
const REGAIN_EVERY_MS = 10_000;
/** The share of the rate at which it was throttled up to which it regains so fast; beyond it feels its way. */
const REGAIN_FAST_TO = 0.8;
/** What it regains there. */
const REGAIN_SLOWLY = 0.01;
/** Throttles that come together, from calls that were under way together, count once. */
const SAME_THROTTLE_MS = 1_000;

/** Token buckets with a window over the last minute, one for each action. */
export interface Throttle {
  /**
   * Resolves when the action may be called; rejects with the signal's reason when it aborts before that. Passes at
   * once while the bucket has tokens. Those who wait go in the order of asking, and owners (src/lib/on-behalf-of.ts)
   * take turns: the rate is the account's, and no namespace waits until another one has all that it wants.
   */
  acquire(action: CloudAction, signal?: AbortSignal): Promise<void>;
  /** Sends a call that has had its turn, and counts it until it is answered. */
  send<T>(action: CloudAction, call: () => Promise<T>): Promise<T>;
  /** The cloud throttled the action: empties its bucket, halves its rate, and waits at least `retryAfterMs`. */
  slowDown(action: CloudAction, retryAfterMs?: number): void;
  /** Calls that wait for their turn. */
  waiting(action: CloudAction): number;
  /** The action's present rate as a share of its full one, 0.05–1. */
  pace(action: CloudAction): number;
  /** Calls of the action that could be sent now without a wait. */
  left(action: CloudAction): number;
  /** Calls of the action that have had their turn and are not answered yet. */
  underWay(action: CloudAction): number;
  /** Calls of the action per minute at its full rate: this cluster's share of the account's. */
  perMinute(action: CloudAction): number;
}

/** What is known of a rate. */
interface RateKind {
  /** Whether the number of calls in any minute is documented. */
  readonly isDocumented: boolean;
  /** This cluster's share of the bucket, where one is published. */
  readonly published: PublishedBucket | undefined;
}

interface Waiter {
  readonly resolve: () => void;
  isGone: boolean;
}

class Bucket {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #published: PublishedBucket | undefined;
  /** When the calls of the last {@link WINDOW_MS} passed, oldest first; undefined where only a bucket holds. */
  readonly #passed: number[] | undefined;
  readonly #queue = new Turns<Waiter>(({ isGone }) => !isGone);
  #waiting = 0;
  #tokens: number;
  #filledAt: number;
  #notBefore = Number.NEGATIVE_INFINITY;
  #carefulUntil = Number.NEGATIVE_INFINITY;
  #share = 1;
  /** Above this share it was throttled the last time. */
  #ceiling = 1;
  #slowedAt: number | undefined;
  #regained = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, perMinute: number, { isDocumented, published }: RateKind) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#published = published;
    this.#passed = isDocumented ? [] : undefined;
    this.#filledAt = clock.mono();
    this.#tokens = this.#burst();
  }

  get waiting(): number {
    return this.#waiting;
  }

  pace(): number {
    this.#fill();
    return this.#share;
  }

  left(): number {
    this.#fill();
    if (this.#notBefore > this.#filledAt) return 0;
    return Math.max(0, Math.min(Math.floor(this.#tokens), this.#leftInWindow()));
  }

  acquire(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const leave = () => {
        waiter.isGone = true;
        this.#waiting -= 1;
        reject(signal?.reason as Error);
        this.#pump();
      };
      const waiter: Waiter = {
        resolve: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
        isGone: false,
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#queue.push(currentOwner(), waiter);
      this.#waiting += 1;
      this.#pump();
    });
  }

  slowDown(retryAfterMs: number): void {
    this.#fill();
    const now = this.#clock.mono();
    this.#tokens = 0;
    this.#carefulUntil = now + CAREFUL_MS;
    this.#notBefore = Math.max(this.#notBefore, now + retryAfterMs);
    if (this.#slowedAt === undefined || now - this.#slowedAt >= SAME_THROTTLE_MS) {
      this.#ceiling = Math.max(SLOWEST, this.#share * REGAIN_FAST_TO);
      this.#share = Math.max(SLOWEST, this.#share / 2);
      this.#regained = 0;
      this.#slowedAt = now;
    }
    this.#pump();
  }

  /** Whether the whole rate is used, as it comes. */
  #isFull(): boolean {
    return this.#passed !== undefined && this.#carefulUntil <= this.#filledAt && this.#share === 1;
  }

  /** Calls at once, at the full rate. */
  #burst(): number {
    return Math.max(1, Math.floor(this.#published?.burst ?? this.#perMinute * (this.#isFull() ? AT_ONCE : 1 / 6)));
  }

  /**
   * Calls per millisecond beside those at once, at the full rate. Where no window counts the calls, their sum in a
   * minute is the rate.
   */
  #perMs(): number {
    if (this.#isFull()) return this.#published ? this.#published.perSecond / 1_000 : this.#perMinute / 60_000;
    return Math.max(this.#perMinute - this.#burst(), (this.#perMinute * 5) / 6) / 60_000;
  }

  /** How many calls the present window still has room for. */
  #leftInWindow(): number {
    if (!this.#passed) return Infinity;
    const began = this.#filledAt - WINDOW_MS;
    let gone = 0;
    while (gone < this.#passed.length && this.#passed[gone]! <= began) gone += 1;
    this.#passed.splice(0, gone);
    return Math.max(1, Math.floor(this.#perMinute)) - this.#passed.length;
  }

  /** Adds the tokens since the last look, at the rate of that time, then gives back what the rate has regained. */
  #fill(): void {
    const now = this.#clock.mono();
    this.#tokens = Math.min(
      Math.max(1, this.#burst() * this.#share),
      this.#tokens + (now - this.#filledAt) * this.#perMs() * this.#share,
    );
    this.#filledAt = now;
    if (this.#slowedAt === undefined) return;
    const regained = Math.floor((now - this.#slowedAt) / REGAIN_EVERY_MS);
    for (; this.#regained < regained && this.#share < 1; this.#regained += 1)
      this.#share = Math.min(1, this.#share + (this.#share < this.#ceiling ? REGAIN : REGAIN_SLOWLY));
    this.#regained = regained;
    if (this.#share === 1) this.#slowedAt = undefined;
  }

  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#fill();
    while (this.#notBefore <= this.#filledAt && this.#tokens >= 1 && this.#leftInWindow() > 0) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#waiting -= 1;
      this.#tokens -= 1;
      this.#passed?.push(this.#filledAt);
      next.resolve();
    }
    if (this.#waiting === 0) return;
    const blockedMs = this.#notBefore - this.#filledAt;
    const tokenMs = (1 - this.#tokens) / (this.#perMs() * this.#share);
    const windowMs = this.#leftInWindow() > 0 ? 0 : this.#passed![0]! + WINDOW_MS - this.#filledAt;
    const waitMs = Math.max(1, Math.ceil(Math.max(blockedMs, tokenMs, windowMs)));
    this.#cancelTimer = this.#clock.timer(waitMs, () => this.#pump());
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
  const sent = new Map<CloudAction, number>();
  const underWay = (action: CloudAction): number => sent.get(action) ?? 0;
  const bucket = (action: CloudAction): Bucket => {
    const known = buckets.get(action);
    if (known !== undefined) return known;
    const published = ACCOUNT_BUCKETS[action];
    const fresh = new Bucket(clock, rates[action] * share, {
      isDocumented: DOCUMENTED.has(action),
      published: published && { burst: published.burst * share, perSecond: published.perSecond * share },
    });
    buckets.set(action, fresh);
    return fresh;
  };
  return {
    acquire: (action, signal) => bucket(action).acquire(signal),
    slowDown: (action, retryAfterMs = 0) => bucket(action).slowDown(retryAfterMs),
    waiting: (action) => bucket(action).waiting,
    pace: (action) => bucket(action).pace(),
    left: (action) => bucket(action).left(),
    underWay,
    async send(action, call) {
      sent.set(action, underWay(action) + 1);
      try {
        return await call();
      } finally {
        sent.set(action, underWay(action) - 1);
      }
    },
    perMinute: (action) => rates[action] * share,
  };
};

const turnsOf =
  (throttle: Throttle) =>
  async <T>(action: CloudAction, signal: AbortSignal | undefined, send: () => Promise<T>): Promise<T> => {
    await throttle.acquire(action, signal);
    try {
      return await throttle.send(action, send);
    } catch (error) {
      const isThrottle = error instanceof CloudFault && FAULT[error.kind].retry === 'throttle';
      if (isThrottle) throttle.slowDown(action, error.retryAfterMs);
      throw error;
    }
  };

/**
 * The cloud behind the throttle: each function waits for its turn, and a `throttled` fault slows its action down. The
 * later pages of a list take their turns inside the cloud (see `nextPage` of alicloud/vpc.ts).
 */
export const throttled = (cloud: FoldableCloud, throttle: Throttle): FoldableCloud => {
  const take = turnsOf(throttle);
  return {
    allocateEip: (request, signal) => take('AllocateEipAddress', signal, () => cloud.allocateEip(request, signal)),
    describeEip: (id, signal) => take('DescribeEipAddresses', signal, () => cloud.describeEip(id, signal)),
    describeEips: (ids, signal) => take('DescribeEipAddresses', signal, () => cloud.describeEips(ids, signal)),
    findEips: (tags, signal) => take('DescribeEipAddresses', signal, () => cloud.findEips(tags, signal)),
    listFreeEips: (signal) => take('DescribeEipAddresses', signal, () => cloud.listFreeEips(signal)),
    findEipsByAddress: (ipAddresses, signal) =>
      take('DescribeEipAddresses', signal, () => cloud.findEipsByAddress(ipAddresses, signal)),
    associateEip: (binding, signal) => take('AssociateEipAddress', signal, () => cloud.associateEip(binding, signal)),
    unassociateEip: (binding, signal) =>
      take('UnassociateEipAddress', signal, () => cloud.unassociateEip(binding, signal)),
    releaseEip: (id, signal) => take('ReleaseEipAddress', signal, () => cloud.releaseEip(id, signal)),
    joinBandwidthPackage: (membership, signal) =>
      take('AddCommonBandwidthPackageIp', signal, () => cloud.joinBandwidthPackage(membership, signal)),
    tagEip: (id, tags, signal) => take('TagResources', signal, () => cloud.tagEip(id, tags, signal)),
    untagEip: (id, keys, signal) => take('UnTagResources', signal, () => cloud.untagEip(id, keys, signal)),
    leaveBandwidthPackage: (membership, signal) =>
      take('RemoveCommonBandwidthPackageIp', signal, () => cloud.leaveBandwidthPackage(membership, signal)),
    findBandwidthPackage: (id, signal) =>
      take('DescribeCommonBandwidthPackages', signal, () => cloud.findBandwidthPackage(id, signal)),
    findNetworkInterfaces: (where, signal) =>
      take('DescribeNetworkInterfaces', signal, () => cloud.findNetworkInterfaces(where, signal)),
    findNetworkInterfacesOfMany: (where, signal) =>
      take('DescribeNetworkInterfaces', signal, () => cloud.findNetworkInterfacesOfMany(where, signal)),
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
    describeContainerGroupMetrics: (ids, signal) =>
      take('DescribeMultiContainerGroupMetric', signal, () => groups.describeContainerGroupMetrics(ids, signal)),
    execContainerCommand: (query, signal) =>
      take('ExecContainerCommand', signal, () => groups.execContainerCommand(query, signal)),
  };
};

/** The image caches of the ECI API behind the throttle, as {@link throttled}. */
export const throttledImageCaches = (caches: ImageCaches, throttle: Throttle): ImageCaches => {
  const take = turnsOf(throttle);
  return {
    createImageCache: (spec, signal) => take('CreateImageCache', signal, () => caches.createImageCache(spec, signal)),
    deleteImageCache: (cache, signal) => take('DeleteImageCache', signal, () => caches.deleteImageCache(cache, signal)),
    describeImageCaches: (filter, signal) =>
      take('DescribeImageCaches', signal, () => caches.describeImageCaches(filter, signal)),
  };
};
