import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { ExecutionContext } from 'ava';
import { parse } from 'yaml';

/** An object as a test sees it: anything. The tests look at fields by path. */
export interface Body {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number;
    readonly continue?: string;
    readonly [field: string]: unknown;
  };
  readonly items?: readonly Body[];
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: Body;
  /** Values of the header `Warning`. */
  readonly warnings: readonly string[];
}

export interface Sent {
  readonly contentType?: string;
  readonly accept?: string;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Body;
}

/** A watch that is under way. */
export interface Watching {
  /** The events so far, from the first. */
  readonly events: WatchEvent[];
  /** Resolves with the first event from here on that fits; rejects when the stream ends before. */
  readonly until: (fits: (event: WatchEvent) => boolean) => Promise<WatchEvent>;
  /** Resolves when the server ends the stream. */
  readonly ended: Promise<void>;
  readonly close: () => void;
}

/** Requests to one API server, in a namespace of their own. */
export interface Api {
  readonly namespace: string;
  readonly request: (method: string, path: string, body?: unknown, sent?: Sent) => Promise<Answer>;
  readonly watch: (path: string, sent?: Sent) => Promise<Watching>;
  /** Makes the server forget its history; false where that is not possible. */
  readonly compact: () => Promise<boolean>;
}

export interface Behaviour {
  readonly title: string;
  readonly check: (t: ExecutionContext, api: Api) => Promise<void>;
}

/** The array in a field, or none. */
export const arrayIn = (object: Readonly<Record<string, unknown>> | undefined, field: string): readonly unknown[] =>
  (object?.[field] as unknown[] | undefined) ?? [];

/** Strings in order, where the server promises none. */
export const inOrder = (strings: Iterable<string>): string[] => [...strings].sort((a, b) => (a < b ? -1 : 1));

/** How long a request or a watch may last: far more than a busy machine takes. */
const LONGEST_MS = 300_000;

const readAll = async (response: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return text;
};

const watching = (response: IncomingMessage): Watching => {
  const events: WatchEvent[] = [];
  let read = 0;
  let wake: (() => void) | undefined;
  let over = false;
  const lines = createInterface({ input: response });
  lines.on('line', (line) => {
    events.push(JSON.parse(line) as WatchEvent);
    wake?.();
  });
  // A stream that breaks off, by the signal or otherwise, is closed without an end.
  response.on('error', () => lines.close());
  lines.on('error', () => lines.close());
  const ended = new Promise<void>((resolve) => {
    lines.once('close', () => {
      over = true;
      wake?.();
      resolve();
    });
  });
  return {
    events,
    ended,
    close: () => response.destroy(),
    until: async (fits) => {
      for (;;) {
        while (read < events.length) {
          const event = events[read];
          read += 1;
          if (event !== undefined && fits(event)) return event;
        }
        if (over) throw new Error(`the watch ended after ${JSON.stringify(events.map(({ type }) => type))}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
};

/** A client for the cluster of a kubeconfig; namespaces are asked for by the tests. */
export const connect = async (kubeconfig: string, compact: (() => Promise<void>) | undefined) => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const server = new URL(config.getCurrentCluster()?.server ?? '');
  const secured: RequestOptions = {};
  await config.applyToHTTPSOptions(secured);

  const send = (method: string, path: string, body: unknown, { contentType, accept }: Sent): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const headers = {
        ...(secured.headers as Record<string, string> | undefined),
        ...(accept === undefined ? {} : { accept }),
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
        'content-length': Buffer.byteLength(text ?? ''),
      };
      const options = { ...secured, method, headers, signal: AbortSignal.timeout(LONGEST_MS) };
      const made =
        server.protocol === 'https:'
          ? httpsRequest(new URL(path, server), options, resolve)
          : httpRequest(new URL(path, server), { ...options, agent: undefined }, resolve);
      made.on('error', reject);
      made.end(text);
    });

  const request = async (method: string, path: string, body?: unknown, sent: Sent = {}): Promise<Answer> => {
    const response = await send(method, path, body, sent);
    const text = await readAll(response);
    const json = (response.headers['content-type'] ?? '').includes('json');
    // Node reads headers as latin1, and Go writes UTF-8.
    const warnings = (response.headersDistinct['warning'] ?? []).map((line) => Buffer.from(line, 'latin1').toString());
    return { status: response.statusCode ?? 0, text, body: (json ? JSON.parse(text) : {}) as Body, warnings };
  };

  let count = 0;
  return {
    request,
    /** The same for one test: with a new namespace. */
    forTest: async (): Promise<Api & { cleanUp: () => Promise<void> }> => {
      count += 1;
      const namespace = `behaviour-${process.pid}-${count}`;
      await request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
      const watches: Watching[] = [];
      return {
        namespace,
        request,
        watch: async (path, sent = {}) => {
          const response = await send('GET', path, undefined, sent);
          const watch = watching(response);
          watches.push(watch);
          return watch;
        },
        compact: async () => {
          await compact?.();
          return compact !== undefined;
        },
        cleanUp: async () => {
          for (const watch of watches) watch.close();
          await request('DELETE', `/api/v1/namespaces/${namespace}`);
        },
      };
    },
  };
};

const POLL_MS = 50;

/** Asks again until the answer fits. For what a controller of the real control plane does some moments later. */
export const eventually = async (ask: () => Promise<Answer>, fits: (answer: Answer) => boolean): Promise<Answer> => {
  for (let waited = 0; waited < LONGEST_MS; waited += POLL_MS) {
    const answer = await ask();
    if (fits(answer)) return answer;
    await sleep(POLL_MS);
  }
  return ask();
};

/** The CustomResourceDefinition that is installed with the product. */
export const podEipDefinition = async (): Promise<Body> =>
  parse(await readFile(new URL('../../config/crd/podeips.alibabacloud.com.yaml', import.meta.url), 'utf8')) as Body;

/** Creates a definition and waits until its kind is served. */
export const define = async (request: Api['request'], definition: Body): Promise<void> => {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await request('POST', path, definition);
  const { group, names, versions } = definition.spec as {
    group: string;
    names: { plural: string };
    versions: readonly { name: string }[];
  };
  const served = `/apis/${group}/${versions[0]?.name}/${names.plural}`;
  await eventually(
    () => request('GET', served),
    ({ status }) => status === 200,
  );
};

export const podEips = (namespace: string): string => `/apis/alibabacloud.com/v1beta1/namespaces/${namespace}/podeips`;

/** A PodEIP as the product writes it. */
export const podEip = (name: string, metadata: object = {}, spec: object = {}): object => ({
  apiVersion: 'alibabacloud.com/v1beta1',
  kind: 'PodEIP',
  metadata: { name, ...metadata },
  spec: { allocationID: '', allocationType: { type: 'Auto', releaseStrategy: 'Follow' }, ...spec },
});

export const pods = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;

export const pod = (name: string, metadata: object = {}, spec: object = {}): object => ({
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
});

export const MERGE: Sent = { contentType: 'application/merge-patch+json' };
export const JSON_PATCH: Sent = { contentType: 'application/json-patch+json' };
export const STRATEGIC: Sent = { contentType: 'application/strategic-merge-patch+json' };
export const APPLY: Sent = { contentType: 'application/apply-patch+yaml' };
