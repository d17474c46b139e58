/** Where events are sent, and how. */
export interface Sink {
  /** http or https. */
  readonly url: URL;
  /** Time limit of one delivery, milliseconds. */
  readonly timeoutMs: number;
  /** PEM certificates that are trusted in addition to the system's. */
  readonly caCertificates: string | undefined;
  /** A file with the bearer token; read for each delivery, because such tokens are renewed in place. */
  readonly token: { readonly file: string; readonly isRequired: boolean } | undefined;
}

/**
 * The outcome of a delivery. `later`: a retry may succeed, but not before `afterMs` · `refused`: no retry will. `why`
 * is an HTTP status like `503`, or one word.
 */
export type SinkVerdict =
  | { readonly is: 'delivered' }
  | {
      readonly is: 'later';
      readonly why: string;
      readonly afterMs: number | undefined;
      /** It is about this event, or whoever sends it: the sink is there, and takes others. @default false */
      readonly isOfThisOne?: boolean;
    }
  | { readonly is: 'refused'; readonly why: string };

/**
 * Client errors after which Knative's senders retry: knative/specs, specs/eventing/data-plane.md, "Derived delivery
 * contract"; knative/eventing pkg/kncloudevents/retries.go, SelectiveRetry. Status codes that the contract does not
 * list are retried as well.
 */
const RETRIED = new Set([404, 408, 409, 425, 429]);

/**
 * Retried here too, though not by Knative's senders: they have a dead-letter sink for what they give up. These answers
 * are about who sends, and not about the event; with other credentials the same request may be repeated (RFC 9110,
 * 15.5.2 and 15.5.4, to which the CloudEvents specification of web hooks refers). The token is read anew for each
 * delivery, so that a renewed one, or a sink whose policy was corrected, lets through what would be lost for good.
 */
const ABOUT_SENDER = new Set([401, 403]);

/** The outcome that an HTTP status stands for. */
export const verdictOf = (status: number, afterMs: number | undefined): SinkVerdict => {
  if (status >= 200 && status < 300) return { is: 'delivered' };
  const isFinal = status >= 400 && status < 500 && !RETRIED.has(status) && !ABOUT_SENDER.has(status);
  if (isFinal) return { is: 'refused', why: String(status) };
  return { is: 'later', why: String(status), afterMs, ...(ABOUT_SENDER.has(status) && { isOfThisOne: true }) };
};

/** Upper limit for the pause that a sink may ask for, milliseconds, so that it cannot hold events back for ever. */
const LONGEST_PAUSE_MS = 10 * 60_000;

/**
 * The pause that Retry-After asks for (RFC 9110, 10.2.3: seconds or an HTTP date); undefined if it asks for none.
 *
 * @param now wall time, milliseconds
 */
export const retryAfterMs = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), LONGEST_PAUSE_MS);
};
