import test from 'ava';
import { bundleOf, type Pair } from '../../src/webhook/certificates.ts';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { SECRET } from '../../src/api/core.ts';
import { watchBundles } from '../../src/manager/bundle-watch.ts';
import { agree, rotate } from '../../src/webhook/rotation.ts';
import type { Kube } from '../../src/kube/port.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { until } from '../harness/until.ts';

const secret = { namespace: 'default', name: 'knative-eip-webhook' };
const hosts = ['knative-eip-webhook.default.svc'];

/** A watch that does not work: then each minute is looked. */
const seesNothing = () => Promise.resolve();

const stage = async () => {
  const server = createApiServer({ clock: systemClock, random });
  const kube = createKube({ transport: transport(server), clock: systemClock, qps: 1e6, burst: 1e6 });
  const install = () =>
    kube.create(MUTATING_WEBHOOKS, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'knative-eip' },
      webhooks: ['a', 'b'].map((name) => ({
        name: `${name}.example.com`,
        clientConfig: { url: `https://127.0.0.1:1/${name}` },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      })),
    });
  await install();
  const bundles = async () =>
    (await kube.get(MUTATING_WEBHOOKS, { name: 'knative-eip' }))?.webhooks?.map(
      ({ clientConfig }) => clientConfig.caBundle,
    );
  return { server, kube, bundles, install };
};

test('ten replicas that start at once agree on one certificate', async (t) => {
  const { kube } = await stage();
  const parts = { kube, clock: systemClock, log: silentLog, secret, hosts };
  const all = await Promise.all(Array.from({ length: 10 }, () => agree(parts)));
  t.is(new Set(all.map(({ leaf }) => leaf.cert)).size, 1);
  t.is(new Set(all.map(bundleOf)).size, 1);
});

test('a Secret that says nothing sensible is made anew, and one that is right is not written', async (t) => {
  const { kube } = await stage();
  const parts = { kube, clock: systemClock, log: silentLog, secret, hosts };
  for (const data of [
    {},
    { 'authority.json': 'AAAA' },
    { 'authority.json': Buffer.from('{"leaf":1}').toString('base64') },
  ]) {
    const found = await kube.get(SECRET, secret);
    if (found) await kube.delete(SECRET, secret, { uid: found.metadata.uid });
    await kube.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata: secret, data });
    const made = await agree(parts);
    const { resourceVersion } = (await kube.get(SECRET, secret))?.metadata ?? {};
    t.deepEqual(await agree(parts), made);
    t.is((await kube.get(SECRET, secret))?.metadata.resourceVersion, resourceVersion);
  }
});

test('the bundle is there before the certificate is shown, and is written again when somebody empties it', async (t) => {
  const { kube, bundles } = await stage();
  const clock = new ManualClock(0);
  const stop = new AbortController();
  const shown: { leaf: Pair; bundles: unknown }[] = [];
  const running = rotate(
    {
      kube,
      clock,
      log: silentLog,
      secret,
      hosts,
      configuration: 'knative-eip',
      present: async (leaf) => void shown.push({ leaf, bundles: await bundles() }),
      follow: seesNothing,
    },
    stop.signal,
  );
  await until(
    'it is shown',
    () => shown.length,
    (count) => count === 1,
  );
  const right = await bundles();
  t.is(right?.length, 2);
  t.truthy(right?.[0]);
  t.deepEqual(shown[0]?.bundles, right);

  const body = [{ op: 'add', path: '/webhooks/1/clientConfig/caBundle', value: '' }];
  await kube.patch(MUTATING_WEBHOOKS, { name: 'knative-eip' }, { type: 'json', body });
  const aMinuteLater = async <T>(look: () => Promise<T> | T): Promise<T> => {
    await clock.advance(60_000);
    return look();
  };
  await until(
    'it is written again',
    () => aMinuteLater(async () => (await bundles())?.[1]),
    (bundle) => bundle === right?.[1],
  );
  t.is(shown.length, 1, 'the certificate is still the same');

  const found = await kube.get(SECRET, secret);
  if (found) await kube.delete(SECRET, secret, { uid: found.metadata.uid });
  await until(
    'another is shown',
    () => aMinuteLater(() => shown.length),
    (count) => count === 2,
  );
  t.not(shown[1]?.leaf.cert, shown[0]?.leaf.cert);
  t.notDeepEqual(shown[1]?.bundles, right);
  stop.abort();
  await running;
});

const wipe = (kube: Kube, index: number) =>
  kube.patch(
    MUTATING_WEBHOOKS,
    { name: 'knative-eip' },
    { type: 'json', body: [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: '' }] },
  );

test('a caBundle that somebody empties is put right without any time passing, and who insists is not raced', async (t) => {
  const { server, kube, bundles } = await stage();
  const clock = new ManualClock(0);
  const stop = new AbortController();
  const log = recordingLog();
  const configuration = 'knative-eip';
  let shown = 0;
  const running = rotate(
    {
      kube,
      clock,
      log,
      secret,
      hosts,
      configuration,
      present: () => void (shown += 1),
      follow: watchBundles({ transport: transport(server), clock, random, log, configuration }),
    },
    stop.signal,
  );
  await until(
    'it is shown',
    () => shown,
    (count) => count === 1,
  );
  const right = await bundles();
  const isRight = (all: typeof right) => all?.every((bundle, index) => bundle === right?.[index]) ?? false;
  await wipe(kube, 1);
  await until('it is written again', bundles, isRight);
  t.is(clock.mono(), 0, 'nobody waited');
  await wipe(kube, 0);
  t.false(isRight(await bundles()));
  await clock.advance(500);
  t.false(isRight(await bundles()), 'not as fast as two can write');
  await clock.advance(500);
  await until('it is written again, after a second', bundles, isRight);
  t.is(clock.mono(), 1_000);
  t.is(log.lines.filter((line) => line.includes('changed the caBundle of knative-eip')).length, 2, 'and it is said');
  t.is(shown, 1);
  stop.abort();
  await running;
});

test('what was just installed has no caBundle yet: it is written at once, as often as it happens, and blames nobody', async (t) => {
  const { server, kube, bundles, install } = await stage();
  const clock = new ManualClock(0);
  const stop = new AbortController();
  const log = recordingLog();
  const configuration = 'knative-eip';
  const follow = watchBundles({ transport: transport(server), clock, random, log, configuration });
  const running = rotate(
    { kube, clock, log, secret, hosts, configuration, present: () => undefined, follow },
    stop.signal,
  );
  const areWritten = (all: Awaited<ReturnType<typeof bundles>>) => all?.every((it) => it !== undefined) === true;
  await until('it is written', bundles, areWritten);
  const right = (await bundles())?.[0];
  for (let times = 0; times < 3; times += 1) {
    const { uid = '' } = (await kube.get(MUTATING_WEBHOOKS, { name: configuration }))?.metadata ?? {};
    await kube.delete(MUTATING_WEBHOOKS, { name: configuration }, { uid });
    await install();
    await until('it is written', bundles, areWritten);
  }
  // An upgrade brings one more.
  const { sideEffects, admissionReviewVersions } = { sideEffects: 'None', admissionReviewVersions: ['v1'] };
  const value = {
    name: 'c.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/c' },
    sideEffects,
    admissionReviewVersions,
  };
  const body = [{ op: 'add', path: '/webhooks/-', value }] as const;
  await kube.patch(MUTATING_WEBHOOKS, { name: configuration }, { type: 'json', body: [...body] });
  await until('it is written', bundles, (all) => all?.length === 3 && areWritten(all));
  t.is(clock.mono(), 0, 'nobody waited');
  t.deepEqual(new Set(await bundles()), new Set([right]));
  const said = log.lines.filter((line) => line.includes('caBundle'));
  t.deepEqual(
    said.map((line) => line.replace(/ \{.*/u, '')),
    [...Array.from({ length: 3 }, () => 'a.example.com, b.example.com'), 'c.example.com'].map(
      (names) => `info Webhooks of knative-eip are new and had no caBundle of ours; it is written: ${names}`,
    ),
  );
  stop.abort();
  await running;
});

test('that the configurations cannot be watched is said once for both, and again when it happens again', async (t) => {
  const { server } = await stage();
  const clock = new ManualClock(0);
  const stop = new AbortController();
  const log = recordingLog();
  let status: number | undefined = 503;
  let refused = 0;
  let opened = 0;
  server.intercept(({ path }) => {
    if (!/[?&]watch=/u.test(path)) return undefined;
    if (status === undefined) opened += 1;
    else refused += 1;
    return status === undefined ? undefined : { instead: { status, headers: {}, body: '{}' } };
  });
  const follow = watchBundles({ transport: transport(server), clock, random, log, configuration: 'knative-eip' });
  const running = follow(() => undefined, stop.signal);
  // A watch without a word is given up after 90 s.
  const later = async <T>(look: () => T): Promise<T> => {
    await clock.advance(100_000);
    return look();
  };
  const said = () => log.lines.filter((line) => line.includes('cannot be watched')).length;
  for (const [outages, answer] of [503, 503, 403, 403].entries()) {
    [status, refused] = [answer, 0];
    await until(
      'several attempts',
      () => later(() => refused),
      (count) => count >= 6,
    );
    t.is(said(), outages + 1, log.lines.join('\n'));
    [status, opened] = [undefined, 0];
    await until(
      'both are watched',
      () => later(() => opened),
      (count) => count >= 4,
    );
  }
  t.is(said(), 4);
  stop.abort();
  await running;
});

test('an API server that is away, or has no such configuration, is asked again', async (t) => {
  const { server, kube } = await stage();
  const clock = new ManualClock(0);
  const stop = new AbortController();
  let isDown = true;
  server.intercept(() => (isDown ? { instead: { status: 503, headers: {}, body: '{}' } } : undefined));
  let shown = 0;
  const present = () => void (shown += 1);
  const parts = { kube, clock, log: silentLog, secret, hosts, configuration: 'none', present, follow: seesNothing };
  const running = rotate(parts, stop.signal);
  await until(
    'it waits to ask again',
    () => clock.pending(),
    (timers) => timers > 0,
  );
  t.is(shown, 0);
  isDown = false;
  await until(
    'it is shown',
    async () => {
      await clock.advance(5_000);
      return shown;
    },
    (count) => count === 1,
  );
  stop.abort();
  await running;
});
