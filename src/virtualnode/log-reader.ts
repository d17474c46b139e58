import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { Authorizer, type User } from '../kube/authorizer.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';

/** API servers have one identity each, and the others are people. Two calls each, of which there are 5 a second. */
const LIMITS = { perAddress: 4, inAll: 8 };

/**
 * Whether requests may read logs. Works like a kubelet with webhook authentication and authorization and without
 * anonymous access (kubernetes pkg/kubelet/server/auth.go: all but a few paths are the resource nodes/proxy). Client
 * certificates are accepted if an authority is configured.
 */
export const createLogReaderAuthorizer = (
  kube: Kube,
  clock: Clock,
  nodeName: string,
  verb: 'get' | 'create' = 'get',
) => {
  const resourceAttributes = { verb, version: 'v1', resource: 'nodes', subresource: 'proxy', name: nodeName };
  const authorizer = new Authorizer({ kube, clock, attributes: { resourceAttributes }, limits: LIMITS });
  return (request: IncomingMessage, signal: AbortSignal) => {
    const { headers, socket } = request;
    const asker = { user: userOf(request), authorization: headers.authorization, address: socket.remoteAddress };
    return authorizer.decide(asker, signal);
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
