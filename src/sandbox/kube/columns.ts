import { arrayOf, at, objectOf, stringOf, type ApiObject, type JsonObject } from './json-values.ts';
import type { Column } from './served-kinds.ts';

/** How long ago, as kubectl says it: 59s, 5m30s, 3h20m, 2d5h, 400d, 3y. Source: apimachinery pkg/util/duration. */
export const humanDuration = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 && days % 365 > 0 ? `${years}y${days % 365}d` : `${years}y`;
};

const since = (time: unknown, now: number): string => {
  const at = Date.parse(stringOf(time));
  return Number.isNaN(at) ? '<unknown>' : humanDuration(now - at);
};

const AGE: Column = {
  name: 'Age',
  type: 'string',
  cell: ({ metadata }, now) => since(metadata.creationTimestamp, now),
};

/** The first column of every kind. */
export const NAME: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: ({ metadata }) => metadata.name,
};

const column = (name: string, cell: (object: ApiObject, now: number) => unknown, wide = false): Column => ({
  name,
  type: 'string',
  priority: wide ? 1 : 0,
  cell,
});

const number = (name: string, ...path: readonly string[]): Column => ({
  name,
  type: 'integer',
  cell: (object) => at(object, ...path) ?? 0,
});

const orNone = (text: unknown): string => stringOf(text) || '<none>';

const selectorText = (selector: unknown): string => {
  const labels = objectOf(objectOf(selector)['matchLabels'] ?? selector);
  return (
    Object.entries(labels)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(',') || '<none>'
  );
};

const templateContainers = (object: ApiObject): readonly unknown[] =>
  arrayOf(at(object, 'spec', 'template', 'spec', 'containers'));

const TEMPLATE: readonly Column[] = [
  column(
    'Containers',
    (object) =>
      templateContainers(object)
        .map((one) => objectOf(one)['name'])
        .join(','),
    true,
  ),
  column(
    'Images',
    (object) =>
      templateContainers(object)
        .map((one) => objectOf(one)['image'])
        .join(','),
    true,
  ),
];

const SELECTOR = column('Selector', ({ spec }) => selectorText(spec?.['selector']), true);

const readyOf = (object: ApiObject): string =>
  `${Number(object.status?.['readyReplicas'] ?? 0)}/${Number(object.spec?.['replicas'] ?? 0)}`;

const waitingReason = (container: unknown): string =>
  stringOf(at(container, 'state', 'waiting', 'reason')) || stringOf(at(container, 'state', 'terminated', 'reason'));

/** What kubectl calls the status of a pod. Source: pkg/printers/internalversion printPod. */
const podStatus = (pod: ApiObject): string => {
  if (pod.metadata.deletionTimestamp !== undefined)
    return pod.status?.['reason'] === 'NodeLost' ? 'Unknown' : 'Terminating';
  const waiting = arrayOf(pod.status?.['containerStatuses'])
    .map((one) => waitingReason(one))
    .filter((one) => one !== '');
  return waiting.at(-1) ?? (stringOf(pod.status?.['reason']) || stringOf(pod.status?.['phase']));
};

const readinessGates = (pod: ApiObject): string => {
  const gates = arrayOf(pod.spec?.['readinessGates']).map((gate) => objectOf(gate)['conditionType']);
  if (gates.length === 0) return '<none>';
  const conditions = arrayOf(pod.status?.['conditions']).map((one) => objectOf(one));
  const met = gates.filter((gate) => conditions.some(({ type, status }) => type === gate && status === 'True'));
  return `${met.length}/${gates.length}`;
};

const containerStatuses = (pod: ApiObject): JsonObject[] =>
  arrayOf(pod.status?.['containerStatuses']).map((one) => objectOf(one));

const POD_COLUMNS: readonly Column[] = [
  NAME,
  column(
    'Ready',
    (pod) =>
      `${containerStatuses(pod).filter(({ ready }) => ready === true).length}/${arrayOf(pod.spec?.['containers']).length}`,
  ),
  column('Status', podStatus),
  {
    name: 'Restarts',
    type: 'integer',
    cell: (pod) => containerStatuses(pod).reduce((sum, { restartCount }) => sum + Number(restartCount ?? 0), 0),
  },
  AGE,
  column('IP', ({ status }) => orNone(status?.['podIP']), true),
  column('Node', ({ spec }) => orNone(spec?.['nodeName']), true),
  column('Nominated Node', ({ status }) => orNone(status?.['nominatedNodeName']), true),
  column('Readiness Gates', readinessGates, true),
];

const nodeStatus = (node: ApiObject): string => {
  const ready = arrayOf(node.status?.['conditions'])
    .map((one) => objectOf(one))
    .find(({ type }) => type === 'Ready');
  const words = { True: 'Ready', False: 'NotReady' } as Readonly<Record<string, string>>;
  const word = words[stringOf(ready?.['status'])] ?? 'Unknown';
  return node.spec?.['unschedulable'] === true ? `${word},SchedulingDisabled` : word;
};

const ROLE = 'node-role.kubernetes.io/';

const address = (type: string) => (node: ApiObject) =>
  orNone(
    arrayOf(node.status?.['addresses'])
      .map((one) => objectOf(one))
      .find((one) => one['type'] === type)?.['address'],
  );

const servicePorts = ({ spec }: ApiObject): string =>
  arrayOf(spec?.['ports'])
    .map((port) => `${String(objectOf(port)['port'])}/${String(objectOf(port)['protocol'])}`)
    .join(',') || '<none>';

const eventSource = (event: ApiObject): string =>
  stringOf(at(event, 'source', 'component')) ||
  stringOf(event['reportingComponent']) ||
  stringOf(event['reportingController']);

const eventTimes = (event: ApiObject): { first: unknown; last: unknown } => {
  const first = event['firstTimestamp'] ?? event['deprecatedFirstTimestamp'] ?? event['eventTime'];
  const last =
    at(event, 'series', 'lastObservedTime') ?? event['lastTimestamp'] ?? event['deprecatedLastTimestamp'] ?? first;
  return { first, last };
};

const eventObject = (event: ApiObject): string => {
  const { kind, name } = objectOf(event['involvedObject'] ?? event['regarding']);
  return `${stringOf(kind).toLowerCase()}/${stringOf(name)}`;
};

const EVENT_COLUMNS: readonly Column[] = [
  column('Last Seen', (event, now) => since(eventTimes(event).last, now)),
  column('Type', (event) => event['type']),
  column('Reason', (event) => event['reason']),
  column('Object', eventObject),
  column('Subobject', (event) => stringOf(at(event, 'involvedObject', 'fieldPath')), true),
  column('Source', eventSource, true),
  column('Message', (event) => stringOf(event['message'] ?? event['note']).trim()),
  column('First Seen', (event, now) => since(eventTimes(event).first, now), true),
  {
    name: 'Count',
    type: 'string',
    priority: 1,
    cell: (event) => at(event, 'series', 'count') ?? event['count'] ?? event['deprecatedCount'] ?? 1,
  },
  { ...NAME, priority: 1 },
];

const size = (key: string) => (object: ApiObject) => Object.keys(objectOf(object[key])).length;

const WEBHOOKS: Column = { name: 'Webhooks', type: 'integer', cell: (object) => arrayOf(object['webhooks']).length };

/** The columns of the built-in kinds, by their store. Source: kubernetes pkg/printers/internalversion/printers.go. */
export const BUILT_IN_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  '/pods': POD_COLUMNS,
  '/namespaces': [NAME, column('Status', ({ status }) => status?.['phase']), AGE],
  '/nodes': [
    NAME,
    column('Status', nodeStatus),
    column(
      'Roles',
      ({ metadata }) =>
        Object.keys(metadata.labels ?? {})
          .filter((key) => key.startsWith(ROLE))
          .map((key) => key.slice(ROLE.length))
          .join(',') || '<none>',
    ),
    AGE,
    column('Version', (node) => stringOf(at(node, 'status', 'nodeInfo', 'kubeletVersion'))),
    column('Internal-IP', address('InternalIP'), true),
    column('External-IP', address('ExternalIP'), true),
  ],
  '/events': EVENT_COLUMNS,
  '/configmaps': [NAME, { name: 'Data', type: 'string', cell: size('data') }, AGE],
  '/secrets': [
    NAME,
    column('Type', (secret) => secret['type']),
    { name: 'Data', type: 'string', cell: size('data') },
    AGE,
  ],
  '/serviceaccounts': [
    NAME,
    { name: 'Secrets', type: 'string', cell: (object) => arrayOf(object['secrets']).length },
    AGE,
  ],
  '/services': [
    NAME,
    column('Type', ({ spec }) => spec?.['type']),
    column('Cluster-IP', ({ spec }) => orNone(spec?.['clusterIP'])),
    column('External-IP', ({ spec }) => stringOf(spec?.['externalName']) || '<none>'),
    column('Port(s)', servicePorts),
    AGE,
    SELECTOR,
  ],
  'apps/deployments': [
    NAME,
    column('Ready', readyOf),
    number('Up-to-date', 'status', 'updatedReplicas'),
    number('Available', 'status', 'availableReplicas'),
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ],
  'apps/replicasets': [
    NAME,
    number('Desired', 'spec', 'replicas'),
    number('Current', 'status', 'replicas'),
    number('Ready', 'status', 'readyReplicas'),
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ],
  'apps/statefulsets': [NAME, column('Ready', readyOf), AGE, ...TEMPLATE],
  'apps/daemonsets': [
    NAME,
    number('Desired', 'status', 'desiredNumberScheduled'),
    number('Current', 'status', 'currentNumberScheduled'),
    number('Ready', 'status', 'numberReady'),
    number('Up-to-date', 'status', 'updatedNumberScheduled'),
    number('Available', 'status', 'numberAvailable'),
    column('Node Selector', (object) => selectorText(at(object, 'spec', 'template', 'spec', 'nodeSelector'))),
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ],
  'batch/jobs': [
    NAME,
    column(
      'Completions',
      (job) => `${Number(job.status?.['succeeded'] ?? 0)}/${Number(job.spec?.['completions'] ?? 1)}`,
    ),
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ],
  'batch/cronjobs': [
    NAME,
    column('Schedule', ({ spec }) => stringOf(spec?.['schedule'])),
    column('Suspend', ({ spec }) => (spec?.['suspend'] === true ? 'True' : 'False')),
    column('Last Schedule', ({ status }, now) =>
      status?.['lastScheduleTime'] === undefined ? '<none>' : since(status['lastScheduleTime'], now),
    ),
    AGE,
  ],
  'coordination.k8s.io/leases': [NAME, column('Holder', ({ spec }) => stringOf(spec?.['holderIdentity'])), AGE],
  'apiextensions.k8s.io/customresourcedefinitions': [
    NAME,
    { name: 'Created At', type: 'date', cell: ({ metadata }) => metadata.creationTimestamp },
  ],
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': [NAME, WEBHOOKS, AGE],
  'admissionregistration.k8s.io/validatingwebhookconfigurations': [NAME, WEBHOOKS, AGE],
};

/** Where nothing better is known. */
export const DEFAULT_COLUMNS: readonly Column[] = [NAME, AGE];

export { AGE, since };
