import test from 'ava';
import { CRD } from '../../../src/api/apiextensions.ts';
import { definitionOf } from '../../harness/cluster.ts';
import { QUIET_SINCE, REUSABLE } from '../../../src/api/annotations.ts';
import { SERVICE_UID } from '../../../src/api/knative.ts';
import { PODEIP, type PodEip } from '../../../src/api/podeip.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { Settings, TrackedState } from '../../../src/controllers/podeip/observation.ts';
import { recalled } from '../../../src/controllers/podeip/observe.ts';
import { CHANGING, SEND_WITHIN_MS } from '../../../src/controllers/podeip/quiet.ts';
import { isSettled } from '../../../src/controllers/podeip/safeguards.ts';
import { endQuiet, noteTransfer } from '../../../src/controllers/podeip/sending.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { Twins } from '../../../src/controllers/podeip/twin.ts';
import { createKube } from '../../../src/kube/client.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../../src/sandbox/kube/in-process-transport.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../simulation/seeded-input.ts';
import * as the from './situation.ts';

const elected: Settings = { ...the.settings, holdOffMs: 60_000 };
const unelected: Settings = { ...elected, isUnelected: true };

const noted = (it: PodEip, note: string): PodEip => ({
  ...it,
  metadata: { ...it.metadata, annotations: { ...it.metadata.annotations, [QUIET_SINCE]: note } },
});
const OF_TWIN = `${CHANGING}twin/1`;

const BOUND = { allocationID: 'eip-1' };
const ending = the.podEip({ ...BOUND, isEnding: true });
const wanted = the.podEip(BOUND);

/** What is said of the PodEIPs one after the other, five seconds between each two. */
const ages = async (...podEips: readonly PodEip[]): Promise<readonly number[]> => {
  const clock = new ManualClock();
  const twins = new Twins(clock, 'me');
  const all: number[] = [];
  for (const podEip of podEips) {
    await clock.advance(5_000);
    all.push(twins.see(podEip));
  }
  return all;
};

const now = -SEND_WITHIN_MS;

test('each new sign of a twin counts from when it is seen, and one that was seen before is old', async (t) => {
  t.deepEqual(await ages(wanted, wanted), [Infinity, Infinity], 'no sign');
  t.deepEqual(await ages(wanted, noted(wanted, OF_TWIN), noted(wanted, OF_TWIN)), [Infinity, now, now + 5_000]);
  t.deepEqual(await ages(noted(wanted, OF_TWIN), wanted, noted(wanted, OF_TWIN)), [now, now + 5_000, now + 10_000]);
  t.deepEqual(await ages(noted(wanted, OF_TWIN), noted(wanted, `${CHANGING}twin/2`)), [now, now], 'it sends once more');
  t.deepEqual(await ages(noted(wanted, `${CHANGING}me/1`)), [Infinity], 'its own note');
  t.deepEqual(await ages(noted(wanted, `${CHANGING}me2/1`)), [now], 'whose name only begins like its own');
  t.deepEqual(
    await ages(noted(ending, '2026-11-20T12:00:00.000Z signed')),
    [now],
    'a note of quiet says nothing of a twin',
  );
  t.deepEqual(await ages(wanted, ending, ending), [Infinity, now, now + 5_000], 'it did not know yet');
  t.deepEqual(
    await ages(ending, the.podEip({ podUid: 'next' }), ending),
    [now, now + 5_000, now],
    'kept, used, kept again',
  );
});

test('a PodEIP that is gone is forgotten', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  t.is(tracker.twins.see(ending), now);
  await clock.advance(60_000);
  tracker.forget(ending.metadata.uid);
  t.is(tracker.twins.see(ending), now);
});

const certain: TrackedState = { ...the.quiet, isCertain: true, isUntouched: true, hasSent: true };

const isOver = (quietMs: number, settings: Settings) =>
  isSettled({ seen: the.seen({ memory: { ...certain, quietMs } }), settings });

test('what this process sent and was answered ends no wait beside a twin', (t) => {
  const { settleMs, readLagMs } = the.settings;
  t.true(readLagMs < settleMs);
  t.true(isOver(readLagMs, elected));
  t.false(isOver(settleMs - 1, unelected));
  t.true(isOver(settleMs, unelected));
});

test('without an election a sign of a twin begins the quiet anew; with one there is none', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const of = (podEip: PodEip, settings: Settings) =>
    recalled({ podEip, pod: null, now: the.NOW, serverNow: undefined }, { tracker, settings });
  tracker.created(wanted.metadata.uid);
  await clock.advance(60_000);
  t.like(of(wanted, unelected), { quietMs: 60_000, isUntouched: true, twinMs: undefined });
  t.like(of(noted(wanted, OF_TWIN), elected), { quietMs: 60_000, isUntouched: true, twinMs: undefined });
  t.like(of(noted(wanted, OF_TWIN), unelected), { quietMs: now, isUntouched: false, twinMs: now });
  await clock.advance(30_000);
  t.like(of(wanted, unelected), { quietMs: 20_000, isUntouched: false, twinMs: 20_000 });
});

test('a PodEIP whose EIP a twin may just have bound goes only after that shows', (t) => {
  const asked = the.existing;
  const podEip = the.podEip({ ...BOUND, request: asked, bindings: [the.binding], isEnding: true });
  const of = (quietMs: number, settings: Settings) =>
    decide(the.seen({ pod: null, podEip, competitors: [], eip: the.eip(), memory: { ...certain, quietMs } }), settings);
  const { readLagMs, settleMs } = the.settings;
  t.like(of(readLagMs, elected), { do: 'RemoveFinalizer' });
  t.like(of(readLagMs, unelected), { do: 'Wait', reason: 'Settling', ms: settleMs - readLagMs });
  t.like(of(settleMs, unelected), { do: 'RemoveFinalizer' });
});

const ofService = (podEip: PodEip, uid: string, annotations: Readonly<Record<string, string>> = {}): PodEip => ({
  ...podEip,
  metadata: {
    ...podEip.metadata,
    uid,
    name: uid,
    labels: { [SERVICE_UID]: 'service' },
    annotations: { ...podEip.metadata.annotations, ...annotations },
  },
});

test('beside a twin nothing is bought, and nobody is named successor, while an earlier pod’s EIP is there', (t) => {
  const podEip = ofService(the.podEip(), 'podeip');
  const earlier = the.podEip({ ...BOUND, podUid: '', goneSince: '2026-11-21T11:59:50Z' });
  const kept = [ofService(earlier, 'reusable', { [REUSABLE]: 'true' })];
  const of = (memory: Partial<TrackedState>, reusable = kept) =>
    decide(
      the.seen({ podEip, tagged: [], suspects: [], reusable, memory: { ...the.quiet, isCertain: true, ...memory } }),
      unelected,
    );
  const { settleMs } = the.settings;
  t.like(of({ isUntouched: true }), { do: 'AssignSuccessor' });
  t.like(of({ twinMs: now }), { do: 'Wait', reason: 'Settling' });
  t.like(of({ twinMs: settleMs - 1 }), { do: 'Wait', reason: 'Settling' });
  t.like(of({ twinMs: settleMs }), { do: 'Allocate' }, 'what was bought would have been found');
  t.like(of({ twinMs: now }, []), { do: 'Allocate' }, 'with the twin’s token');
});

test('of a purchase and a transfer for one PodEIP only one goes through', async (t) => {
  const clock = new ManualClock();
  const kube = createKube({
    transport: transport(createApiServer({ clock, random: seeded(4) })),
    clock,
  });
  const { signal } = new AbortController();
  await kube.create(CRD, definitionOf(PODEIP));
  const { annotations, finalizers, name, namespace } = the.podEip().metadata;
  const metadata = { name, namespace, annotations, finalizers };
  const made = await kube.create(PODEIP, {
    apiVersion: `${PODEIP.group}/${PODEIP.version}`,
    kind: PODEIP.kind,
    ...the.podEip(),
    metadata,
  });
  const portsOf = (seed: number, settings: Settings) => {
    const clock = new ManualClock();
    return { kube, clock, settings, tracker: new Tracker(clock, seeded(seed)) };
  };
  const [one, other] = [portsOf(1, unelected), portsOf(2, unelected)];
  t.is(await noteTransfer(made, portsOf(3, elected), signal), made, 'no twin, no note');
  const written = await noteTransfer(made, one, signal);
  t.is(one.tracker.twins.see(written), Infinity);
  t.is(other.tracker.twins.see(written), now, 'the other one sees it');
  await t.throwsAsync(endQuiet({ podEip: made, isPurchase: true, readAt: other.clock.mono() }, other, signal), {
    message: /conflict|modified|changed/u,
  });
  // And the other way round.
  const bought = await endQuiet({ podEip: written, isPurchase: true, readAt: one.clock.mono() }, one, signal);
  t.not(bought, undefined);
  await t.throwsAsync(noteTransfer(written, other, signal), { message: /conflict|modified|changed/u });
});
