import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { Authorizer, type Attributes, type User } from '../kube/authorizer.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import { Refusal } from './kubelet-refusal.ts';

/** API servers have one identity each, and the others are people. Two calls each, of which there are 5 a second. */
const LIMITS = { perAddress: 4, inAll: 8 };

/** Verbs of the API by HTTP method. Source: kubernetes pkg/kubelet/server/auth.go, GetRequestAttributes. */
const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Paths, with what is below them, that are a part of the Node of their own; the first that fits. Same source. */
const PARTS: readonly (readonly [path: string, subresources: readonly string[]])[] = [
  ['/stats', ['stats']],
  ['/metrics', ['metrics']],
  ['/pods', ['pods', 'proxy']],
  ['/healthz', ['healthz', 'proxy']],
  ['/configz', ['configz', 'proxy']],
];

/** What a request is about, of the Node: one of them has to be allowed. */
const subresourcesOf = (path: string): readonly string[] =>
  PARTS.find(([part]) => path === part || path.startsWith(`${part}/`))?.[1] ?? ['proxy'];

const attributesOf = (verb: string, path: string, nodeName: string): readonly Attributes[] =>
  subresourcesOf(path).map((subresource) => ({
    resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName },
  }));

/**
 * Resolves where a request is allowed, and rejects with the Refusal of the others. Works like a kubelet with webhook
 * authentication and authorization and without anonymous access. Client certificates are accepted if an authority is
 * configured.
 *
 * @param verb what every request has to be allowed, whatever its method. By default the method says it
 */
export const createEndpointAuthorizer = (kube: Kube, clock: Clock, nodeName: string, verb?: string) => {
  const authorizer = new Authorizer({ kube, clock, limits: LIMITS });
  return async (request: IncomingMessage, path: string, signal: AbortSignal): Promise<void> => {
    const { headers, socket, method = '' } = request;
    const wanted = verb ?? VERBS[method] ?? '';
    const attributes = attributesOf(wanted, path, nodeName);
    const { authorization } = headers;
    const asker = { user: userOf(request), authorization, address: socket.remoteAddress, attributes };
    const decision = await authorizer.decide(asker, signal);
    if (decision === 503) throw new Refusal(503, 'Too many requests are being looked at; try again');
    if (decision === 401) throw new Refusal(401, 'Unauthorized');
    if (decision === 403)
      throw new Refusal(
        403,
        `Forbidden (verb=${wanted}, resource=nodes, subresource(s)=[${subresourcesOf(path).join(' ')}])`,
      );
  };
};

/**
 * The user of a client certificate that a configured authority has signed: its common name, and its organizations as
 * groups.
 */
const userOf = ({ socket }: IncomingMessage): User | undefined => {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { CN, O } = socket.getPeerCertificate().subject;
  const username = [CN].flat()[0];
  const groups = [O].flat().filter((name): name is string => name !== undefined);
  return username === undefined ? undefined : { username, groups: [...groups, 'system:authenticated'] };
};
