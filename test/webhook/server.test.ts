import test from 'ava';
import { createReviewers } from '../../src/webhook/handlers.ts';
import { ReviewError } from '../../src/webhook/review.ts';
import { EIP_BEFORE_TRAFFIC, KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import { REVISION_LABEL } from '../../src/api/knative.ts';
import { createKube } from '../../src/kube/client.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { createReviewApp, LARGEST_BODY_BYTES } from '../../src/webhook/server.ts';
import { serve } from '../../src/web/http-server.ts';
import { ruleSettings } from '../harness/settings.ts';

const settings = ruleSettings();

const pod = (more: object = {}) => ({
  metadata: { generateName: 'hello-', annotations: { [KEYS.withEip[2]]: 'true' }, labels: { [REVISION_LABEL]: 'r' } },
  spec: { containers: [{ name: 'c', image: 'i' }] },
  ...more,
});

const review = (object: unknown, request: object = {}) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'u-1',
    operation: 'CREATE',
    resource: { group: '', version: 'v1', resource: 'pods' },
    namespace: 'default',
    object,
    oldObject: null,
    dryRun: false,
    ...request,
  },
});

/** The webhooks over HTTP, beside the embedded API. */
const serving = async (use: (ask: Ask, world: World) => Promise<void>): Promise<void> => {
  const server = createApiServer({ clock, random });
  const reads: string[] = [];
  let isDown = false;
  server.intercept(({ method, path }) => {
    reads.push(`${method} ${path}`);
    return isDown ? { instead: { status: 503, headers: {}, body: '{}' } } : undefined;
  });
  const kube = createKube({ transport: transport(server), clock });
  const answers: string[] = [];
  const reviewers = createReviewers({
    kube,
    clock,
    log: silentLog,
    settings,
    provider: 'add-on',
    observe: (webhook, answer) => answers.push(`${webhook} ${answer}`),
  });
  const app = createReviewApp(reviewers, (error): error is ReviewError => error instanceof ReviewError, silentLog);
  const http = await serve(app, '127.0.0.1:0', clock);
  const ask: Ask = async (body, { path = '/mutate/pods', type = 'application/json', method = 'POST' } = {}) => {
    const response = await fetch(http.url + path, {
      method,
      headers: { 'content-type': type },
      ...(method === 'POST' && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, json: text.startsWith('{') ? (JSON.parse(text) as Reviewed) : undefined };
  };
  try {
    await use(ask, { reads, answers, down: () => (isDown = true) });
  } finally {
    await http.close();
  }
};

interface Reviewed {
  response: { uid: string; allowed: boolean; patch?: string; patchType?: string; warnings?: string[] };
}
type Ask = (
  body: unknown,
  options?: { path?: string; type?: string; method?: string },
) => Promise<{ status: number; text: string; json: Reviewed | undefined }>;
interface World {
  readonly reads: string[];
  readonly answers: string[];
  readonly down: () => void;
}

const patchOf = (json: Reviewed | undefined): unknown =>
  json?.response.patch === undefined ? undefined : JSON.parse(Buffer.from(json.response.patch, 'base64').toString());

test('a review is answered with its own UID and a JSON patch; a dry run like any other', async (t) => {
  await serving(async (ask, { answers }) => {
    for (const dryRun of [false, true]) {
      const { status, json } = await ask(review(pod(), { dryRun }));
      t.is(status, 200);
      t.like(json?.response, { uid: 'u-1', allowed: true, patchType: 'JSONPatch' });
      t.deepEqual(patchOf(json), [
        { op: 'add', path: '/spec/readinessGates', value: [{ conditionType: READINESS_GATE }] },
      ]);
    }
    t.deepEqual(answers, ['pods changed', 'pods changed']);
  });
});

test('nothing but pods that are made is looked at, and nothing of the cluster is read for others', async (t) => {
  await serving(async (ask, { reads }) => {
    const others = [
      review(pod(), { operation: 'UPDATE' }),
      review(pod(), { subResource: 'status' }),
      review(pod(), { resource: { group: 'apps', version: 'v1', resource: 'deployments' } }),
      review(pod({ metadata: { labels: { [REVISION_LABEL]: 'r' } } })),
      // Go leaves out what is empty.
      review(pod(), { operation: 'DELETE', object: undefined, oldObject: undefined, namespace: undefined }),
    ];
    for (const other of others) t.deepEqual((await ask(other)).json?.response, { uid: 'u-1', allowed: true });
    t.deepEqual(reads, []);
  });
});

const service = (annotations: object) => ({
  metadata: {},
  spec: { template: { metadata: { annotations }, spec: { containers: [{ image: 'i' }] } } },
});

test('a Service that waits for an address and asks for none is told so, and one that waits for nothing costs nothing', async (t) => {
  await serving(async (ask, { reads }) => {
    const resource = { group: 'serving.knative.dev', version: 'v1', resource: 'services' };
    const path = '/mutate/services';
    await ask(review(service({ [KEYS.withEip[0]]: 'true' }), { resource }), { path });
    t.deepEqual(reads, []);
    const { json } = await ask(review(service({ [EIP_BEFORE_TRAFFIC]: 'true' }), { resource }), { path });
    t.is(json?.response.allowed, true);
    t.regex(json?.response.warnings?.join() ?? '', /asks for no address/);
  });
});

test('labels of a namespace are read once for a burst of pods', async (t) => {
  await serving(async (ask, { reads }) => {
    await Promise.all(Array.from({ length: 50 }, () => ask(review(pod()))));
    t.deepEqual(reads, ['GET /api/v1/namespaces/default']);
  });
});

test('an API server that does not answer makes no pod wait for it: the pod is prepared for any node', async (t) => {
  await serving(async (ask, { down }) => {
    down();
    const { json } = await ask(review(pod()));
    t.true(json?.response.allowed);
    t.regex(JSON.stringify(patchOf(json)), /eip-isp.*readinessGates/u);
  });
});

test('what somebody wrote does not deceive who reads the answer', async (t) => {
  await serving(async (ask) => {
    const odd = 'a\u001b[2K\u202eb';
    const metadata = { annotations: { [KEYS.withEip[2]]: 'true', [`k8s.aliyun.com/eip-${odd}`]: odd, x: 1 } };
    const { text } = await ask(review(pod({ metadata })));
    for (const deceptive of ['\u001b', '\u202e']) t.false(JSON.stringify(JSON.parse(text)).includes(deceptive));
    for (const escape of ['u001b', 'u202e']) t.false(text.replaceAll('\\\\u', '').includes(`\\${escape}`), text);
    t.regex(text, /warnings/);
  });
});

test('an object that cannot be read is let in as it is, with a warning that names the field', async (t) => {
  await serving(async (ask, { answers }) => {
    const wrong: [unknown, RegExp][] = [
      [null, /object/u],
      [{}, /metadata/u],
      [pod({ metadata: { annotations: { a: 1 } } }), /metadata\.annotations\.a/u],
      [pod({ spec: { tolerations: 'all' } }), /spec\.tolerations/u],
      ['text', /object/u],
    ];
    for (const [object, field] of wrong) {
      const { status, json } = await ask(review(object));
      t.is(status, 200);
      t.true(json?.response.allowed);
      t.is(json?.response.patch, undefined);
      t.regex(json?.response.warnings?.join() ?? '', field);
    }
    t.is(answers.filter((it) => it === 'pods unreadable').length, wrong.length);
  });
});

test.serial(
  'a review is read that is as large as an API server makes it from what somebody filled with <',
  async (t) => {
    await serving(async (ask, { answers }) => {
      // encoding/json writes each as \u003c. An API server takes 3 MiB of them, and sends them twice with an update.
      const filled = JSON.stringify(pod({ spec: { containers: [{ name: 'c', env: ['FILLING'] }] } }));
      const object = filled.replace('FILLING', String.raw`\u003c`.repeat(3 * 1024 * 1024 - filled.length));
      const text = JSON.stringify(review('OBJECT', { oldObject: 'OBJECT' })).replaceAll('"OBJECT"', object);
      t.true(text.length > 36_000_000);
      const { status, json } = await ask(text);
      t.is(status, 200);
      t.like(json?.response, { allowed: true, patchType: 'JSONPatch' });
      t.deepEqual(answers, ['pods changed']);
    });
  },
);

test('what is no review gets 4xx and one line', async (t) => {
  await serving(async (ask) => {
    const rows: [unknown, Parameters<Ask>[1], number, RegExp][] = [
      ['{', {}, 400, /^not JSON/u],
      ['', {}, 400, /^not JSON/u],
      ['[]', {}, 400, /not an AdmissionReview/u],
      [{ apiVersion: 'admission.k8s.io/v1beta1' }, {}, 400, /apiVersion/u],
      [{ ...review(pod()), request: undefined }, {}, 400, /request/u],
      [review(pod(), { uid: '' }), {}, 400, /request\.uid/u],
      [review(pod(), { operation: 'PATCH' }), {}, 400, /request\.operation/u],
      ['[['.repeat(400_000), {}, 400, /^the body is nested deeper than 64 /u],
      [`${'x'.repeat(LARGEST_BODY_BYTES)}x`, {}, 413, /larger than 37814272 bytes/u],
      [review(pod()), { path: '/mutate' }, 404, /no webhook at \/mutate/u],
      [review(pod()), { path: '/__proto__' }, 404, /no webhook/u],
      [review(pod()), { method: 'GET' }, 405, /POST/u],
      [review(pod()), { type: 'text/plain' }, 415, /application\/json/u],
    ];
    for (const [body, options, status, line] of rows) {
      const answer = await ask(body, options);
      t.is(answer.status, status, answer.text);
      t.regex(answer.text, line);
      t.is(answer.text.trimEnd().split('\n').length, 1);
    }
    t.is((await ask(review(pod()))).status, 200, 'and the next one is answered');
  });
});
