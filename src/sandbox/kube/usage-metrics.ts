import type { Backend } from './backend.ts';
import { timestamp } from './decode.ts';
import { methodNotAllowed, noSuchResource, notFound } from './failure-status.ts';
import { arrayOf, isObject, stringOf, type ApiObject, type JsonObject } from './json-values.ts';
import { labelSelector } from './selectors.ts';

/*
 * metrics.k8s.io, which metrics-server serves in a real cluster and `kubectl top` reads. No process runs in the
 * sandbox, so that nothing is used: each figure is 0.
 */

const GROUP = 'metrics.k8s.io';
const VERSION = 'v1beta1';
const GROUP_VERSION = `${GROUP}/${VERSION}`;
const NOTHING = { cpu: '0', memory: '0' };
const WINDOW = '15s';

/** How the group is named at /apis. */
export const METRICS_GROUP: JsonObject = {
  name: GROUP,
  versions: [{ groupVersion: GROUP_VERSION, version: VERSION }],
  preferredVersion: { groupVersion: GROUP_VERSION, version: VERSION },
};

const resource = (name: string, kind: string, namespaced: boolean): JsonObject => ({
  name,
  singularName: '',
  namespaced,
  kind,
  verbs: ['get', 'list'],
});

/** What follows /apis in a path, taken apart. */
interface Place {
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
}

const placeOf = (rest: readonly string[]): Place => {
  const [first = '', second, ...more] = rest;
  return first === 'namespaces' && more[0] !== undefined
    ? { namespace: second, plural: more[0], name: more[1] }
    : { namespace: undefined, plural: first, name: second };
};

const usageOf = (object: ApiObject, now: string): JsonObject => {
  const { name, namespace, labels } = object.metadata;
  const head = {
    metadata: { name, namespace, labels, creationTimestamp: now },
    timestamp: now,
    window: WINDOW,
  };
  if (namespace === undefined) return { kind: 'NodeMetrics', apiVersion: GROUP_VERSION, ...head, usage: NOTHING };
  const containers = arrayOf(object.spec?.['containers'])
    .filter(isObject)
    .map((container) => ({ name: stringOf(container['name']), usage: NOTHING }));
  return { kind: 'PodMetrics', apiVersion: GROUP_VERSION, ...head, containers };
};

/** The answer to a GET below /apis/metrics.k8s.io; undefined for every other path. */
export const usageMetrics = (
  { storage, clock }: Pick<Backend, 'storage' | 'clock'>,
  [root, group, version, ...rest]: readonly string[],
  query: URLSearchParams,
  method: string,
): JsonObject | undefined => {
  if (root !== 'apis' || group !== GROUP) return undefined;
  if (method !== 'GET') throw methodNotAllowed();
  if (version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...METRICS_GROUP };
  if (version !== VERSION) throw noSuchResource();
  if (rest.length === 0)
    return {
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: GROUP_VERSION,
      resources: [resource('nodes', 'NodeMetrics', false), resource('pods', 'PodMetrics', true)],
    };
  const { namespace, plural, name } = placeOf(rest);
  if (plural !== 'nodes' && plural !== 'pods') throw noSuchResource();
  const now = timestamp(clock.now());
  const isMeasured = ({ status }: ApiObject): boolean => plural === 'nodes' || status?.['phase'] === 'Running';
  if (name !== undefined) {
    const object = storage.get(`/${plural}`, namespace, name);
    if (!object || !isMeasured(object))
      throw notFound({ group: GROUP, plural }, namespace === undefined ? name : `${namespace}/${name}`);
    return usageOf(object, now);
  }
  const selected = labelSelector(query.get('labelSelector') ?? '');
  const items = [...storage.list(`/${plural}`, namespace)].filter((object) => isMeasured(object) && selected(object));
  return {
    kind: plural === 'nodes' ? 'NodeMetricsList' : 'PodMetricsList',
    apiVersion: GROUP_VERSION,
    metadata: {},
    items: items.map((object) => usageOf(object, now)),
  };
};
