import type { IncomingMessage, Server } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloudFault } from '../../cloud/fault.ts';
import type { ContainerGroups } from '../../cloud/container-groups.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { Refusal } from '../kubelet-refusal.ts';
import { createEndpointAuthorizer } from '../endpoint-access.ts';
import { startExec } from './exec-process.ts';
import { refusalStatus } from './kubelet-status.ts';
import type { VirtualNodeMetrics } from '../metrics.ts';
import type { ClientConnection, ClientStream } from './client-stream.ts';
import { COMMAND_PROTOCOLS, commandChannels, commandOptionsOf, CommandStreams } from './remote-command.ts';
import { forwardChannels, PORT_FORWARD_CHANNELS, PORT_FORWARD_PROTOCOLS, PortForwarding } from './port-forward.ts';
import type { SessionOutcome } from './session-outcome.ts';
import { SpdyConnection } from './spdy-connection.ts';
import { portsOf, protocolOf, streamRequestOf, type StreamRequest } from './stream-request.ts';
import { checkRunning, findTarget, type TargetParts } from './stream-target.ts';
import { CHANNEL_PROTOCOLS, openWebSocket, WebSocketChannels, type Channel } from './websocket-channels.ts';

interface StreamParts extends TargetParts {
  readonly containerGroups: Pick<ContainerGroups, 'describeContainerGroups' | 'execContainerCommand'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: Pick<VirtualNodeMetrics, 'session'> | undefined;
}

/**
 * Clients at once. Each has a connection from an API server, and one to the cloud. Fewer than one address may have, so
 * that there is always room for who reads logs (CONNECTIONS in src/virtualnode/logs.ts).
 */
const MOST_SESSIONS = 48;
/** A session on which nothing has flowed for so long ends; as a kubelet's (streamingConnectionIdleTimeout). */
const IDLE_MS = 4 * 3_600_000;
/** Streams of one client at once; a command has five. */
const MOST_STREAMS = 5;
/** The same of port-forward: two for each connection. */
const MOST_FORWARDED = 128;
/** How long a client may take to leave when all has been said. */
const LEAVE_MS = 10_000;

/** A client that was let in: what to do with its streams, and until when. */
interface Session {
  readonly protocol: string;
  readonly mostStreams: number;
  /** What a WebSocket has in place of streams. */
  readonly channels: readonly Channel[];
  /** See ChannelsParts. */
  readonly outlives: boolean;
  readonly onStream: (stream: ClientStream) => boolean;
  /** Resolves to how it went when there is nothing more to say. */
  readonly work: (signal: AbortSignal) => Promise<'ended' | 'failed'>;
}

/** A connection that is to be upgraded. */
interface Upgraded {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly signal: AbortSignal;
}

/**
 * Serves exec and port-forward on the upgrades of a kubelet's HTTPS server, until the signal aborts, which ends every
 * session at once. Whoever may `create` nodes/proxy of the Node is let in, which is what a kubelet asks for
 * (kubernetes pkg/kubelet/server/auth.go: nodes/proxy with the verb of the method) and more than it asks of a GET: that
 * would let who only reads run commands.
 */
export const serveStreams = (server: Server, parts: StreamParts, signal: AbortSignal): void => {
  const authorize = createEndpointAuthorizer(parts.kube, parts.clock, parts.nodeName, 'create');
  let sessions = 0;
  const serve = async (wanted: StreamRequest, upgraded: Upgraded): Promise<SessionOutcome> => {
    await authorize(upgraded.request, `/${wanted.kind}`, signal);
    if (sessions >= MOST_SESSIONS) throw new Refusal(429, `There are ${MOST_SESSIONS} sessions already`);
    sessions += 1;
    try {
      const session = await sessionOf(parts, wanted, signal);
      return await converse(parts, await connectionOf(parts, wanted, session, upgraded), session, signal);
    } finally {
      sessions -= 1;
    }
  };
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Until it is a connection of streams; without a listener a reset would end the process.
    socket.on('error', () => undefined);
    const answer = async () => {
      // Before anybody is asked: other paths are nothing that an API server has to look up.
      const wanted = streamRequestOf(request);
      const end = parts.metrics?.session(wanted.kind);
      try {
        const outcome = await serve(wanted, { request, socket, head, signal });
        end?.(outcome);
      } catch (error) {
        end?.(outcomeOf(error, signal));
        throw error;
      }
    };
    answer().catch((error: unknown) => refuse(parts.log, socket, error, signal));
  });
};

/** Of one that never was. */
const outcomeOf = (error: unknown, signal: AbortSignal): SessionOutcome => {
  if (signal.aborted) return 'stopped';
  return refusalOf(error)[0] < 500 ? 'refused' : 'failed';
};

const sessionOf = (parts: StreamParts, wanted: StreamRequest, signal: AbortSignal): Promise<Session> => {
  switch (wanted.kind) {
    case 'exec':
      return execSession(parts, wanted, signal);
    case 'portForward':
      return forwardSession(parts, wanted, signal);
    case 'attach':
      // kubectl run -i shows the log instead, when it hears that.
      return Promise.reject(
        new Refusal(
          400,
          'ECI has no way to attach to what runs in a container: kubectl logs -f shows its output, and kubectl exec -it runs a shell beside it',
        ),
      );
  }
};

const execSession = async (parts: StreamParts, wanted: StreamRequest, signal: AbortSignal): Promise<Session> => {
  const protocol = protocolOf(wanted, wanted.transport === 'spdy' ? COMMAND_PROTOCOLS : CHANNEL_PROTOCOLS);
  const options = commandOptionsOf(wanted.query);
  if (!options) throw new Refusal(400, 'you must specify at least 1 of stdin, stdout, stderr');
  const { containerName } = wanted;
  const command = wanted.query.getAll('command');
  if (command.length === 0) throw new Refusal(400, 'there is no command');
  const target = await findTarget(parts, wanted.pod, signal);
  checkRunning(target, containerName);
  const { containerGroupId } = target.group;
  const { tty, stdin } = options;
  const leaving = new AbortController();
  const call = { containerGroupId, containerName, command, tty, stdin };
  const exec = await startExec(parts, call, AbortSignal.any([signal, leaving.signal]));
  const streams = new CommandStreams(options, protocol);
  return {
    protocol,
    mostStreams: MOST_STREAMS,
    channels: commandChannels(options),
    // Nothing ends what a terminal shows, but who looks at it.
    outlives: stdin && !tty && !protocol.startsWith('v5.'),
    onStream: (stream) => streams.take(stream),
    work: async (gone) => {
      gone.addEventListener('abort', () => leaving.abort(gone.reason), { once: true });
      return (await streams.run(exec, parts.clock, gone)).kind === 'failed' ? 'failed' : 'ended';
    },
  };
};

const forwardSession = async (parts: StreamParts, wanted: StreamRequest, signal: AbortSignal): Promise<Session> => {
  const isSpdy = wanted.transport === 'spdy';
  const protocol = protocolOf(wanted, isSpdy ? PORT_FORWARD_PROTOCOLS : PORT_FORWARD_CHANNELS);
  const channels = isSpdy ? [] : forwardChannels(portsOf(wanted, MOST_FORWARDED / 2));
  const { pod, group } = await findTarget(parts, wanted.pod, signal);
  // The cloud's own word: anybody who may write the status of the pod could name another address there.
  const address = group.intranetIp;
  if (address === undefined || group.status !== 'Running')
    throw new Refusal(400, `pod ${JSON.stringify(pod.metadata.name)} is not running: its instance is ${group.status}`);
  const { name, uid } = pod.metadata;
  const forwarding = new PortForwarding({ address, name: `pod ${name}, uid ${uid}` }, parts.clock);
  return {
    protocol,
    mostStreams: MOST_FORWARDED,
    channels,
    outlives: false,
    onStream: (stream) => forwarding.take(stream),
    // It has no end of its own.
    work: (gone) => new Promise((resolve) => gone.addEventListener('abort', () => resolve('ended'), { once: true })),
  };
};

/** What to be told of while a connection is served. */
interface ConnectionHooks {
  readonly onData: () => void;
}

/** Answers the upgrade. */
const connectionOf = async (
  { clock }: StreamParts,
  { transport }: StreamRequest,
  session: Session,
  { request, socket, head }: Upgraded,
): Promise<(hooks: ConnectionHooks) => Pick<ClientConnection, 'close'> & { serve(): Promise<Error | undefined> }> => {
  const { protocol } = session;
  if (transport === 'websocket') {
    const opened = await openWebSocket(request, { socket, head }, protocol);
    return (hooks) => new WebSocketChannels(opened, { ...session, ...hooks, clock });
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n` +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  return (hooks) => {
    const connection = new SpdyConnection(socket, { ...session, ...hooks, clock });
    return { serve: () => connection.serve(head), close: () => connection.close() };
  };
};

/** Serves the streams of one client until all is said, it leaves, or nothing flows any more. */
const converse = async (
  { clock, log }: StreamParts,
  connect: Awaited<ReturnType<typeof connectionOf>>,
  { work }: Session,
  signal: AbortSignal,
): Promise<SessionOutcome> => {
  let lastAt = clock.mono();
  const onData = () => {
    lastAt = clock.mono();
  };
  const connection = connect({ onData });
  const gone = new AbortController();
  let cancel: () => void;
  const watch = (ms: number) => {
    cancel = clock.timer(ms, () => {
      const left = lastAt + IDLE_MS - clock.mono();
      if (left > 0) watch(left);
      else connection.close();
    });
  };
  watch(IDLE_MS);
  const serving = connection.serve().then((fault) => {
    if (fault) log.warn({}, `A client of the kubelet endpoint does not keep to its protocol: ${fault.message}`);
    gone.abort(new Error('The client has left.'));
  });
  const done = await work(AbortSignal.any([gone.signal, signal])).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    if (!gone.signal.aborted && !signal.aborted)
      log.info({}, `A session of the kubelet endpoint has ended: ${message}`);
    connection.close();
    return 'failed' as const;
  });
  const hasLeft = gone.signal.aborted;
  // The client closes the connection when it has read all; what was written would be lost if it were closed here.
  const cancelLeaving = clock.timer(LEAVE_MS, () => connection.close());
  await serving;
  cancelLeaving();
  cancel!();
  if (signal.aborted) return 'stopped';
  return done === 'failed' && hasLeft ? 'left' : done;
};

/** Answers in place of the upgrade. */
const refuse = (log: Log, socket: Duplex, error: unknown, signal: AbortSignal): void => {
  const [code, message] = refusalOf(error);
  if (code === 500 && !signal.aborted) log.error({ error }, 'A request to the kubelet endpoint failed');
  if (socket.destroyed) return;
  const body = JSON.stringify(refusalStatus(code, message));
  socket.end(
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
};

const refusalOf = (error: unknown): readonly [code: number, message: string] => {
  if (error instanceof Refusal) return [error.status, error.message];
  if (error instanceof CloudFault) return [error.kind === 'refused' ? 400 : 503, error.message];
  if (error instanceof KubeFault) return [503, error.message];
  return [500, 'The request failed; see the log of the controller'];
};
