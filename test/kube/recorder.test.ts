import test from 'ava';
import { createKube } from '../../src/kube/client.ts';
import { createRecorder } from '../../src/kube/recorder.ts';
import type { KubeEvent, RecorderOptions } from '../../src/kube/recorder.ts';
import { MemoryApi, status } from './memory-api.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { ManualClock, settled } from '../harness/clock.ts';
import { fixedRandom } from '../harness/random.ts';

const POD = { apiVersion: 'v1', kind: 'Pod', namespace: 'team', name: 'web-1', uid: 'u1' };
const NO_EIP = { type: 'Warning', reason: 'QuotaExceeded', action: 'AllocateEip', note: 'No EIP is left.' } as const;

const setUp = (more: Partial<RecorderOptions> = {}) => {
  const clock = new ManualClock(1_700_000_000_000);
  const api = new MemoryApi();
  const log = recordingLog();
  const recorder = createRecorder({
    kube: createKube({ transport: api.transport, clock, qps: 0 }),
    clock,
    random: fixedRandom(),
    log,
    controller: 'alibabacloud.com/knative-eip',
    instance: 'knative-eip-0',
    ...more,
  });
  const events = () => [...api.objects.values()] as unknown as KubeEvent[];
  return { clock, api, log, recorder, events };
};

test('an Event says what the API demands, in the namespace of its object', async (t) => {
  const { recorder, api, events } = setUp();
  recorder.record(POD, NO_EIP);
  recorder.record({ apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'u2' }, NO_EIP);
  await recorder.stop(1000);
  t.deepEqual(
    [...api.objects.keys()],
    [
      '/apis/events.k8s.io/v1/namespaces/team/events/web-1.0000000000004000',
      '/apis/events.k8s.io/v1/namespaces/default/events/node-1.0000000000004000',
    ],
  );
  const { metadata, ...event } = events()[0]!;
  t.is(metadata.namespace, 'team');
  t.deepEqual(event, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    eventTime: '2023-11-14T22:13:20.000000Z',
    type: 'Warning',
    reason: 'QuotaExceeded',
    action: 'AllocateEip',
    note: 'No EIP is left.',
    regarding: POD,
    reportingController: 'alibabacloud.com/knative-eip',
    reportingInstance: 'knative-eip-0',
  });
});

test('repeats are counted in a series: the first is written at once, the rest every 30 s, the last at the stop', async (t) => {
  const { recorder, clock, api, events } = setUp();
  const again = async (times: number) => {
    for (let n = 0; n < times; n += 1) recorder.record(POD, NO_EIP);
    await settled();
  };
  await again(1);
  t.is(events()[0]!.series, undefined);
  await clock.advance(1000);
  await again(1);
  t.deepEqual(events()[0]!.series, { count: 2, lastObservedTime: '2023-11-14T22:13:21.000000Z' });
  await again(5);
  t.is(events()[0]!.series!.count, 2);
  await clock.advance(30_000);
  t.is(events()[0]!.series!.count, 7);
  await again(3);
  await recorder.stop(1000);
  t.is(events()[0]!.series!.count, 10);
  t.is(events().length, 1);
  t.is(api.requests.length, 4);
  recorder.record(POD, { ...NO_EIP, reason: 'Late' });
  await settled();
  t.is(events().length, 1, 'nothing is taken after the stop');
});

test('other words, another object and a later time are Events of their own', async (t) => {
  const { recorder, clock, events } = setUp({ random: { next: () => 0.5, uuid: () => crypto.randomUUID() } });
  recorder.record(POD, NO_EIP);
  recorder.record(POD, { ...NO_EIP, note: 'Other words.' });
  recorder.record({ ...POD, uid: 'u2' }, NO_EIP);
  await clock.advance(360_000);
  recorder.record(POD, NO_EIP);
  await recorder.stop(1000);
  t.is(events().length, 4);
  t.true(events().every(({ series }) => series === undefined));
});

test('an object cannot flood the API: 25 different Events, then one in five minutes', async (t) => {
  const { recorder, clock } = setUp({ random: { next: () => 0.5, uuid: () => crypto.randomUUID() } });
  for (let n = 0; n < 40; n += 1) recorder.record(POD, { ...NO_EIP, note: `Request ${n}` });
  recorder.record({ ...POD, name: 'web-2' }, NO_EIP);
  await clock.advance(300_000);
  for (let n = 40; n < 50; n += 1) recorder.record(POD, { ...NO_EIP, note: `Request ${n}` });
  await recorder.stop(1000);
  t.deepEqual(recorder.stats(), { written: 27, dropped: 0, limited: 24 });
});

test('texts are cut to the bytes that the API allows, without half a character', async (t) => {
  const { recorder, events } = setUp();
  recorder.record(
    { ...POD, name: `${'x'.repeat(235)}.${'y'.repeat(17)}` },
    { type: 'Normal', reason: 'R'.repeat(200), action: 'A'.repeat(129), note: 'ü'.repeat(800) },
  );
  recorder.record(POD, { ...NO_EIP, action: '' });
  await recorder.stop(1000);
  t.is(events().length, 1, 'without an action it would be refused');
  const { metadata, reason, action, note } = events()[0]!;
  t.is(metadata.name, `${'x'.repeat(235)}.0000000000004000`);
  t.is(Buffer.byteLength(reason), 128);
  t.is(Buffer.byteLength(action), 128);
  t.is(note, `${'ü'.repeat(510)}…`);
  t.true(Buffer.byteLength(note) <= 1024);
});

test('failures that pass are retried, others are logged and dropped; an Event that was forgotten is made anew', async (t) => {
  const { recorder, clock, api, log, events } = setUp({ random: { next: () => 0.5, uuid: () => crypto.randomUUID() } });
  const answers = [503, 429, undefined];
  api.before = () => {
    const code = answers.shift();
    return code === undefined ? undefined : status(code, 'Trouble', '/events');
  };
  recorder.record(POD, NO_EIP);
  await clock.advance(5000);
  t.is(events().length, 1);
  api.objects.clear();
  recorder.record(POD, NO_EIP);
  await clock.advance(5000);
  t.is(events()[0]!.series?.count, 2);

  answers.push(403);
  recorder.record(POD, { ...NO_EIP, reason: 'Forbidden' });
  await clock.advance(5000);
  t.is(recorder.stats().dropped, 1);
  t.regex(log.lines.at(-1)!, /An Event could not be written.*Trouble/);
});

test('a stop waits no longer than its deadline, even if the API never answers', async (t) => {
  const { recorder, clock, api } = setUp();
  api.before = () => new Promise(() => undefined);
  recorder.record(POD, NO_EIP);
  recorder.record(POD, { ...NO_EIP, reason: 'Other' });
  const stopping = recorder.stop(2000);
  await clock.advance(2000);
  await stopping;
  t.is(recorder.stats().dropped, 2);
  t.is(api.requests.length, 1);
});

test('a namespace that is being deleted is asked once, without a warning, and again after a while', async (t) => {
  const { recorder, clock, api, log, events } = setUp();
  const message =
    'events.events.k8s.io "web-1" is forbidden: unable to create new content in namespace team because it is being terminated';
  api.before = () => status(403, 'Forbidden', message);
  for (const reason of ['QuotaExceeded', 'EipGone', 'Released'])
    recorder.record(POD, { ...NO_EIP, reason, note: reason });
  await settled();
  t.is(api.requests.length, 1);
  t.deepEqual(
    log.lines.filter((line) => /^(warn|error)/u.test(line)),
    [],
  );
  t.is(recorder.stats().dropped, 3);
  // Another one of the name.
  api.before = () => undefined;
  await clock.advance(60_000);
  recorder.record(POD, { ...NO_EIP, note: 'anew' });
  await settled();
  t.deepEqual(
    events().map(({ note }) => note),
    ['anew'],
  );
  await recorder.stop(1_000);
});
