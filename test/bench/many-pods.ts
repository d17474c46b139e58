import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/* An API server with as many pods as one likes, which makes each when it is asked for. */

const ASKING_ONE_IN = 100;

const FIRST_LABELS = Array.from({ length: 12 }, (_, n) => `team.example/label-${n}`);
const SETTINGS = Array.from({ length: 30 }, (_, n) => `SETTING_${n}`);
const CONDITIONS = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];

/** `{ "f:a": {}, … }`, as metadata.managedFields says what somebody has written. */
const fields = (names: readonly string[], within: object = {}): object =>
  Object.fromEntries(names.map((name) => [name === '.' || name.includes(':') ? name : `f:${name}`, within]));

/** Who has written what of a pod, as API servers note it: the ReplicaSet's controller all but the status. */
const managedFields = (annotation: string): object[] => {
  const container = {
    '.': {},
    'f:env': {
      '.': {},
      ...fields(
        SETTINGS.map((name) => `k:{"name":"${name}"}`),
        fields(['.', 'name', 'value']),
      ),
    },
    ...fields(['image', 'imagePullPolicy', 'name', 'resources', 'terminationMessagePath', 'terminationMessagePolicy']),
  };
  const time = '2026-01-01T00:00:00Z';
  const written = (manager: string, fieldsV1: object, more: object = {}) => ({
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time,
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...more,
  });
  return [
    written('kube-controller-manager', {
      'f:metadata': {
        'f:annotations': { '.': {}, ...fields([annotation]) },
        'f:generateName': {},
        'f:labels': { '.': {}, ...fields(FIRST_LABELS) },
        'f:ownerReferences': { '.': {}, 'k:{"uid":"rs"}': {} },
      },
      'f:spec': {
        'f:containers': fields(['k:{"name":"user-container"}', 'k:{"name":"queue-proxy"}'], container),
        ...fields(['dnsPolicy', 'enableServiceLinks', 'restartPolicy', 'schedulerName', 'securityContext']),
        'f:terminationGracePeriodSeconds': {},
      },
    }),
    written(
      'kubelet',
      {
        'f:status': {
          'f:conditions': fields(
            CONDITIONS.map((type) => `k:{"type":"${type}"}`),
            fields(['.', 'lastProbeTime', 'lastTransitionTime', 'status', 'type']),
          ),
          ...fields(['containerStatuses', 'hostIP', 'phase', 'podIP', 'podIPs', 'startTime']),
        },
      },
      { subresource: 'status' },
    ),
  ];
};

const asksForAddress = (index: number): boolean => index % ASKING_ONE_IN === 0;

const nameOf = (index: number): string =>
  `checkout-frontend-00001-deployment-7f6d9c5b8-${index.toString(36).padStart(5, '0')}`;

const metadataOf = (index: number, withManagedFields: boolean): object => {
  const [annotation, value] = asksForAddress(index)
    ? (['k8s.aliyun.com/pod-with-eip', 'true'] as const)
    : (['note', 'x'.repeat(500)] as const);
  return {
    name: nameOf(index),
    namespace: `team-${index % 50}`,
    uid: `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: Object.fromEntries(FIRST_LABELS.map((label, n) => [label, `value-${n}`])),
    annotations: { [annotation]: value },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'rs', controller: true }],
    ...(withManagedFields && { managedFields: managedFields(annotation) }),
  };
};

/** A pod as the API server has it, and as Knative's are: 6 KB, and 5 KB more that say who has written what of them. */
const podOf = (index: number, withManagedFields: boolean): object => {
  const env = SETTINGS.map((name, n) => ({ name, value: `https://service-${n}.example/` }));
  const container = (of: string) => ({
    name: of,
    image: `registry.example/${of}:1.2.3`,
    env,
    ports: [],
    resources: {},
  });
  return {
    metadata: metadataOf(index, withManagedFields),
    spec: { containers: [container('user-container'), container('queue-proxy')] },
    status: {
      phase: 'Pending',
      conditions: CONDITIONS.map((type) => ({
        type,
        status: 'False',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      })),
    },
  };
};

const pass = (url: string, incoming: IncomingMessage, answer: ServerResponse): void => {
  const { method, headers, url: path = '' } = incoming;
  const outgoing = request(`${url}${path}`, { method, headers }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
  });
  outgoing.on('error', () => answer.destroy());
  answer.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
};

const ONE_POD = /^\/api\/v1\/namespaces\/[^/]+\/pods\/[^/]+-([0-9a-z]+)$/u;

/** An API server like the one at `url`, but with these pods: page by page, whole or their metadata, and one by one. */
export const serveWithPods = async (
  url: string,
  { count, withManagedFields }: { readonly count: number; readonly withManagedFields: boolean },
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> => {
  const server = createServer((incoming, answer) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://127.0.0.1');
    const [, one] = (incoming.method === 'GET' && ONE_POD.exec(pathname)) || [];
    if (count === 0 || (pathname !== '/api/v1/pods' && one === undefined)) return pass(url, incoming, answer);
    answer.writeHead(200, { 'content-type': 'application/json' });
    if (one !== undefined) {
      return answer.end(
        JSON.stringify({ kind: 'Pod', apiVersion: 'v1', ...podOf(Number.parseInt(one, 36), withManagedFields) }),
      );
    }
    if (searchParams.has('watch')) return answer.flushHeaders();
    const from = Number(searchParams.get('continue') ?? 0);
    const to = Math.min(count, from + Number(searchParams.get('limit') ?? count));
    const metadata = { resourceVersion: '1', ...(to < count && { continue: String(to) }) };
    const page = <T>(itemOf: (index: number) => T) => Array.from({ length: to - from }, (_, n) => itemOf(from + n));
    if (incoming.headers.accept?.startsWith('application/json;as=PartialObjectMetadataList;') === true) {
      const type = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' };
      const items = page((index) => ({ ...type, metadata: metadataOf(index, withManagedFields) }));
      const list = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items };
      return answer.end(JSON.stringify(list));
    }
    return answer.end(
      JSON.stringify({
        kind: 'PodList',
        apiVersion: 'v1',
        metadata,
        items: page((index) => podOf(index, withManagedFields)),
      }),
    );
  });
  // As API servers, which close no connection after Node's five seconds: whoever parses for so long would lose his.
  server.keepAliveTimeout = 180_000;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
  };
  return { url: `http://127.0.0.1:${port}`, close };
};
