import { readFileSync } from 'node:fs';
import { covers, rights, titleOf, type Asked, type Right } from '../config/roles.ts';
import { HOME } from './rights.ts';

/* What the audit log of a real API server says of the product’s requests: what was asked, and why it was allowed. */

/** One line of the log. Source: kubernetes staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go. */
interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  /** Absent where no resource is asked for, as for `/apis`. */
  readonly objectRef?: {
    readonly resource: string;
    readonly apiGroup?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A request as the API server understood it, and what it made of it. */
export interface Audited extends Asked {
  readonly isAllowed: boolean;
  /** Such as `RBAC: allowed by ClusterRoleBinding "knative-eip" of ClusterRole "knative-eip" to …`. */
  readonly reason: string;
}

/** The requests of a service account of the product, in their order; watches once they have ended. */
export const auditedOf = (path: string, account: string): readonly Audited[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      // The last one may not be whole yet.
      if (!line.endsWith('}')) return [];
      const { verb, user, objectRef, annotations = {} } = JSON.parse(line) as AuditEvent;
      if (user.username !== `system:serviceaccount:${HOME}:${account}` || !objectRef) return [];
      const { resource, subresource, apiGroup = '', namespace, name } = objectRef;
      return [
        {
          group: apiGroup,
          resource: subresource === undefined ? resource : `${resource}/${subresource}`,
          verb,
          name,
          namespace,
          isAllowed: annotations['authorization.k8s.io/decision'] === 'allow',
          reason: annotations['authorization.k8s.io/reason'] ?? '',
        },
      ];
    });

/**
 * Whether it was by this right that the API server allowed the request. Of two roles that both allow it, it names one:
 * then it was by either.
 */
export const isBy = (right: Right, { reason, isAllowed, ...asked }: Audited): boolean =>
  isAllowed &&
  covers(right, asked) &&
  rights.some((it) => covers(it, asked) && new RegExp(` of (Cluster)?Role "${it.role}" to `, 'u').test(reason));

export const nameAll = (some: readonly Right[]): readonly string[] =>
  some.map((right) => `config/${right.folder}: ${titleOf(right)} ${right.names?.join(' ') ?? ''}`.trimEnd());
