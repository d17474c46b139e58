import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleepUnlessAborted, type Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ServerCertificate } from '../web/http-server.ts';

/** Interval between checks of a certificate's files, milliseconds. */
const LOOK_MS = 60_000;
const RETRY_MS = 5_000;

interface CertificateFiles {
  readonly directory: string;
  /** For the log, for example `webhooks`. */
  readonly whose: string;
  readonly present: (certificate: ServerCertificate) => Promise<void> | void;
}

/**
 * Presents the certificate in `tls.crt` and `tls.key` of a directory, whenever they change, until the signal aborts.
 * Rejects with a ServeError of `present`.
 */
export const followCertificate = async (
  { directory, whose, present }: CertificateFiles,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> => {
  let shown = '';
  while (!signal.aborted) {
    let waitMs = LOOK_MS;
    try {
      const [cert, key] = await Promise.all(
        ['tls.crt', 'tls.key'].map((name) => readFile(join(directory, name), 'utf8')),
      );
      if (cert !== undefined && key !== undefined && cert !== shown) {
        await present({ cert, key });
        shown = cert;
      }
    } catch (error) {
      if (error instanceof Error && error.name === 'ServeError') throw error;
      waitMs = RETRY_MS;
      // Safe to log: Node's errors about keys and certificates contain the library's reason, never their text.
      const why = error instanceof Error ? error.message : String(error);
      log.warn({ directory }, `The certificate of the ${whose} cannot be used (retrying): ${why}`);
    }
    await sleepUnlessAborted(clock, waitMs, signal);
  }
};
