import type { CloudReading } from '../../cloud/readings.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { Account } from './cloud-account.ts';
import { Gateway } from './gateway.ts';
import type { Invocation } from './gateway.ts';
import type { EipRecord } from './eips.ts';
import type { InterfaceRecord } from './interfaces.ts';
import type { FaultRule } from './injected-faults.ts';
import { instantTransitions, realisticTransitions } from './call-latency.ts';
import type { TransitionTimes } from './call-latency.ts';
import type { CloudChange } from './ledger.ts';
import type { ContainerGroupRecord, ImageCacheRecord } from './records.ts';
import type { Credential } from './signature.ts';
import { documentedLimits } from './api-throttle.ts';
import type { CloudRequest, CloudResponse } from './rpc-wire.ts';
import { CloudWorld } from './world.ts';

/** How the embedded cloud behaves. Durations in milliseconds. */
export interface CloudOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The one region that there is; others are refused. @default 'cn-hangzhou' */
  readonly regionId?: string;
  /** Access keys that the gateway knows. @default {@link sandboxCredential} */
  readonly credentials?: readonly Credential[];
  /** Calls per minute by action. @default the documented ones, see throttle.ts */
  readonly limits?: Readonly<Record<string, number>>;
  /** How many EIPs the account may have. @default 20 (EIP, "Limits and quotas") */
  readonly quota?: number;
  /** Line types beyond BGP and BGP_PRO, which the real account must be whitelisted for. @default none */
  readonly whitelistedIsps?: readonly string[];
  /**
   * `none`: answers, transitions and reads take no time at all. `realistic`: answers take tenths of seconds,
   * transitions seconds, and reads lag up to a second. A scale makes the answers slower or faster than that.
   * @default 'none'
   */
  readonly latency?: 'none' | 'realistic' | { readonly scale: number };
  /** How long Associating, Unassociating and the bandwidth package's states last. @default as `latency` says */
  readonly transitions?: Partial<TransitionTimes>;
  /**
   * Describe shows the EIPs as they were up to `maxMs` ago. Not monotonic: as if two replicas with different lags
   * answered in turn, a later read may show an older state. @default as `latency` or the reading `readLag` says
   */
  readonly readLag?: { readonly maxMs: number; readonly monotonic?: boolean };
  /** What the cloud is like where the documentation leaves it open; see docs/cloud-readings.md. @default none */
  readonly readings?: readonly CloudReading[];
  /** How long a ClientToken is remembered after success. The real time is not documented. @default 600000 */
  readonly tokenLifetimeMs?: number;
}

/** The access key that the embedded cloud accepts unless it is told otherwise. */
export const sandboxCredential: Credential = {
  accessKeyId: 'sandbox-access-key',
  accessKeySecret: 'sandbox-access-key-secret',
};

/**
 * Alibaba Cloud in a box: the RPC APIs of VPC, ECS and ECI, as far as EIPs for pods need them. One account, one region.
 * It has no sockets, timers or globals of its own: with a virtual clock and a seeded random it is deterministic.
 */
export interface EmbeddedCloud {
  /** The clock that it runs on, for transports that need time-outs. */
  readonly clock: Clock;
  /** Answers one signed HTTP request. Rejects with ConnectionDropped where the connection ends without an answer. */
  handle(request: CloudRequest): Promise<CloudResponse>;
  /** Answers one call that needs no signature; otherwise like `handle`. */
  invoke(invocation: Invocation): Promise<CloudResponse>;
  /** What surrounds the API: network interfaces, other people's EIPs, humans. */
  readonly world: CloudWorld;
  /** Makes calls go wrong; returns the function that ends it. */
  inject(rule: FaultRule): () => void;
  /** Every EIP alive, oldest first. */
  eips(): readonly EipRecord[];
  /** Every network interface. */
  interfaces(): readonly InterfaceRecord[];
  /** Every container group that Describe shows, oldest first. */
  containerGroups(): readonly ContainerGroupRecord[];
  /** Every image cache, oldest first. */
  imageCaches(): readonly ImageCacheRecord[];
  /** Every change that took effect, in order; the latest 100,000 at least. */
  ledger(): readonly CloudChange[];
  /** How often each action was called, by outcome as the caller saw it: `OK`, an error code, `Dropped`, `Garbage`. */
  calls(): Readonly<Record<string, Readonly<Record<string, number>>>>;
  setQuota(eips: number): void;
  /** Calls per minute of an action; `undefined` lifts the limit. */
  setLimits(action: string, perMinute: number | undefined): void;
}

/** The reading `readLag`: as far as the product reckons with (READ_LAG_MS of src/manager/controllers.ts). */
const LAGGING = { maxMs: 3_000, monotonic: false };

const scaleOf = (latency: CloudOptions['latency']): number =>
  typeof latency === 'object' ? latency.scale : latency === 'realistic' ? 1 : 0;

/** @throws RangeError for readings that exclude each other */
export const createSandboxCloud = (options: CloudOptions): EmbeddedCloud => {
  const { clock, random } = options;
  const scale = scaleOf(options.latency);
  const readings = new Set(options.readings);
  if (readings.has('noInterface') && readings.has('prefixMode'))
    throw new RangeError(
      "noInterface and prefixMode exclude each other: an address is an overlay network's or of a prefix.",
    );
  const account = new Account(
    {
      readings,
      regionId: options.regionId ?? 'cn-hangzhou',
      quota: options.quota ?? 20,
      whitelistedIsps: options.whitelistedIsps ?? [],
      transitions: { ...(scale > 0 ? realisticTransitions : instantTransitions), ...options.transitions },
      readLag: {
        monotonic: true,
        ...(options.readLag ?? (readings.has('readLag') ? LAGGING : { maxMs: scale > 0 ? 1000 : 0 })),
      },
    },
    clock,
    random,
  );
  const gateway = new Gateway(account, clock, {
    credentials: options.credentials ?? [sandboxCredential],
    limits: options.limits ?? documentedLimits,
    tokenLifetimeMs: options.tokenLifetimeMs ?? 600_000,
    tokensRememberRefusals: readings.has('tokensRememberRefusals'),
    scale,
  });
  return {
    clock,
    world: new CloudWorld(account),
    handle: (request) => gateway.handle(request),
    invoke: (invocation) => gateway.invoke(invocation),
    inject: (rule) => gateway.faults.inject(rule),
    eips: () => {
      account.catchUp();
      return [...account.eips.all()];
    },
    interfaces: () => {
      account.catchUp();
      return [...account.interfaces.all()];
    },
    containerGroups: () => {
      account.catchUp();
      return [...account.containerGroups.values()];
    },
    imageCaches: () => {
      account.catchUp();
      return [...account.imageCaches.values()];
    },
    ledger: () => {
      account.catchUp();
      return account.ledger.changes();
    },
    calls: () => account.ledger.calls(),
    setQuota: (eips) => {
      account.quota = eips;
    },
    setLimits: (action, perMinute) => gateway.throttle.set(action, perMinute),
  };
};
