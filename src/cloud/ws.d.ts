/** Of the package `ws`, which has no types of its own: what is used of it. Source: its doc/ws.md. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  export interface ClientOptions {
    readonly followRedirects?: boolean;
    readonly headers?: Readonly<Record<string, string>>;
    readonly rejectUnauthorized?: boolean;
    /** Milliseconds. */
    readonly handshakeTimeout?: number;
    /** Bytes of one message. */
    readonly maxPayload?: number;
    readonly perMessageDeflate?: boolean;
  }

  export class WebSocket extends EventEmitter {
    constructor(address: string, options?: ClientOptions);
    constructor(address: string, protocols: readonly string[], options?: ClientOptions);
    /** The subprotocol that was agreed on; "" for none. */
    readonly protocol: string;
    readonly isPaused: boolean;
    close(code?: number, reason?: string): void;
    pause(): void;
    ping(): void;
    resume(): void;
    send(data: Buffer | string, done: (error?: Error) => void): void;
    terminate(): void;
    on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
    on(event: 'close', listener: (code: number, reason: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'open', listener: () => void): this;
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: {
      readonly noServer: true;
      readonly clientTracking?: boolean;
      readonly maxPayload?: number;
      readonly perMessageDeflate?: boolean;
      /** Which of those that the client offers; not asked if it offers none. */
      readonly handleProtocols?: () => string;
    });
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, opened: (client: WebSocket) => void): void;
  }
}
