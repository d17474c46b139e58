import type { ExecutionContext } from 'ava';
import { POD } from '../../src/api/core.ts';
import type { Pod } from '../../src/api/core.ts';
import type { KubeObject, KubeTransport } from '../../src/kube/port.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import type { ReflectorOptions } from '../../src/kube/reflector.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { scriptedApi } from './scripted-api.ts';
import type { KubeExchange } from './scripted-api.ts';
import { fixedRandom } from '../harness/random.ts';
import { ManualClock, settled } from '../harness/clock.ts';

/** What the reflectors of these tests keep of a pod. */
export interface Kept extends KubeObject {
  readonly node: string | undefined;
}

export const pod = (name: string, resourceVersion: number, uid = `uid-${name}`, nodeName?: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'n', name, uid, resourceVersion: String(resourceVersion) },
  spec: { nodeName, containers: ['large'] },
});

export const listOf = (resourceVersion: number, ...items: unknown[]) => ({
  kind: 'PodList',
  apiVersion: 'v1',
  metadata: { resourceVersion: String(resourceVersion) },
  items,
});

export const bookmark = (resourceVersion: number) => ({
  kind: 'Pod',
  metadata: { resourceVersion: String(resourceVersion) },
});

export const status = (code: number, reason: string) => ({
  kind: 'Status',
  metadata: {},
  status: 'Failure',
  code,
  reason,
  message: reason,
});

type Step = (exchange: KubeExchange) => void;

/** Counts something that happens, and says when there was enough of it. */
const tally = () => {
  let count = 0;
  let waiting: { readonly enough: number; readonly resolve: () => void }[] = [];
  return {
    add: () => {
      count += 1;
      for (const { resolve } of waiting.filter(({ enough }) => count >= enough)) resolve();
      waiting = waiting.filter(({ enough }) => count < enough);
    },
    reached: (enough: number) =>
      new Promise<void>((resolve) => {
        if (count >= enough) resolve();
        else waiting.push({ enough, resolve });
      }),
  };
};

/**
 * A clock on which backoffs are over at once and deadlines come where the test lets time pass: how long the machine
 * takes for a request then decides nothing.
 */
export const hurriedClock = (): { readonly clock: Clock; readonly advance: (ms: number) => Promise<void> } => {
  const manual = new ManualClock();
  return {
    clock: {
      now: () => manual.now(),
      mono: () => manual.mono(),
      timer: (ms, fire) => manual.timer(ms, fire),
      sleep: async (ms, signal) => {
        await settled();
        signal?.throwIfAborted();
        manual.freeze(ms);
      },
    },
    advance: (ms) => manual.advance(ms),
  };
};

/** The same transport; `handled` is called for each line of a stream once its reader asks for the next one. */
const telling =
  (transport: KubeTransport, handled: () => void): KubeTransport =>
  async (request) => {
    const response = await transport(request);
    return {
      status: response.status,
      header: (name) => response.header(name),
      text: () => response.text(),
      lines: async function* () {
        for await (const line of response.lines()) {
          yield line;
          handled();
        }
      },
    };
  };

/** Answers the n-th list and the n-th watch with the n-th step; the last step of each stays. */
export const reflecting = async (
  t: ExecutionContext,
  script: { lists: Step[]; watches: Step[] },
  more: Partial<ReflectorOptions<Pod, Kept>> = {},
) => {
  const watches: URLSearchParams[] = [];
  const lists: URLSearchParams[] = [];
  const watched = tally();
  const handled = tally();
  const told = tally();
  const { clock, advance } = hurriedClock();
  const { connection } = await scriptedApi(t, (exchange) => {
    const watching = exchange.query.has('watch');
    const [log, steps] = watching ? [watches, script.watches] : [lists, script.lists];
    log.push(exchange.query);
    if (watching) exchange.response.writeHead(200).flushHeaders();
    steps[Math.min(log.length, steps.length) - 1]?.(exchange);
    if (watching) watched.add();
  });
  const log = recordingLog();
  const reflector = createReflector<Pod, Kept>({
    transport: telling(connection.watches, handled.add),
    clock,
    random: fixedRandom(),
    log,
    resource: POD,
    keep: ({ metadata: { namespace, name, uid, resourceVersion }, spec }) =>
      name.startsWith('dull')
        ? undefined
        : { metadata: { namespace, name, uid, resourceVersion }, node: spec.nodeName },
    indexes: { node: ({ node }) => (node === undefined ? [] : [node]) },
    backoff: { baseMs: 4, capMs: 16 },
    ...more,
  });
  const events: string[] = [];
  reflector.subscribe(({ type, object, old, from }) => {
    const was = old === undefined ? '' : ` was ${old.metadata.resourceVersion}`;
    events.push(`${from} ${type} ${object.metadata.uid}@${object.metadata.resourceVersion}${was}`);
    told.add();
  });
  const stop = new AbortController();
  const start = () => {
    const run = reflector.run(stop.signal);
    t.teardown(async () => {
      stop.abort(new Error('end of test'));
      await run;
    });
    return run;
  };
  return {
    reflector,
    events,
    lists,
    watches,
    log,
    stop,
    start,
    /** Lets time pass. */
    advance,
    /** Resolves once so many events were delivered. */
    seen: told.reached,
    /** Resolves once so many watches have been asked for, and the server has said to the last what it says at first. */
    watched: watched.reached,
    /** Resolves once so many lines of watches have been dealt with, bookmarks included. */
    handled: handled.reached,
  };
};

/** Leaves the stream open and says nothing. */
export const stay: Step = () => undefined;
