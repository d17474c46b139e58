import { execFile } from 'node:child_process';
import { KubeFault } from '../kube/fault.ts';
import type { KubeRequest, KubeResponse, KubeTransport } from '../kube/port.ts';

const MOST_BYTES = 512 * 1024 * 1024;

/** An IMF-fixdate (RFC 9110, 5.6.7), as kubectl prints the header Date with -v=8, however it writes headers. */
const DATE = /[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT/u;

/** `Error from server (NotFound): …`, as kubectl prints a Status. */
const FROM_SERVER = /^Error from server(?: \((\w{1,40})\))?: ([\s\S]*)/mu;

const STATUS_OF: Readonly<Record<string, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
};

/** What kubectl says of a kind that is not served, and of a path; of an object, it names it. */
const ABOUT_KIND = /could not find the requested resource|page not found/u;

/**
 * The API through the user's own kubectl, by `kubectl get --raw` and `kubectl create --raw`, so that contexts, several
 * kubeconfig files, credential plug-ins and proxies work as in the user's other commands. Only GET and POST; a POST is
 * for reviews and dry runs.
 */
export const kubectlTransport =
  (connection: readonly string[]): KubeTransport =>
  async ({ method, path, body, signal }: KubeRequest): Promise<KubeResponse> => {
    if (method !== 'GET' && method !== 'POST') throw unavailable(`kubectl is not asked for ${method}`);
    // Only where the header is wanted: it prints everything that it does.
    const talk = path === '/version' ? ['-v=8'] : [];
    const words = method === 'GET' ? ['get', '--raw', path] : ['create', '--raw', path, '-f', '-'];
    const { text, said, failed } = await run([...words, ...connection, ...talk], body, signal);
    if (!failed) return answer(200, text, { date: DATE.exec(said)?.[0], warning: /^Warning: .*/mu.exec(said)?.[0] });
    const [, reason = '', message = ''] = FROM_SERVER.exec(said) ?? [];
    const status = STATUS_OF[reason] ?? (message === '' ? undefined : 500);
    if (status === undefined) throw unavailable(lastLine(said));
    const name = ABOUT_KIND.test(message) ? undefined : { name: path.split(/[/?]/u).at(-1) ?? '' };
    const object = { kind: 'Status', status: 'Failure', code: status, reason, message: message.trim(), details: name };
    return answer(status, JSON.stringify(object), {});
  };

const answer = (status: number, text: string, headers: Readonly<Record<string, string | undefined>>): KubeResponse => ({
  status,
  header: (name) => headers[name.toLowerCase()],
  text: () => Promise.resolve(text),
  async *lines() {
    for (const line of text.split('\n')) yield await Promise.resolve(line);
  },
});

const unavailable = (message: string) => new KubeFault({ kind: 'unavailable', message });

const lastLine = (text: string): string => text.trim().split('\n').at(-1) || 'kubectl failed and said nothing';

const run = (
  words: readonly string[],
  input: string | undefined,
  signal: AbortSignal | undefined,
): Promise<{ text: string; said: string; failed: boolean }> =>
  new Promise((resolve, reject) => {
    const options = { maxBuffer: MOST_BYTES, encoding: 'utf8', ...(signal && { signal }) } as const;
    const child = execFile('kubectl', words, options, (error, text, said) => {
      if (error?.code === 'ENOENT')
        reject(unavailable('kubectl is not on the PATH; without --kubeconfig the cluster is read through it'));
      else if (signal?.aborted) reject(signal.reason as Error);
      else resolve({ text, said, failed: error !== null });
    });
    // It may have ended without reading.
    child.stdin?.on('error', () => undefined).end(input ?? '');
  });
