import { once } from 'node:events';
import { Agent, createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Kube, KubeObject, Resource } from '../../../src/kube/port.ts';
import type { Requeue } from '../../../src/kube/reconcile-loop.ts';
import { createReflector } from '../../../src/kube/reflector.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { FollowContext } from '../../../src/sandbox/cluster/follow-objects.ts';
import { followObjects } from '../../../src/sandbox/cluster/follow-objects.ts';
import { refOf } from '../../../src/kube/store.ts';
import { anyOf, type Services } from './services.ts';

/** The value of config-network's `ingress-class` that has this stand-in do the work. */
export const INGRESS_CLASS = 'stage.ingress.networking.knative.dev';
const CLASS = 'networking.knative.dev/ingress.class';

interface Split {
  readonly serviceNamespace: string;
  readonly serviceName: string;
  readonly servicePort: number | string;
  readonly percent?: number;
  readonly appendHeaders?: Readonly<Record<string, string>>;
}

interface Path {
  readonly path?: string;
  readonly rewriteHost?: string;
  readonly headers?: Readonly<Record<string, { readonly exact: string }>>;
  readonly splits: readonly Split[];
  readonly appendHeaders?: Readonly<Record<string, string>>;
}

interface Ingress extends KubeObject {
  readonly spec: {
    readonly rules?: readonly {
      readonly hosts?: readonly string[];
      readonly http?: { readonly paths: readonly Path[] };
    }[];
  };
  readonly status?: { readonly observedGeneration?: number };
}

export const INGRESS: Resource<Ingress> = {
  group: 'networking.internal.knative.dev',
  version: 'v1alpha1',
  plural: 'ingresses',
  kind: 'Ingress',
  namespaced: true,
};

const isOurs = ({ metadata }: Ingress): boolean => metadata.annotations?.[CLASS] === INGRESS_CLASS;

const LOAD_BALANCER = { ingress: [{ domainInternal: 'ingress.knative-serving.svc.cluster.local' }] };

const readyStatus = (generation: number | undefined, now: string) => ({
  observedGeneration: generation,
  conditions: ['LoadBalancerReady', 'NetworkConfigured', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: now,
  })),
  publicLoadBalancer: LOAD_BALANCER,
  privateLoadBalancer: LOAD_BALANCER,
});

/** The split that a number from 0 to 1, without 1, falls into. */
const choose = (splits: readonly Split[], draw: number): Split | undefined => {
  let left = draw * 100;
  return splits.find(({ percent = 100 }) => (left -= percent) < 0);
};

const matches = ({ path = '/', headers = {} }: Path, request: IncomingMessage): boolean =>
  (request.url ?? '/').startsWith(path) &&
  Object.entries(headers).every(([name, { exact }]) => request.headers[name.toLowerCase()] === exact);

/**
 * Stand-in for the networking layer (Kourier and the like): marks KIngresses Ready, and proxies HTTP by host to the
 * endpoints of the Services that they name: pods, or the activator.
 */
export const runIngress = async (
  context: FollowContext,
  kube: Kube,
  { backends }: Services,
  host: string,
  signal: AbortSignal,
): Promise<{ readonly ended: Promise<unknown> }> => {
  const ingresses = createReflector<Ingress, Ingress>({
    ...context,
    log: silentLog,
    resource: INGRESS,
    keep: (object) => object,
    indexes: {
      host: ({ spec }) => (spec.rules ?? []).flatMap(({ hosts = [] }) => hosts),
    },
  });

  const sync = async (key: string): Promise<Requeue> => {
    const ingress = await kube.get(INGRESS, refOf(key));
    if (!ingress || !isOurs(ingress) || ingress.metadata.deletionTimestamp !== undefined) return 'done';
    const { generation } = ingress.metadata;
    if (ingress.status?.observedGeneration === generation) return 'done';
    const status = readyStatus(generation, new Date().toISOString());
    await kube.patch(INGRESS, refOf(key), { type: 'merge', subresource: 'status', body: { status } });
    return 'done';
  };

  const route = (request: IncomingMessage) => {
    const name = request.headers.host?.split(':')[0] ?? '';
    const rules = [...ingresses.store.by('host', name)]
      .filter(isOurs)
      .flatMap(({ spec }) => spec.rules ?? [])
      .filter(({ hosts }) => hosts?.includes(name));
    // The more headers are asked for, the more particular the path is.
    const path = rules
      .flatMap(({ http }) => http?.paths ?? [])
      .filter((it) => matches(it, request))
      .toSorted((a, b) => Object.keys(b.headers ?? {}).length - Object.keys(a.headers ?? {}).length)[0];
    const split = path && choose(path.splits, Math.random());
    return split && { path, split };
  };

  const agent = new Agent({ keepAlive: false });
  const proxy = (request: IncomingMessage, response: ServerResponse): void => {
    const way = route(request);
    const fail = (status: number, why: string) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(status, { 'x-ingress': why }).end(`${why}\n`);
    };
    if (!way) return fail(404, 'no route');
    const { serviceNamespace, serviceName, servicePort } = way.split;
    const backend = anyOf(backends(serviceNamespace, serviceName, servicePort));
    if (!backend) return fail(503, `no endpoint of ${serviceName}`);
    const headers = {
      ...request.headers,
      ...(way.path.rewriteHost !== undefined && { host: way.path.rewriteHost }),
      ...way.path.appendHeaders,
      ...way.split.appendHeaders,
    };
    const { method, url: path } = request;
    const upstream = send({ ...backend, method, path, headers, agent });
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    upstream.on('error', (error) => fail(503, `${serviceName} at ${backend.host}: ${error.message}`));
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  };

  const server = createServer({ keepAliveTimeout: 600_000 }, proxy);
  server.listen(80, host);
  await once(server, 'listening');
  signal.addEventListener('abort', () => {
    server.close();
    server.closeAllConnections();
  });
  return { ended: Promise.all([ingresses.run(signal), followObjects(context, [{ resource: INGRESS }], sync, signal)]) };
};
