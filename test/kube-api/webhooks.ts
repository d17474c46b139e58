import { reviewServer, type ReviewRequest } from '../harness/review-server.ts';
import { eventually, inOrder, JSON_PATCH, MERGE, pod, pods, type Answer, type Api, type Behaviour } from './client.ts';

const GROUP = '/apis/admissionregistration.k8s.io/v1';

/** One webhook for the objects of the namespace of a test. */
interface Hook {
  readonly kind: 'mutating' | 'validating';
  readonly group?: string;
  readonly resource: string;
  readonly operations?: readonly string[];
  readonly failurePolicy?: string;
  readonly sideEffects?: string;
  readonly scope?: string;
  readonly objectSelector?: object;
  /** AdmissionReview's response without the uid; `gone`: the connection is broken. */
  readonly answer: (request: ReviewRequest) => object | 'gone';
}

/** Serves webhooks, has the API server call them while `use` runs, and takes them away again. */
const withHooks = async (
  { namespace, request }: Api,
  hooks: readonly Hook[],
  use: () => Promise<void>,
): Promise<void> => {
  const server = await reviewServer((path, review) => {
    // No test is about these: the probe, and what controllers put into every namespace, sooner or later.
    const { resource } = review['resource'] as { resource: string };
    if (resource === 'configmaps') return { allowed: true, warnings: [`probe /${path}`] };
    return hooks[Number(path)]?.answer(review) ?? 'gone';
  });
  const made: string[] = [];
  try {
    await request('PATCH', `/api/v1/namespaces/${namespace}`, { metadata: { labels: { hooks: namespace } } }, MERGE);
    for (const [index, hook] of hooks.entries()) {
      const { kind, group = '', resource, operations = ['CREATE', 'UPDATE'], sideEffects = 'None' } = hook;
      const { scope = 'Namespaced', objectSelector = {} } = hook;
      const name = `${namespace}-${index}`;
      const plural = `${GROUP}/${kind}webhookconfigurations`;
      const { status, text } = await request('POST', plural, {
        metadata: { name },
        webhooks: [
          {
            name: `hook-${index}.example.com`,
            clientConfig: server.clientConfig(String(index)),
            // Beside what the test is about, the object that shows whether the server calls the webhook yet.
            rules: [
              { apiGroups: [group], apiVersions: ['*'], operations, resources: [resource], scope },
              { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
            ],
            objectSelector,
            namespaceSelector: { matchLabels: { hooks: namespace } },
            admissionReviewVersions: ['v1'],
            sideEffects,
            failurePolicy: hook.failurePolicy ?? 'Fail',
          },
        ],
      });
      if (status !== 201) throw new Error(text);
      made.push(`${plural}/${name}`);
    }
    // A server takes a moment until it calls what was just configured.
    await eventually(
      async () => {
        const path = `/api/v1/namespaces/${namespace}/configmaps`;
        const answer = await request('POST', path, { metadata: { name: 'probe', labels: { on: 'yes' } } });
        await request('DELETE', `${path}/probe`);
        return answer;
      },
      ({ warnings }) => warnings.length === hooks.length,
    );
    await use();
  } finally {
    for (const path of made) await request('DELETE', path);
    await server.close();
  }
};

const denied = (why: string) => `admission webhook "hook-0.example.com" denied the request${why}`;

const REFUSALS: readonly (readonly [
  said: object | undefined,
  code: number,
  reason: string | undefined,
  why: string,
])[] = [
  [{ code: 403, reason: 'Forbidden', message: 'It is "wrong".' }, 403, 'Forbidden', ': It is "wrong".'],
  [{ code: 409, reason: 'Conflict', message: 'Taken' }, 409, 'Conflict', ': Taken'],
  [{ code: 200, status: 'Success', reason: 'Odd' }, 400, 'Odd', ': Odd'],
  [{ message: 'No code' }, 400, undefined, ': No code'],
  [undefined, 400, undefined, ' without explanation'],
];

const patch = (value: object) => Buffer.from(JSON.stringify([value])).toString('base64');

const LONG = 'x'.repeat(300);

/** Webhooks: what they are asked, and what becomes of their answers. */
export const webhooks: readonly Behaviour[] = [
  {
    title: 'a request that a webhook denies gets its code, its reason and its words, and nothing is written',
    check: async (t, api) => {
      let status: object | undefined;
      const answer = () => ({ allowed: false, ...(status && { status }), warnings: ['and mind this'] });
      await withHooks(api, [{ kind: 'validating', resource: 'pods', answer }], async () => {
        for (const [said, code, reason, why] of REFUSALS) {
          status = said;
          const got = await api.request('POST', pods(api.namespace), pod('a'));
          t.like(got.body, { kind: 'Status', status: 'Failure', code, message: denied(why) });
          t.is(got.body.reason, reason);
          t.is(got.status, code);
          t.deepEqual(got.warnings, ['299 - "and mind this"']);
        }
        t.is((await api.request('GET', `${pods(api.namespace)}/a`)).status, 404);
      });
    },
  },
  {
    title: 'warnings of webhooks are passed on, escaped, each once, and without those that no header can carry',
    check: async (t, api) => {
      const hooks: readonly Hook[] = [
        {
          kind: 'mutating',
          resource: 'pods',
          answer: () => ({ allowed: true, warnings: ['first', 'both', 'two\nlines', '', 'say "a\\b" – 可以'] }),
        },
        { kind: 'validating', resource: 'pods', answer: () => ({ allowed: true, warnings: ['both', 'last'] }) },
      ];
      await withHooks(api, hooks, async () => {
        const { status, warnings } = await api.request('POST', pods(api.namespace), pod('a'));
        t.is(status, 201);
        t.deepEqual(warnings, ['299 - "first"', '299 - "both"', '299 - "say \\"a\\\\b\\" – 可以"', '299 - "last"']);
        t.deepEqual((await api.request('GET', `${pods(api.namespace)}/a`)).warnings, []);
      });
    },
  },
  {
    title: 'warnings that are too long together are cut, and those beyond the limit left out',
    check: async (t, api) => {
      let many: readonly string[] = [];
      await withHooks(
        api,
        [{ kind: 'validating', resource: 'pods', answer: () => ({ allowed: true, warnings: many }) }],
        async () => {
          many = Array.from({ length: 13 }, (_, index) => `${index} ${LONG}`);
          const whole = await api.request('POST', pods(api.namespace), pod('a'));
          t.deepEqual(
            whole.warnings,
            many.map((text) => `299 - "${text}"`),
          );
          many = Array.from({ length: 20 }, (_, index) => `${index} ${LONG}`);
          const cut = await api.request('POST', pods(api.namespace), pod('b'));
          t.deepEqual(
            cut.warnings,
            many.slice(0, 16).map((text) => `299 - "${text.slice(0, 256)}"`),
          );
        },
      );
    },
  },
  {
    title: 'validating webhooks are asked after the mutating ones, and only about what is valid',
    check: async (t, api) => {
      const seen: string[] = [];
      let label: object = {};
      const hooks: readonly Hook[] = [
        {
          kind: 'mutating',
          resource: 'pods',
          answer: () => {
            seen.push('mutating');
            return { allowed: true, patchType: 'JSONPatch', patch: patch(label) };
          },
        },
        {
          kind: 'validating',
          resource: 'pods',
          answer: ({ object }) => {
            seen.push(JSON.stringify((object as { metadata: { labels?: object } }).metadata.labels));
            return { allowed: true };
          },
        },
      ];
      await withHooks(api, hooks, async () => {
        label = { op: 'add', path: '/metadata/labels', value: { by: 'webhook' } };
        t.is((await api.request('POST', pods(api.namespace), pod('a'))).status, 201);
        t.deepEqual(seen, ['mutating', '{"by":"webhook"}']);
        label = { op: 'add', path: '/metadata/labels', value: { 'not a key': '' } };
        t.is((await api.request('POST', pods(api.namespace), pod('b'))).status, 422);
        t.deepEqual(seen.slice(2), ['mutating']);
      });
    },
  },
  {
    title: 'a change of scale is asked about as a Scale, and by no webhook for the object itself',
    check: async (t, api) => {
      const deployments = `/apis/apps/v1/namespaces/${api.namespace}/deployments`;
      const labels = { app: 'a' };
      await api.request('POST', deployments, {
        metadata: { name: 'a' },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'nginx' }] } },
        },
      });
      const asked: ReviewRequest[] = [];
      const scaling = { group: 'apps', operations: ['UPDATE'] };
      const hooks: readonly Hook[] = [
        {
          ...scaling,
          kind: 'validating',
          resource: 'deployments/scale',
          answer: (request) => {
            asked.push(request);
            const { replicas = 0 } = (request['object'] as { spec: { replicas?: number } }).spec;
            return replicas < 3
              ? { allowed: true, warnings: ['more'] }
              : { allowed: false, status: { code: 403, reason: 'Forbidden', message: 'Too many' } };
          },
        },
        { ...scaling, kind: 'validating', resource: 'deployments', answer: () => ({ allowed: false }) },
      ];
      const scale = `${deployments}/a/scale`;
      await withHooks(api, hooks, async () => {
        const two = await api.request('PATCH', scale, { spec: { replicas: 2 } }, MERGE);
        t.is(two.status, 200, two.text);
        t.deepEqual(two.warnings, ['299 - "more"']);
        t.like(asked[0], {
          kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
          resource: { group: 'apps', version: 'v1', resource: 'deployments' },
          subResource: 'scale',
          requestSubResource: 'scale',
          operation: 'UPDATE',
          name: 'a',
          namespace: api.namespace,
          dryRun: false,
        });
        const form = { apiVersion: 'autoscaling/v1', kind: 'Scale' };
        t.like(asked[0]?.['oldObject'], { ...form, metadata: { name: 'a' }, spec: { replicas: 1 } });
        t.like(asked[0]?.['object'], { ...form, metadata: { name: 'a' }, spec: { replicas: 2 } });
        const three = await api.request('PUT', scale, {
          ...form,
          metadata: { name: 'a', namespace: api.namespace },
          spec: { replicas: 3 },
        });
        t.like(three.body, { code: 403, reason: 'Forbidden', message: denied(': Too many') });
        t.like((await api.request('GET', scale)).body, { spec: { replicas: 2 } });
      });
    },
  },
  {
    title: 'webhooks are chosen by subresource, by scope, and by the labels before and after a change',
    check: async (t, api) => {
      const asked: string[] = [];
      const one = (name: string, rest: Partial<Hook>): Hook => ({
        kind: 'validating',
        resource: 'pods',
        answer: () => {
          asked.push(name);
          return { allowed: true };
        },
        ...rest,
      });
      const hooks = [
        one('all', { resource: 'pods/*' }),
        one('every status', { resource: '*/status' }),
        one('cluster', { resource: '*', scope: 'Cluster' }),
        one('labelled', { objectSelector: { matchLabels: { on: 'yes' } } }),
      ];
      const path = `${pods(api.namespace)}/a`;
      const label = (on: string | null) => api.request('PATCH', path, { metadata: { labels: { on } } }, MERGE);
      const isAskedBy = async (names: readonly string[], answer: Promise<Answer>): Promise<void> => {
        asked.length = 0;
        const { status, text } = await answer;
        t.true(status < 300, text);
        t.deepEqual(inOrder(new Set(asked)), names);
      };
      await withHooks(api, hooks, async () => {
        await isAskedBy(['all'], api.request('POST', pods(api.namespace), pod('a')));
        await isAskedBy(['all', 'labelled'], label('yes'));
        await isAskedBy(['all', 'labelled'], label(null));
        await isAskedBy(['all'], label('no'));
        const status = { status: { message: 'well' } };
        await isAskedBy(['all', 'every status'], api.request('PATCH', `${path}/status`, status, MERGE));
      });
    },
  },
  {
    title: 'a webhook that does not answer fails the request with Fail, and is passed over with Ignore',
    check: async (t, api) => {
      const one: Hook = { kind: 'validating', resource: 'pods', answer: () => 'gone' };
      await withHooks(api, [{ ...one, failurePolicy: 'Ignore' }], async () => {
        t.is((await api.request('POST', pods(api.namespace), pod('a'))).status, 201);
      });
      await withHooks(api, [one], async () => {
        const { body } = await api.request('POST', pods(api.namespace), pod('b'));
        t.like(body, { code: 500, reason: 'InternalError' });
        t.regex(body.message ?? '', /^Internal error occurred: failed calling webhook "hook-0\.example\.com": /);
        t.regex(JSON.stringify(body['details']), /"causes":\[\{"message":"failed calling webhook /);
      });
    },
  },
  {
    title: 'webhooks are asked about deletions and dry runs too, and not on a dry run if they have side effects',
    check: async (t, api) => {
      await api.request('POST', pods(api.namespace), pod('a', { annotations: { 'example.com/keep': 'yes' } }));
      const one = { kind: 'validating', resource: 'pods' } as const;
      const asked: ReviewRequest[] = [];
      const answer = (request: ReviewRequest) => {
        asked.push(request);
        return { allowed: false, status: { code: 403, reason: 'Forbidden', message: 'Keep it' } };
      };
      await withHooks(api, [{ ...one, operations: ['DELETE', 'CREATE'], answer }], async () => {
        t.is((await api.request('DELETE', `${pods(api.namespace)}/a`)).body.message, denied(': Keep it'));
        t.like(asked[0], { operation: 'DELETE', object: null, name: 'a' });
        t.like(asked[0]?.['oldObject'], { metadata: { name: 'a' } });
        t.is((await api.request('GET', `${pods(api.namespace)}/a`)).status, 200);
        t.is((await api.request('POST', `${pods(api.namespace)}?dryRun=All`, pod('b'))).status, 403);
        t.like(asked.at(-1), { operation: 'CREATE', dryRun: true, oldObject: null });
      });
      const effects = { ...one, sideEffects: 'NoneOnDryRun', answer: () => ({ allowed: true }) };
      await withHooks(api, [effects], async () => {
        const change = [{ op: 'add', path: '/metadata/labels', value: { a: 'b' } }];
        const path = `${pods(api.namespace)}/a?dryRun=All`;
        t.is((await api.request('PATCH', path, change, JSON_PATCH)).status, 200);
      });
    },
  },
];
