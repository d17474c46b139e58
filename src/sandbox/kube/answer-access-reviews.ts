import { badRequest } from './failure-status.ts';
import { objectOf, type JsonObject } from './json-values.ts';
import type { ApiRequest } from './exchange.ts';

/** There are no users here: nobody is refused anything. */
const EVERYTHING = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
  incomplete: false,
};
const ALLOWED = { allowed: true, reason: 'everything is allowed in the sandbox' };

/** What each kind of review says. */
const STATUS_OF: Readonly<Record<string, JsonObject>> = {
  'authorization.k8s.io/subjectaccessreviews': ALLOWED,
  'authorization.k8s.io/selfsubjectaccessreviews': ALLOWED,
  'authorization.k8s.io/selfsubjectrulesreviews': EVERYTHING,
  'authentication.k8s.io/selfsubjectreviews': {
    userInfo: { username: 'sandbox', groups: ['system:masters', 'system:authenticated'] },
  },
};

/**
 * The answer to a question whether somebody may do something, or who he is. Undefined where it is no such question, or
 * is not in JSON. Nothing is stored.
 */
export const accessReview = (
  path: readonly string[],
  { method, headers, body = '' }: ApiRequest,
): JsonObject | undefined => {
  const [root, group = '', version, plural = '', more] = path;
  const status = STATUS_OF[`${group}/${plural}`];
  if (root !== 'apis' || version !== 'v1' || status === undefined || more !== undefined || method !== 'POST')
    return undefined;
  if (!(headers['content-type'] ?? '').startsWith('application/json')) return undefined;
  let review: unknown;
  try {
    review = JSON.parse(body);
  } catch {
    throw badRequest('the review is no JSON');
  }
  return { metadata: {}, ...objectOf(review), status };
};
