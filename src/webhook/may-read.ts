import { SUBJECT_ACCESS_REVIEW } from '../kube/access-reviews.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { readWithin } from './read-within.ts';
import type { ReviewedUser } from './review.ts';

/** Part of the 3 s for which the API server waits for the answer. Milliseconds. */
const TIMEOUT_MS = 500;

interface Read {
  readonly resource: Resource<KubeObject>;
  readonly namespace: string;
  readonly name: string;
}

/**
 * Whether the user of a request may read an object that the request itself does not show: an answer that tells of it is
 * for nobody else. No user, and an API server that cannot say, mean no.
 */
export const mayRead = async (
  { kube, clock, log }: { readonly kube: Kube; readonly clock: Clock; readonly log: Log },
  user: ReviewedUser | undefined,
  { resource: { group, plural }, namespace, name }: Read,
): Promise<boolean> => {
  if (user === undefined || user.username === '') return false;
  const { username, uid, groups, extra } = user;
  const reading = await readWithin(clock, TIMEOUT_MS, (signal) =>
    kube.create(
      SUBJECT_ACCESS_REVIEW,
      {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: {
          user: username,
          uid,
          groups,
          extra,
          resourceAttributes: { verb: 'get', group, resource: plural, namespace, name },
        },
      },
      signal,
    ),
  );
  if (reading.kind === 'read') return reading.value.status?.allowed === true;
  log.warn(
    { namespace, name },
    `Whether a user may read what they scale cannot be found out, and nothing is told of it; config/webhook has the right to ask: ${reading.why}`,
  );
  return false;
};
