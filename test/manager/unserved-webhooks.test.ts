import test from 'ava';
import { MUTATING_WEBHOOKS } from '../../src/api/admission-registration.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { lookForUnserved } from '../../src/manager/unserved-webhooks.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { ManualClock } from '../harness/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { until } from '../harness/until.ts';

const CONFIGURATION = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'knative-eip' },
  webhooks: [
    {
      name: 'pods.example.com',
      clientConfig: { url: 'https://127.0.0.1:1/pods' },
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    },
  ],
};

const bench = () => {
  const server = createApiServer({ clock: systemClock, random });
  const kube = createKube({ transport: transport(server), clock: systemClock, qps: 1e6, burst: 1e6 });
  const clock = new ManualClock(0);
  const stop = new AbortController();
  const log = recordingLog();
  const watch = () => lookForUnserved({ kube, clock, log, configuration: 'knative-eip' }, stop.signal);
  const aMinuteLater = async <T>(look: () => T): Promise<T> => {
    await clock.advance(60_000);
    return look();
  };
  return { server, kube, clock, stop, log, watch, aMinuteLater };
};

test('webhooks that the API server calls and nobody serves make the process not ready, and it says what to do', async (t) => {
  const { kube, stop, log, watch, aMinuteLater } = bench();
  const isWell = watch();
  t.true(isWell());
  const made = await kube.create(MUTATING_WEBHOOKS, CONFIGURATION);
  await until(
    'they are seen',
    () => aMinuteLater(isWell),
    (is) => !is,
  );
  await aMinuteLater(isWell);
  const errors = log.lines.filter((line) => line.startsWith('error'));
  t.is(errors.length, 1, 'once');
  t.regex(errors[0] ?? '', /MutatingWebhookConfiguration knative-eip.*set webhook.enabled: true, or delete them/u);
  await kube.delete(MUTATING_WEBHOOKS, { name: 'knative-eip' }, { uid: made.metadata.uid });
  await until(
    'they are gone',
    () => aMinuteLater(isWell),
    (is) => is,
  );
  stop.abort();
});

test('a service account that may not look is not asked again, and is ready', async (t) => {
  const { server, clock, stop, watch } = bench();
  let asked = 0;
  server.intercept(() => {
    asked += 1;
    const body = JSON.stringify({ kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403 });
    return { instead: { status: 403, headers: { 'content-type': 'application/json' }, body } };
  });
  const isWell = watch();
  await until(
    'it has asked',
    () => asked,
    (count) => count > 0,
  );
  for (let minutes = 0; minutes < 5; minutes += 1) await clock.advance(60_000);
  t.is(asked, 1);
  t.true(isWell());
  stop.abort();
});
