import * as z from 'zod';
import { sentence, type Finding } from '../api/finding.ts';
import type { JsonPatchOperation } from '../kube/port.ts';
import { legible } from '../lib/text.ts';
import { maybe, oneLineOf, unreadable } from '../manifest/wire.ts';

/** Source: k8s.io/api/authentication/v1, UserInfo. */
export interface ReviewedUser {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** The fields of a request that are read. Source: k8s.io/api/admission/v1, AdmissionRequest. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  /** `group/resource`, for example `/pods`. */
  readonly resource: string;
  readonly subResource: string;
  readonly namespace: string;
  /** The authenticated user of the request, as the API server says; undefined if it is missing. */
  readonly user?: ReviewedUser | undefined;
  readonly object: unknown;
  readonly oldObject: unknown;
}

/** The decision about an object: admitted, changed or not, unless there is a denial. */
export interface Admitted {
  readonly patch: readonly JsonPatchOperation[];
  /** Printed by kubectl and kn. */
  readonly warnings: readonly string[];
  readonly denied?: Denial | undefined;
  /** All findings, for metrics; not part of the answer. */
  readonly findings?: readonly Finding[] | undefined;
}

/** Why an object is refused. Source: k8s.io/api/admission/v1, AdmissionResponse.Result. */
interface Denial {
  /** The HTTP status that the API server answers with. */
  readonly code: 403 | 409;
  readonly reason: 'Forbidden' | 'Conflict';
  /** kubectl prints it after the name of the webhook. */
  readonly message: string;
}

/** A finding as it is printed, with its ID, by which docs/findings.md can be searched. */
export const said = (finding: Finding): string => `${finding.id}: ${sentence(finding)}`;

export const UNCHANGED: Admitted = { patch: [], warnings: [] };

const VERSION = 'admission.k8s.io/v1';

const reviewSchema = z.object({
  apiVersion: z.literal(VERSION),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    uid: z.string().min(1).max(256),
    operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
    resource: z.object({ group: z.string(), version: z.string(), resource: z.string() }),
    subResource: maybe(z.string()),
    namespace: maybe(z.string()),
    userInfo: maybe(
      z.object({
        username: maybe(z.string()),
        uid: maybe(z.string()),
        groups: maybe(z.array(z.string())),
        extra: maybe(z.record(z.string(), z.array(z.string()))),
      }),
    ),
    object: z.unknown().optional(),
    oldObject: z.unknown().optional(),
  }),
});

/** The body is not an AdmissionReview of version v1. The message names the field. */
export class ReviewError extends Error {
  override readonly name = 'ReviewError';
}

/** @throws {ReviewError} */
export const readReview = (body: unknown): AdmissionRequest => {
  const read = reviewSchema.safeParse(body);
  if (!read.success)
    throw new ReviewError(
      `not an AdmissionReview of ${VERSION}: ${oneLineOf(unreadable(read.error, body), 'the body')}`,
    );
  const { uid, operation, resource, subResource = '', namespace = '', userInfo, object, oldObject } = read.data.request;
  return {
    uid,
    operation,
    resource: `${resource.group}/${resource.resource}`,
    subResource,
    namespace,
    user: userInfo?.username === undefined ? undefined : { ...userInfo, username: userInfo.username },
    object,
    oldObject,
  };
};

/**
 * The API server truncates longer warnings, and all of them together at 4096 (apiserver
 * pkg/admission/plugin/webhook/warnings).
 */
const LONGEST_WARNING = 250;
const MOST_WARNINGS = 12;
/** Enough for all findings that a real object can have. */
const LONGEST_MESSAGE = 4_000;

/** The body of the answer. */
export const writeReview = (uid: string, { patch, warnings, denied }: Admitted): object => ({
  apiVersion: VERSION,
  kind: 'AdmissionReview',
  response: {
    uid,
    allowed: denied === undefined,
    ...(denied && {
      status: { status: 'Failure', ...denied, message: legible(denied.message).slice(0, LONGEST_MESSAGE) },
    }),
    ...(patch.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
    ...(warnings.length > 0 && {
      warnings: warnings
        .slice(0, MOST_WARNINGS)
        .map(legible)
        .map((text) => (text.length > LONGEST_WARNING ? `${text.slice(0, LONGEST_WARNING - 1)}…` : text)),
    }),
  },
});

/** One step of a JSON pointer (RFC 6901). */
export const pointer = (...steps: readonly string[]): string =>
  steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
