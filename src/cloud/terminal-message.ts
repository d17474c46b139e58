/**
 * What the messages mean on the WebSocket that ExecContainerCommand gives the address of. Alibaba Cloud does not
 * document them. This is the only place that knows of them; the embedded cloud imports the same.
 *
 * What is known: two programs that use it in public, both without a subprotocol. One reads binary messages whose first
 * byte is a channel, 1 and 2 for output, and sends standard input with a 0 before it (AndersonBY/eci-as-sandbox,
 * src/eci_as_sandbox/_common/ws.py); the other takes each message for text as a whole (aliyunsdkeci with
 * websocket-client). These are the channels of `channel.k8s.io`, the WebSocket of a kubelet
 * (k8s.io/kubelet/pkg/cri/streaming/remotecommand), which ECI's agent is one of. What is assumed therefore: channel 3
 * is how it ended and 4 the size of the terminal, as there. The first program calls 3 "resize" and 4 "exit", and sends
 * and reads neither. Commands without a terminal need neither this nor that channel 2 is standard error: see
 * src/virtualnode/streaming/reported-command.ts.
 */

const CHANNELS = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4 } as const;

/** Size of a terminal, in characters. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export const stdinMessage = (data: Buffer): Buffer => Buffer.concat([Buffer.of(CHANNELS.stdin), data]);

/** kubernetes client-go tools/remotecommand, TerminalSize: the names of the two fields. */
export const resizeMessage = ({ width, height }: TerminalSize): Buffer =>
  Buffer.concat([Buffer.of(CHANNELS.resize), Buffer.from(JSON.stringify({ Width: width, Height: height }))]);

/** A message of the cloud: output, or how the command ended. */
export interface TerminalOutput {
  readonly channel: 'stdout' | 'stderr' | 'status';
  readonly data: Buffer;
}

/** Text has no channel, nor has a binary message that begins with none: both are output as a whole. */
export const readTerminalMessage = (message: Buffer, isBinary: boolean): TerminalOutput => {
  const first = isBinary ? message[0] : undefined;
  if (first === CHANNELS.stdout) return { channel: 'stdout', data: message.subarray(1) };
  if (first === CHANNELS.stderr) return { channel: 'stderr', data: message.subarray(1) };
  if (first === CHANNELS.status) return { channel: 'status', data: message.subarray(1) };
  return { channel: 'stdout', data: message };
};

/** What the other end reads: for the embedded cloud. Undefined for what means nothing. */
export const readClientMessage = (
  message: Buffer,
): { readonly stdin: Buffer } | { readonly resize: TerminalSize } | undefined => {
  if (message[0] === CHANNELS.stdin) return { stdin: message.subarray(1) };
  if (message[0] !== CHANNELS.resize) return undefined;
  const size = readSize(message.subarray(1).toString());
  return size && { resize: size };
};

export const outputMessage = (channel: 'stdout' | 'stderr', data: Buffer): Buffer =>
  Buffer.concat([Buffer.of(CHANNELS[channel]), data]);

/** A size as clients write it; undefined for what is none. */
export const readSize = (text: string): TerminalSize | undefined => {
  try {
    const { Width: width, Height: height } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    return isSize(width) && isSize(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
};

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535;

/** How a command ended; `unknown` where the cloud does not say. */
export type Ending =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'unknown' };

/** What a text on the channel `status` means: a Status of Kubernetes (v4 of the protocol), or plain words (before). */
export const readEnding = (text: string): Ending => {
  if (text === '') return { kind: 'unknown' };
  try {
    const { status, details, message } = JSON.parse(text) as {
      status?: unknown;
      message?: unknown;
      details?: { causes?: readonly { reason?: unknown; message?: unknown }[] };
    };
    if (status === 'Success') return { kind: 'exit', code: 0 };
    const code = Number(details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message ?? NaN);
    if (Number.isInteger(code)) return { kind: 'exit', code };
    return { kind: 'failed', message: typeof message === 'string' ? message : text };
  } catch {
    const code = exitCodeIn(text.slice(-LONGEST_CODE).trimEnd());
    return code === undefined ? { kind: 'failed', message: text } : { kind: 'exit', code };
  }
};

/** At the end of a text, behind what comes before it: characters. */
const LONGEST_CODE = 40;

/** `command terminated with exit code 3`, `exit status 3` (Go's os/exec, ExitError). */
const exitCodeIn = (text: string): number | undefined => {
  const at = text.lastIndexOf(' ');
  const code = text.slice(at + 1);
  const before = text.slice(0, Math.max(at, 0));
  const isNamed = ['exit code', 'exit code:', 'exit status', 'exit status:'].some((words) => before.endsWith(words));
  return isNamed && /^\d{1,3}$/.test(code) ? Number(code) : undefined;
};
