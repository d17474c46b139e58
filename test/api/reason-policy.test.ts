import test from 'ava';
import { REASON, reasonPolicyOf, type ReasonPolicy } from '../../src/api/reason-policy.ts';
import type { Reason } from '../../src/api/reason.ts';
import { CATALOGUE, FINDING_IDS } from '../../src/rules/catalogue.ts';

const reasons = Object.keys(REASON) as Reason[];
const where = (holds: (policy: ReasonPolicy) => boolean) =>
  reasons.filter((reason) => holds(REASON[reason])).toSorted();

test('reasons that pass by themselves', (t) => {
  t.deepEqual(
    where(({ phase }) => phase === 'waiting'),
    [
      'Adopted',
      'Allocated',
      'Associated',
      'CloudBusy',
      'CloudThrottled',
      'CloudUnknown',
      'Disassociated',
      'EipNotVisibleYet',
      'HandedOver',
      'HandingOver',
      'InTransition',
      'JoiningBandwidthPackage',
      'NoAddressWanted',
      'NoInterfaceYet',
      'NoPodIP',
      'NotOnEcsNode',
      'NotScheduled',
      'Pending',
      'PurchasesLimited',
      'Released',
      'Releasing',
      'Settling',
    ],
  );
});

test('reasons that need nobody and do not pass', (t) => {
  t.deepEqual(
    where(({ phase }) => phase === 'inUse'),
    ['InUse'],
  );
  t.deepEqual(
    where(({ phase }) => phase === 'kept'),
    ['Kept'],
  );
  t.deepEqual(
    where(({ phase }) => phase === 'none'),
    ['AddressesReady', 'AddressesWaiting'],
  );
});

test('whatever a rule refuses a request for needs somebody', (t) => {
  for (const id of FINDING_IDS) if (CATALOGUE[id].severity === 'refuse') t.is(REASON[id].phase, 'attention', id);
});

test('reasons that CloudEvents call a conflict', (t) => {
  t.deepEqual(
    where(({ change }) => change === 'conflict'),
    [
      'AddressTaken',
      'AnnotationsDisagree',
      'EipBoundElsewhere',
      'EipClaimed',
      'EipInOtherPackage',
      'EipInUse',
      'EipNotGranted',
      'EipReserved',
      'ExistingAndNew',
    ],
  );
  t.deepEqual(
    where(({ change, phase }) => change === 'conflict' && phase !== 'attention'),
    [],
  );
});

test('reasons that end a drain, and reasons that hide the EIP', (t) => {
  t.deepEqual(
    where(({ stopsDrain }) => stopsDrain),
    ['CloudMisconfigured', 'CloudRefused', 'CloudUnknownAnswer', 'ReleaseBlocked'],
  );
  t.deepEqual(
    where(({ hidesEip }) => hidesEip),
    ['EipNotFound', 'EipNotGranted', 'EipReserved', 'HolderUnwritable'],
  );
});

test('a reason that this version does not know has no policy, whatever it is called', (t) => {
  t.is(reasonPolicyOf('InUse'), REASON.InUse);
  for (const reason of ['', 'Unheard', 'constructor', '__proto__', 'toString']) t.is(reasonPolicyOf(reason), undefined);
});
