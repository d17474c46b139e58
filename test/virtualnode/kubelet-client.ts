import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { KubeTransport } from '../../src/kube/port.ts';

/** The spec of a SubjectAccessReview. */
export interface AskedReview {
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly resourceAttributes?: Readonly<Record<string, string>>;
}

/**
 * The reviews of an API server with users. Tokens are names of users; `unknown` is nobody's.
 *
 * @param mayDo whether a user may do something to this part of the Node
 * @param asked gets every SubjectAccessReview
 */
export const reviewing =
  (
    transport: KubeTransport,
    mayDo: (user: string, subresource: string) => boolean,
    asked: AskedReview[] = [],
  ): KubeTransport =>
  (call) => {
    const isToken = call.path.endsWith('/tokenreviews');
    if (!isToken && !call.path.endsWith('/subjectaccessreviews')) return transport(call);
    const { spec } = JSON.parse(call.body ?? '{}') as { spec: AskedReview & { token?: string } };
    if (!isToken) asked.push(spec);
    const status = isToken
      ? { authenticated: spec.token !== 'unknown', user: { username: spec.token, groups: ['g'] } }
      : { allowed: mayDo(spec.user ?? '', spec.resourceAttributes?.['subresource'] ?? '') };
    const body = JSON.stringify({ metadata: { creationTimestamp: null }, status });
    return Promise.resolve({
      status: 201,
      header: () => undefined,
      text: () => Promise.resolve(body),
      lines: () => (async function* () {})(),
    });
  };

/** What a GET of the endpoint answers. */
export const getFrom = async (
  port: number,
  path: string,
  { token, method = 'GET' }: { readonly token?: string; readonly method?: string } = {},
): Promise<{ readonly status: number; readonly type: string; readonly body: string }> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const call = request({ host: '127.0.0.1', port, path, method, headers, agent: false, rejectUnauthorized: false });
  const [response] = (await once(call.end(), 'response')) as [IncomingMessage];
  const body = await text(response);
  return { status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body };
};
