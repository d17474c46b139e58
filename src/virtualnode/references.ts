import { CONFIG_MAP, SECRET } from '../api/core.ts';
import { PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM } from '../api/persistent-volumes.ts';
import { KubeFault, UNAUTHORIZED } from '../kube/fault.ts';
import type { Kube, KubeObject, ObjectRef, Resource } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { KubeletCalls } from './api-server.ts';
import { claimUser, type ClaimUserPorts } from './claim-users.ts';
import { REFERENCES_MISSING } from './instance-status.ts';
import { claimNameOf, isForOne } from './translate/bound-claims.ts';
import { tokenKey, type ReadClaim, type Remark, type TranslationInput } from './translate/input.ts';
import { WORKLOAD_POD, type TokenProjection, type Volume, type WorkloadPod } from './workload-pod.ts';

/** The objects that a pod refers to, by name, except those that do not exist. */
export interface References extends Pick<
  TranslationInput,
  'configMaps' | 'secrets' | 'tokens' | 'claims' | 'withheld'
> {
  /** Something was forbidden, also a token or a claim. @default false */
  readonly isForbidden?: boolean | undefined;
}

/** Whether something is there, or may be, that the pod cannot have yet. */
export const isKept = ({ claims, isForbidden }: References): boolean =>
  isForbidden === true || [...claims.values()].some(({ usedBy }) => usedBy !== undefined);

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
 * does not exist yet. What may not be read is withheld, and the pod waits for it, also where it is optional, as at a
 * kubelet: what it does not know may be there.
 */
export const readReferences = async (
  ports: {
    /** With the identity of the node. */
    readonly kube: Kube;
    /** Sees pods of other nodes. */
    readonly clusterKube: Kube;
    readonly calls: KubeletCalls;
    readonly clock: Clock;
    readonly claimUsers: ClaimUserPorts;
  },
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<References> => {
  const { kube, calls, clock } = ports;
  const { configMaps, secrets, tokens } = namesIn(pod);
  const { namespace } = pod.metadata;
  const withheld: Remark[] = [];
  const patience = patienceOf(clock, pod, signal);
  const read = async <T extends KubeObject>(resource: Resource<T>, names: ReadonlySet<string>) => {
    const found = new Map<string, T>();
    for (const name of names) {
      try {
        const object = await patience.ask(() => addressable(() => kube.get(resource, { namespace, name }, signal)));
        if (object) found.set(name, object);
      } catch (error) {
        if (!isWithheld(error)) throw error;
        withheld.push(withheldRemark(`${resource.kind} ${name}`, error));
      }
    }
    return found;
  };
  const made = new Map<string, string>();
  for (const projection of tokens)
    try {
      made.set(tokenKey(projection), await patience.ask(() => calls.requestToken(pod, projection, signal)));
    } catch (error) {
      if (!(error instanceof KubeFault) || (error.kind !== 'notFound' && error.kind !== 'forbidden')) throw error;
    }
  return {
    configMaps: await read(CONFIG_MAP, configMaps),
    secrets: await read(SECRET, secrets),
    tokens: made,
    claims: await readClaims(ports, patience, pod, signal),
    withheld,
    isForbidden: patience.isForbidden(),
  };
};

/** Whether a right is missing, or the API server has not seen yet that the pod is the node's. */
const isWithheld = (error: unknown): error is KubeFault =>
  error instanceof KubeFault && error.kind === 'forbidden' && error.status !== UNAUTHORIZED;

const withheldRemark = (what: string, { message }: KubeFault): Remark => ({
  field: 'spec',
  problem: `this node may not read the ${what} yet: ${message}`,
  remedy:
    'wait: it is asked for again; if it stays so, apply the roles of config/virtual-node, or of config/virtual-node-service-account with virtualNode.identity serviceAccount',
});

/**
 * The claims of the pod's volumes, and what they are bound to. What may not be read, as where the right is missing or a
 * volume names another claim, is left out, as what does not exist is.
 */
const readClaims = async (
  { kube, clusterKube, claimUsers }: Omit<Parameters<typeof readReferences>[0], 'calls' | 'clock'>,
  patience: Patience,
  pod: WorkloadPod,
  signal: AbortSignal,
): Promise<References['claims']> => {
  const { namespace } = pod.metadata;
  const names = present((pod.spec.volumes ?? []).map((volume) => claimNameOf(volume, pod)));
  const found = new Map<string, ReadClaim>();
  const get = async <T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): Promise<T | undefined> => {
    try {
      return await patience.ask(() => addressable(() => kube.get(resource, ref, signal)));
    } catch (error) {
      if (isWithheld(error)) return undefined;
      throw error;
    }
  };
  for (const name of names) {
    const claim = await get(PERSISTENT_VOLUME_CLAIM, { namespace, name });
    if (!claim) continue;
    const volumeName = claim.status?.phase === 'Bound' ? claim.spec?.volumeName : undefined;
    const volume = volumeName ? await get(PERSISTENT_VOLUME, { name: volumeName }) : undefined;
    found.set(name, { claim, volume });
  }
  if (![...found.values()].some(({ volume }) => volume && isForOne(volume))) return found;
  const pods = await clusterKube.list(WORKLOAD_POD, { namespace }, signal);
  for (const [name, read] of found) {
    if (!read.volume || !isForOne(read.volume)) continue;
    const users = pods.filter((each) => usesClaim(each, name));
    found.set(name, { ...read, usedBy: await claimUser(claimUsers, { pod, claim: read.claim, users }, signal) });
  }
  return found;
};

/** API servers take any text for the name of what a pod refers to, such as `..`; no object has such a name. */
const addressable = async <T>(get: () => Promise<T | undefined>): Promise<T | undefined> => {
  try {
    return await get();
  } catch (error) {
    if (error instanceof KubeFault && error.kind === 'invalid' && error.status === undefined) return undefined;
    throw error;
  }
};

const usesClaim = (pod: WorkloadPod, name: string): boolean =>
  pod.spec.volumes?.some((volume) => claimNameOf(volume, pod) === name) ?? false;

/** For how many more times, and after which pause, what is forbidden is asked for again. */
const MORE = 2;
const LAG_MS = 500;

/** How what a pod refers to is asked for. */
interface Patience {
  readonly ask: <T>(get: () => Promise<T>) => Promise<T>;
  /** Whether something was. */
  readonly isForbidden: () => boolean;
}

/**
 * Of a pod that has just come. Where one thing is forbidden the pod waits in any case, and what it refers to beside
 * that is asked for once, as is everything of a pod that waits already: pauses would hold up the other pods of the
 * node.
 */
const patienceOf = (clock: Clock, pod: WorkloadPod, signal: AbortSignal): Patience => {
  let isForbidden = false;
  return {
    ask: async (get) => {
      try {
        return await (isForbidden || pod.status?.reason === REFERENCES_MISSING ? get() : afterLag(clock, get, signal));
      } catch (error) {
        isForbidden ||= isWithheld(error);
        throw error;
      }
    },
    isForbidden: () => isForbidden,
  };
};

/**
 * What is asked for as the node, though the API server that is asked may not have seen yet that the pod is the node's:
 * the Node authorizer of each follows by a watch of its own, and answers 403 until then, as where a right is missing.
 */
const afterLag = async <T>(clock: Clock, ask: () => Promise<T>, signal: AbortSignal): Promise<T> => {
  for (let left = MORE; ; left -= 1)
    try {
      return await ask();
    } catch (error) {
      if (left === 0 || !isWithheld(error)) throw error;
      await clock.sleep(LAG_MS, signal);
    }
};
