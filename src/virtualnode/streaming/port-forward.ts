import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../lib/clock.ts';
import type { ClientStream } from './client-stream.ts';
import type { Channel } from './websocket-channels.ts';

/**
 * Port-forward as kubelets speak it (client-go tools/portforward/portforward.go): for each connection a stream `error`
 * and a stream `data`, which have the headers `port` and `requestid` in common.
 */
export const PORT_FORWARD_PROTOCOLS: readonly string[] = ['portforward.k8s.io'];
/** By WebSocket (k8s.io/cri-streaming pkg/streaming/portforward/websocket.go); the last is of who asks for none. */
export const PORT_FORWARD_CHANNELS: readonly string[] = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', ''];

/**
 * On a WebSocket there is one connection for each port of the query, with two channels that begin with the number of
 * the port (k8s.io/cri-streaming pkg/streaming/portforward/websocket.go).
 */
export const forwardChannels = (ports: readonly number[]): readonly Channel[] =>
  ports.flatMap((port, at) => {
    const greeting = Buffer.alloc(2);
    greeting.writeUInt16LE(port);
    return ['data', 'error'].map((type) => ({
      headers: new Map([
        ['streamtype', type],
        ['port', String(port)],
        ['requestid', String(at)],
      ]),
      greeting,
    }));
  });

/** Where a port leads to. */
interface ForwardTarget {
  /** The private address of the instance. */
  readonly address: string;
  /** As it is named in messages: `pod web, uid 1-2-3`. */
  readonly name: string;
}

/** Time limit for a connection to the instance. */
const CONNECT_MS = 10_000;

/** Pairs the streams of one client, and connects each pair to a port of the instance. */
export class PortForwarding {
  readonly #target: ForwardTarget;
  readonly #clock: Clock;
  readonly #errors = new Map<string, ClientStream>();

  constructor(target: ForwardTarget, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
  }

  /** False for a stream that is none of port-forward's. */
  take(stream: ClientStream): boolean {
    const { headers } = stream;
    const port = Number(headers.get('port') ?? NaN);
    const id = headers.get('requestid');
    if (!Number.isInteger(port) || port < 1 || port > 65_535 || id === undefined) return false;
    const key = `${id} ${port}`;
    switch (headers.get('streamtype') ?? '') {
      case 'error':
        if (this.#errors.has(key)) return false;
        this.#errors.set(key, stream);
        // Clients finish it at once; nothing that they say there is read, and its end is only seen by who reads.
        stream.resume();
        stream.once('close', () => this.#errors.delete(key));
        return true;
      case 'data': {
        // Clients open it after the other, and wait for the answer to that.
        const errors = this.#errors.get(key);
        if (!errors) return false;
        this.#errors.delete(key);
        void this.#forward(stream, errors, port);
        return true;
      }
      default:
        return false;
    }
  }

  async #forward(data: ClientStream, errors: ClientStream, port: number): Promise<void> {
    // What the instance does not take waits in the stream, where it is counted.
    const options = { host: this.#target.address, port, allowHalfOpen: true, writableHighWaterMark: 1 };
    const socket = connect(options);
    try {
      await this.#connected(socket);
      // Each way ends by itself: a client that has sent all may still be answered.
      await Promise.all([pipeline(data, socket, { end: true }), pipeline(socket, data, { end: true })]);
    } catch (error) {
      // Clients reset the stream when the instance has closed (client-go, handleConnection), and close all connections
      // if they are told of a fault then.
      const hasLeft = error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
      const words = error instanceof Error ? error.message : String(error);
      if (!hasLeft && !errors.destroyed)
        errors.write(`error forwarding port ${port} to ${this.#target.name}: ${words}`);
    } finally {
      errors.end();
      socket.destroy();
      data.destroy();
    }
  }

  #connected(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.timer(CONNECT_MS, () =>
        socket.destroy(new Error(`nothing answers at ${this.#target.address} in ${CONNECT_MS / 1_000} s`)),
      );
      socket.once('connect', () => {
        cancel();
        resolve();
      });
      socket.once('error', (error) => {
        cancel();
        reject(error);
      });
    });
  }
}
