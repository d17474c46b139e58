import type { Clock } from '../lib/clock.ts';

/** A token bucket. Callers are served in the order in which they came. */
export interface RateLimit {
  /**
   * Resolves when it is the caller's turn; rejects with the signal's reason, and gives the turn back, when it aborts.
   */
  take(signal?: AbortSignal): Promise<void>;
  /** Takes a token if there is one now. */
  tryTake(): boolean;
}

/**
 * `qps` tokens per second, at most `burst` of them saved up: the meaning of client-go's QPS and Burst. A `qps` of zero
 * or less is no limit, as a negative one is in client-go.
 */
export const createRateLimit = (clock: Clock, { qps, burst }: { qps: number; burst: number }): RateLimit => {
  const capacity = Math.max(1, burst);
  let tokens = capacity;
  let at = clock.mono();

  const refill = () => {
    const now = clock.mono();
    tokens = Math.min(capacity, tokens + ((now - at) / 1000) * qps);
    at = now;
  };

  return {
    tryTake() {
      if (qps <= 0) return true;
      refill();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    async take(signal) {
      signal?.throwIfAborted();
      if (qps <= 0) return;
      refill();
      // Below zero, tokens are debts: the next caller waits behind all that are waiting already.
      tokens -= 1;
      if (tokens >= 0) return;
      try {
        await clock.sleep((-tokens / qps) * 1000, signal);
      } catch (error) {
        tokens += 1;
        throw error;
      }
    },
  };
};
