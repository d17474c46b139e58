import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { SUBJECT_ACCESS_REVIEW, TOKEN_REVIEW } from './access-reviews.ts';
import type { Kube } from './port.ts';

/** Who asks, as reviews name them. */
export interface User {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** What is asked for: part of the spec of a SubjectAccessReview. */
export type Attributes =
  | { readonly nonResourceAttributes: Readonly<Record<'path' | 'verb', string>> }
  | { readonly resourceAttributes: Readonly<Record<string, string>> };

/** A request that is to be decided on. */
interface Asker {
  /** Proved otherwise, by a client certificate; goes before the token. */
  readonly user?: User | undefined;
  /** The header Authorization. */
  readonly authorization: string | undefined;
  /** The remote address; undefined counts as one. */
  readonly address: string | undefined;
  /** What is asked for; one of them is enough, and they are looked at in turn. */
  readonly attributes: readonly Attributes[];
}

/**
 * 200 · 401: it identifies no user · 403: the user is not allowed · 503: too many are asked about at the moment, of the
 * same address or in all
 */
type Decision = 200 | 401 | 403 | 503;

interface AuthorizerParts {
  readonly kube: Kube;
  readonly clock: Clock;
  /** How many requests may wait for the API server at once: whoever floods the port waits for himself. */
  readonly limits: { readonly perAddress: number; readonly inAll: number };
}

/** How long an answer is believed, milliseconds; as a kubelet and controller-runtime's filter of metrics do. */
const ALLOWED_MS = 60_000;
const REFUSED_MS = 10_000;
/** So many answers of each kind are remembered; more users than that do not read logs or metrics. */
const MOST_ANSWERS = 1_000;

/**
 * Asks the API server which user a request is from (TokenReview) and whether he may do the one thing that a port is for
 * (SubjectAccessReview).
 *
 * Answers are remembered, by hashes, and what is refused apart from what is allowed: a flood of tokens that nobody has
 * forgets no reader.
 */
export class Authorizer {
  readonly #parts: AuthorizerParts;
  readonly #allowed = new Map<string, number>();
  readonly #refused = new Map<string, { readonly decision: 401 | 403; readonly until: number }>();
  /** Reviews that are under way, by remote address. */
  readonly #underWay = new Map<string, number>();
  #inAll = 0;

  constructor(parts: AuthorizerParts) {
    this.#parts = parts;
  }

  /** Rejects with a KubeFault if the API server cannot be asked; that is not remembered. */
  async decide({ user, authorization = '', address = '', attributes }: Asker, signal?: AbortSignal): Promise<Decision> {
    const { clock, limits } = this.#parts;
    const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization) ?? [];
    if (!user && token === undefined) return 401;
    const key = createHash('sha256')
      .update(JSON.stringify([user ?? token, attributes]))
      .digest('base64');
    const now = clock.mono();
    if ((this.#allowed.get(key) ?? 0) > now) return 200;
    const refused = this.#refused.get(key);
    if (refused && refused.until > now) return refused.decision;
    const ofAddress = this.#underWay.get(address) ?? 0;
    if (ofAddress >= limits.perAddress || this.#inAll >= limits.inAll) return 503;
    this.#underWay.set(address, ofAddress + 1);
    this.#inAll += 1;
    try {
      const decision = await this.#ask({ user, token: token ?? '', attributes }, signal);
      if (decision === 200) remember(this.#allowed, key, clock.mono() + ALLOWED_MS);
      else remember(this.#refused, key, { decision, until: clock.mono() + REFUSED_MS });
      return decision;
    } finally {
      this.#inAll -= 1;
      const left = (this.#underWay.get(address) ?? 0) - 1;
      if (left > 0) this.#underWay.set(address, left);
      else this.#underWay.delete(address);
    }
  }

  async #ask(
    {
      user: shown,
      token,
      attributes,
    }: Pick<Asker, 'user' | 'attributes'> & {
      readonly token: string;
    },
    signal?: AbortSignal,
  ): Promise<200 | 401 | 403> {
    const { kube } = this.#parts;
    const user = shown ?? (await userOfToken(kube, token, signal));
    if (!user) return 401;
    const { username, uid, groups, extra } = user;
    for (const one of attributes) {
      const { status } = await kube.create(
        SUBJECT_ACCESS_REVIEW,
        {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: { user: username, uid, groups, extra, ...one },
        },
        signal,
      );
      if (status?.allowed === true) return 200;
    }
    return 403;
  }
}

const remember = <T>(answers: Map<string, T>, key: string, answer: T): void => {
  if (answers.size >= MOST_ANSWERS) answers.clear();
  answers.set(key, answer);
};

const userOfToken = async (kube: Kube, token: string, signal?: AbortSignal): Promise<User | undefined> => {
  const { status } = await kube.create(
    TOKEN_REVIEW,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
    signal,
  );
  const { username, uid, groups, extra } = status?.user ?? {};
  return status?.authenticated === true && username !== undefined ? { username, uid, groups, extra } : undefined;
};
