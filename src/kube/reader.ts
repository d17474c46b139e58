import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { KubeFault } from './fault.ts';
import type { Kube, KubeObject, Resource } from './port.ts';

/** authentication.k8s.io/v1 TokenReview: who a token belongs to. */
interface TokenReview extends KubeObject {
  readonly status?:
    | {
        readonly authenticated?: boolean | undefined;
        readonly user?:
          | {
              readonly username?: string | undefined;
              readonly uid?: string | undefined;
              readonly groups?: readonly string[] | undefined;
              readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
            }
          | undefined;
      }
    | undefined;
}

/** authorization.k8s.io/v1 SubjectAccessReview: whether a user may do something. */
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

/** How long an answer is believed, milliseconds; as controller-runtime's filter of metrics does it. */
const ALLOWED_MS = 60_000;
const REFUSED_MS = 10_000;
/** So many answers are remembered; more tokens than that are not those of scrapers. */
const MOST_ANSWERS = 1_000;

type Verdict = 200 | 401 | 403 | 503;

interface GuardParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Asks the API server which user an Authorization header is from (TokenReview) and whether it may get the path /metrics
 * (SubjectAccessReview), as controller-runtime protects metrics (sigs.k8s.io/controller-runtime pkg/metrics/filters).
 * Tokens are remembered as hashes only.
 */
export const createReaderAuthorizer = ({ kube, clock, log }: GuardParts) => {
  const answers = new Map<string, { readonly verdict: Verdict; readonly until: number }>();

  const review = async (token: string): Promise<Verdict> => {
    const known = await kube.create(TOKEN_REVIEW, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token },
    });
    const user = known.status?.user;
    if (known.status?.authenticated !== true || user?.username === undefined) return 401;
    const { username, uid, groups, extra } = user;
    const access = await kube.create(SUBJECT_ACCESS_REVIEW, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: username, uid, groups, extra, nonResourceAttributes: { path: '/metrics', verb: 'get' } },
    });
    return access.status?.allowed === true ? 200 : 403;
  };

  return async (authorization: string | undefined): Promise<Verdict> => {
    const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) return 401;
    const key = createHash('sha256').update(token).digest('base64');
    const remembered = answers.get(key);
    if (remembered && remembered.until > clock.mono()) return remembered.verdict;
    answers.delete(key);
    try {
      const verdict = await review(token);
      if (answers.size >= MOST_ANSWERS) answers.clear();
      answers.set(key, { verdict, until: clock.mono() + (verdict === 200 ? ALLOWED_MS : REFUSED_MS) });
      return verdict;
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      const hint = error.kind === 'forbidden' ? '; apply config/prometheus' : '';
      log.warn({ kind: error.kind }, `Who reads /metrics cannot be found out${hint}: ${error.message}`);
      return 503;
    }
  };
};
