/** Where events go, and how. */
export interface Sink {
  /** http or https. */
  readonly url: URL;
  /** How long one delivery may take, milliseconds. */
  readonly timeoutMs: number;
  /** Certificates, PEM, that are trusted beside the system's own. */
  readonly caCertificates: string | undefined;
  /** A file with the bearer token; read anew for each delivery, because such tokens are renewed in place. */
  readonly token: { readonly file: string; readonly isRequired: boolean } | undefined;
}

/**
 * What came of a delivery. `later`: it may succeed when it is tried again, not before `afterMs` · `refused`: it never
 * will. `why` is `2xx` … `5xx`-like: an HTTP status, or one word.
 */
export type SinkVerdict =
  | { readonly is: 'delivered' }
  | { readonly is: 'later'; readonly why: string; readonly afterMs: number | undefined }
  | { readonly is: 'refused'; readonly why: string };

/**
 * Client errors after which Knative's senders try again: knative/specs, specs/eventing/data-plane.md, "Derived delivery
 * contract"; knative/eventing pkg/kncloudevents/retries.go, SelectiveRetry. Codes that are not in the contract are
 * tried again, too.
 */
const RETRIED = new Set([404, 408, 409, 425, 429]);

/** What an HTTP status means. */
export const verdictOf = (status: number, afterMs: number | undefined): SinkVerdict => {
  if (status >= 200 && status < 300) return { is: 'delivered' };
  const isFinal = status >= 400 && status < 500 && !RETRIED.has(status);
  return isFinal ? { is: 'refused', why: String(status) } : { is: 'later', why: String(status), afterMs };
};

/** Longest pause that a sink may ask for, milliseconds: it must not hold an event back for ever. */
const LONGEST_PAUSE_MS = 10 * 60_000;

/**
 * The pause that Retry-After asks for (RFC 9110, 10.2.3: seconds or an HTTP date); undefined where it asks for none.
 *
 * @param now wall time, milliseconds
 */
export const retryAfterMs = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), LONGEST_PAUSE_MS);
};
