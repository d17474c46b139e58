import * as z from 'zod';

/** What every key carries besides its type: `allowed` ends the sentence "… is not allowed here; allowed is …". */
export interface ConfigRule {
  readonly description: string;
  readonly allowed: string;
  /** The value is never shown, not even when it is wrong. */
  readonly secret?: boolean;
}

export const rule = (description: string, allowed: string, more: { secret?: boolean } = {}) => ({
  description,
  allowed,
  ...more,
});

export const textRule = (pattern: RegExp, longest: number) => z.string().max(longest).regex(pattern);

/** A file or a folder that may be named. */
export const absolutePath = (description: string) =>
  textRule(/^\//, 4096).optional().meta(rule(description, 'an absolute path'));

export const int = (least: number, most: number) => z.int().min(least).max(most);

/** Kubernetes' RFC 1123 label, the grammar of namespace names. */
export const NAMESPACE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** Kubernetes' RFC 1123 subdomain, the grammar of most objects' names. */
export const OBJECT_NAME = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;
