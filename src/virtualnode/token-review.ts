import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';

/** Who asks. */
interface User {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
}

interface TokenReview extends KubeObject {
  readonly status?:
    | {
        readonly authenticated?: boolean | undefined;
        readonly user?: { username?: string; uid?: string; groups?: readonly string[] } | undefined;
      }
    | undefined;
}

interface SubjectAccessReview extends KubeObject {
  readonly status?: { readonly allowed?: boolean | undefined } | undefined;
}

const TOKEN_REVIEW: Resource<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};
const SUBJECT_ACCESS_REVIEW: Resource<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
};

/**
 * Whether the request may read what runs on the node: 200, or 401 where nobody known asks, or 403 where they may not.
 * As a kubelet with webhook authentication and authorization, and never anonymously (kubernetes
 * pkg/kubelet/server/auth.go: any path but a few is the resource nodes/proxy). A client certificate counts where the
 * server was given its authority. Rejects with a KubeFault where the API server cannot be asked.
 */
export const review = async (
  kube: Kube,
  request: IncomingMessage,
  nodeName: string,
  signal: AbortSignal,
): Promise<200 | 401 | 403> => {
  const user = userOf(request) ?? (await userOfToken(kube, request, signal));
  if (!user) return 401;
  const { username, uid, groups } = user;
  const resourceAttributes = { verb: 'get', version: 'v1', resource: 'nodes', subresource: 'proxy', name: nodeName };
  const { status } = await kube.create(
    SUBJECT_ACCESS_REVIEW,
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: username, uid, groups, resourceAttributes },
    },
    signal,
  );
  return status?.allowed === true ? 200 : 403;
};

/** The user in a client certificate that a configured authority has signed: its common name, and its organizations. */
const userOf = ({ socket }: IncomingMessage): User | undefined => {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { CN, O } = socket.getPeerCertificate().subject;
  const username = [CN].flat()[0];
  const groups = [O].flat().filter((name): name is string => name !== undefined);
  return username === undefined ? undefined : { username, groups: [...groups, 'system:authenticated'] };
};

const userOfToken = async (
  kube: Kube,
  { headers }: IncomingMessage,
  signal: AbortSignal,
): Promise<User | undefined> => {
  const [, token] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (token === undefined) return undefined;
  const { status } = await kube.create(
    TOKEN_REVIEW,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
    signal,
  );
  const { username, uid, groups = [] } = status?.user ?? {};
  return status?.authenticated === true && username !== undefined ? { username, uid, groups } : undefined;
};
