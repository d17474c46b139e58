import test from 'ava';
import {
  APART_MS,
  FaultHistory,
  isDue,
  LONGEST_UNTOLD_MS,
  MOST_UNTOLD,
  type RepeatedAnswer,
} from '../../src/cloud/fault-history.ts';
import { CloudFault, LEADERSHIP_UNCERTAIN, topicOf, type CloudFaultKind } from '../../src/cloud/fault.ts';
import { ManualClock } from '../harness/clock.ts';

const EIP = 'podeip-uid';

let requests = 0;
const fault = (kind: CloudFaultKind, code = 'TaskConflict', action = 'AssociateEipAddress'): CloudFault => {
  requests += 1;
  const requestId = `REQ-${requests}`;
  return new CloudFault({
    kind,
    action,
    code,
    requestId,
    message: `${action}: ${code} (HTTP 400, request ${requestId}): wait`,
  });
};

const at = (parts: Partial<RepeatedAnswer>, now: number): boolean =>
  isDue({ needsSomebody: false, count: 1, since: 0, ...parts }, now);

test('people are told at once of what needs somebody, and of the rest with the third answer or after half a minute', (t) => {
  for (const count of [1, 2, 3, 4, 100])
    for (const now of [0, 1, LONGEST_UNTOLD_MS - 1, LONGEST_UNTOLD_MS, 10 * LONGEST_UNTOLD_MS]) {
      t.true(at({ needsSomebody: true, count }, now));
      const isLong = now >= LONGEST_UNTOLD_MS && count > 1;
      t.is(at({ count }, now), count >= MOST_UNTOLD || isLong, `${count} answers in ${now} ms`);
      t.is(at({ count, since: now }, now), count >= MOST_UNTOLD, `${count} answers at once`);
    }
});

test('answers within two seconds are one; each code of each step is news once, until the step succeeds', async (t) => {
  const clock = new ManualClock();
  const history = new FaultHistory(clock);
  const hear = (code?: string, step = 'Associate') => history.failed(EIP, step, fault('later', code));
  for (let n = 0; n < 10; n += 1) t.deepEqual(hear(), { trouble: undefined, isUnreported: false });
  await clock.advance(APART_MS);
  t.is(hear().trouble, undefined);
  await clock.advance(APART_MS);
  t.like(hear(), { trouble: { reason: 'CloudBusy', topic: 'AssociateEipAddress: TaskConflict ' }, isUnreported: true });
  t.like(hear(), { trouble: { reason: 'CloudBusy' }, isUnreported: false });
  t.is(hear('SystemBusy').trouble, undefined, 'another code is counted by itself');
  t.is(hear(undefined, 'Unassociate').trouble, undefined, 'and so is another step');
  history.succeeded(EIP, 'Unassociate');
  t.true(hear().trouble !== undefined, 'what another step achieves ends nothing');
  history.succeeded(EIP, 'Associate');
  t.is(hear().trouble, undefined);
});

test('the same is said after half a minute where it is asked rarely', async (t) => {
  const clock = new ManualClock();
  const history = new FaultHistory(clock);
  t.is(history.failed(EIP, 'Associate', fault('unknown')).trouble, undefined);
  await clock.advance(LONGEST_UNTOLD_MS);
  t.like(history.failed(EIP, 'Associate', fault('unknown')), {
    trouble: { reason: 'CloudUnknown' },
    isUnreported: true,
  });
});

test('what is current ends with a success, when something else is achieved, and with time', async (t) => {
  const clock = new ManualClock();
  const history = new FaultHistory(clock);
  const refuse = () => history.failed(EIP, 'Release', fault('refused'));
  t.is(history.current(EIP, 1_000), undefined);
  refuse();
  t.like(history.current(EIP, 1_000), { reason: 'CloudRefused' });
  await clock.advance(1_001);
  t.is(history.current(EIP, 1_000), undefined);
  refuse();
  history.movedOn(EIP);
  t.is(history.current(EIP, 1_000), undefined);
  t.false(refuse().isUnreported, 'it has been told all the same');
  history.succeeded(EIP, 'Release');
  t.is(history.current(EIP, 1_000), undefined);
  refuse();
  history.forget(EIP);
  t.is(history.current(EIP, 1_000), undefined);
  refuse();
  history.keep((subject) => subject !== EIP);
  t.true(refuse().isUnreported);
});

test('the caller may know better what it is and whether it passes; the end of a leadership is no word of the cloud', (t) => {
  const history = new FaultHistory(new ManualClock());
  const view = { reason: 'AddressTaken', needsSomebody: true } as const;
  t.like(history.failed(EIP, 'Associate', fault('already'), view), {
    trouble: { reason: 'AddressTaken' },
    isUnreported: true,
  });
  for (let n = 0; n < 5; n += 1)
    t.is(history.failed(EIP, 'Release', fault('later', LEADERSHIP_UNCERTAIN), view).trouble, undefined);
});

test('a topic is the message without what differs between requests, and tells codes apart that begin alike', (t) => {
  t.is(topicOf(fault('refused')), topicOf(fault('refused')));
  const [short, long] = ['OperationDenied', 'OperationDenied.Unauthorized'].map((code) => fault('refused', code));
  t.false(long!.message.startsWith(topicOf(short!)));
  const silence = { code: 'RequestTimeout', message: 'AssociateEipAddress: no answer in time' };
  t.is(topicOf(silence), silence.message);
  t.is(topicOf({ code: 'ECONNRESET', message: 'A: no answer (ECONNRESET)' }), 'A: no answer (ECONNRESET)');
});
