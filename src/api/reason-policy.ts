import type { Reason } from './reason.ts';

/** What a reason of the condition Ready, or of an Event, means. */
export interface ReasonPolicy {
  /**
   * How a PodEIP stands that has the reason.
   *
   * - `inUse`: as wanted
   * - `waiting`: it passes by itself
   * - `attention`: somebody must act
   * - `kept`: the EIP waits for the next pod
   * - `none`: no PodEIP has it; it is for Events about other objects
   */
  readonly phase: 'inUse' | 'waiting' | 'attention' | 'kept' | 'none';
  /**
   * Which CloudEvent tells of it where it is what is wrong. `conflict`: others want or have the EIP, or what was asked
   * for contradicts itself.
   */
  readonly change: 'failed' | 'conflict';
  /** Whether a drain that meets it again and again gives up: it does not pass while the EIP goes back. */
  readonly stopsDrain: boolean;
  /**
   * Whether nothing of the EIP is shown, because the namespace may not name it: its status has what any reader of the
   * namespace can see.
   */
  readonly hidesEip: boolean;
}

const wanted = { phase: 'inUse', change: 'failed', stopsDrain: false, hidesEip: false } as const;
const waiting = { ...wanted, phase: 'waiting' } as const;
const attention = { ...wanted, phase: 'attention' } as const;
const conflict = { ...attention, change: 'conflict' } as const;
const elsewhere = { ...wanted, phase: 'none' } as const;

/** Everything that is decided by a reason. */
export const REASON = {
  AnnotationsDisagree: conflict,
  InvalidBoolean: attention,
  ExistingAndNew: conflict,
  CreationSettingsIgnored: attention,
  InvalidBandwidth: attention,
  LegacyBandwidth: attention,
  InvalidChargeType: attention,
  InvalidInstanceChargeType: attention,
  InvalidIsp: attention,
  InvalidId: attention,
  InvalidName: attention,
  InvalidDescription: attention,
  InvalidProtectionType: attention,
  InvalidTags: attention,
  InvalidHandover: attention,
  HandoverIgnored: attention,
  InvalidReleaseStrategy: attention,
  ReleaseStrategyIgnored: attention,
  StatelessOwner: attention,
  NotHonouredByEci: attention,
  AnnotationOnService: attention,
  AnnotationAsLabel: attention,
  HostNetwork: attention,
  NotAllowedByPolicy: attention,
  NotAllowedOnVirtualNode: attention,
  UnsupportedByECI: attention,
  ChangedForECI: attention,
  QuotaOfNamespaceExceeded: attention,
  NoRoomForRollout: attention,
  BeforeTrafficIgnored: attention,
  SettingsWithoutRequest: attention,
  UnknownKey: attention,
  LegacyKey: attention,
  TooLateForEci: attention,
  PackagePaidByBandwidth: attention,
  IspNotInRegion: attention,
  FinanceCloudIsp: attention,
  SingleLineIsp: attention,
  SingleLineByTraffic: attention,
  ExistingEipMayScale: attention,
  ExistingEipForMany: attention,
  ExistingEipBlocksRollout: attention,
  ExistingEipLateInRollout: attention,
  EipWantedTwice: attention,
  ReservedInstanceKeepsEip: attention,
  ExistingEipInTwoRevisions: attention,
  RevisionNotKnown: attention,
  EciKeyWithVirtualNode: attention,
  OtherEipController: attention,
  UncountedOnEci: attention,
  GrantNeeded: attention,
  GrantUnknownToEci: attention,

  InUse: wanted,
  Kept: { ...wanted, phase: 'kept' },
  AddressesReady: elsewhere,
  AddressesWaiting: elsewhere,

  Allocated: waiting,
  Associated: waiting,
  Disassociated: waiting,
  Released: waiting,
  NoAddressWanted: waiting,
  NotOnEcsNode: waiting,
  HandedOver: waiting,
  Adopted: waiting,
  Pending: waiting,
  NotScheduled: waiting,
  NoPodIP: waiting,
  NoInterfaceYet: waiting,
  EipNotVisibleYet: waiting,
  InTransition: waiting,
  HandingOver: waiting,
  JoiningBandwidthPackage: waiting,
  Settling: waiting,
  Releasing: waiting,
  PurchasesLimited: waiting,
  CloudBusy: waiting,
  CloudThrottled: waiting,
  CloudUnknown: waiting,

  NotManagedHere: attention,
  RecordTampered: attention,
  EipNotFound: { ...attention, hidesEip: true },
  EipGone: attention,
  EipLeftBehind: attention,
  EipKept: attention,
  ChangeIgnored: attention,
  EipNotOurs: attention,
  EipLocked: attention,
  AmbiguousInterface: attention,
  NoInterface: attention,
  NoIPv4: attention,
  AddressTaken: conflict,
  HolderUnwritable: { ...attention, hidesEip: true },
  EipNotGranted: { ...conflict, hidesEip: true },
  EipReserved: { ...conflict, hidesEip: true },
  EipClaimed: conflict,
  EipInUse: conflict,
  EipBoundElsewhere: conflict,
  EipInOtherPackage: conflict,
  QuotaExceeded: attention,
  ReleaseBlocked: { ...attention, stopsDrain: true },
  CloudRefused: { ...attention, stopsDrain: true },
  CloudUnknownAnswer: { ...attention, stopsDrain: true },
  CloudMisconfigured: { ...attention, stopsDrain: true },
} as const satisfies Record<Reason, ReasonPolicy>;

/** The policy of a reason that was read from an object; undefined for one that this version does not know. */
export const reasonPolicyOf = (reason: string): ReasonPolicy | undefined =>
  isReason(reason) ? REASON[reason] : undefined;

/** Whether a reason that was read from an object is one that this version knows. */
export const isReason = (reason: string): reason is Reason => Object.hasOwn(REASON, reason);
