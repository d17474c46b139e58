import { reasonPolicyOf } from '../api/reason-policy.ts';
import type { EipChange, ChangeData, ChangeKind, WhyUnbound } from './change.ts';
import type { Bound, EipObservation } from './eip-observation.ts';

/**
 * What has been reported about an address so far. Together with the next observation it determines which changes are
 * new.
 */
export interface ProjectedState {
  /** Number of the last change. */
  readonly sequence: number;
  /** The time of the last change, wall time in milliseconds. */
  readonly at: number;
  readonly allocationId?: string | undefined;
  readonly address?: string | undefined;
  /** Where it is bound, as reported. */
  readonly bound?: Bound | undefined;
  /** The binding before that. A late reading that shows it again is not a change. */
  readonly was?: Bound | undefined;
  /** The EIP whose drift was reported. */
  readonly drifted?: string | undefined;
  /** Whether the pod that has it was told that it goes to another pod of its Service. */
  readonly isHandedOver?: boolean | undefined;
  /** The reason of the reported trouble, while it lasts. */
  readonly reason?: string | undefined;
  /** Whether the last change was reported. */
  readonly isOver?: boolean | undefined;
}

/** The state of an address about which nothing has been reported. */
export const NOTHING_TOLD: ProjectedState = { sequence: 0, at: 0 };

/**
 * Determines the changes in an observation. Pure; the same observation again gives no change. All changes except
 * troubles are derived from states, not from steps: if a process dies before it has stored a change, the next one sees
 * the same state and derives the same change.
 *
 * @param now wall time, milliseconds
 */
export const fold = (
  before: ProjectedState,
  observation: EipObservation,
  now: number,
): { told: ProjectedState; changes: readonly EipChange[] } => {
  if (before.isOver) return { told: before, changes: [] };
  const news = new News(before, observation, now);
  foldAddress(news, observation);
  foldDrift(news, observation);
  foldBinding(news, observation);
  foldTrouble(news, observation);
  if (observation.isLast) foldEnd(news, observation);
  return { told: news.told, changes: news.changes };
};

/** The state after the observation, and the changes that the observation adds. */
class News {
  told: ProjectedState;
  readonly changes: EipChange[] = [];
  readonly #observation: EipObservation;
  readonly #now: number;

  constructor(before: ProjectedState, observation: EipObservation, now: number) {
    this.told = before;
    this.#observation = observation;
    this.#now = now;
  }

  /** The reported address, as a property of a change. */
  get address(): { readonly address?: string } {
    const { address } = this.told;
    return address === undefined ? {} : { address };
  }

  tell(kind: ChangeKind, data: object, known: Partial<ProjectedState> = {}): void {
    const { told } = this;
    this.told = { ...told, ...known, sequence: told.sequence + 1, at: Math.max(this.#now, told.at) };
    const { sequence, at } = this.told;
    this.changes.push({ kind, sequence, at, data: { ...this.#observation.about, ...data } as unknown as ChangeData });
  }

  /** Updates the state without a change. */
  know(known: Partial<ProjectedState>): void {
    this.told = { ...this.told, ...known };
  }
}

const isAuto = ({ about }: EipObservation): boolean => about.allocationType === 'Auto';

const foldAddress = (news: News, observation: EipObservation): void => {
  const { allocationId, address, statusAddress, isLast } = observation;
  const { told } = news;
  if (typeof address === 'string' && (told.allocationId !== allocationId || told.address === undefined)) {
    const known = { allocationId, address };
    if (isAuto(observation) && told.allocationId !== allocationId)
      news.tell('allocated', { allocationID: allocationId, address }, known);
    else news.know(known);
  }
  // The EIP was bought, recorded and given back by processes that died before they could report it.
  if (isLast && isAuto(observation) && address === null && told.allocationId !== allocationId) {
    const known = statusAddress === undefined ? {} : { address: statusAddress };
    news.tell('allocated', { allocationID: allocationId, ...known }, { allocationId, ...known });
  }
};

const foldDrift = (news: News, { drift }: EipObservation): void => {
  const { allocationId, drifted } = news.told;
  if (drift && allocationId !== undefined && drifted !== allocationId)
    news.tell('drift', { allocationID: allocationId, ...news.address, ...drift }, { drifted: allocationId });
};

const foldBinding = (news: News, observation: EipObservation): void => {
  const { bound, isUsed, isLeaving } = observation;
  const { bound: old } = news.told;
  if (old && observation.isHandedOver && !news.told.isHandedOver) news.know({ isHandedOver: true });
  if (old && isElsewhere(old, observation) && (observation.isCertain || (bound && isUsed)))
    news.tell(
      'disassociated',
      { ...dataOf(old), ...news.address, reason: whyUnbound(old, observation, news.told) },
      { bound: undefined, was: old, isHandedOver: undefined },
    );
  const { told } = news;
  const isNew = bound && !told.bound && told.address !== undefined && !isSame(bound, isUsed ? undefined : told.was);
  if (isNew && (isUsed || isLeaving)) {
    const known = { bound, was: undefined, drifted: undefined, reason: undefined };
    news.tell('associated', { ...dataOf(bound), ...news.address }, known);
  } else if (isUsed && told.reason !== undefined) news.know({ reason: undefined });
};

/** Whether the EIP is no longer bound there; false while the cloud was not asked about it. */
const isElsewhere = (old: Bound, { address, bound }: EipObservation): boolean =>
  address !== undefined && !(bound && isSame(bound, old));

const whyUnbound = (old: Bound, { running, drift, address }: EipObservation, told: ProjectedState): WhyUnbound => {
  if (told.isHandedOver) return 'HandedOver';
  if (running?.uid !== old.podUid) return 'PodDeleted';
  const [had, has] = [old.privateIpAddress, running.address];
  if (had !== undefined && has !== undefined && had !== has) return 'Moved';
  return drift || told.drifted === old.allocationId || address === null ? 'Lost' : 'Withdrawn';
};

const foldTrouble = (news: News, { trouble }: EipObservation): void => {
  const { told } = news;
  if (!trouble || trouble.reason === told.reason) return;
  const { reason } = trouble;
  const of = told.allocationId === undefined ? {} : { allocationID: told.allocationId, ...news.address };
  news.tell(reasonPolicyOf(reason)?.change ?? 'failed', { ...of, ...trouble }, { reason });
};

const foldEnd = (news: News, observation: EipObservation): void => {
  const { allocationId } = news.told;
  if (isAuto(observation) && observation.address === null && allocationId !== undefined)
    news.tell('released', { allocationID: allocationId, ...news.address });
  news.know({ isOver: true });
};

const dataOf = ({ allocationId, networkInterfaceId, privateIpAddress, podUid }: Bound) => ({
  allocationID: allocationId,
  networkInterfaceID: networkInterfaceId,
  ...(privateIpAddress !== undefined && { privateIPAddress: privateIpAddress }),
  ...(podUid !== '' && { podUID: podUid }),
});

const isSame = (a: Bound, b: Bound | undefined): boolean =>
  a.allocationId === b?.allocationId &&
  a.networkInterfaceId === b.networkInterfaceId &&
  (a.privateIpAddress ?? b.privateIpAddress) === (b.privateIpAddress ?? a.privateIpAddress) &&
  a.podUid === b.podUid;
