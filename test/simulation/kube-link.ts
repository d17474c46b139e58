import type { KubeRequest, KubeResponse, KubeTransport } from '../../src/kube/port.ts';
import type { ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { LATEST_WRITE_MS, WATCH_LAG_MS } from './fault-bounds.ts';
import type { Process } from './process.ts';
import { later, never, reset, type Wire } from './wire.ts';

/** How long an exchange takes that nothing delays, one way; milliseconds. */
const TRIP_MS = { least: 2, most: 25 };

/** What becomes of one exchange. */
interface Fate {
  /** When the request takes effect; undefined where it never does. */
  readonly effectInMs: number | undefined;
  /** What the process hears: the true answer, an error status in its place, a broken connection, or nothing. */
  readonly hears: 'answer' | 'reset' | 'nothing' | { readonly status: number; readonly reason: string };
  /** How long after the effect, or where there is none, after the request. */
  readonly inMs: number;
}

const UNAVAILABLE = { status: 503, reason: 'ServiceUnavailable' } as const;

const FATES = [
  'slow',
  'unavailable',
  'throttled',
  'not connected',
  'request lost',
  'answer lost',
  'answered 504',
  'answered 500',
  'late',
  'late and silent',
] as const;

const fateOf = (wire: Wire, isDeath: boolean): Fate & { readonly fault?: string } => {
  const { input } = wire;
  const goesWrong = input.happens(wire.faultRate());
  const trip = input.between(TRIP_MS.least, TRIP_MS.most);
  if (isDeath) return { effectInMs: trip, hears: 'nothing', inMs: trip };
  if (wire.isOut('kubernetes')) return { effectInMs: undefined, hears: 'reset', inMs: trip, fault: 'outage' };
  if (!goesWrong) return { effectInMs: trip, hears: 'answer', inMs: trip };
  wire.count('fault');
  const fault = input.pick(FATES);
  switch (fault) {
    case 'slow':
      return { fault, effectInMs: input.between(trip, 4_000), hears: 'answer', inMs: input.between(trip, 4_000) };
    case 'unavailable':
      return { fault, effectInMs: undefined, hears: UNAVAILABLE, inMs: trip };
    case 'throttled':
      return { fault, effectInMs: undefined, hears: { status: 429, reason: 'TooManyRequests' }, inMs: trip };
    case 'not connected':
      return { fault, effectInMs: undefined, hears: 'reset', inMs: trip };
    case 'request lost':
      return { fault, effectInMs: undefined, hears: 'nothing', inMs: trip };
    case 'answer lost':
      return { fault, effectInMs: trip, hears: input.pick(['reset', 'nothing']), inMs: trip };
    case 'answered 504':
      return { fault, effectInMs: trip, hears: { status: 504, reason: 'Timeout' }, inMs: trip };
    case 'answered 500':
      return { fault, effectInMs: trip, hears: { status: 500, reason: 'InternalError' }, inMs: trip };
    case 'late':
      return { fault, effectInMs: input.between(trip, LATEST_WRITE_MS), hears: 'reset', inMs: -1 };
    case 'late and silent':
      return { fault, effectInMs: input.between(trip, LATEST_WRITE_MS), hears: 'nothing', inMs: -1 };
  }
};

const errorAnswer = ({ status, reason }: { status: number; reason: string }): KubeResponse => {
  const body = JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `simulated: ${reason}`,
    reason,
    code: status,
  });
  return {
    status,
    header: (name) => (status === 429 && name.toLowerCase() === 'retry-after' ? '1' : undefined),
    text: () => Promise.resolve(body),
    lines: () => {
      throw new Error('an error has no lines');
    },
  };
};

/** The body is there before the process looks at it, so that reading it is no further wait. */
const readWhole = async (answer: KubeResponse): Promise<KubeResponse> => {
  const body = await answer.text();
  return { ...answer, text: () => Promise.resolve(body) };
};

/** A process's connection to the API server. */
export const kubeLink = (wire: Wire, process: Process, server: ApiServer): KubeTransport => {
  const base = transport(server);
  const send: KubeTransport = (request) => {
    wire.writes();
    return base(request);
  };

  const exchange = (request: KubeRequest): Promise<KubeResponse> => {
    const { method, path, signal } = request;
    const isSide = path.includes('/leases') || path.includes('/events');
    const label = `${method} ${path}`;
    if (!isSide) process.ios += 1;
    const number = isSide ? undefined : process.ios;
    wire.count('io');
    wire.onRequest(process, method, path, request.body);
    const death = wire.onIo({ process, label, isWrite: method !== 'GET', number });
    // What travels does not depend on who waits for it.
    const { signal: _, ...sent } = request;
    if (death === 'before') return never();
    if (death === 'in flight') {
      wire.time.timer(wire.input.between(20, LATEST_WRITE_MS), () => {
        wire.trace(`${process.name}: ${label} takes effect after the death of its sender`);
        void send(sent);
      });
      return never();
    }
    const { effectInMs, hears, inMs, fault } = fateOf(wire, death === 'after');
    wire.trace(`${process.name} → ${label}${fault === undefined ? '' : ` [${fault}]`} ${request.body ?? ''}`);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      const hear = (ms: number, answered: KubeResponse | undefined) =>
        later(wire, process, Math.max(0, ms), () => {
          if (hears === 'nothing') return;
          const answer = hears === 'answer' ? answered : hears === 'reset' ? undefined : errorAnswer(hears);
          wire.trace(`${process.name} ← ${label}: ${answer?.status ?? 'reset'}`);
          if (answer) resolve(answer);
          else reject(reset());
        });
      // With a late effect the connection breaks first.
      const isLate = inMs < 0;
      if (effectInMs === undefined || isLate) hear(isLate ? TRIP_MS.most : inMs, undefined);
      if (effectInMs === undefined) return;
      wire.time.timer(effectInMs, () => {
        if (death === 'after') process.kill();
        void send(sent)
          .then(readWhole)
          .then((answer) => {
            if (!isLate && death !== 'after') hear(inMs, answer);
          });
      });
    });
  };

  return (request) => {
    if (!process.isAlive) return never();
    return request.path.includes('watch=true') ? openWatch(wire, process, send, request) : exchange(request);
  };
};

/** Lines on their way to a process. */
class Stream implements AsyncIterableIterator<string> {
  readonly #lines: string[] = [];
  #wake: { resolve: (result: IteratorResult<string>) => void; reject: (error: Error) => void } | undefined;
  #end: 'open' | 'ended' | Error = 'open';
  readonly #close: () => void;

  constructor(close: () => void) {
    this.#close = close;
  }

  push(line: string): void {
    if (this.#end !== 'open') return;
    if (this.#wake) this.#wake.resolve({ done: false, value: line });
    else this.#lines.push(line);
    this.#wake = undefined;
  }

  end(how: 'ended' | Error): void {
    if (this.#end !== 'open') return;
    this.#end = how;
    this.#close();
    if (how === 'ended') this.#wake?.resolve({ done: true, value: undefined });
    else this.#wake?.reject(how);
    this.#wake = undefined;
  }

  next(): Promise<IteratorResult<string>> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve({ done: false, value: line });
    if (this.#end === 'ended') return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== 'open') return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#wake = { resolve, reject };
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** How a watch ends that goes wrong, after a while: silently, cleanly, with a broken connection, or with 410. */
const ENDS = ['closes', 'breaks', 'expires', 'stalls'] as const;

const EXPIRED = JSON.stringify({
  type: 'ERROR',
  object: {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'too old resource version: simulated',
    reason: 'Expired',
    code: 410,
  },
});

const openWatch = (wire: Wire, process: Process, send: KubeTransport, request: KubeRequest): Promise<KubeResponse> => {
  const { time, input } = wire;
  const { signal } = request;
  wire.count('watch');
  const rate = wire.faultRate();
  const goesWrong = input.happens(Math.min(0.5, 3 * rate));
  const end = input.pick(ENDS);
  const endInMs = input.between(0, 30_000);
  const lagMs = input.between(0, WATCH_LAG_MS) * (rate > 0 ? 1 : 0);
  const [, plural = ''] = /\/(\w+)\?/.exec(request.path) ?? [];
  const server = new AbortController();
  process.onEnd(() => server.abort(new Error('the process is dead')));
  let isStalled = false;
  /** Lines keep their order, whatever each one's delay. */
  let lastAt = 0;
  const inOrder = (ms: number, work: () => void): void => {
    lastAt = Math.max(lastAt, time.mono() + ms);
    time.timer(lastAt - time.mono(), () => process.deliver(work));
  };
  return new Promise((resolve, reject) => {
    const abort = () => {
      server.abort(signal?.reason);
      reject(signal?.reason as Error);
    };
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort, { once: true });
    if (wire.isOut('kubernetes')) return later(wire, process, 5, () => reject(reset()));
    const arrive = async (): Promise<void> => {
      if (server.signal.aborted) return;
      const answer = await send({ ...request, signal: server.signal });
      if (answer.status !== 200) {
        const whole = await readWhole(answer);
        return inOrder(5, () => resolve(whole));
      }
      const stream = new Stream(() => server.abort(new Error('the watch is closed')));
      inOrder(5, () => resolve({ ...answer, lines: () => stream }));
      if (goesWrong)
        time.timer(endInMs, () => {
          if (server.signal.aborted) return;
          wire.count('fault');
          wire.trace(`${process.name}: the watch of ${plural} ${end}`);
          isStalled = end === 'stalls';
          if (end === 'closes') inOrder(0, () => stream.end('ended'));
          if (end === 'breaks') inOrder(0, () => stream.end(reset()));
          if (end === 'expires') inOrder(0, () => stream.push(EXPIRED));
        });
      try {
        for await (const line of answer.lines()) {
          if (!isStalled) inOrder(input.between(0, lagMs) + 2, () => stream.push(line));
        }
        inOrder(0, () => stream.end('ended'));
      } catch {
        // The reader has closed it.
      }
    };
    time.timer(input.between(TRIP_MS.least, TRIP_MS.most), () => void arrive());
  });
};
