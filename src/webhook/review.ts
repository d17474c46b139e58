import { z } from 'zod';
import { sentence, type Finding } from '../api/finding.ts';
import type { JsonPatchOperation } from '../kube/port.ts';
import { maybe, oneLineOf, unreadable } from '../manifest/wire.ts';

/** What the API server asks, as far as it is read here. Source: k8s.io/api/admission/v1, AdmissionRequest. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  /** `group/resource`, for example `/pods`. */
  readonly resource: string;
  readonly subResource: string;
  readonly namespace: string;
  /** Who asks, as the API server knows them; '' where it does not say. */
  readonly username?: string | undefined;
  readonly object: unknown;
  readonly oldObject: unknown;
}

/** What becomes of an object: it is let in, changed or not, unless there is a denial. */
export interface Admitted {
  readonly patch: readonly JsonPatchOperation[];
  /** Printed by kubectl and kn. */
  readonly warnings: readonly string[];
  readonly denied?: Denial | undefined;
  /** All that was found, for metrics; it does not go over the wire. */
  readonly findings?: readonly Finding[] | undefined;
}

/** Why an object is not let in. Source: k8s.io/api/admission/v1, AdmissionResponse.Result. */
interface Denial {
  /** An HTTP status; the API server answers with it. */
  readonly code: 403 | 409;
  readonly reason: 'Forbidden' | 'Conflict';
  /** Printed by kubectl behind the name of the webhook. */
  readonly message: string;
}

/** A finding as it is printed: its ID is what people look up. */
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
    userInfo: maybe(z.object({ username: maybe(z.string()) })),
    object: z.unknown().optional(),
    oldObject: z.unknown().optional(),
  }),
});

/** Something that is no AdmissionReview of version v1. The message names the field. */
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
    username: userInfo?.username ?? '',
    object,
    oldObject,
  };
};

/** The API server truncates what is longer, all together 4096 (apiserver pkg/admission/plugin/webhook/warnings). */
const LONGEST_WARNING = 250;
const MOST_WARNINGS = 12;
/** Enough for every finding that an honest object can have. */
const LONGEST_MESSAGE = 4_000;

/** The answer as it goes over the wire. */
export const writeReview = (uid: string, { patch, warnings, denied }: Admitted): object => ({
  apiVersion: VERSION,
  kind: 'AdmissionReview',
  response: {
    uid,
    allowed: denied === undefined,
    ...(denied && { status: { status: 'Failure', ...denied, message: denied.message.slice(0, LONGEST_MESSAGE) } }),
    ...(patch.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
    ...(warnings.length > 0 && {
      warnings: warnings
        .slice(0, MOST_WARNINGS)
        .map((text) => (text.length > LONGEST_WARNING ? `${text.slice(0, LONGEST_WARNING - 1)}…` : text)),
    }),
  },
});

/** One step of a JSON pointer (RFC 6901). */
export const pointer = (...steps: readonly string[]): string =>
  steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
