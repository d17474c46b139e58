import { objectOf, type JsonObject } from './json-values.ts';
import { groupVersionOf, isCustom, type Kind, type Registry } from './served-kinds.ts';

const queryParameter = (name: string): JsonObject => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
});

const identityOf = ({ group, version, kind }: Kind): JsonObject => ({ group, version, kind });

/** `com.alibabacloud.v1beta1.PodEIP`: a schema's name has its group turned round. */
const nameOf = ({ group, version, kind }: Kind): string => [...group.split('.').toReversed(), version, kind].join('.');

const text = (description: string): JsonObject => ({ type: 'string', description });

/** Of custom resources what their definitions say; nothing of built-in kinds. */
const schemasOf = (kind: Kind): JsonObject =>
  !isCustom(kind)
    ? {}
    : {
        [nameOf(kind)]: {
          ...kind.schema,
          properties: {
            apiVersion: text('The group and the version of this kind.'),
            kind: text('The kind of this object.'),
            ...objectOf(kind.schema['properties']),
            metadata: { type: 'object', description: "Standard object's metadata." },
          },
          'x-kubernetes-group-version-kind': [identityOf(kind)],
        },
      };

const answerOf = (kind: Kind): JsonObject =>
  !isCustom(kind)
    ? {}
    : {
        200: {
          description: 'OK',
          content: { 'application/json': { schema: { $ref: `#/components/schemas/${nameOf(kind)}` } } },
        },
      };

const pathsOf = (kind: Kind): JsonObject => {
  const root = kind.group === '' ? '/api' : '/apis';
  const scope = kind.namespaced ? '/namespaces/{namespace}' : '';
  const collection = `${root}/${groupVersionOf(kind)}${scope}/${kind.plural}`;
  const of = { responses: answerOf(kind), 'x-kubernetes-group-version-kind': identityOf(kind) };
  return {
    [collection]: { post: { ...of, 'x-kubernetes-action': 'post' } },
    [`${collection}/{name}`]: {
      get: { ...of, 'x-kubernetes-action': 'get' },
      patch: { ...of, parameters: [queryParameter('dryRun')], 'x-kubernetes-action': 'patch' },
    },
  };
};

const info = { title: 'Kubernetes', version: 'sandbox' };

/**
 * As much of /openapi/v3 as kubectl looks at before it sends `--dry-run=server`: that PATCH knows the parameter; and
 * what `kubectl explain` tells of custom resources. kubectl validates nothing by it itself; the server does.
 */
export const openApiV3 = (registry: Registry, path: readonly string[]): JsonObject | undefined => {
  if (path.length === 0) {
    const roots = registry.list().map((kind) => `${kind.group === '' ? 'api' : 'apis'}/${groupVersionOf(kind)}`);
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
    components: { schemas: Object.assign({}, ...kinds.map(schemasOf)) as JsonObject },
  };
};

/** /openapi/v2: a document without paths and definitions. */
export const openApiV2: JsonObject = { swagger: '2.0', info, paths: {}, definitions: {} };
