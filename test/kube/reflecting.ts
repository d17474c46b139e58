import type { ExecutionContext } from 'ava';
import { POD } from '../../src/api/core.ts';
import type { Pod } from '../../src/api/core.ts';
import type { KubeObject } from '../../src/kube/port.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import type { ReflectorOptions } from '../../src/kube/reflector.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { recordingLog, scriptedServer } from './scripted-server.ts';
import type { Exchange } from './scripted-server.ts';
import { fixedRandom } from '../harness/random.ts';

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

type Step = (exchange: Exchange) => void;

/** Answers the n-th list and the n-th watch with the n-th step; the last step of each stays. */
export const reflecting = async (
  t: ExecutionContext,
  script: { lists: Step[]; watches: Step[] },
  more: Partial<ReflectorOptions<Pod, Kept>> = {},
) => {
  const watches: URLSearchParams[] = [];
  const lists: URLSearchParams[] = [];
  const { connection } = await scriptedServer(t, (exchange) => {
    const watching = exchange.query.has('watch');
    const [log, steps] = watching ? [watches, script.watches] : [lists, script.lists];
    log.push(exchange.query);
    if (watching) exchange.response.writeHead(200).flushHeaders();
    steps[Math.min(log.length, steps.length) - 1]?.(exchange);
  });
  const log = recordingLog();
  const reflector = createReflector<Pod, Kept>({
    transport: connection.watches,
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
  const awaited: { count: number; resolve: () => void }[] = [];
  reflector.subscribe(({ type, object, old, from }) => {
    const was = old === undefined ? '' : ` was ${old.metadata.resourceVersion}`;
    events.push(`${from} ${type} ${object.metadata.uid}@${object.metadata.resourceVersion}${was}`);
    for (const { count, resolve } of awaited) if (events.length >= count) resolve();
  });
  const seen = (count: number) =>
    new Promise<void>((resolve) => {
      awaited.push({ count, resolve });
      if (events.length >= count) resolve();
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
  return { reflector, events, seen, lists, watches, log, stop, start };
};

/** Leaves the stream open and says nothing. */
export const stay: Step = () => undefined;
