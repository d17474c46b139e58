import { at } from '../../src/sandbox/kube/json-values.ts';
import { arrayIn, APPLY, JSON_PATCH, MERGE, pod, podEip, podEips, pods, STRATEGIC, type Behaviour } from './client.ts';

const configMaps = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;

/** Replacing and patching objects and their status. */
export const changes: readonly Behaviour[] = [
  {
    title: 'a stale resourceVersion is 409; custom resources cannot be replaced without one, config maps can',
    check: async (t, { namespace, request }) => {
      const path = `${podEips(namespace)}/a`;
      const { body } = await request('POST', podEips(namespace), podEip('a'));
      const changed = { ...body, spec: { ...body.spec, allocationID: 'eip-1' } };
      t.is((await request('PUT', path, changed)).status, 200);
      const stale = await request('PUT', path, changed);
      t.is(stale.status, 409);
      t.like(stale.body, {
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on podeips.alibabacloud.com "a": the object has been modified; please apply your changes to the latest version and try again',
      });
      const { resourceVersion } = body.metadata;
      t.is(
        (await request('PATCH', path, { metadata: { resourceVersion }, spec: { allocationID: 'x' } }, MERGE)).status,
        409,
      );
      t.is((await request('PUT', path, podEip('a'))).status, 422);
      t.is((await request('PUT', path, podEip('b', { resourceVersion }))).status, 400);
      await request('POST', configMaps(namespace), { metadata: { name: 'c' } });
      t.is(
        (await request('PUT', `${configMaps(namespace)}/c`, { metadata: { name: 'c' }, data: { a: 'b' } })).status,
        200,
      );
      t.is((await request('PUT', `${configMaps(namespace)}/d`, { metadata: { name: 'd' } })).status, 404);
    },
  },
  {
    title: 'a change that changes nothing writes nothing',
    check: async (t, { namespace, request }) => {
      const { body } = await request('POST', podEips(namespace), podEip('a', { annotations: { k: 'v' } }));
      const same = await request('PATCH', `${podEips(namespace)}/a`, { metadata: { annotations: { k: 'v' } } }, MERGE);
      t.is(same.body.metadata.resourceVersion, body.metadata.resourceVersion);
      const replaced = await request('PUT', `${podEips(namespace)}/a`, body);
      t.is(replaced.body.metadata.resourceVersion, body.metadata.resourceVersion);
    },
  },
  {
    title: 'the generation counts changes of the spec, not of metadata or status',
    check: async (t, { namespace, request }) => {
      const path = `${podEips(namespace)}/a`;
      await request('POST', podEips(namespace), podEip('a'));
      const generation = async (to: string, patch: object) =>
        (await request('PATCH', to, patch, MERGE)).body.metadata.generation;
      t.is(await generation(path, { metadata: { annotations: { a: 'b' } } }), 1);
      t.is(await generation(`${path}/status`, { status: { status: 'InUse' } }), 1);
      t.is(await generation(path, { spec: { allocationID: 'eip-1' } }), 2);
    },
  },
  {
    title: 'a merge patch merges objects, replaces arrays and removes with null',
    check: async (t, { namespace, request }) => {
      await request(
        'POST',
        podEips(namespace),
        podEip('a', { labels: { one: '1', two: '2' }, finalizers: ['x.io/a', 'x.io/b'] }),
      );
      const patch = { metadata: { labels: { one: null, three: '3' }, finalizers: ['x.io/b'] } };
      const { status, body } = await request('PATCH', `${podEips(namespace)}/a`, patch, MERGE);
      t.is(status, 200);
      t.deepEqual(body.metadata['labels'], { two: '2', three: '3' });
      t.deepEqual(body.metadata['finalizers'], ['x.io/b']);
      t.is((await request('PATCH', `${podEips(namespace)}/nobody`, patch, MERGE)).status, 404);
      t.is((await request('PATCH', `${podEips(namespace)}/a`, { metadata: { name: 'b' } }, MERGE)).status, 400);
      t.is((await request('PATCH', `${podEips(namespace)}/a`, { metadata: { uid: 'other' } }, MERGE)).status, 422);
      await request('PATCH', `${podEips(namespace)}/a`, { metadata: { finalizers: null } }, MERGE);
    },
  },
  {
    title: 'a JSON patch applies as a whole or is 422; an object is no JSON patch',
    check: async (t, { namespace, request }) => {
      const path = `${podEips(namespace)}/a`;
      const { body } = await request('POST', podEips(namespace), podEip('a', { annotations: { 'x.io/k': 'v' } }));
      const good = [
        { op: 'test', path: '/metadata/resourceVersion', value: body.metadata.resourceVersion },
        { op: 'replace', path: '/spec/allocationID', value: 'eip-1' },
        { op: 'remove', path: '/metadata/annotations/x.io~1k' },
        { op: 'add', path: '/metadata/finalizers', value: ['x.io/a'] },
        { op: 'add', path: '/metadata/finalizers/-', value: 'x.io/b' },
      ];
      const patched = await request('PATCH', path, good, JSON_PATCH);
      t.is(patched.status, 200);
      t.is(patched.body.spec?.['allocationID'], 'eip-1');
      t.deepEqual(patched.body.metadata['finalizers'], ['x.io/a', 'x.io/b']);
      t.is(patched.body.metadata['annotations'], undefined);
      const failed = await request(
        'PATCH',
        path,
        [{ op: 'test', path: '/spec/allocationID', value: 'other' }],
        JSON_PATCH,
      );
      t.is(failed.status, 422);
      t.like(failed.body, {
        reason: 'Invalid',
        message: 'the server rejected our request due to an error in our request',
      });
      t.is((await request('PATCH', path, [{ op: 'remove', path: '/spec/nothing' }], JSON_PATCH)).status, 422);
      const half = [
        { op: 'replace', path: '/spec/allocationID', value: 'eip-2' },
        { op: 'remove', path: '/spec/nothing' },
      ];
      await request('PATCH', path, half, JSON_PATCH);
      t.is((await request('GET', path)).body.spec?.['allocationID'], 'eip-1');
      t.is((await request('PATCH', path, {}, JSON_PATCH)).status, 400);
      await request('PATCH', path, { metadata: { finalizers: null } }, MERGE);
    },
  },
  {
    title: 'custom resources take no strategic merge patch, and nothing takes an unknown patch',
    check: async (t, { namespace, request }) => {
      await request('POST', podEips(namespace), podEip('a'));
      const refused = await request('PATCH', `${podEips(namespace)}/a`, {}, STRATEGIC);
      t.is(refused.status, 415);
      t.is(refused.body.reason, 'UnsupportedMediaType');
      t.is((await request('PATCH', `${podEips(namespace)}/a`, '{}', { contentType: 'text/plain' })).status, 415);
    },
  },
  {
    title: 'server-side apply creates, then changes',
    check: async (t, { namespace, request }) => {
      const path = `${podEips(namespace)}/a`;
      const made = await request('PATCH', `${path}?fieldManager=test`, podEip('a'), APPLY);
      t.is(made.status, 201);
      const again = await request('PATCH', `${path}?fieldManager=test`, podEip('a'), APPLY);
      t.is(again.status, 200);
      t.is(again.body.metadata.resourceVersion, made.body.metadata.resourceVersion);
      const changed = await request(
        'PATCH',
        `${path}?fieldManager=test`,
        podEip('a', {}, { allocationID: 'eip-1' }),
        APPLY,
      );
      t.is(changed.body.spec?.['allocationID'], 'eip-1');
      t.is((await request('PATCH', path, podEip('a'), APPLY)).status, 422);
    },
  },
  {
    title: 'the status of a custom resource is written through /status only, which writes nothing else',
    check: async (t, { namespace, request }) => {
      const path = `${podEips(namespace)}/a`;
      const created = await request('POST', podEips(namespace), { ...podEip('a'), status: { status: 'InUse' } });
      t.is(created.body.status, undefined);
      const both = {
        spec: { allocationID: 'eip-1' },
        status: { status: 'InUse' },
        metadata: { annotations: { k: 'v' } },
      };
      const main = await request('PATCH', path, both, MERGE);
      t.is(main.body.status, undefined);
      t.is(main.body.spec?.['allocationID'], 'eip-1');
      const more = {
        spec: { allocationID: 'eip-2' },
        status: { status: 'InUse', unknown: 1 },
        metadata: { annotations: { l: 'w' } },
      };
      const sub = await request('PATCH', `${path}/status`, more, MERGE);
      t.is(sub.status, 200);
      t.deepEqual(sub.body.status, { status: 'InUse' });
      t.is(sub.body.spec?.['allocationID'], 'eip-1');
      t.deepEqual(sub.body.metadata['annotations'], { k: 'v' });
      t.is((await request('GET', `${path}/status`)).body.metadata.name, 'a');
    },
  },
  {
    title: 'pods/status lets labels, annotations and finalizers through, but neither spec nor owners',
    check: async (t, { namespace, request }) => {
      await request('POST', pods(namespace), pod('p'));
      const patch = {
        metadata: {
          labels: { l: '1' },
          annotations: { a: '2' },
          finalizers: ['x.io/f'],
          ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'y' }],
        },
        spec: { containers: [{ name: 'app', image: 'other' }] },
        status: { phase: 'Running', podIP: '10.0.0.9' },
      };
      const { status, body } = await request('PATCH', `${pods(namespace)}/p/status`, patch, STRATEGIC);
      t.is(status, 200);
      t.like(body.metadata, { labels: { l: '1' }, annotations: { a: '2' }, finalizers: ['x.io/f'] });
      t.is(body.metadata['ownerReferences'], undefined);
      t.is(at(arrayIn(body.spec, 'containers')[0], 'image'), 'nginx');
      t.like(body.status, { phase: 'Running', podIP: '10.0.0.9' });
      const main = await request(
        'PATCH',
        `${pods(namespace)}/p`,
        { status: { phase: 'Failed' }, metadata: { finalizers: null } },
        MERGE,
      );
      t.is(main.body.status?.['phase'], 'Running');
    },
  },
  {
    title: 'conditions of a pod are merged by type, and their times have whole seconds',
    check: async (t, { namespace, request }) => {
      await request('POST', pods(namespace), pod('p'));
      const set = (conditions: object[]) =>
        request('PATCH', `${pods(namespace)}/p/status`, { status: { conditions } }, STRATEGIC);
      await set([
        { type: 'Ready', status: 'False' },
        { type: 'Initialized', status: 'True' },
      ]);
      const { body } = await set([
        { type: 'k8s.aliyun.com/eip', status: 'True', lastTransitionTime: '2026-01-01T00:00:00.123Z' },
        { type: 'Ready', status: 'True' },
      ]);
      t.deepEqual(body.status?.['conditions'], [
        { type: 'k8s.aliyun.com/eip', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' },
        { type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: null },
        { type: 'Initialized', status: 'True', lastProbeTime: null, lastTransitionTime: null },
      ]);
      const removed = await set([{ type: 'Ready', $patch: 'delete' }]);
      t.deepEqual(
        arrayIn(removed.body.status, 'conditions').map((condition) => at(condition, 'type')),
        ['k8s.aliyun.com/eip', 'Initialized'],
      );
    },
  },
  {
    title: 'a strategic merge patch merges containers, environment and finalizers by their keys',
    check: async (t, { namespace, request }) => {
      const template = {
        metadata: { labels: { a: 'b' } },
        spec: {
          containers: [
            {
              name: 'one',
              image: 'i:1',
              env: [
                { name: 'A', value: '1' },
                { name: 'B', value: '2' },
              ],
            },
            { name: 'two', image: 'i:2' },
          ],
        },
      };
      const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
      const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template };
      await request('POST', deployments, { metadata: { name: 'd', finalizers: ['x.io/a'] }, spec });
      const patch = {
        metadata: { finalizers: ['x.io/b'] },
        spec: {
          template: {
            spec: {
              $setElementOrder: undefined,
              '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }],
              containers: [
                {
                  name: 'one',
                  env: [
                    { name: 'B', $patch: 'delete' },
                    { name: 'C', value: '3' },
                  ],
                },
              ],
            },
          },
        },
      };
      const { status, body } = await request('PATCH', `${deployments}/d`, patch, STRATEGIC);
      t.is(status, 200);
      t.deepEqual([...(body.metadata['finalizers'] as string[])].sort(), ['x.io/a', 'x.io/b']);
      const containers = at(body, 'spec', 'template', 'spec', 'containers') as {
        name: string;
        image: string;
        env?: unknown;
      }[];
      t.deepEqual(
        containers.map(({ name, image }) => [name, image]),
        [
          ['two', 'i:2'],
          ['one', 'i:1'],
        ],
      );
      t.deepEqual(
        [...((containers[1]?.env ?? []) as { name: string }[])].sort((a, b) => (a.name < b.name ? -1 : 1)),
        [
          { name: 'A', value: '1' },
          { name: 'C', value: '3' },
        ],
      );
      const gone = { metadata: { finalizers: null } };
      await request('PATCH', `${deployments}/d`, gone, MERGE);
    },
  },
];
