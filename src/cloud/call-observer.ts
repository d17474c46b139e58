import type { Clock } from '../lib/clock.ts';
import type { CloudAction } from './api-actions.ts';
import { CloudFault } from './fault.ts';
import type { CloudFaultKind } from './fault.ts';

/** One API call that has ended. */
export interface ObservedCall {
  readonly action: CloudAction;
  readonly outcome: 'success' | CloudFaultKind;
  /** To the answer or the timeout, milliseconds; no time spent waiting for a turn. */
  readonly durationMs: number;
}

/** Counts the API calls that are under way and tells how each one ended. */
export interface CallObserver {
  /** Runs `call` and reports how it ended; the result and the error pass through unchanged. */
  watch<T>(action: CloudAction, call: () => Promise<T>): Promise<T>;
  /** Calls that have been sent and have neither an answer nor a timeout yet. */
  inFlight(): number;
  /** Resolves once nothing is in flight: at once, if nothing is. For an orderly shutdown. */
  idle(): Promise<void>;
}

/** `onCall` is called once for every API call, each page of a list included; it must not throw. */
export const observeCalls = (clock: Clock, onCall?: (call: ObservedCall) => void): CallObserver => {
  let inFlight = 0;
  let waiting: (() => void)[] = [];

  return {
    watch: async (action, call) => {
      const start = clock.mono();
      inFlight += 1;
      const report = (outcome: ObservedCall['outcome']) =>
        onCall?.({ action, outcome, durationMs: clock.mono() - start });
      try {
        const result = await call();
        report('success');
        return result;
      } catch (error) {
        // All else is the caller's own abort, before anything was sent.
        if (error instanceof CloudFault) report(error.kind);
        throw error;
      } finally {
        inFlight -= 1;
        if (inFlight === 0) {
          const idle = waiting;
          waiting = [];
          for (const resolve of idle) resolve();
        }
      }
    },
    inFlight: () => inFlight,
    idle: () => (inFlight === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
};
