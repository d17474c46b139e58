import type { FindingId } from './finding.ts';

/**
 * Every reason of a condition or Event. One vocabulary from the code to `kubectl describe`, metric labels and
 * dashboards. What each means for the product is in reason-policy.ts.
 */
export type Reason =
  | FindingId
  // as wanted
  | 'InUse'
  | 'Allocated'
  | 'Associated'
  | 'Disassociated'
  | 'Released'
  | 'NoAddressWanted'
  | 'NotOnEcsNode'
  | 'Kept'
  | 'HandedOver'
  | 'AddressesReady'
  | 'AddressesWaiting'
  | 'Adopted'
  // passes by itself
  | 'Pending'
  | 'NotScheduled'
  | 'NoPodIP'
  | 'NoInterfaceYet'
  | 'EipNotVisibleYet'
  | 'InTransition'
  | 'HandingOver'
  | 'JoiningBandwidthPackage'
  | 'Settling'
  | 'Releasing'
  | 'PurchasesLimited'
  | 'CloudBusy'
  | 'CloudThrottled'
  | 'CloudUnknown'
  // somebody must act
  | 'NotManagedHere'
  | 'RecordTampered'
  | 'EipNotFound'
  | 'EipGone'
  | 'EipLeftBehind'
  | 'AddressTaken'
  | 'EipKept'
  | 'ChangeIgnored'
  | 'EipNotOurs'
  | 'EipNotGranted'
  | 'HolderUnwritable'
  | 'EipReserved'
  | 'EipClaimed'
  | 'EipInUse'
  | 'EipLocked'
  | 'EipBoundElsewhere'
  | 'EipInOtherPackage'
  | 'AmbiguousInterface'
  | 'NoInterface'
  | 'NoIPv4'
  | 'ReleaseBlocked'
  | 'QuotaExceeded'
  | 'CloudRefused'
  | 'CloudUnknownAnswer'
  | 'CloudMisconfigured';
