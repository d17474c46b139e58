import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';
import type { Clock } from '../lib/clock.ts';
import type { EventMessage } from './event.ts';
import { retryAfterMs, verdictOf, type Sink, type SinkVerdict } from './sink.ts';

/** Delivers events to a sink, each with one HTTP POST. */
export interface Sender {
  /** Rejects only with the signal's reason. */
  send(message: EventMessage, signal: AbortSignal): Promise<SinkVerdict>;
  /** Closes the connections. */
  close(): void;
}

/** The highest number of open connections. */
const CONNECTIONS = 16;

/**
 * Creates a sender. It does not use that of the CloudEvents SDK, which takes every answer for a success, and supports
 * neither timeouts nor custom certificates. Redirects are not followed, because they could lead the token to another
 * host.
 */
export const createSender = (sink: Sink, clock: Clock): Sender => {
  const isTls = sink.url.protocol === 'https:';
  const pool = { keepAlive: true, maxSockets: CONNECTIONS };
  const agent = isTls
    ? new HttpsAgent({
        ...pool,
        ...(sink.caCertificates !== undefined && { ca: [...getCACertificates('default'), sink.caCertificates] }),
      })
    : new HttpAgent(pool);

  const exchange = (headers: Record<string, string>, body: string, signal: AbortSignal) =>
    new Promise<{ status: number; retryAfter: string | undefined }>((resolve, reject) => {
      const options: RequestOptions = { method: 'POST', headers, agent, signal };
      const request = isTls ? httpsRequest(sink.url, options) : httpRequest(sink.url, options);
      request.once('error', reject);
      request.once('response', (response) => {
        // A sink may answer with an event (a Broker's reply), which is discarded.
        response.resume();
        response.once('error', reject);
        response.once('close', () =>
          resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }),
        );
      });
      request.end(body);
    });

  return {
    send: async ({ headers, body }, signal) => {
      const tooLong = new AbortController();
      const cancel = clock.timer(sink.timeoutMs, () => tooLong.abort());
      try {
        const token = await tokenOf(sink);
        const all = {
          ...headers,
          'content-length': String(Buffer.byteLength(body)),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        };
        const { status, retryAfter } = await exchange(all, body, AbortSignal.any([signal, tooLong.signal]));
        return verdictOf(status, retryAfterMs(retryAfter, clock.now()));
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        return { is: 'later', why: tooLong.signal.aborted ? 'timeout' : codeOf(error), afterMs: undefined };
      } finally {
        cancel();
      }
    },
    close: () => agent.destroy(),
  };
};

/** The bearer token; undefined if none is to be sent. */
const tokenOf = async ({ token }: Sink): Promise<string | undefined> => {
  if (!token) return undefined;
  try {
    return (await readFile(token.file, 'utf8')).trim();
  } catch (error) {
    if (!token.isRequired && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw Object.assign(new Error(`the token of the sink cannot be read from ${token.file}`), { code: 'token' });
  }
};

/** The error code of Node or OpenSSL, for example ECONNREFUSED or SELF_SIGNED_CERT_IN_CHAIN. */
const codeOf = (error: unknown): string => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'error';
};
