import type { FindingId } from './finding.ts';

/**
 * Every reason of a condition or Event. One vocabulary from the code to `kubectl describe`, metric
 * labels and dashboards.
 */
export type Reason =
  | FindingId
  // as wanted
  | 'InUse'
  | 'Allocated'
  | 'Associated'
  | 'Disassociated'
  | 'Released'
  | 'Detached'
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
  | 'CloudBusy'
  | 'CloudThrottled'
  | 'CloudUnknown'
  | 'KubernetesUnavailable'
  // somebody must act
  | 'NotManagedHere'
  | 'RecordTampered'
  | 'EipNotFound'
  | 'EipGone'
  | 'EipLeftBehind'
  | 'AddressTaken'
  | 'EipKept'
  | 'EipNotOurs'
  | 'EipNotGranted'
  | 'EipReserved'
  | 'EipClaimed'
  | 'EipInUse'
  | 'EipLocked'
  | 'EipBoundElsewhere'
  | 'EipInOtherPackage'
  | 'AmbiguousInterface'
  | 'ReleaseBlocked'
  | 'QuotaExceeded'
  | 'CloudRefused'
  | 'CloudMisconfigured';
