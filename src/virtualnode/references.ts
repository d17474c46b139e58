import { CONFIG_MAP, SECRET } from '../api/core.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { KubeletCalls } from './api-server.ts';
import { tokenKey, type TranslationInput } from './translate/input.ts';
import type { TokenProjection, Volume, WorkloadPod } from './workload-pod.ts';

/** The objects that a pod refers to, by name, except those that do not exist. */
export type References = Pick<TranslationInput, 'configMaps' | 'secrets' | 'tokens'>;

interface Names {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
  readonly tokens: readonly TokenProjection[];
}

/** The names of all objects that the environment, the volumes and the pull secrets of a pod refer to. */
const namesIn = ({ spec }: WorkloadPod): Names => {
  const references: readonly Reference[] = [
    ...(spec.imagePullSecrets ?? []).map(({ name }) => ({ secret: name })),
    ...[...spec.containers, ...(spec.initContainers ?? [])].flatMap(inContainer),
    ...(spec.volumes ?? []).flatMap(inVolume),
  ];
  return {
    configMaps: present(references.map(({ configMap }) => configMap)),
    secrets: present(references.map(({ secret }) => secret)),
    tokens: references.flatMap(({ token }) => token ?? []),
  };
};

/** One reference in a pod. */
interface Reference {
  readonly configMap?: string | undefined;
  readonly secret?: string | undefined;
  readonly token?: TokenProjection | undefined;
}

const inContainer = ({ env = [], envFrom = [] }: WorkloadPod['spec']['containers'][number]): readonly Reference[] => [
  ...env.map(({ valueFrom }) => ({
    configMap: valueFrom?.configMapKeyRef?.name,
    secret: valueFrom?.secretKeyRef?.name,
  })),
  ...envFrom.map(({ configMapRef, secretRef }) => ({ configMap: configMapRef?.name, secret: secretRef?.name })),
];

const inVolume = ({ configMap, secret, projected }: Volume): readonly Reference[] => [
  { configMap: configMap?.name, secret: secret?.secretName },
  ...(projected?.sources ?? []).map((source) => ({
    configMap: source.configMap?.name,
    secret: source.secret?.name,
    token: source.serviceAccountToken,
  })),
];

const present = (names: readonly (string | undefined)[]): Set<string> =>
  new Set(names.filter((name): name is string => name !== undefined && name !== ''));

/**
 * Reads all objects that a pod refers to. Objects that do not exist are left out; the translation decides whether that
 * matters. The same holds for tokens that the API server refuses to create, for example because the service account
 * does not exist yet.
 */
export const readReferences = async (
  { kube, calls, clock }: { readonly kube: Kube; readonly calls: KubeletCalls; readonly clock: Clock },
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<References> => {
  const { configMaps, secrets, tokens } = namesIn(pod);
  const { namespace } = pod.metadata;
  const read = async <T extends KubeObject>(resource: Resource<T>, names: ReadonlySet<string>) => {
    const found = new Map<string, T>();
    for (const name of names) {
      const object = await kube.get(resource, { namespace, name }, signal);
      if (object) found.set(name, object);
    }
    return found;
  };
  const made = new Map<string, string>();
  for (const projection of tokens)
    try {
      made.set(tokenKey(projection), await requestToken({ calls, clock }, pod, projection, signal));
    } catch (error) {
      if (!(error instanceof KubeFault) || (error.kind !== 'notFound' && error.kind !== 'forbidden')) throw error;
    }
  return { configMaps: await read(CONFIG_MAP, configMaps), secrets: await read(SECRET, secrets), tokens: made };
};

/** For how many more times, and after which pause, what is forbidden is asked for again. */
const MORE = 2;
const LAG_MS = 500;

/**
 * A token, though the API server that is asked may not have seen yet that the pod is the node's: the Node authorizer of
 * each follows by a watch of its own, and answers 403 until then, as where a right is missing.
 */
const requestToken = async (
  { calls, clock }: { readonly calls: KubeletCalls; readonly clock: Clock },
  pod: WorkloadPod,
  projection: TokenProjection,
  signal: AbortSignal,
): Promise<string> => {
  for (let left = MORE; ; left -= 1)
    try {
      return await calls.requestToken(pod, projection, signal);
    } catch (error) {
      if (left === 0 || !(error instanceof KubeFault) || error.kind !== 'forbidden') throw error;
      await clock.sleep(LAG_MS, signal);
    }
};
