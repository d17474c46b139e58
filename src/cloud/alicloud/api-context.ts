import type { CloudAction } from '../api-actions.ts';
import type { ApiCaller } from './call.ts';
import type { Clients } from './clients.ts';

/** What the calls of one API are made with. */
export interface ApiContext {
  readonly clients: Clients;
  readonly call: ApiCaller;
  /** As `nextPage` of the settings. */
  readonly nextPage: ((action: CloudAction, signal?: AbortSignal) => Promise<void>) | undefined;
}
