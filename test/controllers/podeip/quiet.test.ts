import test from 'ava';
import { assert as assertProperty, integer, property } from 'fast-check';
import { QUIET_SINCE, SUCCESSOR_UID } from '../../../src/api/annotations.ts';
import type { PodEip } from '../../../src/api/podeip.ts';
import { NAMESPACE } from '../../../src/api/core.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import type { Settings } from '../../../src/controllers/podeip/observation.ts';
import {
  asOfAsking,
  CHANGING,
  quietByNote,
  SEND_WITHIN_MS,
  writeQuiet,
} from '../../../src/controllers/podeip/quiet.ts';
import { asNoted, endQuiet } from '../../../src/controllers/podeip/sending.ts';
import { Tracker } from '../../../src/controllers/podeip/tracker.ts';
import { markRetained, assignPod, assignSuccessor } from '../../../src/controllers/podeip/writes.ts';
import { createKube } from '../../../src/kube/client.ts';
import type { Kube, Patch } from '../../../src/kube/port.ts';
import { tellingTime } from '../../../src/kube/server-time.ts';
import { createApiServer } from '../../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../../src/sandbox/kube/in-process-transport.ts';
import { ManualClock } from '../../harness/clock.ts';
import { seeded } from '../../simulation/seeded-input.ts';
import { NOW, eip, justStarted, podEip, quiet, seen, settings as base } from './situation.ts';

const MINUTE = 60_000;
const KEY = 'the key of the marks';
const settings: Settings = { ...base, markKey: KEY };
const issuer = { clusterUid: settings.clusterUid, markKey: KEY };
const clocks = { now: NOW, serverNow: NOW };

const annotated = (it: PodEip, annotations: Readonly<Record<string, string | undefined>>): PodEip => {
  const all = Object.entries({ ...it.metadata.annotations, ...annotations });
  const kept = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...it, metadata: { ...it.metadata, annotations: Object.fromEntries(kept) } };
};
const noted = (it: PodEip, note: string | undefined): PodEip => annotated(it, { [QUIET_SINCE]: note });
const since = (time: number, by = issuer, uid = 'podeip') => writeQuiet(by, uid, time);

const ending = podEip({ isEnding: true });
/** The deletion of {@link ending}. */
const DELETED = Date.parse('2026-11-20T12:00:00Z');
const kept = podEip({ podUid: '', release: { strategy: 'Never' } });

const quietFrom = (it: PodEip, time: number) => quietByNote(noted(it, since(time)), clocks, issuer);

test('a note counts from its time on, less what clocks may differ by and a call may wait', (t) => {
  t.is(quietFrom(ending, NOW - 2 * MINUTE), 2 * MINUTE - SEND_WITHIN_MS - 30_000);
  t.is(quietFrom(kept, NOW - 2 * MINUTE), 2 * MINUTE - SEND_WITHIN_MS - 30_000);
  t.is(quietFrom(ending, NOW), 0);
});

const FORGED: readonly (readonly [what: string, note: string | undefined])[] = [
  ['none at all', undefined],
  ['one without a signature', '2026-11-20T12:00:00.000Z'],
  ['one with another time than was signed', since(NOW)?.replace('2026-11-21', '2026-11-20')],
  ['one of another PodEIP', since(NOW - MINUTE * 9, issuer, 'another')],
  ['one of another cluster', since(NOW - MINUTE * 9, { ...issuer, clusterUid: 'other' })],
  ['one with another key', since(NOW - MINUTE * 9, { ...issuer, markKey: 'guessed' })],
  ['one of a time to come', since(NOW + MINUTE)],
  ['that something is being sent', `${CHANGING}process/1/5`],
  ['nonsense', 'yesterday'],
];

for (const [what, note] of FORGED)
  test(`${what} costs time, and is written anew`, (t) => {
    const its = noted(podEip({ allocationID: 'eip-1', isEnding: true }), note);
    t.is(quietByNote(its, clocks, issuer), 0);
    const step = decide(
      seen({ pod: null, podEip: its, eip: null, memory: { ...justStarted, hasSent: false }, serverNow: NOW }),
      settings,
    );
    t.like(step, { do: 'NoteQuiet', note: since(NOW) });
  });

test('a note of before the deletion counts from the deletion on, which nobody can forge', (t) => {
  const its = noted(ending, since(DELETED - 99 * MINUTE));
  const at = DELETED + MINUTE;
  t.is(quietByNote(its, { now: at, serverNow: at }, issuer), MINUTE - SEND_WITHIN_MS - 30_000);
});

test('a note counts only on the way out, or without a pod, and where no other PodEIP sends', (t) => {
  const old = since(NOW - 60 * MINUTE);
  t.is(quietByNote(noted(podEip(), old), clocks, issuer), 0);
  t.is(quietByNote(annotated(noted(kept, old), { [SUCCESSOR_UID]: 'another' }), clocks, issuer), 0);
  t.is(quietByNote(noted(podEip({ isEnding: true, hasFinalizer: false }), old), clocks, issuer), 0);
  t.is(quietByNote(noted(ending, old), clocks, { clusterUid: issuer.clusterUid }), 0);
  t.is(quietByNote(noted(ending, old), { now: NOW }, issuer), 0);
});

test('the slower of two clocks says how long it has been quiet', (t) => {
  assertProperty(
    property(integer({ min: -90, max: 90 }), integer({ min: -90, max: 90 }), (wall, server) => {
      const its = noted(ending, since(NOW - 10 * MINUTE));
      const ms = quietByNote(its, { now: NOW + wall * 1_000, serverNow: NOW + server * 1_000 }, issuer);
      return ms === 10 * MINUTE + Math.min(wall, server) * 1_000 - SEND_WITHIN_MS - 30_000;
    }),
  );
  t.pass();
});

test('a process that knows better, or nothing to go by, writes no note', (t) => {
  const its = podEip({ allocationID: 'eip-1', isEnding: true });
  const waiting = { pod: null, podEip: its, eip: null, memory: { ...justStarted, hasSent: false }, serverNow: NOW };
  const stepOf = (over: object, its = settings) => decide(seen({ ...waiting, ...over }), its).do;
  t.is(stepOf({}), 'NoteQuiet');
  t.is(stepOf({ memory: { ...justStarted, hasSent: true } }), 'Wait');
  t.is(stepOf({ memory: { ...justStarted, hasSent: false, isCertain: true } }), 'Wait');
  t.is(stepOf({ serverNow: undefined }), 'Wait');
  t.is(stepOf({}, { ...base, markKey: undefined }), 'Wait');
  t.is(stepOf({ podEip: noted(its, since(NOW - 5_000)) }), 'Wait');
  t.is(stepOf({ eip: eip({ status: 'Available' }) }), 'Release');
  t.is(stepOf({ memory: quiet, tagged: [] }), 'RemoveFinalizer');
});

const noteOf = ({ body }: Patch) =>
  (body as { metadata: { annotations: Record<string, string | null> } }).metadata.annotations[QUIET_SINCE];

/** What an API server does with the writes. */
const recording = () => {
  const patches: Patch[] = [];
  const kube = {
    patch: (_: unknown, __: unknown, patch: Patch) => {
      patches.push(patch);
      return Promise.resolve(ending);
    },
  } as unknown as Kube;
  return { kube, notes: () => patches.map(noteOf) };
};
const signal = new AbortController().signal;

test('before a change is sent the note goes, and every one on its way with its version', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const { kube, notes } = recording();
  const send = (its: PodEip, over: object = {}, readAt = clock.mono()) => {
    const ports = { kube, clock, tracker, settings: { ...settings, ...over } };
    return endQuiet({ podEip: its, isPurchase: false, readAt }, ports, signal);
  };
  await send(podEip());
  t.deepEqual(notes(), [], 'an address that is in use has no note');
  await send(ending);
  t.is(notes().length, 1, 'a process that has written nothing yet');
  t.true(notes()[0]?.startsWith(CHANGING));
  await send(ending);
  t.is(notes().length, 1, 'it has by now');
  await send(noted(ending, since(NOW)));
  t.is(notes().length, 2, 'there is a note');
  await send(ending, {}, clock.mono() - SEND_WITHIN_MS - 1);
  t.is(notes().length, 3, 'what was read is old');
  tracker.wrote('podeip', false);
  await send(ending);
  t.is(notes().length, 4, 'a write of its own may still come');
  await send(ending, { isUnelected: true });
  t.is(notes().length, 5, 'another process may be at work');
  t.is(new Set(notes()).size, 5, 'each changes the PodEIP');
});

test('before a purchase no new generation of a process before is on its way any more', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const versions: unknown[] = [];
  const kube = {
    patch: (_: unknown, __: unknown, { body }: Patch) => {
      versions.push((body as PodEip).metadata.resourceVersion);
      return Promise.resolve({
        ...podEip(),
        metadata: { ...podEip().metadata, resourceVersion: `${versions.length}` },
      });
    },
  } as unknown as Kube;
  const send = (over: object = {}) => {
    const ports = { kube, clock, tracker, settings: { ...settings, ...over } };
    return endQuiet({ podEip: podEip(), isPurchase: true, readAt: 0 }, ports, signal);
  };
  const { resourceVersion } = podEip().metadata;
  await send();
  t.deepEqual(versions, [resourceVersion], 'a process that has written nothing yet');
  t.is(asNoted(podEip(), tracker).metadata.resourceVersion, '1', 'what is bought is written into what came of that');
  await send();
  t.is(versions.length, 1, 'it has by now');
  tracker.wrote('podeip', false);
  await send();
  t.deepEqual(versions, [resourceVersion, '1'], 'a write of its own may still come');
  await send({ isUnelected: true });
  t.deepEqual(versions, [resourceVersion, '1', '2'], 'another process may be at work');
  const other = new Tracker(clock, seeded(2));
  other.created('podeip');
  const ports = { kube, clock, tracker: other, settings };
  await endQuiet({ podEip: podEip(), isPurchase: true, readAt: 0 }, ports, signal);
  t.is(versions.length, 3, 'who has just created it is alone with it');
});

test('a change whose turn came late is not sent', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const kube = {
    patch: async () => {
      await clock.advance(SEND_WITHIN_MS + 1);
      return ending;
    },
  } as unknown as Kube;
  const change = { podEip: ending, isPurchase: false, readAt: 0 };
  await t.throwsAsync(endQuiet(change, { kube, clock, tracker, settings }, signal), { name: 'KubeFault' });
});

test('without an election a change waits for a new look where the PodEIP goes meanwhile', async (t) => {
  const clock = new ManualClock();
  const tracker = new Tracker(clock, seeded(1));
  const present: { is: PodEip | undefined } = { is: podEip() };
  const kube = { get: () => Promise.resolve(present.is) } as unknown as Kube;
  const ports = { kube, clock, tracker, settings: { ...settings, isUnelected: true } };
  const send = () => endQuiet({ podEip: podEip(), isPurchase: false, readAt: 0 }, ports, signal);
  await t.notThrowsAsync(send());
  for (const changed of [ending, kept, podEip({ allocationID: 'eip-other' }), undefined]) {
    present.is = changed;
    await t.throwsAsync(send(), { name: 'KubeFault' });
  }
});

test('who has a pod again, or none, or a successor begins without a note', async (t) => {
  const { kube, notes } = recording();
  await markRetained(kube, podEip(), NOW, signal);
  await assignPod(kube, { do: 'TakeOver', podEip: kept, podUid: 'b', release: { strategy: 'Follow' } }, signal);
  await assignSuccessor(kube, kept, 'b', signal);
  t.deepEqual(notes(), [null, null, null]);
});

test('the API server tells the time with each answer', async (t) => {
  const clock = new ManualClock();
  const server = createApiServer({ clock, random: seeded(1) });
  const { transport: dated, time } = tellingTime(transport(server));
  t.is(time.latest(), undefined);
  await clock.advance(1_900);
  const kube = createKube({ transport: dated, clock });
  await kube.get(NAMESPACE, { name: 'default' });
  t.is(time.latest(), clock.now() - 900);
  await clock.advance(60_000);
  t.is(time.latest(), clock.now() - 60_900);
});

test('a reading counts from when it was asked for, however long its answer took', (t) => {
  const asked = { quietMs: 100, isCertain: true, driftMs: 5, missingMs: 0, retainedMs: 0, inUseMs: 50, ageMs: 200 };
  const answered = {
    ...asked,
    quietMs: 9_100,
    driftMs: 9_005,
    missingMs: 9_000,
    inUseMs: 9_050,
    ageMs: 9_200,
    detachedMs: 9_010,
    noInterfaceMs: 9_020,
    unusedMs: 9_030,
  };
  const asOf = { ...asked, detachedMs: 0, noInterfaceMs: 0, unusedMs: 0 };
  t.deepEqual(asOfAsking(answered, asked), asOf);
  const before = { ...asked, missingMs: 3, detachedMs: 10, noInterfaceMs: 20, unusedMs: 30 };
  t.deepEqual(asOfAsking(answered, before), before);
  const sentMeanwhile = { ...answered, quietMs: 7 };
  t.is(asOfAsking(sentMeanwhile, asked).quietMs, 7);
});
