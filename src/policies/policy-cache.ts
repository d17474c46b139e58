import { CRD } from '../api/apiextensions.ts';
import { NAMESPACE, type Namespace } from '../api/core.ts';
import { EIP_POLICY, type EipPolicy } from '../api/eippolicy.ts';
import { effectivePolicy, UNRESTRICTED, type EffectivePolicy } from './policy.ts';
import { KubeFault, UNAUTHORIZED } from '../kube/fault.ts';
import type { Kube, KubeTransport } from '../kube/port.ts';
import type { WorkQueue } from '../kube/queue.ts';
import { createReflector, type Reflector } from '../kube/reflector.ts';
import { keyOf } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import { silentLog, type Log } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { PodEip } from '../api/podeip.ts';

interface PolicyCacheOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The cache of EipPolicies. */
export interface PolicyCache {
  readonly reflector: Reflector<EipPolicy>;
  /** All policies; undefined until they are known. Empty if the kind is known not to be installed. */
  known(): readonly EipPolicy[] | undefined;
  /** A watch of namespaces, by their names and labels. It works once it is run. */
  watchNamespaces(onTrouble: (fault: KubeFault) => void): Reflector<Namespace>;
  /** To be called when a quorum read has shown that the kind is not installed. */
  isNotInstalled(): void;
}

/** The part of the cache that decisions use. */
export type Policies = Pick<PolicyCache, 'known' | 'isNotInstalled'>;

/** Interval between attempts to watch while the kind is not installed, milliseconds. */
const LOOK = { baseMs: 5_000, capMs: 60_000 };

/**
 * Watches EipPolicies. It is no error if the kind is not installed: then only the configuration restricts namespaces.
 */
export const createPolicyCache = ({ log, ...ports }: PolicyCacheOptions): PolicyCache => {
  let said = '';
  let isNotInstalled = false;
  const reflector = createReflector<EipPolicy, EipPolicy>({
    ...ports,
    log: silentLog,
    resource: EIP_POLICY,
    backoff: LOOK,
    keep: ({ metadata: { name, uid, resourceVersion, generation }, spec, status }) => ({
      metadata: { name, uid, resourceVersion, generation },
      spec,
      status,
    }),
    onTrouble: (fault) => {
      if (fault.kind === said || fault.kind === 'expired') return;
      said = fault.kind;
      if (fault.kind === 'notFound')
        log.info({}, 'The kind EipPolicy is not installed: no namespace is limited; it is looked for again');
      else if (fault.kind === 'forbidden' && fault.status !== UNAUTHORIZED)
        log.error(
          { kind: fault.kind },
          `The service account may not watch EipPolicies; apply config/rbac. Until then no EIP is bought: ${fault.message}`,
        );
      else log.warn({ kind: fault.kind }, `EipPolicies cannot be watched (retrying): ${fault.message}`);
    },
  });
  return {
    reflector,
    watchNamespaces: (onTrouble) =>
      createReflector<Namespace, Namespace>({
        ...ports,
        log: silentLog,
        resource: NAMESPACE,
        keep: ({ metadata: { name, uid, resourceVersion, labels } }) => ({
          metadata: { name, uid, resourceVersion, labels },
        }),
        onTrouble,
      }),
    known: () => (reflector.hasSynced() ? [...reflector.store.values()] : isNotInstalled ? [] : undefined),
    isNotInstalled: () => {
      isNotInstalled = true;
    },
  };
};

/** The result of a quorum read. */
interface PolicyReading {
  readonly effective: EffectivePolicy;
  /** Read only if there is any policy; undefined otherwise. */
  readonly namespace: Namespace | null | undefined;
}

/** Whether a policy selects namespaces by name only, so that their labels need not be read. */
const goesByName = ({ spec: { namespaceSelector } }: EipPolicy): boolean => namespaceSelector === undefined;

/**
 * All policies. An API server that has just started answers 404 for kinds that it has not loaded yet
 * (kubernetes/kubernetes issues 71218, 115241), so that only a missing CustomResourceDefinition proves that there are
 * none.
 */
const listPolicies = async (kube: Kube, policies: Policies, signal: AbortSignal): Promise<readonly EipPolicy[]> => {
  try {
    return await kube.list(EIP_POLICY, {}, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
    const { plural, group } = EIP_POLICY;
    if (await kube.get(CRD, { name: `${plural}.${group}` }, signal)) throw error;
    policies.isNotInstalled();
    return [];
  }
};

/** The policy of a namespace, by quorum reads. Rejects with a KubeFault: what cannot be read allows nothing. */
export const readPolicy = async (
  policies: Policies,
  kube: Kube,
  name: string,
  signal: AbortSignal,
): Promise<PolicyReading> => {
  const all = await listPolicies(kube, policies, signal);
  if (all.length === 0) return { effective: UNRESTRICTED, namespace: undefined };
  const namespace = (await kube.get(NAMESPACE, { name }, signal)) ?? null;
  return { effective: effectivePolicy(all, { name, labels: namespace?.metadata.labels }), namespace };
};

/** The policy of a namespace by the cache, or by quorum reads if the cache is not complete. May be out of date. */
export const recallPolicy = async (
  policies: Policies,
  kube: Kube,
  name: string,
  signal: AbortSignal,
): Promise<EffectivePolicy> => {
  const all = policies.known();
  if (!all) return (await readPolicy(policies, kube, name, signal)).effective;
  if (all.every(goesByName)) return effectivePolicy(all, { name });
  const namespace = await kube.get(NAMESPACE, { name }, signal);
  return effectivePolicy(all, { name, labels: namespace?.metadata.labels });
};

/** Adds all PodEIPs to the queue when a policy is created, changed or deleted. */
export const enqueueForPolicies = ({ reflector }: PolicyCache, podEips: Reflector<PodEip>, queue: WorkQueue): void => {
  reflector.subscribe(({ type, object, old }) => {
    if (type === 'updated' && JSON.stringify(object.spec) === JSON.stringify(old?.spec)) return;
    for (const { metadata } of podEips.store.values()) queue.add(keyOf(metadata), 'resync');
  });
};
