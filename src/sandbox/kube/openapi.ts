import type { JsonObject } from './json.ts';
import { apiVersionOf, type Kind, type Registry } from './registry.ts';

const queryParameter = (name: string): JsonObject => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
});

const pathsOf = (kind: Kind): JsonObject => {
  const root = kind.group === '' ? '/api' : '/apis';
  const scope = kind.namespaced ? '/namespaces/{namespace}' : '';
  return {
    [`${root}/${apiVersionOf(kind)}${scope}/${kind.plural}/{name}`]: {
      patch: {
        parameters: [queryParameter('dryRun')],
        responses: {},
        'x-kubernetes-action': 'patch',
        'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
      },
    },
  };
};

const info = { title: 'Kubernetes', version: 'sandbox' };

/**
 * As much of /openapi/v3 as kubectl looks at before it sends `--dry-run=server`: that PATCH knows the parameter. There
 * are no schemas, so kubectl validates nothing itself; the server does.
 */
export const openApiV3 = (registry: Registry, path: readonly string[]): JsonObject | undefined => {
  if (path.length === 0) {
    const roots = registry.list().map((kind) => `${kind.group === '' ? 'api' : 'apis'}/${apiVersionOf(kind)}`);
    return {
      paths: Object.fromEntries(
        [...new Set(roots)].map((root) => [root, { serverRelativeURL: `/openapi/v3/${root}` }]),
      ),
    };
  }
  const [root, ...groupVersion] = path;
  const [group, version] = root === 'api' ? ['', groupVersion[0]] : groupVersion;
  const kinds = registry.list(group, version);
  if (version === undefined || kinds.length === 0) return undefined;
  return {
    openapi: '3.0.0',
    info,
    paths: Object.assign({}, ...kinds.map(pathsOf)) as JsonObject,
    components: { schemas: {} },
  };
};

/** /openapi/v2: a document without paths and definitions. */
export const openApiV2: JsonObject = { swagger: '2.0', info, paths: {}, definitions: {} };
