import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import type { ExecStreams } from './exec-process.ts';
import { endingStatus, endingWords } from './kubelet-status.ts';
import type { ClientStream } from './client-stream.ts';
import type { Channel } from './websocket-channels.ts';
import { readSize, type Ending, type TerminalSize } from '../../cloud/terminal-message.ts';

/**
 * Exec and attach as kubelets speak them over SPDY, versions 4 and 5 of the protocol, which differ by WebSocket only
 * (apimachinery pkg/util/remotecommand/constants.go; client-go tools/remotecommand/v2.go to v4.go): a stream for each
 * of `error`, `stdin`, `stdout`, `stderr` and `resize`, named by the header `streamtype`. The client opens what its
 * request has; how it ended goes to `error`, as JSON, and then everything ends.
 */
export const COMMAND_PROTOCOLS: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** Which streams a request has; core/v1 PodExecOptions. */
interface CommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/**
 * As kubelets read the query (kubelet pkg/cri/streaming/remotecommand, NewOptions); undefined if no stream is
 * asked for.
 */
export const commandOptionsOf = (query: URLSearchParams): CommandOptions | undefined => {
  const is = (name: string) => query.get(name) === '1' || query.get(name) === 'true';
  const tty = is('tty');
  // A terminal has one output.
  const options = { tty, stdin: is('input'), stdout: is('output'), stderr: is('error') && !tty };
  return options.stdin || options.stdout || options.stderr ? options : undefined;
};

/**
 * The channels of a command on a WebSocket, by their numbers (remotecommand/websocket.go). As by kubelets, the client
 * is told by an empty message on the first that it reads that it was let in.
 */
export const commandChannels = (options: CommandOptions): readonly Channel[] => {
  const types = ['stdin', 'stdout', 'stderr', 'error', 'resize'];
  const first = options.stdout ? 'stdout' : options.stderr ? 'stderr' : 'error';
  return types.map((type) => ({
    headers: new Map([['streamtype', type]]),
    ...(type === first && { greeting: Buffer.alloc(0) }),
  }));
};

/** As kubelets: StreamCreationTimeout. */
const STREAMS_MS = 30_000;
/** Longest size of a terminal, as JSON, bytes. */
const LONGEST_SIZE = 4_096;

/** Collects the streams that a client opens. */
export class CommandStreams {
  readonly #missing: Set<string>;
  readonly #found = new Map<string, ClientStream>();
  readonly #complete = Promise.withResolvers<void>();
  readonly #saysJson: boolean;

  constructor({ stdin, stdout, stderr, tty }: CommandOptions, protocol: string) {
    this.#saysJson = protocol.startsWith('v4.') || protocol.startsWith('v5.');
    const wanted = { error: true, stdin, stdout, stderr, resize: tty };
    this.#missing = new Set(Object.entries(wanted).flatMap(([type, isWanted]) => (isWanted ? [type] : [])));
  }

  /** False for one that was not asked for, or is there already. */
  take(stream: ClientStream): boolean {
    const type = stream.headers.get('streamtype') ?? '';
    if (!this.#missing.delete(type)) return false;
    this.#found.set(type, stream);
    // What a client says where it only listens is nobody's.
    if (type !== 'stdin' && type !== 'resize') stream.resume();
    if (this.#missing.size === 0) this.#complete.resolve();
    return true;
  }

  /**
   * Lets the command run on the streams, tells the client how it ended, and resolves to that. Rejects where the streams
   * do not come.
   */
  async run(command: (streams: ExecStreams) => Promise<Ending>, clock: Clock, signal: AbortSignal): Promise<Ending> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const cancel = clock.timer(STREAMS_MS, () =>
      reject(new Error(`the client has not opened ${[...this.#missing].join(', ')} in ${STREAMS_MS / 1_000} s`)),
    );
    const leave = () => reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([this.#complete.promise, late]);
    } finally {
      cancel();
      signal.removeEventListener('abort', leave);
    }
    const get = (type: string) => this.#found.get(type);
    const resize = get('resize');
    const ending = await command({
      stdin: get('stdin'),
      stdout: writerTo(get('stdout')),
      // With a terminal the client reads one stream.
      stderr: writerTo(get('stderr') ?? get('stdout')),
      sizes: resize && sizesFrom(resize),
    }).catch((error: unknown): Ending => {
      return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
    });
    const said = this.#saysJson ? JSON.stringify(endingStatus(ending)) : endingWords(ending);
    if (said !== '') await writerTo(get('error'))(Buffer.from(said));
    // The output first, then how it ended: a client that has the latter need not wait for more.
    for (const type of ['stdout', 'stderr', 'error', 'resize', 'stdin']) get(type)?.end();
    return ending;
  }
}

/** Writes, and resolves when there is room for more, or nobody reads any more. */
const writerTo =
  (stream: Writable | undefined) =>
  async (data: Buffer): Promise<void> => {
    if (!stream || stream.destroyed || stream.writableEnded) return;
    if (stream.write(data)) return;
    const left = new AbortController();
    const { signal } = left;
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]).catch(() => undefined);
    left.abort();
  };

/** The stream has one JSON object behind the other, with or without a line feed (Go's json.Encoder writes one). */
async function* sizesFrom(stream: AsyncIterable<Buffer>): AsyncGenerator<TerminalSize, void> {
  let text = '';
  for await (const data of stream) {
    text += data.toString();
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = readSize(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size) yield size;
    }
    if (text.length > LONGEST_SIZE) text = '';
  }
}
