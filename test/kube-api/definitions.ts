import { arrayIn, define, eventually, inOrder, MERGE, podEip, podEips, type Behaviour, type Body } from './client.ts';

const condition = (type: string): object => ({
  type,
  status: 'True',
  reason: 'Done',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

const PROPERTIES = {
  size: { type: 'integer', minimum: 1, default: 3 },
  any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  either: { 'x-kubernetes-int-or-string': true },
  map: { type: 'object', additionalProperties: { type: 'string' } },
  list: {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
    items: { type: 'object', required: ['type'], properties: { type: { type: 'string' } } },
  },
};

/** Specs, and what the API server says of each. */
const WRONG: readonly (readonly [spec: object, reason: string, said: string])[] = [
  [{ number: 0 }, 'Invalid', 'spec.number: Invalid value: 0: spec.number in body should be greater than or equal to 1'],
  [{ number: 4 }, 'Invalid', 'spec.number: Invalid value: 4: spec.number in body should be less than or equal to 3'],
  [
    { number: 'a' },
    'TypeInvalid',
    'spec.number: Invalid value: "string": spec.number in body must be of type integer: "string"',
  ],
  [{ text: 'a' }, 'Invalid', 'spec.text: Invalid value: "a": spec.text in body should be at least 2 chars long'],
  [{ text: 'aaaa' }, 'TooLong', 'spec.text: Too long: may not be more than 3 bytes'],
  [{ text: 'bb' }, 'Invalid', 'spec.text: Invalid value: "bb": spec.text in body should match \'^a\''],
  [{ map: {} }, 'Invalid', 'spec.map: Invalid value: 0: spec.map in body should have at least 1 properties'],
  [{ map: { a: 'bc' } }, 'TooLong', 'spec.map.a: Too long: may not be more than 1 byte'],
  [{ list: [] }, 'Invalid', 'spec.list: Invalid value: 0: spec.list in body should have at least 1 items'],
  [{ list: [{ id: 'a' }, { id: 'b' }, { id: 'a' }] }, 'TooMany', 'spec.list: Too many: 3: must have at most 2 items'],
  [{ list: [{ id: 'a' }, {}] }, 'Required', 'spec.list[1].id: Required value'],
  [{ list: [{ id: 'c' }] }, 'NotSupported', 'spec.list[0].id: Unsupported value: "c": supported values: "a", "b"'],
];

const widgets = (name: string, properties: object = PROPERTIES): Body =>
  ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${name}s.example.org` },
    spec: {
      group: 'example.org',
      scope: 'Cluster',
      names: { plural: `${name}s`, kind: 'Widget' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties,
                },
              },
            },
          },
        },
      ],
    },
  }) as unknown as Body;

const widget = (spec: object): object => ({
  apiVersion: 'example.org/v1',
  kind: 'Widget',
  metadata: { name: 'w' },
  spec,
});

/** Custom resources and their definitions. */
export const definitions: readonly Behaviour[] = [
  {
    title: 'a PodEIP is pruned, defaulted and checked by its schema',
    check: async (t, { namespace, request }) => {
      const spec = {
        allocationID: '',
        allocationType: { releaseStrategy: 'TTL', releaseAfter: '5m' },
        unknown: { a: 1 },
      };
      const made = await request('POST', podEips(namespace), { ...podEip('a'), spec });
      t.deepEqual(made.body.spec, {
        allocationID: '',
        allocationType: { type: 'Auto', releaseStrategy: 'TTL', releaseAfter: '5m' },
      });
      const wrong = await request(
        'POST',
        podEips(namespace),
        podEip('b', {}, { allocationType: { type: 'Mine', releaseStrategy: 'Follow' } }),
      );
      t.is(wrong.status, 422);
      t.is(
        wrong.body.message,
        'PodEIP.alibabacloud.com "b" is invalid: spec.allocationType.type: Unsupported value: "Mine": supported values: "Auto", "Static"',
      );
      t.like(wrong.body, {
        details: { causes: [{ reason: 'FieldValueNotSupported', field: 'spec.allocationType.type' }] },
      });
      const lacking = await request('POST', podEips(namespace), { ...podEip('b'), spec: { allocationID: 5 } });
      t.is(
        lacking.body.message,
        'PodEIP.alibabacloud.com "b" is invalid: [spec.allocationID: Invalid value: "integer": spec.allocationID in body must be of type string: "integer", spec.allocationType: Required value]',
      );
      const otherKind = await request('POST', podEips(namespace), { ...podEip('b'), kind: 'Other' });
      t.is(otherKind.status, 422);
    },
  },
  {
    title: 'the conditions of a PodEIP are those of metav1.Condition',
    check: async (t, { namespace, request }) => {
      await request('POST', podEips(namespace), podEip('a'));
      const set = (conditions: object[]) =>
        request('PATCH', `${podEips(namespace)}/a/status`, { status: { conditions, period: 3 } }, MERGE);
      t.is((await set([condition('Ready'), condition('Bound')])).status, 200);
      t.is((await set([{ ...condition('Ready'), lastTransitionTime: 'yesterday' }])).status, 422);
      t.is((await set([{ ...condition('Ready'), status: 'Perhaps' }])).status, 422);
      t.is((await set([{ ...condition('Ready'), reason: '' }])).status, 422);
      const { reason: _, ...lacking } = condition('Ready') as { reason: string };
      t.is((await set([lacking])).status, 422);
    },
  },
  {
    title: 'a definition serves its kind, and takes its objects along when it goes',
    check: async (t, { namespace, request }) => {
      const name = `widget${namespace.split('-').at(-1)}`;
      const path = `/apis/example.org/v1/${name}s`;
      const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
      t.is((await request('GET', path)).status, 404);
      await define(request, widgets(name));
      const { body } = await request('GET', `${definitions}/${name}s.example.org`);
      const conditions = arrayIn(body.status, 'conditions') as { type: string; status: string }[];
      t.deepEqual(inOrder(conditions.map(({ type, status }) => `${type}=${status}`)), [
        'Established=True',
        'NamesAccepted=True',
      ]);
      t.is((await request('POST', path, widget({ size: 0 }))).status, 422);
      t.is((await request('POST', path, widget({ map: { a: 1 } }))).status, 422);
      t.is((await request('POST', path, widget({ either: true }))).status, 422);
      const twice = await request('POST', path, widget({ list: [{ type: 'a' }, { type: 'b' }, { type: 'a' }] }));
      t.is(twice.status, 422);
      t.like(twice.body, { details: { causes: [{ reason: 'FieldValueDuplicate', field: 'spec.list[2]' }] } });
      const spec = { any: { thing: [1] }, either: '5%', map: { a: 'b' } };
      const made = await request('POST', path, widget({ ...spec, unknown: 1 }));
      t.is(made.status, 201);
      t.deepEqual(made.body.spec, { ...spec, size: 3 });
      const noStatus = await request('PATCH', `${path}/w/status`, {}, MERGE);
      t.is(noStatus.status, 404);
      await request('DELETE', `${definitions}/${name}s.example.org`);
      t.is(
        (
          await eventually(
            () => request('GET', path),
            ({ status }) => status === 404,
          )
        ).status,
        404,
      );
    },
  },
  {
    title: 'what is wrong with an object is said in the words of the API server, with the index in a list',
    check: async (t, { namespace, request }) => {
      const name = `bounded${namespace.split('-').at(-1)}`;
      const path = `/apis/example.org/v1/${name}s`;
      await define(
        request,
        widgets(name, {
          number: { type: 'integer', minimum: 1, maximum: 3 },
          text: { type: 'string', minLength: 2, maxLength: 3, pattern: '^a' },
          map: { type: 'object', minProperties: 1, additionalProperties: { type: 'string', maxLength: 1 } },
          list: {
            type: 'array',
            minItems: 1,
            maxItems: 2,
            items: { type: 'object', required: ['id'], properties: { id: { type: 'string', enum: ['a', 'b'] } } },
          },
        }),
      );
      for (const [spec, reason, said] of WRONG) {
        const { status, body } = await request('POST', path, widget(spec));
        t.is(status, 422);
        t.is(body.message, `Widget.example.org "w" is invalid: ${said}`);
        const [field = '', message = ''] = said.split(/: (.*)/);
        t.like(body['details'], { causes: [{ reason: `FieldValue${reason}`, field, message }] });
      }
      await request('DELETE', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}s.example.org`);
    },
  },
  {
    title: 'definitions that cannot be served are 422',
    check: async (t, { request }) => {
      const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
      const good = widgets('gadget') as unknown as { metadata: object; spec: { versions: object[] } };
      t.is((await request('POST', path, { ...good, metadata: { name: 'other.example.org' } })).status, 422);
      const versions = good.spec.versions.map((version) => ({ ...version, schema: undefined }));
      t.is((await request('POST', path, { ...good, spec: { ...good.spec, versions } })).status, 422);
      t.is(
        (
          await request('POST', path, {
            ...good,
            spec: { ...good.spec, versions: [{ ...good.spec.versions[0], storage: false }] },
          })
        ).status,
        422,
      );
    },
  },
];
