import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { WebSocketServer, type WebSocket } from 'ws';
import { outputMessage, readClientMessage } from '../../src/cloud/terminal-message.ts';
import { type Clock, systemClock as clock } from '../../src/lib/clock.ts';
import { systemRandom as random } from '../../src/lib/random.ts';
import { startExec } from '../../src/virtualnode/streaming/exec-process.ts';
import { openTerminal } from '../../src/virtualnode/streaming/cloud-terminal.ts';
import { ManualClock } from '../harness/clock.ts';

/** A cloud of which each connection does what the script says for the command. */
const cloudThat = async (t: ExecutionContext, play: (client: WebSocket, command: readonly string[]) => void) => {
  const commands: (readonly string[])[] = [];
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (client) =>
      play(client, commands[Number(URL.parse(request.url ?? '', 'ws://a')?.searchParams.get('s'))] ?? []),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const stopping = new AbortController();
  t.teardown(() => {
    stopping.abort(new Error('the test is over'));
    server.close();
  });
  const containerGroups = {
    execContainerCommand: ({ command }: { command: readonly string[] }) => {
      commands.push(command);
      return Promise.resolve({ webSocketUri: `ws://127.0.0.1:${port}/exec/?s=${commands.length - 1}` });
    },
  };
  const said = { stdout: '', stderr: '' };
  const streams = {
    stdin: undefined,
    sizes: undefined,
    stdout: async (data: Buffer) => void (said.stdout += data.toString()),
    stderr: async (data: Buffer) => void (said.stderr += data.toString()),
  };
  const run = async (
    command: readonly string[],
    { tty = false, time = clock }: { tty?: boolean; time?: Clock } = {},
  ) => {
    const request = { containerGroupId: 'eci-1', containerName: 'main', command, tty, stdin: false };
    const begin = await startExec({ containerGroups, clock: time, random }, request, stopping.signal);
    return begin(streams);
  };
  return {
    run,
    said,
    commands,
    stop: () => stopping.abort(new Error('left')),
    address: `ws://127.0.0.1:${port}/exec/?s=0`,
    signal: stopping.signal,
  };
};

const say = (client: WebSocket, channel: 'stdout' | 'stderr', text: string) =>
  client.send(outputMessage(channel, Buffer.from(text)), () => undefined);

test('where a container has no shell, the command is run as it is, and that its exit code is not known is said', async (t) => {
  const { run, said, commands } = await cloudThat(t, (client, command) => {
    if (command[0] === '/bin/sh') say(client, 'stdout', 'exec: "/bin/sh": no such file or directory');
    else say(client, 'stdout', 'output');
    client.close(1000);
  });
  t.deepEqual(await run(['/app', 'x']), { kind: 'unknown' });
  t.is(said.stdout, 'output');
  t.regex(
    said.stderr,
    /^\[knative-eip: this container has no \/bin\/sh, so the exit code .* not known unless ECI tells it\]\n$/,
  );
  t.deepEqual(commands[1], ['/app', 'x']);
});

/** As kubelets say that there is no shell, on the channel of how it ended. */
const NO_SHELL = 'error executing command in container: exec: "/bin/sh": stat /bin/sh: no such file or directory';
const fail = (client: WebSocket, message: string) => {
  const status = JSON.stringify({ metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 });
  client.send(Buffer.concat([Buffer.of(3), Buffer.from(status)]), () => client.close(1000));
};

test('where it is said as a failure that there is no shell, the command is run as it is, too', async (t) => {
  const { run, said, commands } = await cloudThat(t, (client, command) => {
    if (command[0] === '/bin/sh') return fail(client, NO_SHELL);
    say(client, 'stdout', 'output');
    client.send(Buffer.concat([Buffer.of(3), Buffer.from('command terminated with exit code 7')]), () => undefined);
    client.close(1000);
  });
  t.deepEqual(await run(['/app', 'x']), { kind: 'exit', code: 7 });
  t.deepEqual(commands[1], ['/app', 'x']);
  t.is(said.stdout, 'output');
  t.true(said.stderr.includes(NO_SHELL), said.stderr);
});

test('if the command cannot be run as it is either, that is what is told', async (t) => {
  const { run, commands } = await cloudThat(t, (client, command) =>
    fail(client, command[0] === '/bin/sh' ? NO_SHELL : 'exec: "/app": permission denied'),
  );
  t.deepEqual(await run(['/app']), { kind: 'failed', message: 'exec: "/app": permission denied' });
  t.is(commands.length, 2);
});

/** The WebSocket is open, and its time limits are set. */
const waiting = async (time: ManualClock) => {
  while (time.pending() < 2) await clock.sleep(1);
};

test('a client that leaves before the shell has answered has nothing run', async (t) => {
  const time = new ManualClock();
  const { run, commands, stop } = await cloudThat(t, () => undefined);
  const running = run(['/app'], { time });
  await waiting(time);
  stop();
  t.is((await running).kind, 'failed');
  t.is(commands.length, 1);
});

test('a shell that never answers is not waited for', async (t) => {
  const time = new ManualClock();
  const { run, said, commands } = await cloudThat(t, (client, command) => {
    if (command[0] === '/bin/sh') return;
    say(client, 'stdout', 'output');
    client.close(1000);
  });
  const running = run(['/app'], { time });
  await waiting(time);
  await time.advance(14_999);
  t.is(commands.length, 1);
  await time.advance(1);
  t.deepEqual(await running, { kind: 'unknown' });
  t.deepEqual(commands[1], ['/app']);
  t.is(said.stdout, 'output');
  t.regex(said.stderr, /no shell of this container has answered in 15 s/);
});

test('a shell that has ended before it was told the command has not run it', async (t) => {
  const { run, commands } = await cloudThat(t, (client, command) => {
    const word = command[6] ?? '';
    if (command[0] === '/bin/sh') say(client, 'stderr', `${word}+${word}0\n`);
    else client.close(1000);
  });
  t.deepEqual(await run(['/app']), { kind: 'unknown' });
  t.deepEqual(commands[1], ['/app']);
});

for (const [how, send] of [
  ['as text', (client: WebSocket, data: string) => client.send(data, () => undefined)],
  ['as standard output', (client: WebSocket, data: string) => say(client, 'stdout', data)],
  ['as bytes without a channel', (client: WebSocket, data: string) => client.send(Buffer.from(data), () => undefined)],
] as const)
  test(`the shell is heard, and the exit code, where all output comes ${how}`, async (t) => {
    const { run, said, commands } = await cloudThat(t, (client, command) => {
      const word = command[6] ?? '';
      send(client, `noise${word.slice(0, 5)}`);
      send(client, `noise${word}+`);
      client.once('message', () => {
        send(client, 'output');
        send(client, `${word}3`);
        send(client, '\nmore');
        client.close(1000);
      });
    });
    t.deepEqual(await run(['/app']), { kind: 'exit', code: 3 });
    t.is(commands.length, 1);
    t.deepEqual(said, { stdout: 'outputmore', stderr: '' });
  });

test('with a terminal the command is run as it is, and what the cloud says of its end counts', async (t) => {
  const { run, said, commands } = await cloudThat(t, (client) => {
    say(client, 'stdout', 'prompt');
    client.send(Buffer.concat([Buffer.of(3), Buffer.from('command terminated with exit code 7')]), () => undefined);
    client.close(1000);
  });
  t.deepEqual(await run(['bash'], { tty: true }), { kind: 'exit', code: 7 });
  t.deepEqual(commands, [['bash']]);
  t.is(said.stdout, 'prompt');
});

test('a connection that breaks off is a failure, and no second run', async (t) => {
  const { run, commands } = await cloudThat(t, (client, command) => {
    say(client, 'stderr', `${command[6] ?? ''}+`);
    client.on('message', (message) => {
      if (readClientMessage(message)) client.terminate();
    });
  });
  const ending = await run(['sleep', '1']);
  t.is(ending.kind, 'failed');
  t.is(commands.length, 1);
});

test('no more is read from the cloud than is taken', async (t) => {
  const PIECES = 64;
  const piece = outputMessage('stdout', Buffer.alloc(1_000_000));
  let accepted = 0;
  const { address, signal } = await cloudThat(t, (client) => {
    for (let n = 0; n < PIECES; n += 1) client.send(piece, () => void (accepted += 1));
    client.close(1000);
  });
  const first = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let taken = 0;
  const onOutput = async (_: string, data: Buffer) => {
    first.resolve();
    await released;
    taken += data.length;
  };
  const terminal = await openTerminal(address, { clock, onOutput }, signal);
  await first.promise;
  // It comes to rest with what the sockets of both ends hold: less than half of all.
  for (let before = -1; before !== accepted;) {
    before = accepted;
    await clock.sleep(300);
  }
  t.true(accepted < PIECES / 2, `${accepted} of ${PIECES} were accepted`);
  release();
  t.deepEqual(await terminal.ended, { kind: 'unknown' });
  t.is(taken, PIECES * 1_000_000);
});

const nothing = () => Promise.resolve();

test('only an address that is encrypted is opened, or one of this machine', async (t) => {
  const onOutput = nothing;
  for (const address of ['ws://eci.example/exec', 'https://eci.example', 'nothing', 'ws://127.0.0.1.example/'])
    await t.throwsAsync(openTerminal(address, { clock, onOutput }, new AbortController().signal), {
      message: /no wss:\/\//,
    });
});
