import test from 'ava';
import { effectivePolicy, type EffectivePolicy } from '../../src/policies/policy.ts';
import {
  PURCHASES_MS,
  refusePurchase,
  type NamespaceLimits,
  type PurchaseRefusal,
  type Purchases,
} from '../../src/policies/purchases.ts';
import type { NewEip } from '../../src/request/request.ts';

const newEip = { kind: 'new', bandwidthMbps: 5 } as NewEip;

const nothing: Purchases = { held: 0, agesMs: [], agesOfNameMs: [], namespaces: 1 };
const asked = (
  limits: NamespaceLimits,
  bought: Partial<Purchases>,
  policy?: EffectivePolicy,
): PurchaseRefusal | undefined => refusePurchase(limits, { ...nothing, ...bought }, { policy, request: newEip });

const policyOf = (eips: number): EffectivePolicy =>
  effectivePolicy([{ metadata: { name: 'p', uid: 'p', resourceVersion: '1' }, spec: { limits: { eips } } }], {
    name: 'shop',
  });

test('a namespace without a limit of a policy holds no more than the default', (t) => {
  t.is(asked({ eips: 3 }, { held: 2 }), undefined);
  t.like(asked({ eips: 3 }, { held: 3 }), {
    reason: 'QuotaOfNamespaceExceeded',
    message:
      'this namespace may hold 3 EIPs at once and holds 3 (namespaceLimits.eips of the configuration); it goes on when another pod of the namespace gives its EIP back; ask an operator for a higher limit',
  });
  t.is(asked({}, { held: 100_000 }), undefined, 'it can be turned off');
});

test('what a policy says about the number goes before the default, also where it is more', (t) => {
  t.is(asked({ eips: 3 }, { held: 3 }, policyOf(100)), undefined);
  t.is(asked({ eips: 3 }, { held: 3 }, policyOf(1)), undefined, 'the policy itself is asked elsewhere');
});

test('near the quota of the account, who holds his share leaves the rest to others', (t) => {
  const limits = { accountQuota: 20 };
  const near = { inAccount: 18, namespaces: 2 };
  t.is(asked(limits, { ...near, held: 9 }), undefined);
  t.like(asked(limits, { ...near, held: 10 }), {
    reason: 'QuotaOfNamespaceExceeded',
    message:
      'the account has 18 of its 20 EIPs, and what is left is for namespaces that hold less than 10, their share; this one holds 10; it goes on when EIPs are given back; run fewer pods with EIPs, or ask an operator to have the quota raised and to write it into cloud.eipQuota',
  });
  t.is(asked(limits, { held: 15, inAccount: 17, namespaces: 2 }), undefined, 'not before');
  t.is(asked({}, { ...near, held: 15 }), undefined, 'the operator has not written the quota');
  t.is(asked(limits, { held: 15, namespaces: 2 }), undefined, 'nobody has counted');
  t.is(asked(limits, { held: 19, inAccount: 19, namespaces: 1 }), undefined, 'nobody else is there');
});

test('purchases are counted over ten minutes: as many at once as that time allows', (t) => {
  const limits = { purchasesPerMinute: 1 };
  t.is(asked(limits, { agesMs: Array.from({ length: 9 }, () => 5) }), undefined);
  const agesMs = [500_000, ...Array.from({ length: 9 }, () => 5)];
  t.like(asked(limits, { agesMs }), {
    reason: 'PurchasesLimited',
    ms: PURCHASES_MS - 500_000,
    message:
      'for this namespace 10 EIPs were bought within 10 minutes, and no more are; it goes on by itself; make and delete fewer pods with EIPs, or ask an operator for more (namespaceLimits.purchasesPerMinute of the configuration)',
  });
  t.is(asked({}, { agesMs }), undefined, 'it can be turned off');
});

test('pods of one name get six bought EIPs in ten minutes', (t) => {
  const limits = { purchasesPerMinute: 60 };
  const ages = [400_000, 300_000, 200_000, 100_000, 50_000, 10];
  t.is(asked(limits, { agesOfNameMs: ages.slice(1) }), undefined);
  t.like(asked(limits, { agesOfNameMs: ages }), { reason: 'PurchasesLimited', ms: 200_000 });
  t.regex(asked(limits, { agesOfNameMs: ages })?.message ?? '', /pods of this name 6 EIPs .*find out who deletes/);
  t.is(asked({}, { agesOfNameMs: ages }), undefined);
});
