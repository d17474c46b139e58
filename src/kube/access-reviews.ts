import type { KubeObject, Resource } from './port.ts';

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

export const TOKEN_REVIEW: Resource<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};

export const SUBJECT_ACCESS_REVIEW: Resource<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
};

/** authorization.k8s.io/v1 SelfSubjectAccessReview: the same about whoever asks, which everybody may ask. */
export const SELF_SUBJECT_ACCESS_REVIEW: Resource<SubjectAccessReview> = {
  ...SUBJECT_ACCESS_REVIEW,
  plural: 'selfsubjectaccessreviews',
  kind: 'SelfSubjectAccessReview',
};
