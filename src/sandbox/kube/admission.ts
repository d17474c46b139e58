import type { ApiObject } from './json.ts';
import type { Kind } from './registry.ts';

/** What an admission plugin gets to see. `object` is undefined for DELETE, `oldObject` for CREATE. */
export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string | undefined;
  readonly object: ApiObject | undefined;
  readonly oldObject: ApiObject | undefined;
  readonly dryRun: boolean;
}

/**
 * Called before validation of every create, update and delete. Gives the object to go on with (changed, or the same);
 * rejects by throwing an ApiError. Objects have the form of the request's group and version.
 */
export type Admission = (request: AdmissionRequest) => Promise<ApiObject | undefined>;
