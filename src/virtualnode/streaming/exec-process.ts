import type { ContainerGroups } from '../../cloud/container-groups.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { openTerminal, type CloudTerminal } from './cloud-terminal.ts';
import { encodeCommand, encodeInput, END_OF_INPUT, ReportReader, reportingShell } from './reported-command.ts';
import type { Ending, TerminalSize } from '../../cloud/terminal-message.ts';

/** What a client asks for. */
interface ExecRequest {
  readonly containerGroupId: string;
  readonly containerName: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** A client's ends of the streams. */
export interface ExecStreams {
  /** Pieces of standard input until its end; undefined where there is none. */
  readonly stdin: AsyncIterable<Buffer> | undefined;
  /** Each resolves when there is room for more. */
  readonly stdout: (data: Buffer) => Promise<void>;
  readonly stderr: (data: Buffer) => Promise<void>;
  /** Sizes of the terminal, until the client leaves. */
  readonly sizes: AsyncIterable<TerminalSize> | undefined;
}

interface ExecParts {
  readonly containerGroups: Pick<ContainerGroups, 'execContainerCommand'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** How long output may come after the command has ended, milliseconds. */
const LINGER_MS = 10_000;
/** How long the shell may take to say that it is there, milliseconds: a second or two, if it is. */
const START_MS = 15_000;

/**
 * A command that the cloud has been asked to run. Resolves to a function that lets it run, to its end. Rejects with a
 * CloudFault if the cloud refuses it.
 */
export const startExec = async (
  parts: ExecParts,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<(streams: ExecStreams) => Promise<Ending>> => {
  const { tty, stdin, containerGroupId, containerName } = request;
  const ask = async (command: readonly string[], hasInput: boolean) => {
    const call = { containerGroupId, containerName, command, tty, stdin: hasInput };
    return (await parts.containerGroups.execContainerCommand(call, signal)).webSocketUri;
  };
  const encoded = encodeCommand(request.command);
  // A terminal would show what the shell is told. Without one, exit codes are what scripts go by.
  if (tty || !encoded) {
    const address = await ask(request.command, stdin);
    return (streams) => runPlain(parts, address, streams, signal);
  }
  const word = parts.random.uuid().replaceAll('-', '');
  const address = await ask(reportingShell(word, stdin), true);
  return async (streams) => {
    const ending = await runReported(parts, { address, word, command: encoded }, streams, signal);
    if (ending.kind !== 'not-run') return ending;
    const consequence = 'so the exit code of the command is not known unless ECI tells it';
    await streams.stderr(Buffer.from(`[knative-eip: ${ending.why}, ${consequence}]\n`));
    return runPlain(parts, await ask(request.command, stdin), streams, signal);
  };
};

/** Ends when the input does, or the terminal. */
const feed = async (stdin: ExecStreams['stdin'], send: (data: Buffer) => Promise<void>): Promise<void> => {
  // The client has left where this breaks off, and the session with it.
  try {
    for await (const data of stdin ?? []) await send(data);
  } catch {
    return;
  }
};

const runPlain = async (
  { clock }: ExecParts,
  address: string,
  streams: ExecStreams,
  signal: AbortSignal,
): Promise<Ending> => {
  const onOutput = (channel: 'stdout' | 'stderr', data: Buffer) => streams[channel](data);
  const terminal = await openTerminal(address, { clock, onOutput }, signal);
  void feed(streams.stdin, (data) => terminal.send(data));
  void resize(streams.sizes, terminal);
  return terminal.ended;
};

const resize = async (sizes: ExecStreams['sizes'], terminal: CloudTerminal): Promise<void> => {
  try {
    for await (const size of sizes ?? []) terminal.resize(size);
  } catch {
    return;
  }
};

interface Reported {
  readonly address: string;
  readonly word: string;
  /** As the shell reads it. */
  readonly command: Buffer;
}

type Channel = 'stdout' | 'stderr';

/** No shell was heard, so that nothing of the command was sent: it may be run otherwise. */
interface NotRun {
  readonly kind: 'not-run';
  /** What the user is told. */
  readonly why: string;
}

const runReported = async (
  { clock }: ExecParts,
  { address, word, command }: Reported,
  streams: ExecStreams,
  signal: AbortSignal,
): Promise<Ending | NotRun> => {
  const readers = { stdout: new ReportReader(word), stderr: new ReportReader(word) };
  const { promise: started, resolve: start } = Promise.withResolvers<'heard' | 'silent' | 'late'>();
  const { promise: reported, resolve: end } = Promise.withResolvers<void>();
  /** Where the shell was heard: its standard error may come as output, if ECI keeps no channels apart. */
  let voice: Channel | undefined;
  let isSent = false;
  let exit: number | undefined;
  const onOutput = async (channel: Channel, data: Buffer): Promise<void> => {
    if (voice !== undefined && channel !== voice) return streams[channel](data);
    const { rest, heard } = readers[channel].push(data);
    // A shell that has ended before it was told anything had no input.
    if (heard.kind === 'exit' && !isSent) return start('silent');
    if (heard.kind === 'started') {
      voice = channel;
      start('heard');
    }
    // What comes before is none of the command's.
    if (voice === undefined) return;
    if (rest.length > 0) await streams[channel](rest);
    if (heard.kind === 'exit') {
      exit = heard.code;
      end();
    }
  };
  const terminal = await openTerminal(address, { clock, onOutput }, signal);
  void terminal.ended.then(() => start('silent'));
  const cancelStart = clock.timer(START_MS, () => start('late'));
  const beginning = await started;
  cancelStart();
  if (beginning !== 'heard') {
    terminal.close();
    const ending = await terminal.ended;
    return signal.aborted ? { kind: 'failed', message: 'the client has left' } : notRun(beginning, ending);
  }
  isSent = true;
  await terminal.send(command);
  const input = async (data: Buffer) => {
    for (const piece of encodeInput(data)) if (exit === undefined) await terminal.send(piece);
  };
  const fed = streams.stdin ? feed(streams.stdin, input) : Promise.resolve();
  // The shell waits for the end of its input, so that it is told when the command needs none any more.
  void Promise.race([fed, reported]).then(() => terminal.send(END_OF_INPUT));
  // What the command has left behind may hold the output open.
  void reported.then(() => {
    const cancel = clock.timer(LINGER_MS, () => terminal.close());
    void terminal.ended.then(cancel);
  });
  const ending = await terminal.ended;
  const channel = voice ?? 'stderr';
  const held = readers[channel].end();
  if (held.length > 0) await streams[channel](held);
  if (exit !== undefined) return { kind: 'exit', code: exit };
  return ending.kind === 'failed' ? ending : { kind: 'failed', message: 'the connection ended before the command did' };
};

const notRun = (beginning: 'silent' | 'late', ending: Ending): NotRun => {
  if (beginning === 'late')
    return { kind: 'not-run', why: `no shell of this container has answered in ${START_MS / 1_000} s` };
  // As a runtime says it: exec: "/bin/sh": stat /bin/sh: no such file or directory.
  const why = ending.kind === 'failed' ? `no shell has answered (${ending.message})` : 'this container has no /bin/sh';
  return { kind: 'not-run', why };
};
