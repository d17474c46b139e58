import { omit } from '../../src/sandbox/kube/json-values.ts';
import { arrayIn, inOrder, JSON_PATCH, MERGE, pod, pods, type Behaviour, type Body } from './client.ts';

const AT = '2026-01-01T00:00:00.123456Z';

const lease = (renewTime: string, more: object = {}): object => ({
  metadata: { name: 'l', ...more },
  spec: { holderIdentity: 'me', leaseDurationSeconds: 15, renewTime },
});

/** What is particular to single kinds. */
export const kinds: readonly Behaviour[] = [
  {
    title: 'discovery names the kinds, their short names and subresources',
    check: async (t, { request }) => {
      const { body } = await request('GET', '/apis/alibabacloud.com/v1beta1');
      const resources = arrayIn(body, 'resources').map((resource) => omit(resource as Body, 'storageVersionHash'));
      t.deepEqual(resources, [
        {
          name: 'podeips',
          singularName: 'podeip',
          namespaced: true,
          kind: 'PodEIP',
          verbs: (resources[0]?.['verbs'] as string[]) ?? [],
          shortNames: ['peip'],
          categories: ['eip'],
        },
        {
          name: 'podeips/status',
          singularName: '',
          namespaced: true,
          kind: 'PodEIP',
          verbs: ['get', 'patch', 'update'],
        },
      ]);
      t.deepEqual(inOrder(arrayIn(resources[0], 'verbs') as string[]), [
        'create',
        'delete',
        'deletecollection',
        'get',
        'list',
        'patch',
        'update',
        'watch',
      ]);
      const core = await request('GET', '/api/v1');
      const names = (core.body['resources'] as { name: string }[]).map(({ name }) => name);
      t.true(
        ['pods', 'pods/status', 'pods/log', 'nodes', 'events', 'namespaces', 'services'].every((name) =>
          names.includes(name),
        ),
      );
      const groups = (await request('GET', '/apis')).body['groups'] as { name: string }[];
      t.true(
        ['apps', 'events.k8s.io', 'coordination.k8s.io'].every((group) => groups.some(({ name }) => name === group)),
      );
      t.is((await request('GET', '/readyz')).text, 'ok');
      t.like((await request('GET', '/version')).body, { major: '1' });
    },
  },
  {
    title: 'a pod gets its defaults, and its spec stays as it is',
    check: async (t, { namespace, request }) => {
      const { body } = await request('POST', pods(namespace), pod('p'));
      t.like(body.spec, {
        restartPolicy: 'Always',
        dnsPolicy: 'ClusterFirst',
        terminationGracePeriodSeconds: 30,
        schedulerName: 'default-scheduler',
        enableServiceLinks: true,
        priority: 0,
      });
      t.like(arrayIn(body.spec, 'containers')[0], {
        imagePullPolicy: 'Always',
        terminationMessagePolicy: 'File',
        resources: {},
      });
      t.deepEqual(body.status, { phase: 'Pending', qosClass: 'BestEffort' });
      t.is(body.metadata.generation, 1);
      const moved = await request('PATCH', `${pods(namespace)}/p`, { spec: { nodeName: 'node-1' } }, MERGE);
      t.is(moved.status, 422);
      t.true(
        moved.body.message?.startsWith(
          'Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than',
        ),
      );
      const image = [{ op: 'replace', path: '/spec/containers/0/image', value: 'nginx:2' }];
      const renewed = await request('PATCH', `${pods(namespace)}/p`, image, JSON_PATCH);
      t.is(renewed.status, 200);
      t.is(renewed.body.metadata.generation, 2);
      const labelled = await request('PATCH', `${pods(namespace)}/p`, { metadata: { labels: { app: 'web' } } }, MERGE);
      t.is(labelled.body.metadata.generation, 2);
      t.is(
        (await request('POST', pods(namespace), { metadata: { name: 'q' }, spec: {} })).body.message,
        'Pod "q" is invalid: spec.containers: Required value',
      );
    },
  },
  {
    title: 'a pod is bound to a node once',
    check: async (t, { namespace, request }) => {
      await request('POST', pods(namespace), pod('p'));
      const binding = { metadata: { name: 'p' }, target: { kind: 'Node', name: 'node-1' } };
      const bound = await request('POST', `${pods(namespace)}/p/binding`, binding);
      t.is(bound.status, 201);
      t.like(bound.body, { kind: 'Status', status: 'Success' });
      const { body } = await request('GET', `${pods(namespace)}/p`);
      t.is(body.spec?.['nodeName'], 'node-1');
      t.is(body.metadata.generation, 1, 'the scheduler changes nothing of what is wanted');
      const deleted = await request('DELETE', `${pods(namespace)}/p`);
      t.is(deleted.body.metadata.generation, 2);
      t.like(arrayIn(body.status, 'conditions')[0], { type: 'PodScheduled', status: 'True' });
      t.is((await request('POST', `${pods(namespace)}/p/binding`, binding)).status, 409);
    },
  },
  {
    title: 'a Lease has times with six digits, or is 400; PUT creates it',
    check: async (t, { namespace, request }) => {
      const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
      const short = await request('POST', leases, lease('2026-01-01T00:00:00.123Z'));
      t.is(short.status, 400);
      t.true(
        short.body.message?.includes('parsing time "2026-01-01T00:00:00.123Z" as "2006-01-02T15:04:05.000000Z07:00"'),
      );
      const put = await request('PUT', `${leases}/l`, lease(AT));
      t.is(put.status, 201);
      t.is(put.body.spec?.['renewTime'], AT);
      t.is((await request('PUT', `${leases}/l`, lease(AT))).status, 422, 'without a resourceVersion');
      const { resourceVersion } = put.body.metadata;
      t.is((await request('PUT', `${leases}/l`, lease(AT.replace('6Z', '7Z'), { resourceVersion }))).status, 200);
      t.is((await request('PUT', `${leases}/l`, lease(AT, { resourceVersion }))).status, 409);
      t.is((await request('PATCH', `${leases}/l`, { spec: { leaseDurationSeconds: 0 } }, MERGE)).status, 422);
    },
  },
  {
    title: 'events are the same in both groups',
    check: async (t, { namespace, request }) => {
      const core = `/api/v1/namespaces/${namespace}/events`;
      const group = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
      const regarding = { kind: 'Pod', namespace, name: 'p', uid: 'u-1' };
      const event = {
        metadata: { name: 'e' },
        regarding,
        reason: 'Bound',
        note: 'EIP bound',
        type: 'Normal',
        action: 'Bind',
      };
      t.is((await request('POST', group, event)).status, 422, 'without a time');
      const reported = { ...event, eventTime: AT, reportingController: 'example.org/c', reportingInstance: 'i' };
      t.is((await request('POST', group, { ...reported, eventTime: '2026-01-01T00:00:00Z' })).status, 400);
      t.is((await request('POST', group, { ...reported, type: 'Bad' })).status, 422);
      t.is((await request('POST', group, reported)).status, 201);
      const asCore = await request('GET', `${core}/e`);
      t.like(asCore.body, {
        kind: 'Event',
        apiVersion: 'v1',
        involvedObject: regarding,
        reason: 'Bound',
        message: 'EIP bound',
        eventTime: AT,
        reportingComponent: 'example.org/c',
        firstTimestamp: null,
        source: {},
      });
      const old = {
        metadata: { name: 'f' },
        involvedObject: regarding,
        reason: 'Old',
        message: 'm',
        type: 'Warning',
        count: 2,
        source: { component: 'k' },
      };
      t.is((await request('POST', core, old)).status, 201);
      const asGroup = await request('GET', `${group}/f`);
      t.like(asGroup.body, {
        regarding,
        note: 'm',
        deprecatedCount: 2,
        deprecatedSource: { component: 'k' },
        eventTime: null,
      });
      const chosen = async (path: string, selector: string) =>
        (await request('GET', `${path}?fieldSelector=${encodeURIComponent(selector)}`)).body.items?.map(
          ({ metadata }) => metadata.name,
        );
      t.deepEqual(
        await chosen(core, `involvedObject.name=p,involvedObject.uid=u-1,involvedObject.namespace=${namespace}`),
        ['e', 'f'],
      );
      t.deepEqual(await chosen(core, 'type=Warning'), ['f']);
      t.deepEqual(await chosen(group, 'regarding.name=p,reason=Bound'), ['e']);
      t.is((await request('GET', `${group}?fieldSelector=involvedObject.name%3Dp`)).status, 400);
      t.is(
        (
          await request('POST', core, {
            ...old,
            metadata: { name: 'g' },
            involvedObject: { ...regarding, namespace: 'other' },
          })
        ).status,
        422,
      );
      const series = { series: { count: 2, lastObservedTime: AT } };
      t.is((await request('PATCH', `${group}/e`, series, MERGE)).status, 200);
      t.like((await request('GET', `${core}/e`)).body, series);
    },
  },
  {
    title: 'nodes keep the status that they are created with, and their /status takes labels',
    check: async (t, { namespace, request }) => {
      const name = `node-${namespace}`;
      const ready = {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      };
      const made = await request('POST', '/api/v1/nodes', {
        metadata: { name },
        spec: { providerID: 'cn-x.i-1' },
        status: ready,
      });
      t.is(made.status, 201);
      t.like(made.body.status, { addresses: ready.addresses });
      const patch = { metadata: { labels: { a: 'b' } }, spec: { unschedulable: true }, status: { phase: 'Running' } };
      const patched = await request('PATCH', `/api/v1/nodes/${name}/status`, patch, MERGE);
      t.like(patched.body, { metadata: { labels: { a: 'b' } }, status: { phase: 'Running' } });
      t.is(patched.body.spec?.['unschedulable'], undefined);
      t.is(
        (await request('PATCH', `/api/v1/nodes/${name}`, { status: { phase: 'Pending' } }, MERGE)).body.status?.[
          'phase'
        ],
        'Running',
      );
      await request('DELETE', `/api/v1/nodes/${name}`);
    },
  },
  {
    title: 'a Deployment has defaults and a scale',
    check: async (t, { namespace, request }) => {
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
      const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'app', image: 'nginx' }] } };
      const made = await request('POST', path, {
        metadata: { name: 'd' },
        spec: { selector: { matchLabels: { a: 'b' } }, template },
      });
      t.like(made.body.spec, { replicas: 1, revisionHistoryLimit: 10, strategy: { type: 'RollingUpdate' } });
      t.is(made.body.metadata.generation, 1);
      const scale = await request('GET', `${path}/d/scale`);
      t.like(scale.body, {
        kind: 'Scale',
        apiVersion: 'autoscaling/v1',
        spec: { replicas: 1 },
        status: { selector: 'a=b' },
      });
      const scaled = await request('PATCH', `${path}/d/scale`, { spec: { replicas: 0 } }, MERGE);
      t.deepEqual(scaled.body.spec, {});
      const after = await request('GET', `${path}/d`);
      t.is(after.body.spec?.['replicas'], 0);
      t.is(after.body.metadata.generation, 2);
      const status = await request(
        'PATCH',
        `${path}/d/status`,
        { metadata: { labels: { l: '1' } }, status: { replicas: 7 } },
        MERGE,
      );
      t.is(status.body.status?.['replicas'], 7);
      t.is(status.body.metadata['labels'], undefined);
    },
  },
  {
    title: 'the plain data of a Secret is encoded, and a Service gets an address',
    check: async (t, { namespace, request }) => {
      const secret = await request('POST', `/api/v1/namespaces/${namespace}/secrets`, {
        metadata: { name: 's' },
        stringData: { a: 'b' },
      });
      t.like(secret.body, { type: 'Opaque', data: { a: 'Yg==' } });
      t.is(secret.body['stringData'], undefined);
      const service = await request('POST', `/api/v1/namespaces/${namespace}/services`, {
        metadata: { name: 's' },
        spec: { ports: [{ port: 80 }] },
      });
      t.like(service.body.spec, { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] });
      t.regex(String(service.body.spec?.['clusterIP']), /^10\.96\./);
    },
  },
];
