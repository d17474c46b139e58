import type { ApiObject } from './json-values.ts';
import type { Kind } from './served-kinds.ts';

/** What an admission plugin gets to see. `object` is undefined for DELETE, `oldObject` for CREATE. */
export interface AdmissionCall {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string | undefined;
  /**
   * What the objects are where the subresource has a form of its own, such as a Scale; otherwise they are of `kind`.
   */
  readonly form?: Pick<Kind, 'group' | 'version' | 'kind'> | undefined;
  readonly object: ApiObject | undefined;
  readonly oldObject: ApiObject | undefined;
  readonly dryRun: boolean;
  /** Has the client told something that is no error. */
  readonly warn: (text: string) => void;
}

/**
 * Called before validation of every create, update and delete. Gives the object to go on with (changed, or the same);
 * rejects by throwing an ApiError. Objects have the form of the request's group and version.
 */
export type Admission = (request: AdmissionCall) => Promise<ApiObject | undefined>;

/** Called once an object is known to be valid, and before it is written; rejects by throwing an ApiError. */
export type Validation = (request: AdmissionCall) => Promise<void>;
