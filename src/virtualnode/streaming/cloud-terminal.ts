import { WebSocket } from 'ws';
import type { Clock } from '../../lib/clock.ts';
import {
  readEnding,
  readTerminalMessage,
  resizeMessage,
  stdinMessage,
  type Ending,
  type TerminalOutput,
  type TerminalSize,
} from '../../cloud/terminal-message.ts';

/** Time limit for the WebSocket to open; ECI's address is good for 30 s (API reference, ExecContainerCommand). */
const HANDSHAKE_MS = 10_000;
/** Longest message that is taken, bytes. */
const LONGEST_MESSAGE = 4_194_304;
/** What is between the controller and the cloud may close a connection that is silent for a minute. */
const PING_MS = 30_000;
/** Longest text of a status that is kept, bytes. */
const LONGEST_STATUS = 16_384;

/** A command that runs in a container of the cloud. */
export interface CloudTerminal {
  /** Resolves when there is room for more; also where the command has ended, which {@link ended} says. */
  send(stdin: Buffer): Promise<void>;
  resize(size: TerminalSize): void;
  /** Ends the connection; what the command does then is the cloud's affair. */
  close(): void;
  /** How it ended, as far as the cloud says; once all output is taken. Never rejects. */
  readonly ended: Promise<Ending>;
}

interface TerminalParts {
  readonly clock: Clock;
  /** Takes output; as long as it does not resolve, no more is read. */
  readonly onOutput: (channel: 'stdout' | 'stderr', data: Buffer) => Promise<void>;
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** An address of a WebSocket that a secret may be sent to. */
const isSafe = (address: string): boolean => {
  const url = URL.parse(address);
  return url?.protocol === 'wss:' || (url?.protocol === 'ws:' && LOOPBACK.has(url.hostname));
};

/**
 * Opens the WebSocket that ExecContainerCommand has answered. Rejects with an Error whose text has no part of the
 * address in it: whoever has that may run the command.
 */
export const openTerminal = async (
  address: string,
  { clock, onOutput }: TerminalParts,
  signal: AbortSignal,
): Promise<CloudTerminal> => {
  if (!isSafe(address)) throw new Error('the cloud answered an address that is no wss://');
  const socket = new WebSocket(address, {
    followRedirects: false,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: LONGEST_MESSAGE,
    perMessageDeflate: false,
  });
  let status = '';
  let cause: string | undefined;
  /** Output that is being taken, one after the other. */
  let taking = Promise.resolve();
  let untaken = 0;
  const take = ({ channel, data }: TerminalOutput): void => {
    if (channel === 'status') {
      status = (status + data.toString()).slice(0, LONGEST_STATUS);
      return;
    }
    untaken += 1;
    socket.pause();
    taking = taking
      .then(() => onOutput(channel, data))
      .catch(() => socket.terminate())
      .then(() => {
        untaken -= 1;
        if (untaken === 0) socket.resume();
      });
  };
  const { promise: opened, resolve: open, reject: fail } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<Ending>();
  const leave = () => socket.terminate();
  let stopPinging: (() => void) | undefined;
  const ping = () => {
    socket.ping();
    stopPinging = clock.timer(PING_MS, ping);
  };
  socket.on('open', () => {
    stopPinging = clock.timer(PING_MS, ping);
    open();
  });
  socket.on('message', (message, isBinary) => take(readTerminalMessage(message, isBinary)));
  socket.on('error', ({ message }) => {
    // The library quotes the address where it cannot be read.
    cause = message.includes('://') ? 'its address cannot be read' : message;
  });
  socket.on('close', (code) => {
    stopPinging?.();
    signal.removeEventListener('abort', leave);
    fail(new Error(`the WebSocket of the cloud cannot be opened: ${cause ?? `it was closed with ${code}`}`));
    void taking.then(() => end(endingOf(status, code, cause)));
  });
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  await opened;
  return {
    send: (stdin) => new Promise((resolve) => socket.send(stdinMessage(stdin), () => resolve())),
    resize: (size) => socket.send(resizeMessage(size), () => undefined),
    close: () => {
      // A close by the protocol would wait behind output that nobody takes any more.
      socket.resume();
      socket.terminate();
    },
    ended,
  };
};

/** RFC 6455, 7.4.1: 1000 is the normal end; 1005, no code at all. */
const endingOf = (status: string, code: number, cause: string | undefined): Ending => {
  if (status !== '') return readEnding(status);
  if (code === 1000 || code === 1005) return { kind: 'unknown' };
  return { kind: 'failed', message: `the cloud has closed the connection: ${cause ?? `code ${code}`}` };
};
