import type { KubeObject, Resource } from '../../../src/kube/port.ts';
import { createReflector } from '../../../src/kube/reflector.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { FollowContext } from '../../../src/sandbox/cluster/follow-objects.ts';

interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
}

export interface CoreService extends KubeObject {
  readonly spec: { readonly clusterIP?: string; readonly type?: string; readonly ports?: readonly ServicePort[] };
}

export interface EndpointSlice extends KubeObject {
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly conditions?: { readonly ready?: boolean | null };
      }[]
    | null;
  readonly ports?: readonly { readonly name?: string | null; readonly port?: number | null }[] | null;
}

export const CORE_SERVICE: Resource<CoreService> = {
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  namespaced: true,
};
const ENDPOINT_SLICE: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};
const SERVICE_NAME = 'kubernetes.io/service-name';

export interface Backend {
  readonly host: string;
  readonly port: number;
}

/** What the stand-ins for kube-proxy, DNS and ingress know of Services: a watch of them and of their EndpointSlices. */
export const followServices = (context: FollowContext, signal: AbortSignal) => {
  const watch = <T extends KubeObject>(resource: Resource<T>, indexes?: Record<string, (object: T) => string[]>) =>
    createReflector<T, T>({ ...context, log: silentLog, resource, keep: (object) => object, indexes });
  const services = watch(CORE_SERVICE);
  const slices = watch(ENDPOINT_SLICE, {
    service: ({ metadata }) => [`${metadata.namespace}/${metadata.labels?.[SERVICE_NAME]}`],
  });
  const ended = Promise.all([services.run(signal), slices.run(signal)]);

  /** All endpoints that are ready, behind the port of that number or name. */
  const backends = (namespace: string, name: string, port: number | string): readonly Backend[] => {
    const service = services.store.get(`${namespace}/${name}`);
    const wanted = service?.spec.ports?.find((it) => it.port === port || it.name === port);
    if (!wanted) return [];
    return [...slices.store.by('service', `${namespace}/${name}`)].flatMap(({ endpoints, ports }) => {
      // An EndpointSlice has resolved names and numbers of target ports already.
      const target = ports?.find((it) => (it.name ?? '') === (wanted.name ?? ''))?.port;
      if (target === undefined || target === null) return [];
      return (endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses }) => addresses.map((host) => ({ host, port: target })));
    });
  };
  return { services, backends, ended };
};

export type Services = ReturnType<typeof followServices>;

export const anyOf = <T>(all: readonly T[]): T | undefined => all[Math.floor(Math.random() * all.length)];
