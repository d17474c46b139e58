import { CloudRefusal } from './refusal.ts';

/**
 * Calls per minute and account (EIP, "Limits and quotas", API rate limits; UnassociateEipAddress: its API page, "flow
 * control"; the container groups' actions: Elastic Container Instance, "API throttling", where CreateContainerGroup and
 * DeleteContainerGroup have a bucket of 100 that regains 20 a second: 1,300 in a minute at most).
 */
export const documentedLimits: Readonly<Record<string, number>> = {
  AllocateEipAddress: 120,
  AssociateEipAddress: 120,
  UnassociateEipAddress: 120,
  DescribeEipAddresses: 600,
  ReleaseEipAddress: 600,
  CreateContainerGroup: 1300,
  DeleteContainerGroup: 1300,
  DescribeContainerGroups: 2000,
  DescribeContainerGroupStatus: 10_000,
  DescribeContainerLog: 500,
  ExecContainerCommand: 500,
};

const MINUTE_MS = 60_000;

/** Fixed windows of a minute per action, which begin with the first call. */
export class ApiThrottle {
  readonly #limits: Map<string, number>;
  readonly #windows = new Map<string, { endsAt: number; calls: number }>();

  constructor(limits: Readonly<Record<string, number>>) {
    this.#limits = new Map(Object.entries(limits));
  }

  /** `undefined` lifts the limit. */
  set(action: string, perMinute: number | undefined): void {
    if (perMinute === undefined) this.#limits.delete(action);
    else this.#limits.set(action, perMinute);
  }

  /** Counts one call at `now` (monotonic). @throws Refusal Throttling.User with the time until the window ends */
  admit(action: string, now: number): void {
    const limit = this.#limits.get(action);
    if (limit === undefined) return;
    let window = this.#windows.get(action);
    if (!window || window.endsAt <= now) {
      window = { endsAt: now + MINUTE_MS, calls: 0 };
      this.#windows.set(action, window);
    }
    if (window.calls >= limit)
      throw new CloudRefusal({
        code: 'Throttling.User',
        status: 400,
        message: 'Request was denied due to user flow control.',
        retryAfterMs: Math.ceil(window.endsAt - now),
      });
    window.calls++;
  }
}
