import type { JsonObject } from './json-values.ts';

/** One wrong field. `reason` is a metav1.CauseType. */
export interface FieldError {
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueTypeInvalid'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany';
  readonly field: string;
  readonly message: string;
}

/** A resource as it is named in messages: `podeips.alibabacloud.com`, or `pods` in the core group. */
export interface Named {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

const qualified = (name: string, group: string): string => (group === '' ? name : `${name}.${group}`);

/** An answer that is a metav1.Status with status Failure. Source of the wording: apimachinery pkg/api/errors. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  readonly reason: string;
  readonly details: JsonObject | undefined;
  /** The Status' ListMeta: an expired page token comes with one to go on with. */
  #metadata: JsonObject = {};

  constructor(code: number, reason: string, message: string, details?: JsonObject) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  /** The same with a ListMeta. */
  withMetadata(metadata: JsonObject): this {
    this.#metadata = metadata;
    return this;
  }

  /** The body of the answer. */
  toStatus(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.#metadata,
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

const detailsOf = (group: string, kind: string, name?: string): JsonObject => ({
  ...(name ? { name } : {}),
  ...(group === '' ? {} : { group }),
  kind,
});

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);

export const notFound = ({ group, plural }: Pick<Named, 'group' | 'plural'>, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${qualified(plural, group)} "${name}" not found`, detailsOf(group, plural, name));

export const alreadyExists = ({ group, plural }: Named, name: string): ApiError =>
  new ApiError(
    409,
    'AlreadyExists',
    `${qualified(plural, group)} "${name}" already exists`,
    detailsOf(group, plural, name),
  );

const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

export const conflict = ({ group, plural }: Pick<Named, 'group' | 'plural'>, name: string, why = MODIFIED): ApiError =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(plural, group)} "${name}": ${why}`,
    detailsOf(group, plural, name),
  );

export const forbidden = (
  { group, plural }: Named,
  name: string,
  why: string,
  causes: readonly JsonObject[] = [],
): ApiError =>
  new ApiError(403, 'Forbidden', `${qualified(plural, group)} "${name}" is forbidden: ${why}`, {
    ...detailsOf(group, plural, name),
    ...(causes.length === 0 ? {} : { causes }),
  });

export const invalid = (group: string, kind: string, name: string, errors: readonly FieldError[]): ApiError => {
  const messages = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))];
  const text = messages.length === 1 ? messages.join('') : `[${messages.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${qualified(kind, group)} "${name}" is invalid: ${text}`, {
    ...detailsOf(group, kind, name),
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
  });
};

/**
 * The answer to a patch that cannot be applied to this object: JSON patch tests that fail, paths that are not there.
 */
export const patchRejected = (): ApiError =>
  new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

export const unsupportedMediaType = (accepted: readonly string[]): ApiError =>
  new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

export const methodNotAllowed = (
  message = 'the server does not allow this method on the requested resource',
): ApiError => new ApiError(405, 'MethodNotAllowed', message, {});

/** What a cluster can do and this server cannot. */
export const notEmulated = (why: string): ApiError => new ApiError(501, 'NotImplemented', why);

export const noSuchResource = (): ApiError =>
  new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});

/** 410: the resource version or the page token is older than the history. */
export const expired = (message: string): ApiError => new ApiError(410, 'Expired', message);

/** The same for a page token, with another one that goes on from there as things are now. */
export const expiredToken = (message: string, token: string): ApiError =>
  expired(message).withMetadata({ continue: token });

export const requiredValue = (field: string, detail = ''): FieldError => ({
  reason: 'FieldValueRequired',
  field,
  message: detail === '' ? 'Required value' : `Required value: ${detail}`,
});

export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: ${JSON.stringify(value)}: ${detail}`,
});

/** Also an invalid value, to people; to programs it is another reason. */
export const wrongType = (field: string, value: unknown, detail: string): FieldError => ({
  ...invalidValue(field, value, detail),
  reason: 'FieldValueTypeInvalid',
});

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The API server says bytes, and counts characters. */
export const tooLong = (field: string, most: number): FieldError => ({
  reason: 'FieldValueTooLong',
  field,
  message: `Too long: may not be more than ${counted(most, 'byte')}`,
});

export const tooMany = (field: string, count: number, most: number): FieldError => ({
  reason: 'FieldValueTooMany',
  field,
  message: `Too many: ${count}: must have at most ${counted(most, 'item')}`,
});

export const notSupported = (field: string, value: unknown, supported: readonly unknown[]): FieldError => ({
  reason: 'FieldValueNotSupported',
  field,
  message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((one) => JSON.stringify(one)).join(', ')}`,
});

export const forbiddenValue = (field: string, detail: string): FieldError => ({
  reason: 'FieldValueForbidden',
  field,
  message: `Forbidden: ${detail}`,
});
