import { cutManagedFields } from '../../src/kube/cut-managed-fields.ts';
import { eventually, MERGE, podEip, podEips, pods, pod, type Behaviour } from './client.ts';

const names = (items: readonly { metadata: { name: string } }[] = []): string[] =>
  items.map(({ metadata }) => metadata.name);

const configMaps = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;

/** Creating and reading single objects and lists. */
export const objects: readonly Behaviour[] = [
  {
    title: 'a created object has an identity, and is there for get and list',
    check: async (t, { namespace, request }) => {
      const created = await request('POST', podEips(namespace), podEip('a', { labels: { app: 'web' } }));
      t.is(created.status, 201);
      t.regex(created.body.metadata.uid, /^[0-9a-f]{8}-/);
      t.regex(String(created.body.metadata['creationTimestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      t.is(created.body.metadata.generation, 1);
      t.is(created.body.metadata['namespace'], namespace);
      t.false('selfLink' in created.body.metadata);
      const got = await request('GET', `${podEips(namespace)}/a`);
      t.is(got.status, 200);
      t.deepEqual(got.body, created.body);
      const listed = await request('GET', podEips(namespace));
      t.is(listed.body.kind, 'PodEIPList');
      t.deepEqual(listed.body.items, [created.body]);
      t.true(Number(listed.body.metadata.resourceVersion) >= Number(created.body.metadata.resourceVersion));
    },
  },
  {
    title: 'what is not there is 404, what is there already is 409, with the name in the details',
    check: async (t, { namespace, request }) => {
      const missing = await request('GET', `${podEips(namespace)}/nobody`);
      t.is(missing.status, 404);
      t.like(missing.body, {
        kind: 'Status',
        status: 'Failure',
        code: 404,
        reason: 'NotFound',
        message: 'podeips.alibabacloud.com "nobody" not found',
        details: { name: 'nobody', group: 'alibabacloud.com', kind: 'podeips' },
      });
      await request('POST', configMaps(namespace), { metadata: { name: 'c' } });
      const again = await request('POST', configMaps(namespace), { metadata: { name: 'c' } });
      t.is(again.status, 409);
      t.like(again.body, { reason: 'AlreadyExists', message: 'configmaps "c" already exists' });
      const foreign = await request('POST', configMaps('no-such-namespace'), { metadata: { name: 'c' } });
      t.is(foreign.status, 404);
      t.is(foreign.body.message, 'namespaces "no-such-namespace" not found');
    },
  },
  {
    title: 'paths and methods that are not served are 404 and 405',
    check: async (t, { namespace, request }) => {
      t.is((await request('GET', '/api/v1/things')).status, 404);
      t.is((await request('GET', '/apis/example.org/v1/things')).text, '404 page not found\n');
      t.is((await request('GET', '/apis/alibabacloud.com/v1beta1/things')).status, 404);
      t.is((await request('DELETE', '/api/v1/pods')).body.reason, 'MethodNotAllowed');
      t.is((await request('PUT', configMaps(namespace), {})).status, 405);
      t.is((await request('GET', configMaps(namespace), undefined, { accept: 'text/html' })).status, 406);
    },
  },
  {
    title: 'generateName gives a name with five letters more, and no name is 422',
    check: async (t, { namespace, request }) => {
      const made = await request('POST', configMaps(namespace), { metadata: { generateName: 'c-' } });
      t.is(made.status, 201);
      t.regex(made.body.metadata.name, /^c-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
      t.is(made.body.metadata['generateName'], 'c-');
      const nameless = await request('POST', configMaps(namespace), { metadata: {} });
      t.is(nameless.status, 422);
      t.is(
        nameless.body.message,
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
      );
    },
  },
  {
    title: 'names, labels and namespaces are checked',
    check: async (t, { namespace, request }) => {
      const badName = await request('POST', podEips(namespace), podEip('Big_Name'));
      t.is(badName.status, 422);
      t.regex(
        String(badName.body.message),
        /^PodEIP\.alibabacloud\.com "Big_Name" is invalid: metadata\.name: Invalid value/,
      );
      const badLabel = await request('POST', configMaps(namespace), { metadata: { name: 'c', labels: { a: 'b c' } } });
      t.is(badLabel.status, 422);
      t.like(badLabel.body, { details: { causes: [{ reason: 'FieldValueInvalid', field: 'metadata.labels' }] } });
      const elsewhere = await request('POST', configMaps(namespace), { metadata: { name: 'c', namespace: 'other' } });
      t.is(elsewhere.status, 400);
      t.is(
        elsewhere.body.message,
        'the namespace of the provided object does not match the namespace sent on the request',
      );
      const versioned = await request('POST', configMaps(namespace), { metadata: { name: 'c', resourceVersion: '7' } });
      t.is(versioned.status, 500);
      t.is(versioned.body.message, 'resourceVersion should not be set on objects to be created');
    },
  },
  {
    title: 'bodies may be YAML; what is no document or another kind is 400',
    check: async (t, { namespace, request }) => {
      const yaml = 'metadata:\n  name: from-yaml\ndata:\n  key: value\n';
      const made = await request('POST', configMaps(namespace), yaml, { contentType: 'application/yaml' });
      t.is(made.status, 201);
      t.deepEqual(made.body['data'], { key: 'value' });
      t.is((await request('POST', configMaps(namespace), '{"metadata":')).status, 400);
      t.is(
        (await request('POST', configMaps(namespace), { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }))
          .status,
        400,
      );
      t.is((await request('POST', podEips(namespace), { metadata: { name: 'no-kind' } })).status, 400);
      const yamlAnswer = await request('GET', `${configMaps(namespace)}/from-yaml`, undefined, {
        accept: 'application/yaml',
      });
      t.regex(yamlAnswer.text, /^ {2}key: value$/m);
    },
  },
  {
    title: 'a dry run answers as if, and changes nothing',
    check: async (t, { namespace, request }) => {
      const made = await request('POST', `${podEips(namespace)}?dryRun=All`, podEip('dry'));
      t.is(made.status, 201);
      t.is((await request('GET', `${podEips(namespace)}/dry`)).status, 404);
      t.is((await request('POST', `${podEips(namespace)}?dryRun=Some`, podEip('dry'))).status, 422);
      await request('POST', podEips(namespace), podEip('wet'));
      t.is((await request('DELETE', `${podEips(namespace)}/wet?dryRun=All`)).status, 200);
      t.is((await request('GET', `${podEips(namespace)}/wet`)).status, 200);
    },
  },
  {
    title: 'label selectors choose by equality, sets and existence',
    check: async (t, { namespace, request }) => {
      for (const [name, labels] of Object.entries({
        a: { app: 'web', tier: '1' },
        b: { app: 'api' },
        c: { other: 'x' },
      }))
        await request('POST', podEips(namespace), podEip(name, { labels }));
      const chosen = async (selector: string) => {
        const { body } = await request('GET', `${podEips(namespace)}?labelSelector=${encodeURIComponent(selector)}`);
        return names(body.items);
      };
      t.deepEqual(await chosen('app=web'), ['a']);
      t.deepEqual(await chosen('app!=web'), ['b', 'c']);
      t.deepEqual(await chosen('app in (web, api),!tier'), ['b']);
      t.deepEqual(await chosen('app notin (web)'), ['b', 'c']);
      t.deepEqual(await chosen('app'), ['a', 'b']);
      t.is((await request('GET', `${podEips(namespace)}?labelSelector=a%20in`)).status, 400);
    },
  },
  {
    title: 'field selectors choose by the fields that the kind offers',
    check: async (t, { namespace, request }) => {
      await request('POST', pods(namespace), pod('here', {}, { nodeName: 'node-1' }));
      await request('POST', pods(namespace), pod('nowhere'));
      const chosen = async (path: string, selector: string) => {
        const { body } = await request('GET', `${path}?fieldSelector=${encodeURIComponent(selector)}`);
        return names(body.items);
      };
      t.deepEqual(await chosen(pods(namespace), 'spec.nodeName=node-1'), ['here']);
      t.deepEqual(await chosen(pods(namespace), 'spec.nodeName='), ['nowhere']);
      t.deepEqual(await chosen(pods(namespace), 'status.phase=Pending,metadata.name!=here'), ['nowhere']);
      t.deepEqual(await chosen('/api/v1/pods', `metadata.namespace=${namespace}`), ['here', 'nowhere']);
      const unknown = await request('GET', `${podEips(namespace)}?fieldSelector=spec.allocationID%3Dx`);
      t.is(unknown.status, 400);
      t.is(unknown.body.message, 'field label not supported: spec.allocationID');
    },
  },
  {
    title: 'a list comes in pages that are one snapshot; resourceVersion=0 knows no pages',
    check: async (t, { namespace, request }) => {
      for (const name of ['a', 'b', 'd']) await request('POST', podEips(namespace), podEip(name));
      const first = await request('GET', `${podEips(namespace)}?limit=2`);
      t.deepEqual(names(first.body.items), ['a', 'b']);
      t.is(first.body.metadata['remainingItemCount'], 1);
      await request('POST', podEips(namespace), podEip('c'));
      await request('DELETE', `${podEips(namespace)}/d`);
      const token = encodeURIComponent(first.body.metadata.continue ?? '');
      const second = await request('GET', `${podEips(namespace)}?limit=2&continue=${token}`);
      t.deepEqual(names(second.body.items), ['d']);
      t.falsy(second.body.metadata.continue);
      t.is(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
      t.is((await request('GET', `${podEips(namespace)}?limit=1&resourceVersion=0`)).body.items?.length, 3);
      t.is((await request('GET', `${podEips(namespace)}?continue=nonsense`)).status, 400);
    },
  },
  {
    title: 'a page token from before a compaction is 410, with a token to go on inconsistently',
    check: async (t, { namespace, request, compact }) => {
      for (const name of ['a', 'b']) await request('POST', podEips(namespace), podEip(name));
      const first = await request('GET', `${podEips(namespace)}?limit=1`);
      await request('POST', podEips(namespace), podEip('c'));
      if (!(await compact())) {
        t.pass('a cluster that is not ours cannot be compacted');
        return;
      }
      const page = (token: string) =>
        request('GET', `${podEips(namespace)}?limit=5&continue=${encodeURIComponent(token)}`);
      // The API server has its own snapshots of the past, and lets go of them some moments later.
      const expired = await eventually(
        () => page(first.body.metadata.continue ?? ''),
        ({ status }) => status !== 200,
      );
      t.is(expired.status, 410);
      t.is(expired.body.reason, 'Expired');
      const rest = await page(expired.body.metadata.continue ?? '');
      t.is(rest.status, 200);
      t.deepEqual(names(rest.body.items), ['b', 'c']);
    },
  },
  {
    title: 'Table output has the printer columns of the definition',
    check: async (t, { namespace, request }) => {
      await request('POST', podEips(namespace), podEip('a', {}, { allocationID: 'eip-1' }));
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
      const { body } = await request('GET', podEips(namespace), undefined, { accept });
      const table = body as unknown as {
        columnDefinitions: { name: string; priority: number }[];
        rows: { cells: unknown[]; object: unknown }[];
      };
      t.deepEqual(
        table.columnDefinitions.filter(({ priority }) => priority === 0).map(({ name }) => name),
        ['Name', 'Pod IP', 'EIP', 'State', 'Ready', 'Reason', 'Age'],
      );
      t.deepEqual(table.rows[0]?.cells.slice(0, 9), ['a', null, null, null, null, null, null, 'eip-1', 'Auto']);
      t.like(table.rows[0]?.object, {
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1',
        metadata: { name: 'a' },
      });
      const bare = await request('GET', `${podEips(namespace)}/a?includeObject=None`, undefined, { accept });
      t.is((bare.body['rows'] as { object: unknown }[])[0]?.object, null);
      const podTable = await request('GET', pods(namespace), undefined, { accept });
      t.deepEqual(
        (podTable.body['columnDefinitions'] as { name: string }[]).map(({ name }) => name),
        ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node', 'Nominated Node', 'Readiness Gates'],
      );
    },
  },
  {
    title: 'PartialObjectMetadata has nothing but metadata',
    check: async (t, { namespace, request }) => {
      await request('POST', podEips(namespace), podEip('a', { labels: { app: 'web' } }));
      for (const name of ['a', 'b', 'c']) await request('POST', pods(namespace), pod(name));
      const one = { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' };
      const many = { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json' };
      for (const [path, type] of [
        [podEips(namespace), { kind: 'PodEIP', apiVersion: 'alibabacloud.com/v1beta1' }],
        [pods(namespace), { kind: 'Pod', apiVersion: 'v1' }],
      ] as const) {
        const whole = await request('GET', `${path}/a`);
        t.like(whole.body, type);
        const { body } = await request('GET', `${path}/a`, undefined, one);
        const { metadata } = whole.body;
        t.deepEqual<unknown, unknown>(body, { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata });
        const list = await request('GET', `${path}?limit=1`, undefined, many);
        t.like(list.body, { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', items: [body] });
        const { continue: token, remainingItemCount } = list.body.metadata;
        t.deepEqual([typeof token, remainingItemCount], type.kind === 'Pod' ? ['string', 2] : ['undefined', undefined]);
      }
      const list = await request('GET', pods(namespace), undefined, one);
      t.like(list.body, { code: 406, reason: 'NotAcceptable' });
      t.regex(list.text, /you requested PartialObjectMetadata, but the requested object is a list/);
      const object = await request('GET', `${pods(namespace)}/a`, undefined, many);
      t.like(object.body, { code: 406, reason: 'NotAcceptable' });
      t.regex(object.text, /you requested PartialObjectMetadataList, but the requested object is not a list/);
    },
  },
  {
    title: 'a list of metadata is written in one order, with managedFields at the end of each item',
    check: async (t, { namespace, request }) => {
      for (const name of ['a', 'b', 'c']) await request('POST', pods(namespace), pod(name, { finalizers: ['x.y/z'] }));
      const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
      const { text, body } = await request('GET', pods(namespace), undefined, { accept });
      t.deepEqual(Object.keys(body), ['kind', 'apiVersion', 'metadata', 'items']);
      t.is(text.split(',{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{').length, 3);
      for (const { metadata } of body.items ?? []) {
        const keys = Object.keys(metadata);
        if (keys.includes('managedFields')) t.is(keys.at(-1), 'managedFields');
      }
      const cut = (JSON.parse(cutManagedFields(text)) as typeof body).items ?? [];
      t.deepEqual(
        cut.map(({ metadata }) => metadata.name),
        ['a', 'b', 'c'],
      );
      t.false(cut.slice(0, 2).some(({ metadata }) => 'managedFields' in metadata));
      t.deepEqual(
        cut.slice(0, 2).map(({ metadata }) => ({ ...metadata, managedFields: undefined })),
        (body.items ?? []).slice(0, 2).map(({ metadata }) => ({ ...metadata, managedFields: undefined })),
      );
      for (const name of ['a', 'b', 'c'])
        await request('PATCH', `${pods(namespace)}/${name}`, { metadata: { finalizers: null } }, MERGE);
    },
  },
];
