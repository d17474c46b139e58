import { sentence, type Finding } from '../api/finding.ts';
import { GOES_ON, UNRESTRICTED, overLimits, type EffectivePolicy } from './policy.ts';
import type { NewEip } from '../request/request.ts';

/**
 * What a namespace may buy where no EipPolicy says anything. Nothing is written down for it, unlike places under a
 * policy: it keeps one namespace from the money and the quota of all, and a new leader counts anew.
 */
export interface NamespaceLimits {
  /** EIPs that are bought for its pods and held at once; undefined: any number. */
  readonly eips?: number | undefined;
  /** Purchases, counted over {@link PURCHASES_MS}; undefined: any number. */
  readonly purchasesPerMinute?: number | undefined;
  /** EIPs that the account may have, where the operator has written that; undefined: nobody has. */
  readonly accountQuota?: number | undefined;
}

/** Over which time purchases are counted, milliseconds: a rollout may need as many at once as come in ten minutes. */
export const PURCHASES_MS = 600_000;

/** So many pods of one name may get a bought EIP in that time, where purchases are limited at all. */
const MOST_OF_ONE_NAME = 6;

/** Above this part of the account's quota, who has more than his share leaves the rest to others. */
const NEARLY_FULL = 0.9;

/** How long a pod waits whose namespace holds or buys too much; milliseconds. Then it is behind what just happened. */
const LOOK_AGAIN_MS = 60_000;

/** What is known of the purchases of a namespace. */
export interface Purchases {
  /** EIPs that were bought for its pods and are held. */
  readonly held: number;
  /** How long ago each of its purchases of the last ten minutes was, milliseconds; the oldest first. */
  readonly agesMs: readonly number[];
  /** The same for pods of this name. */
  readonly agesOfNameMs: readonly number[];
  /** EIPs of the account, whoever has them; undefined if nobody has counted them. */
  readonly inAccount?: number | undefined;
  /** Namespaces that hold EIPs which were bought, with this one. */
  readonly namespaces: number;
}

/** Why nothing is bought now, and for how long. */
export interface PurchaseRefusal {
  readonly reason: 'QuotaOfNamespaceExceeded' | 'PurchasesLimited';
  readonly message: string;
  readonly ms: number;
}

/** Where these limits are kept, for a message. */
const KEPT_IN = 'namespaceLimits.purchasesPerMinute of the configuration';

/**
 * Why the namespace may not buy one more EIP now; undefined if it may. What an EipPolicy says about the number of EIPs
 * goes before the default, in both directions.
 */
export const refusePurchase = (
  limits: NamespaceLimits,
  bought: Purchases,
  { policy = UNRESTRICTED, request }: { readonly policy?: EffectivePolicy | undefined; readonly request: NewEip },
): PurchaseRefusal | undefined =>
  overDefault(limits, bought, policy, request) ?? overShare(limits, bought) ?? tooOften(limits, bought);

const overDefault = (
  limits: NamespaceLimits,
  { held }: Purchases,
  policy: EffectivePolicy,
  request: NewEip,
): PurchaseRefusal | undefined => {
  const over = overDefaultLimit(limits.eips, policy, { held, request });
  return over && { reason: 'QuotaOfNamespaceExceeded', message: sentence(over), ms: LOOK_AGAIN_MS };
};

/**
 * The finding about more EIPs than a namespace without a limit of a policy may hold; undefined if they
 * are not more.
 */
export const overDefaultLimit = (
  eips: number | undefined,
  { limits }: EffectivePolicy,
  { held, request, pods = 1 }: { readonly held?: number | undefined; readonly request: NewEip; readonly pods?: number },
): Finding | undefined =>
  limits.eips === undefined && eips !== undefined
    ? overLimits(
        { names: [], limits: { eips }, defaults: {} },
        held === undefined ? undefined : { eips: held, bandwidthMbps: 0 },
        request,
        pods,
      )
    : undefined;

const overShare = (
  { accountQuota }: NamespaceLimits,
  { held, inAccount, namespaces }: Purchases,
): PurchaseRefusal | undefined => {
  if (accountQuota === undefined || inAccount === undefined || inAccount < accountQuota * NEARLY_FULL) return undefined;
  const share = Math.floor(accountQuota / Math.max(1, namespaces));
  if (held < share) return undefined;
  const problem = `the account has ${inAccount} of its ${accountQuota} EIPs, and what is left is for namespaces that hold less than ${share}, their share; this one holds ${held}`;
  const remedy = `${GOES_ON} EIPs are given back; run fewer pods with EIPs, or ask an operator to have the quota raised and to write it into cloud.eipQuota`;
  return { reason: 'QuotaOfNamespaceExceeded', message: `${problem}; ${remedy}`, ms: LOOK_AGAIN_MS };
};

const tooOften = (
  { purchasesPerMinute }: NamespaceLimits,
  { agesMs, agesOfNameMs }: Purchases,
): PurchaseRefusal | undefined => {
  if (purchasesPerMinute === undefined) return undefined;
  const most = purchasesPerMinute * (PURCHASES_MS / 60_000);
  const ofName = untilFewer(agesOfNameMs, MOST_OF_ONE_NAME);
  const ofAll = untilFewer(agesMs, most);
  if (ofName === 0 && ofAll === 0) return undefined;
  const [who, remedy] =
    ofAll >= ofName
      ? [`for this namespace ${most}`, `make and delete fewer pods with EIPs, or ask an operator for more (${KEPT_IN})`]
      : [`for pods of this name ${MOST_OF_ONE_NAME}`, `find out who deletes the pod, or its PodEIP, again and again`];
  return {
    reason: 'PurchasesLimited',
    message: `${who} EIPs were bought within ${PURCHASES_MS / 60_000} minutes, and no more are; it goes on by itself; ${remedy}`,
    ms: Math.max(ofName, ofAll, LOOK_AGAIN_MS),
  };
};

/** How long until fewer than so many of these are left in the window, milliseconds; 0 if they are. */
const untilFewer = (agesMs: readonly number[], most: number): number => {
  const last = agesMs.at(-most);
  return agesMs.length < most || last === undefined ? 0 : Math.max(1, PURCHASES_MS - last);
};
