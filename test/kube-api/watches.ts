import { inOrder, arrayIn, MERGE, podEip, podEips, type Behaviour } from './client.ts';

/** Watching, and what it takes to go on after an interruption. */
export const watches: readonly Behaviour[] = [
  {
    title: 'a watch from a list continues where the list ended, in order',
    check: async (t, { namespace, request, watch }) => {
      await request('POST', podEips(namespace), podEip('before'));
      const { body } = await request('GET', podEips(namespace));
      await request('POST', podEips(namespace), podEip('a'));
      const events = await watch(`${podEips(namespace)}?watch=true&resourceVersion=${body.metadata.resourceVersion}`);
      await request('PATCH', `${podEips(namespace)}/a`, { spec: { allocationID: 'eip-1' } }, MERGE);
      await request('DELETE', `${podEips(namespace)}/a`);
      await events.until(({ type }) => type === 'DELETED');
      t.deepEqual(
        events.events.map(({ type, object }) => [type, object.metadata.name, object.spec?.['allocationID']]),
        [
          ['ADDED', 'a', ''],
          ['MODIFIED', 'a', 'eip-1'],
          ['DELETED', 'a', 'eip-1'],
        ],
      );
      const versions = events.events.map(({ object }) => Number(object.metadata.resourceVersion));
      t.deepEqual(
        versions,
        versions.toSorted((a, b) => a - b),
      );
      t.is(new Set(versions).size, 3);
      t.is(events.events[0]?.object.kind, 'PodEIP');
    },
  },
  {
    title: 'a watch without resourceVersion begins with what is there',
    check: async (t, { namespace, request, watch }) => {
      for (const name of ['a', 'b']) await request('POST', podEips(namespace), podEip(name));
      for (const query of ['watch=true', 'watch=1&resourceVersion=0']) {
        const events = await watch(`${podEips(namespace)}?${query}`);
        await events.until(() => events.events.length === 2);
        t.deepEqual(inOrder(events.events.map(({ type, object }) => `${type} ${object.metadata.name}`)), [
          'ADDED a',
          'ADDED b',
        ]);
      }
    },
  },
  {
    title: 'to a watch with a selector, objects come and go with their labels',
    check: async (t, { namespace, request, watch }) => {
      const path = `${podEips(namespace)}/a`;
      const events = await watch(`${podEips(namespace)}?watch=true&labelSelector=app%3Dweb`);
      await request('POST', podEips(namespace), podEip('a', { labels: { app: 'api' } }));
      await request('PATCH', path, { metadata: { labels: { app: 'web' } } }, MERGE);
      await request('PATCH', path, { spec: { allocationID: 'eip-1' } }, MERGE);
      const left = await request('PATCH', path, { metadata: { labels: { app: 'api' } } }, MERGE);
      const deleted = await events.until(({ type }) => type === 'DELETED');
      t.deepEqual(
        events.events.map(({ type }) => type),
        ['ADDED', 'MODIFIED', 'DELETED'],
      );
      t.deepEqual(deleted.object.metadata['labels'], { app: 'web' });
      t.is(deleted.object.metadata.resourceVersion, left.body.metadata.resourceVersion);
    },
  },
  {
    title: 'a watch on one name sees nobody else',
    check: async (t, { namespace, request, watch }) => {
      const events = await watch(`${podEips(namespace)}?watch=true&fieldSelector=metadata.name%3Db`);
      await request('POST', podEips(namespace), podEip('a'));
      await request('POST', podEips(namespace), podEip('b'));
      const { object } = await events.until(() => true);
      t.is(object.metadata.name, 'b');
    },
  },
  {
    title: 'a watch ends with its timeout; a bookmark before that says how far it has seen, where it is asked for',
    check: async (t, { namespace, request, watch }) => {
      const { body } = await request('POST', podEips(namespace), podEip('a'));
      const from = `resourceVersion=${body.metadata.resourceVersion}&timeoutSeconds=4`;
      const plain = await watch(`${podEips(namespace)}?watch=true&${from}`);
      const marked = await watch(`${podEips(namespace)}?watch=true&${from}&allowWatchBookmarks=true`);
      const elsewhere = await request('POST', podEips('default'), podEip(namespace));
      await Promise.all([plain.ended, marked.ended]);
      t.deepEqual(plain.events, []);
      const [bookmark] = marked.events;
      t.is(bookmark?.type, 'BOOKMARK');
      t.like(bookmark?.object, { kind: 'PodEIP', apiVersion: 'alibabacloud.com/v1beta1' });
      t.true(Number(bookmark?.object.metadata.resourceVersion) >= Number(elsewhere.body.metadata.resourceVersion));
      t.is(bookmark?.object.spec, undefined);
      await request('DELETE', `${podEips('default')}/${namespace}`);
    },
  },
  {
    title: 'a watch from before the history is an ERROR event with 410 in an answer that is 200',
    check: async (t, { namespace, watch, compact }) => {
      await compact();
      const events = await watch(`${podEips(namespace)}?watch=true&resourceVersion=1`);
      const { type, object } = await events.until(() => true);
      t.is(type, 'ERROR');
      t.like(object, { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410 });
      t.regex(String(object.message), /^too old resource version: 1 \(\d+\)$/);
      await events.ended;
    },
  },
  {
    title: 'a streaming list is a watch that begins with what is there, and says where that ends',
    check: async (t, { namespace, request, watch }) => {
      for (const name of ['a', 'b']) await request('POST', podEips(namespace), podEip(name));
      const { body } = await request('GET', podEips(namespace));
      const { resourceVersion } = body.metadata;
      const streaming = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
      for (const from of ['', '&resourceVersion=0', `&resourceVersion=${resourceVersion}`]) {
        const events = await watch(`${podEips(namespace)}?${streaming}&allowWatchBookmarks=true${from}`);
        const { object } = await events.until(({ type }) => type === 'BOOKMARK');
        t.like(object, { kind: 'PodEIP', apiVersion: 'alibabacloud.com/v1beta1' });
        t.deepEqual(object.metadata['annotations'], { 'k8s.io/initial-events-end': 'true' });
        t.true(Number(object.metadata.resourceVersion) >= Number(resourceVersion));
        t.deepEqual(inOrder(events.events.map(({ type, object: each }) => `${type} ${each.metadata.name}`)), [
          'ADDED a',
          'ADDED b',
          'BOOKMARK undefined',
        ]);
        const { body: made } = await request('POST', podEips(namespace), podEip('c'));
        const next = await events.until(() => true);
        t.deepEqual([next.type, next.object], ['ADDED', made]);
        await request('DELETE', `${podEips(namespace)}/c`);
        await events.until(({ type }) => type === 'DELETED');
        events.close();
      }
      const without = streaming.replace('=true&res', '=false&res');
      const events = await watch(`${podEips(namespace)}?${without}&resourceVersion=0`);
      await request('POST', podEips(namespace), podEip('d'));
      t.is((await events.until(() => true)).object.metadata.name, 'd');
    },
  },
  {
    title: 'the options of a streaming list go together in one way only',
    check: async (t, { namespace, request }) => {
      const forbidden = 'ListOptions.meta.k8s.io "" is invalid: ';
      for (const [query, why] of [
        [
          'watch=true&sendInitialEvents=true&allowWatchBookmarks=true',
          'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
        ],
        [
          'watch=true&resourceVersionMatch=NotOlderThan',
          'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ],
        ['sendInitialEvents=false', 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'],
        [
          'resourceVersionMatch=Exact&resourceVersion=0',
          'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ],
        [
          'resourceVersionMatch=Newest&resourceVersion=0',
          'resourceVersionMatch: Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""',
        ],
      ] as const) {
        const { status, body } = await request('GET', `${podEips(namespace)}?${query}`);
        t.is(status, 422);
        t.is(body.message, forbidden + why);
      }
    },
  },
  {
    title: 'a watch in Table form has the columns in its first event only',
    check: async (t, { namespace, request, watch }) => {
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const events = await watch(`${podEips(namespace)}?watch=true`, { accept });
      await request('POST', podEips(namespace), podEip('a'));
      await request('POST', podEips(namespace), podEip('b'));
      await events.until(() => events.events.length === 2);
      const [first, second] = events.events.map(({ object }) => object);
      t.is(first?.kind, 'Table');
      t.is(arrayIn(first, 'columnDefinitions').length, 11);
      t.is(second?.['columnDefinitions'], null);
      t.deepEqual(
        arrayIn(second, 'rows').map((row) => (row as { cells: string[] }).cells[0]),
        ['b'],
      );
    },
  },
  {
    title: 'a watch of metadata has it in each event, and in bookmarks',
    check: async (t, { namespace, request, watch }) => {
      const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
      const { metadata } = (await request('GET', podEips(namespace))).body;
      const query = `watch=true&resourceVersion=${metadata.resourceVersion}&allowWatchBookmarks=true&timeoutSeconds=4`;
      const events = await watch(`${podEips(namespace)}?${query}`, { accept });
      const { body } = await request('POST', podEips(namespace), podEip('a'));
      await request('DELETE', `${podEips(namespace)}/a`);
      await events.until(({ type }) => type === 'DELETED');
      await events.ended;
      const type = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' };
      for (const { object } of events.events) {
        t.like(object, type);
        t.deepEqual(Object.keys(object).toSorted(), ['apiVersion', 'kind', 'metadata']);
      }
      t.deepEqual(
        events.events.map((event) => event.type).filter((it) => it !== 'BOOKMARK'),
        ['ADDED', 'DELETED'],
      );
      t.deepEqual<unknown, unknown>(events.events[0]?.object, { ...type, metadata: body.metadata });
      t.true(events.events.some((event) => event.type === 'BOOKMARK'));
      const asList = await watch(`${podEips(namespace)}?${query}`, {
        accept: accept.replace('Metadata;', 'MetadataList;'),
      });
      await asList.ended;
      t.deepEqual(asList.events, []);
    },
  },
];
