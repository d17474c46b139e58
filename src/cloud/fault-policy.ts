import type { Reason } from '../api/reason.ts';
import type { CloudFaultKind } from './fault.ts';

/** What a kind of fault means for whoever made the call. */
export interface FaultPolicy {
  /**
   * What is known of the effect of the call.
   *
   * - `none`: nothing happened
   * - `possible`: it may have happened, may still happen, or never will
   * - `already`: the wanted state was there before the call
   * - `absent`: the resource does not exist, which is what a release or a deletion wants
   */
  readonly effect: 'none' | 'possible' | 'already' | 'absent';
  /**
   * The client token of the next attempt at the same change. `new`: the answer was final, and with the same token the
   * cloud could repeat it from memory. `same`: an attempt may still be under way, and must not take effect twice.
   */
  readonly token: 'same' | 'new';
  /**
   * When the change is tried again.
   *
   * - `backoff`: later and later, from at once on
   * - `throttle`: when it is the action's turn again, and no earlier than the cloud asks for
   * - `gradual`: seconds apart at first, then minutes: it may pass by itself, or never
   * - `slow`: minutes apart, later and later
   * - `onceFreed`: the same, and at once when an EIP has been given back
   * - `steady`: every minute, because whoever mends it wants to see that it works
   */
  readonly retry: 'backoff' | 'throttle' | 'gradual' | 'slow' | 'onceFreed' | 'steady';
  /** Whether it may be for one resource among those that the call names: each is asked for alone then. */
  readonly mayBlameOneId: boolean;
  /**
   * Whether credentials, RAM permissions or endpoints are wrong, so that all calls of the action fail until they are
   * mended.
   */
  readonly isOfSetup: boolean;
  /** What conditions and Events say where somebody is told. */
  readonly reason: Reason;
  /**
   * Who has to act, and is told at once. `nobody`: it passes by itself, and is told only if it does not; see
   * fault-history.ts. An operator is also called by an alert.
   */
  readonly tell: 'nobody' | 'user' | 'operator';
}

const lasting = { effect: 'none', token: 'new', mayBlameOneId: false, isOfSetup: false } as const;
const passing = { ...lasting, retry: 'backoff', tell: 'nobody' } as const;

/** Everything that is decided by the kind of a fault. */
export const FAULT = {
  again: { ...passing, reason: 'CloudBusy' },
  later: { ...passing, reason: 'CloudBusy' },
  already: { ...passing, effect: 'already', reason: 'CloudBusy' },
  gone: { ...passing, effect: 'absent', token: 'same', mayBlameOneId: true, reason: 'CloudBusy' },
  throttled: { ...passing, retry: 'throttle', reason: 'CloudThrottled' },
  unknown: { ...passing, effect: 'possible', token: 'same', reason: 'CloudUnknown' },
  unrecognized: {
    ...lasting,
    retry: 'gradual',
    mayBlameOneId: true,
    reason: 'CloudUnknownAnswer',
    tell: 'user',
  },
  refused: { ...lasting, retry: 'slow', mayBlameOneId: true, reason: 'CloudRefused', tell: 'user' },
  quota: { ...lasting, retry: 'onceFreed', reason: 'QuotaExceeded', tell: 'operator' },
  misconfigured: { ...lasting, retry: 'steady', isOfSetup: true, reason: 'CloudMisconfigured', tell: 'operator' },
} as const satisfies Record<CloudFaultKind, FaultPolicy>;
