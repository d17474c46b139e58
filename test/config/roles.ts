import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { KubeRequest } from '../../src/kube/port.ts';

/* The roles that are shipped, and what the API server makes of a request: the embedded one asks for no rights. */

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** One verb on one resource: what can be taken away by itself. */
export interface Right {
  readonly folder: string;
  /** The name of its Role or ClusterRole. */
  readonly role: string;
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly names: readonly string[] | undefined;
  /** Where a Role lies; undefined for a ClusterRole. */
  readonly namespace: string | undefined;
}

const FILES = {
  rbac: ['role', 'leader_election_role', 'mark_role', 'other_controllers_role'],
  webhook: ['role'],
  metrics: ['auth_role'],
  cloudevents: ['role'],
  'service-condition': ['role'],
  'announce-on-pods': ['role'],
  'virtual-node': ['role'],
  'virtual-node-service-account': ['role'],
  'virtual-node-image-caches': ['role'],
  'virtual-node-eci-profile': ['role'],
};

export const rights: readonly Right[] = Object.entries(FILES).flatMap(([folder, names]) =>
  names.flatMap((name) =>
    parseAllDocuments(readFileSync(new URL(`../../config/${folder}/${name}.yaml`, import.meta.url), 'utf8')).flatMap(
      (document) => {
        const { metadata, rules } = document.toJS() as {
          metadata: { name: string; namespace?: string };
          rules: readonly Rule[];
        };
        return rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
          apiGroups.flatMap((group) =>
            resources.flatMap((resource) =>
              verbs.map((verb) => ({
                folder,
                role: metadata.name,
                group,
                resource,
                verb,
                names: resourceNames,
                namespace: metadata.namespace,
              })),
            ),
          ),
        );
      },
    ),
  ),
);

/** As kubectl and the tables of docs/security.md write it: `podeips.alibabacloud.com/status`. */
export const nameOf = ({ group, resource }: Pick<Right, 'group' | 'resource'>): string => {
  const [plural = '', subresource] = resource.split('/');
  return `${plural}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
};

export const titleOf = (right: Pick<Right, 'group' | 'resource' | 'verb'>): string => `${nameOf(right)} ${right.verb}`;

export interface Asked {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly name: string | undefined;
  readonly namespace: string | undefined;
}

const VERBS = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;

/** What the API server takes a request for (kubernetes/apiserver, pkg/endpoints/request/requestinfo.go). */
export const askedBy = ({ method, path }: KubeRequest): Asked => {
  const url = new URL(path, 'http://api');
  const parts = url.pathname.split('/').filter(Boolean);
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '');
  let rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  let namespace: string | undefined;
  if (rest[0] === 'namespaces' && rest.length > 2) [namespace, rest] = [rest[1], rest.slice(2)];
  const [plural = '', name, subresource] = rest;
  const selected = /^metadata\.name=([^,]+)$/u.exec(url.searchParams.get('fieldSelector') ?? '')?.[1];
  const isWatch = ['1', 'true'].includes(url.searchParams.get('watch') ?? '');
  const reading = isWatch ? 'watch' : name === undefined ? 'list' : 'get';
  return {
    group,
    resource: subresource === undefined ? plural : `${plural}/${subresource}`,
    verb: method === 'GET' ? reading : VERBS[method],
    name: name ?? selected,
    namespace,
  };
};

export const covers = (right: Right, asked: Asked): boolean =>
  right.group === asked.group &&
  right.resource === asked.resource &&
  right.verb === asked.verb &&
  (right.names === undefined || (asked.name !== undefined && right.names.includes(asked.name))) &&
  (right.namespace === undefined || asked.namespace === right.namespace);
