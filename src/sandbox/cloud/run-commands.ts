import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { join } from 'node:path';
import type { Duplex, Readable, Writable } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { outputMessage, readClientMessage, type TerminalSize } from '../../cloud/terminal-message.ts';
import type { PendingCommand } from './records.ts';
import type { EmbeddedCloud } from './sandbox-cloud.ts';

/**
 * Runs a command behind a terminal, on standard input and output; sizes come as lines `COLUMNS ROWS` on descriptor 3.
 * Node has no pseudo-terminals, and no other program of a usual system can change the size of one.
 */
const TERMINAL = `
import fcntl, os, pty, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
watched, sizes = {0, 3, fd}, b''
while True:
    for ready in select.select(list(watched), [], [])[0]:
        try:
            data = os.read(ready, 65536)
        except OSError:
            data = b''
        if ready == fd and not data:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
        if not data:
            watched.discard(ready)
        elif ready == fd:
            os.write(1, data)
        elif ready == 0:
            os.write(fd, data)
        else:
            *lines, sizes = (sizes + data).split(b'\\n')
            for line in lines:
                columns, rows = map(int, line.split())
                fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
`;

/**
 * Lets the embedded cloud run commands, as processes of this machine with this machine's files and rights, each in a
 * folder of its container below `folder`. It says nothing of how they ended, as far as is known of ECI.
 */
export const runCommands = (server: Server, { cloud, folder }: { cloud: EmbeddedCloud; folder: string }): void => {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = URL.parse(request.url ?? '', 'ws://cloud');
    const command = url?.pathname === '/exec/' ? cloud.world.takeCommand(url.searchParams.get('s') ?? '') : undefined;
    if (!command) socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else sockets.handleUpgrade(request, socket, head, (client) => run(client, command, folder));
  });
};

const run = (
  client: WebSocket,
  { containerGroupId, containerName, command, tty, stdin }: PendingCommand,
  folder: string,
) => {
  const cwd = join(folder, containerGroupId, containerName);
  mkdirSync(cwd, { recursive: true });
  const [program = '', ...words] = tty ? ['python3', '-c', TERMINAL, ...command] : command;
  const child = spawn(program, words, { cwd, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  const sizes = child.stdio[3] as Writable;
  for (const stream of [child.stdin, sizes]) stream.on('error', () => undefined);
  child.stdin.on('close', () => client.resume());
  if (!stdin) child.stdin.end();
  const pass = (channel: 'stdout' | 'stderr', stream: Readable) =>
    stream.on('data', (data: Buffer) => {
      stream.pause();
      client.send(outputMessage(channel, data), () => stream.resume());
    });
  pass('stdout', child.stdout);
  pass('stderr', child.stderr);
  // As a runtime says it: in the output.
  child.on('error', ({ message }) =>
    client.send(outputMessage('stdout', Buffer.from(message)), () => client.close(1000)),
  );
  child.on('close', () => client.close(1000));
  client.on('message', (message) => take(message, { client, child, sizes }));
  client.on('error', () => undefined);
  client.on('close', () => {
    child.stdin?.destroy();
    sizes.destroy();
    child.kill('SIGHUP');
  });
};

const take = (
  message: Buffer,
  { client, child, sizes }: { client: WebSocket; child: ChildProcess; sizes: Writable },
): void => {
  const said = readClientMessage(message);
  if (!said) return;
  if ('resize' in said) resize(sizes, said.resize);
  else if (child.stdin?.writable === true && !child.stdin.write(said.stdin)) {
    client.pause();
    child.stdin.once('drain', () => client.resume());
  }
};

const resize = (sizes: Writable, { width, height }: TerminalSize): void => {
  sizes.write(`${width} ${height}\n`);
};
