import test from 'ava';
import { ALERTS } from '../../dashboards/src/alerts.ts';
import { REASON } from '../../src/api/reason-policy.ts';
import type { CloudFaultKind } from '../../src/cloud/fault.ts';
import { FAULT, type FaultPolicy } from '../../src/cloud/fault-policy.ts';

const kinds = Object.keys(FAULT) as CloudFaultKind[];
const where = (holds: (policy: FaultPolicy) => boolean) => kinds.filter((kind) => holds(FAULT[kind])).toSorted();

test('what each kind of fault says of the effect of the call', (t) => {
  t.deepEqual(
    where(({ effect }) => effect === 'none'),
    ['again', 'later', 'misconfigured', 'quota', 'refused', 'throttled', 'unrecognized'],
  );
  t.deepEqual(
    where(({ effect }) => effect === 'possible'),
    ['unknown'],
  );
  t.deepEqual(
    where(({ effect }) => effect === 'already'),
    ['already'],
  );
  t.deepEqual(
    where(({ effect }) => effect === 'absent'),
    ['gone'],
  );
});

test('the next attempt has a new token wherever the answer was final', (t) => {
  t.deepEqual(
    where(({ token }) => token === 'new'),
    ['again', 'already', 'later', 'misconfigured', 'quota', 'refused', 'throttled', 'unrecognized'],
  );
});

test('how each kind is tried again, and who is told', (t) => {
  const retries = Object.fromEntries(kinds.map((kind) => [kind, FAULT[kind].retry]));
  t.deepEqual(retries, {
    again: 'backoff',
    later: 'backoff',
    already: 'backoff',
    gone: 'backoff',
    throttled: 'throttle',
    unknown: 'backoff',
    unrecognized: 'gradual',
    refused: 'slow',
    quota: 'onceFreed',
    misconfigured: 'steady',
  });
  t.deepEqual(
    where(({ tell }) => tell !== 'nobody'),
    ['misconfigured', 'quota', 'refused', 'unrecognized'],
  );
  t.deepEqual(
    where(({ tell }) => tell === 'nobody'),
    where(({ retry }) => retry === 'backoff' || retry === 'throttle'),
    'what passes by itself is told to nobody at once, and only that is tried again soon',
  );
});

test('kinds that are about credentials, permissions or endpoints', (t) => {
  t.deepEqual(
    where(({ isOfSetup }) => isOfSetup),
    ['misconfigured'],
  );
});

test('kinds that may be for one ID of several', (t) => {
  t.deepEqual(
    where(({ mayBlameOneId }) => mayBlameOneId),
    ['gone', 'refused', 'unrecognized'],
  );
});

test('each kind gives a reason, which needs somebody where the fault does', (t) => {
  const reasons = Object.fromEntries(kinds.map((kind) => [kind, FAULT[kind].reason]));
  t.deepEqual(reasons, {
    again: 'CloudBusy',
    later: 'CloudBusy',
    already: 'CloudBusy',
    gone: 'CloudBusy',
    throttled: 'CloudThrottled',
    unknown: 'CloudUnknown',
    unrecognized: 'CloudUnknownAnswer',
    refused: 'CloudRefused',
    quota: 'QuotaExceeded',
    misconfigured: 'CloudMisconfigured',
  });
  for (const kind of kinds) {
    const { reason, tell } = FAULT[kind];
    t.is(REASON[reason].phase, tell === 'nobody' ? 'waiting' : 'attention', kind);
  }
});

const isCalledFor = (kind: CloudFaultKind) => ALERTS.some(({ expr }) => expr.includes(`{outcome="${kind}"}[`));

test('an operator is called by an alert wherever a fault is the operator’s', (t) => {
  for (const kind of where(({ tell }) => tell === 'operator')) t.true(isCalledFor(kind), kind);
  for (const kind of where(({ tell }) => tell === 'user')) t.false(isCalledFor(kind), kind);
});
