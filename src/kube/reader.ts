import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { Authorizer } from './authorizer.ts';
import { KubeFault } from './fault.ts';
import type { Kube } from './port.ts';

interface AuthorizerParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
}

/** Two calls each, of which there are 20 a second: the last one waits for 3.2 s, and a scrape has 10. */
const LIMITS = { perAddress: 4, inAll: 32 };

/**
 * Whether requests may read /metrics: by the token of a user who may get that path, as controller-runtime protects
 * metrics (sigs.k8s.io/controller-runtime pkg/metrics/filters).
 */
export const createReaderAuthorizer = ({ kube, clock, log }: AuthorizerParts) => {
  const attributes = [{ nonResourceAttributes: { path: '/metrics', verb: 'get' } }];
  const authorizer = new Authorizer({ kube, clock, limits: LIMITS });
  return async (authorization: string | undefined, address?: string): Promise<200 | 401 | 403 | 503> => {
    try {
      return await authorizer.decide({ authorization, address, attributes });
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      const hint = error.kind === 'forbidden' ? '; apply config/metrics' : '';
      log.warn({ kind: error.kind }, `Who reads /metrics cannot be found out${hint}: ${error.message}`);
      return 503;
    }
  };
};
