import type { Clock } from '../../lib/clock.ts';
import type { CloudAction } from '../api-actions.ts';
import type { Credentials } from '../credentials.ts';
import { CALL_TIMEOUT_MS, DeadlinePassed, callWithDeadline } from '../call-deadline.ts';
import type { CallObserver } from '../call-observer.ts';
import type { EndpointChoice } from '../endpoint-choice.ts';
import { CloudFault } from '../fault.ts';
import type { Product } from './endpoint.ts';
import { STALE_CREDENTIAL_CODES } from './codes.ts';
import { toFault } from './to-fault.ts';
import type { UnmappedAnswer } from './to-fault.ts';

export interface CallerSettings {
  readonly clock: Clock;
  readonly credentials?: Credentials | undefined;
  readonly observer?: CallObserver | undefined;
  readonly unmapped?: ((answer: UnmappedAnswer) => void) | undefined;
  readonly callTimeoutMs?: number | undefined;
  /** Told of what the network does; see {@link EndpointChoice}. */
  readonly endpointChoice?: EndpointChoice | undefined;
  /** The hosts that the configuration names. */
  readonly endpoints?: { readonly vpc?: string; readonly ecs?: string; readonly eci?: string } | undefined;
}

/**
 * Runs one API call: fetches credentials and the client (`prepare`), then sends, all within the call's timeout counted
 * from the start, because the fence vouches for that time only. Nothing is sent once the preparation
 * is late. What goes wrong becomes a {@link CloudFault}. `send` includes reading the answer: an answer that cannot be
 * read is a fault of this call. `secrets` are values of the request that no fault's message may repeat, should the
 * cloud quote them.
 */
export type ApiCaller = <C, T>(call: ApiCall, prepare: () => Promise<C>, send: (client: C) => Promise<T>) => Promise<T>;

interface ApiCall {
  readonly action: CloudAction;
  readonly signal: AbortSignal | undefined;
  readonly secrets?: readonly string[] | undefined;
  /** What the call is to do, for people; goes into the message of a refusal. */
  readonly asked?: string | undefined;
}

const productOf = (action: CloudAction): Product => {
  if (action === 'DescribeNetworkInterfaces') return 'ecs';
  return action.includes('Container') || action.includes('ImageCache') ? 'eci' : 'vpc';
};

export const createCaller = (settings: CallerSettings): ApiCaller => {
  const { clock, credentials, observer, unmapped, callTimeoutMs = CALL_TIMEOUT_MS, endpointChoice } = settings;

  const known = (): string[] => {
    const latest = credentials?.latest();
    return latest === undefined ? [] : [latest.accessKeyId, latest.accessKeySecret, latest.securityToken];
  };

  const hostOf = (action: CloudAction): string | undefined => {
    const product = productOf(action);
    return (product === 'sts' ? undefined : settings.endpoints?.[product]) ?? endpointChoice?.latest(product);
  };

  return async ({ action, signal, secrets = [], asked }, prepare, send) => {
    signal?.throwIfAborted();
    const start = clock.mono();

    const prepared = async () => {
      const [client] = await Promise.all([prepare(), credentials?.get()]);
      return client;
    };

    const attempt = async () => {
      const client = await callWithDeadline(clock, callTimeoutMs, prepared).catch((error: unknown) => {
        if (error instanceof CloudFault) throw error;
        if (!(error instanceof DeadlinePassed)) {
          throw new CloudFault({
            kind: 'misconfigured',
            action,
            code: 'SdkUnusable',
            message: `${action}: not sent, the SDK cannot be loaded or set up. Check the installation and the region.`,
          });
        }
        throw new CloudFault({
          kind: 'later',
          action,
          code: 'CredentialsTimeout',
          message: `${action}: not sent, no credentials within ${callTimeoutMs} ms`,
        });
      });
      signal?.throwIfAborted();
      try {
        const answer = await callWithDeadline(clock, callTimeoutMs - (clock.mono() - start), () => send(client));
        endpointChoice?.answered(productOf(action));
        return answer;
      } catch (error) {
        const fault = toFault(error, {
          action,
          asked,
          known: [...known(), ...secrets],
          unmapped,
          host: hostOf(action),
        });
        if (fault.status !== undefined) endpointChoice?.answered(productOf(action));
        // Nothing was sent where a parameter was refused here.
        else if (fault.kind !== 'refused') endpointChoice?.failed(productOf(action));
        if (STALE_CREDENTIAL_CODES.test(fault.code)) credentials?.discard();
        throw fault;
      }
    };
    return observer === undefined ? attempt() : observer.watch(action, attempt);
  };
};
