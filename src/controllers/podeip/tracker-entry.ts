import type { Reason } from '../../api/reason.ts';
import type { Action } from './step.ts';

/** What is remembered of one PodEIP; the tracker alone changes it. */
export interface Entry {
  quietSince: number;
  isCertain: boolean;
  isUntouched: boolean;
  hasSent: boolean;
  foundNothingAt: number | undefined;
  hasWritten: boolean;
  /** Versions of the PodEIP: the one that was read, and the one that its note made of it. */
  noted: { readonly read: string; readonly written: string } | undefined;
  /** What was last said in the log alone. */
  logged: string | undefined;
  /** Since when the cloud shows something else than what the pod was told, and when that was by its PodEIP. */
  drift: { readonly since: number; readonly toldAt: string } | undefined;
  accepted: Action['do'] | undefined;
  /** Unassociate was accepted, and Associate not since. */
  isDetached: boolean;
  released: string | undefined;
  bought: string | undefined;
  purchases: number;
  /** Since when the EIP exists, as far as this process knows: since it was bought, or is known to be written down. */
  existsSince: number;
  /** Answered refusals of AllocateEipAddress with the token in use. */
  tokenRefusals: number;
  noInterfaceSince: number | undefined;
  /** Since when the look-up of the bandwidth package has failed, and when it did last. */
  packageUnseen: { readonly since: number; readonly at: number } | undefined;
  /** The EIP that is bound to nothing, and since when. */
  unused: { readonly allocationId: string; readonly since: number } | undefined;
  /** The EIP that a look has shown in use, and since when; not since before it was bound the last time. */
  inUse: { readonly allocationId: string; readonly since: number } | undefined;
  /** The EIP that was not listed, and since when. */
  missing: { readonly allocationId: string; readonly since: number } | undefined;
  /** Since when it has been seen without a pod, and when that went by what is written down. */
  retained: { readonly since: number; readonly goneSince: number | undefined } | undefined;
  refusal:
    | {
        act: Action['do'];
        reason: Reason;
        message: string;
        topic: string;
        isPassing: boolean;
        dueAt: number;
        isQuota: boolean;
      }
    | undefined;
  /** How often the finalizer was put back, and when last. */
  restores: { readonly times: number; readonly at: number } | undefined;
  refusals: number;
  epoch: number;
}

/**
 * That of a PodEIP of which nothing is known: anything may have been sent until now.
 *
 * @param now monotonic milliseconds
 */
export const newEntry = (now: number): Entry => ({
  quietSince: now,
  isCertain: false,
  isUntouched: false,
  hasSent: false,
  foundNothingAt: undefined,
  hasWritten: false,
  noted: undefined,
  logged: undefined,
  drift: undefined,
  accepted: undefined,
  isDetached: false,
  released: undefined,
  bought: undefined,
  purchases: 0,
  existsSince: now,
  tokenRefusals: 0,
  noInterfaceSince: undefined,
  packageUnseen: undefined,
  unused: undefined,
  inUse: undefined,
  missing: undefined,
  retained: undefined,
  refusal: undefined,
  restores: undefined,
  refusals: 0,
  epoch: 0,
});
