import { createHash, createHmac } from 'node:crypto';

/**
 * The mark: what only this product could have written on an EIP. It is the last word of the description that an EIP is
 * bought with, and proves for which PodEIP it was bought where the cloud has dropped the tags of that call:
 *
 *     knative-eip-mark-<cluster, 8>-<key, 8>-<HMAC-SHA256 of cluster and PodEIP, 32 hexadecimal digits>
 *
 * Whoever may write pods can choose what comes before it, and not the mark: the key is in a Secret of the controller.
 */
const WORD = 'knative-eip-mark';

/** Whose marks are written and understood. */
export interface MarkIssuer {
  /** UID of the namespace kube-system. */
  readonly clusterUid: string;
  /** Undefined where there is none: nothing is marked then, and no mark is understood. */
  readonly markKey?: string | undefined;
}

/**
 * What a description says of whose the EIP is.
 *
 * - `ours`: it was bought for this PodEIP
 * - `others`: for another PodEIP, or in another cluster
 * - `unreadable`: in this cluster, with a key that is not at hand
 * - `none`: nothing
 */
export type MarkReading = 'ours' | 'others' | 'unreadable' | 'none';

const short = (what: string, value: string): string =>
  createHash('sha256').update(`${WORD} ${what} ${value}`).digest('hex').slice(0, 8);

/** The mark of an EIP that is bought for this PodEIP; undefined where there is no key. */
export const markOf = ({ clusterUid, markKey }: MarkIssuer, podEipUid: string): string | undefined => {
  if (markKey === undefined) return undefined;
  return [WORD, short('cluster', clusterUid), short('key', markKey), macOf(markKey, [clusterUid, podEipUid])].join('-');
};

const macOf = (key: string, what: readonly string[]): string =>
  createHmac('sha256', key).update(JSON.stringify(what)).digest('hex').slice(0, 32);

/** What proves that this product has written something, and nobody who may only write it; undefined without a key. */
export const sign = ({ clusterUid, markKey }: MarkIssuer, what: readonly string[]): string | undefined =>
  markKey === undefined ? undefined : macOf(markKey, ['signed', clusterUid, ...what]);

/** Longest description of an EIP (VPC API reference, AllocateEipAddress, Description). */
const MAX_DESCRIPTION = 256;

/** The description with the mark as its last word; one that leaves no room for it loses its end. */
export const withMark = (description: string | undefined, mark: string | undefined): string | undefined => {
  if (mark === undefined) return description;
  const kept = (description ?? '').slice(0, MAX_DESCRIPTION - mark.length - 1);
  // Half of a character cannot be sent.
  const text = (kept.isWellFormed() ? kept : kept.slice(0, -1)).trimEnd();
  return text === '' ? mark : `${text} ${mark}`;
};

/** The mark that a description ends in, where it was written in this cluster, with whichever key. */
export const markOfCluster = (
  description: string | undefined,
  { clusterUid }: Pick<MarkIssuer, 'clusterUid'>,
): string | undefined => {
  const word = description?.split(' ').at(-1) ?? '';
  return word.startsWith(`${WORD}-${short('cluster', clusterUid)}-`) ? word : undefined;
};

/** What the last word of the description says. */
export const readMark = (description: string | undefined, issuer: MarkIssuer, podEipUid: string): MarkReading => {
  const word = description?.split(' ').at(-1) ?? '';
  if (!word.startsWith(`${WORD}-`)) return 'none';
  const [cluster, key] = word.slice(WORD.length + 1).split('-');
  if (cluster !== short('cluster', issuer.clusterUid)) return 'others';
  if (issuer.markKey === undefined || key !== short('key', issuer.markKey)) return 'unreadable';
  return word === markOf(issuer, podEipUid) ? 'ours' : 'others';
};
