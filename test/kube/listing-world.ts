import { POD } from '../../src/api/core.ts';
import type { Pod } from '../../src/api/core.ts';
import type { KubeObject, KubeRequest, KubeResponse, KubeTransport } from '../../src/kube/port.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import type { StoreEvent } from '../../src/kube/mirror.ts';
import { transport } from '../../src/sandbox/kube/in-process-transport.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { settled } from '../harness/clock.ts';
import { fixedRandom, seeded } from '../harness/random.ts';
import { recordingLog } from '../harness/recording-log.ts';
import { hurriedClock } from './reflecting.ts';

/** What is kept of a pod that asks. */
interface Kept extends KubeObject {
  readonly node: string | undefined;
}

/** Whoever reads it of an object that has only metadata throws. */
const keep = ({ metadata, spec }: Pod): Kept | undefined =>
  spec.nodeName === 'none' || !asks(metadata) ? undefined : { metadata, node: spec.nodeName };

const asks = ({ annotations }: Pod['metadata']): boolean => annotations?.['ask'] !== undefined;

/** How often it is waited for what comes without any time passing, before a test is said to hang. */
const TURNS = 20_000;

const PODS = '/api/v1/namespaces/default/pods';
export const RELIST_MS = 60_000;

/** What was asked for, without the watches: `metadata`, `whole` for lists, `metadata+`, `whole+` for later pages. */
const wordFor = ({ path, accept = '' }: KubeRequest): string => {
  if (path.startsWith(PODS)) return path.slice(PODS.length + 1);
  return `${accept.includes('PartialObjectMetadataList') ? 'metadata' : 'whole'}${path.includes('continue=') ? '+' : ''}`;
};

const versions = (objects: Iterable<KubeObject>) =>
  Object.fromEntries(
    [...objects].map(({ metadata }) => [metadata.name, `${metadata.uid}@${metadata.resourceVersion}`]),
  );

/** An embedded API with pods in it, and a reflector of those that ask. Its first watch may lose all events. */
export const listingWorld = ({ ignoresAccept = false, isFirstDeaf = false, mayKeep = asks } = {}) => {
  const { clock, advance } = hurriedClock();
  const server = createApiServer({ clock, random: seeded(1) });
  const direct = transport(server);
  const log = recordingLog();
  const asked: string[] = [];
  const underway = { now: 0, most: 0 };
  let streams = 0;
  /** What stands in the way of requests. */
  const world = {
    /** Called when a list has been answered, before the reflector hears it. */
    onListed: undefined as ((word: string) => Promise<void>) | undefined,
    /** Called before a pod is read; what it returns is the answer. */
    onRead: undefined as
      ((name: string, signal: AbortSignal | undefined) => Promise<KubeResponse | undefined>) | undefined,
  };

  const send = async (method: KubeRequest['method'], path: string, body?: object) => {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await direct({ method, path, contentType, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (response.status >= 300) throw new Error(`${method} ${path}: ${text}`);
    return JSON.parse(text) as { items: Pod[] };
  };

  const sent: KubeTransport = async (request) => {
    const { accept: _, ...rest } = request;
    const response = await direct(ignoresAccept ? rest : request);
    if (!request.path.includes('watch=true')) return response;
    streams += 1;
    const stream = streams;
    return {
      ...response,
      lines: async function* () {
        for await (const line of response.lines()) if (stream > 1 || !isFirstDeaf) yield line;
      },
    };
  };

  const watched: KubeTransport = async (request) => {
    if (request.path.includes('watch=true')) return sent(request);
    const word = wordFor(request);
    asked.push(word);
    if (!request.path.startsWith(PODS)) {
      const response = await sent(request);
      await world.onListed?.(word);
      return response;
    }
    underway.now += 1;
    underway.most = Math.max(underway.most, underway.now);
    try {
      await settled();
      return (await world.onRead?.(word, request.signal)) ?? (await sent(request));
    } finally {
      underway.now -= 1;
    }
  };

  const reflector = createReflector<Pod, Kept>({
    transport: watched,
    clock,
    random: fixedRandom(),
    log,
    resource: POD,
    keep,
    mayKeep,
    backoff: { baseMs: 4, capMs: 16 },
    relistEveryMs: RELIST_MS,
  });

  /** What subscribers have been told, put together. Throws where it does not go together. */
  const told = new Map<string, Kept>();
  /** The newest version of each name that anybody was told of: time does not go back. */
  const newest = new Map<string, number>();
  const events: string[] = [];
  reflector.subscribe(({ type, object, old, from }: StoreEvent<Kept>) => {
    const { name, uid, resourceVersion } = object.metadata;
    const before = told.get(name);
    const fits =
      type === 'added' ? before === undefined : before?.metadata.uid === uid && (type === 'deleted' || before === old);
    const isNewer = type === 'deleted' || Number(resourceVersion) > (newest.get(name) ?? 0);
    const was = String(before?.metadata.resourceVersion);
    events.push(`${from} ${type} ${name}${fits && isNewer ? '' : ` @${resourceVersion} although it was @${was}`}`);
    if (type !== 'deleted') newest.set(name, Number(resourceVersion));
    if (type === 'deleted') told.delete(name);
    else told.set(name, object);
  });

  const wait = async (what: string, holds: () => boolean) => {
    for (let turn = 0; !holds(); turn += 1) {
      if (turn === TURNS) throw new Error(`${what} does not come; asked: ${asked.join(' ')}; ${events.join(', ')}`);
      await settled();
    }
  };

  let markers = 0;
  return {
    world,
    reflector,
    asked,
    events,
    log,
    underway,
    advance,
    wait,
    compact: () => server.compact(),
    create: (name: string, asking: boolean) =>
      send('POST', PODS, {
        metadata: { name, ...(asking && { annotations: { ask: 'yes' } }) },
        spec: { nodeName: 'node', containers: [{ name: 'app', image: 'app' }] },
      }),
    /** `ask: null` takes the annotation away. */
    annotate: (name: string, annotations: Readonly<Record<string, string | null>>) =>
      send('PATCH', `${PODS}/${name}`, { metadata: { annotations } }),
    remove: (name: string) => send('DELETE', `${PODS}/${name}`, { gracePeriodSeconds: 0 }),
    /** Lets the watch tell everything that has happened, and compares what is stored with what there is. */
    compare: async () => {
      markers += 1;
      const marker = `marker-${markers}`;
      await send('POST', PODS, {
        metadata: { name: marker, annotations: { ask: 'yes' } },
        spec: { nodeName: 'node', containers: [{ name: 'app', image: 'app' }] },
      });
      await wait(marker, () => reflector.store.get(`default/${marker}`) !== undefined);
      const { items } = await send('GET', PODS);
      return {
        isThere: versions(items.filter((pod) => keep(pod) !== undefined)),
        isStored: versions(reflector.store.values()),
        isTold: versions(told.values()),
      };
    },
  };
};
