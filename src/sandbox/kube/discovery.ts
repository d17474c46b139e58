import type { JsonObject } from './json-values.ts';
import { groupVersionOf, verbsOf, type Kind, type Registry } from './served-kinds.ts';
import { METRICS_GROUP } from './usage-metrics.ts';

const HELD = ['get', 'patch', 'update'];

const resourcesOf = (kind: Kind): JsonObject[] => {
  const { plural, namespaced } = kind;
  const sub = (name: string, more: JsonObject = {}): JsonObject => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    kind: kind.kind,
    verbs: HELD,
    ...more,
  });
  return [
    {
      name: plural,
      singularName: kind.singular,
      namespaced,
      kind: kind.kind,
      verbs: verbsOf(kind),
      ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
      ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
    },
    ...(kind.status === undefined ? [] : [sub('status')]),
    ...(kind.scale === undefined ? [] : [sub('scale', { group: 'autoscaling', version: 'v1', kind: 'Scale' })]),
    ...(kind.store === '/pods'
      ? [sub('log', { verbs: ['get'] }), sub('binding', { kind: 'Binding', verbs: ['create'] })]
      : []),
  ];
};

const versionsOf = (registry: Registry, group: string): JsonObject[] =>
  [...new Set(registry.list(group).map(({ version }) => version))].map((version) => ({
    groupVersion: `${group}/${version}`,
    version,
  }));

const groupOf = (registry: Registry, name: string): JsonObject => {
  const versions = versionsOf(registry, name);
  return { name, versions, preferredVersion: versions[0] };
};

/** The documents at /api, /apis and below that name what is served. Undefined where nothing is. */
export const discovery = (registry: Registry, path: readonly string[]): JsonObject | undefined => {
  const [root, group, version, more] = path;
  if (root === 'api' && group === undefined)
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (root === 'apis' && group === undefined) {
    const names = [...new Set(registry.list().map((kind) => kind.group))].filter((name) => name !== '');
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: [...names.map((name) => groupOf(registry, name)), METRICS_GROUP],
    };
  }
  if (root === 'apis' && version === undefined && group !== undefined)
    return registry.list(group).length === 0
      ? undefined
      : { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(registry, group) };
  const served =
    root === 'api' && group !== undefined && version === undefined
      ? registry.list('', group)
      : root === 'apis' && group !== undefined && version !== undefined && more === undefined
        ? registry.list(group, version)
        : [];
  const [first] = served;
  if (first === undefined) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: groupVersionOf(first),
    resources: served.flatMap(resourcesOf),
  };
};
