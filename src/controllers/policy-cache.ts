import { NAMESPACE, type Namespace } from '../api/core.ts';
import { EIP_POLICY, type EipPolicy } from '../api/eippolicy.ts';
import { effectivePolicy, UNRESTRICTED, type EffectivePolicy } from '../request/policy.ts';
import { KubeFault, UNAUTHORIZED } from '../kube/fault.ts';
import type { Kube, KubeObject, KubeTransport, Resource } from '../kube/port.ts';
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

/** The watch of EipPolicies. */
export interface PolicyCache {
  readonly reflector: Reflector<EipPolicy>;
  /** Every policy; undefined as long as that is not known. None where the kind is known not to be installed. */
  known(): readonly EipPolicy[] | undefined;
  /** A quorum read has shown that the kind is not installed. */
  isNotInstalled(): void;
}

/** What of the watch the reconciler needs. */
export type Policies = Pick<PolicyCache, 'known' | 'isNotInstalled'>;

/** How often the kind is looked for while it is not installed. */
const LOOK = { baseMs: 5_000, capMs: 60_000 };

/**
 * Watches EipPolicies. That the kind is not installed is no fault: every namespace may then do what the configuration
 * says.
 */
export const createPolicyCache = ({ log, ...ports }: PolicyCacheOptions): PolicyCache => {
  let said = '';
  let isNotInstalled = false;
  const reflector = createReflector<EipPolicy, EipPolicy>({
    ...ports,
    log: silentLog,
    resource: EIP_POLICY,
    backoff: LOOK,
    keep: ({ metadata: { name, uid, resourceVersion, generation }, spec }) => ({
      metadata: { name, uid, resourceVersion, generation },
      spec,
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
    known: () => (reflector.hasSynced() ? [...reflector.store.values()] : isNotInstalled ? [] : undefined),
    isNotInstalled: () => {
      isNotInstalled = true;
    },
  };
};

/** What a quorum read says about a namespace. */
interface PolicyReading {
  readonly effective: EffectivePolicy;
  /** Read only where some policy exists; undefined otherwise. */
  readonly namespace: Namespace | null | undefined;
}

/** Whether policies mean a namespace for what it is called, and its labels are of no interest. */
const goesByName = ({ spec: { namespaceSelector } }: EipPolicy): boolean => namespaceSelector === undefined;

const DEFINITION: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/**
 * All policies. An API server that has just started answers 404 to kinds that it has not loaded yet
 * (kubernetes/kubernetes issues 71218, 115241), so that only the missing definition says that there are none.
 */
const listPolicies = async (kube: Kube, policies: Policies, signal: AbortSignal): Promise<readonly EipPolicy[]> => {
  try {
    return await kube.list(EIP_POLICY, {}, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
    const { plural, group } = EIP_POLICY;
    if (await kube.get(DEFINITION, { name: `${plural}.${group}` }, signal)) throw error;
    policies.isNotInstalled();
    return [];
  }
};

/**
 * The policy of a namespace by quorum reads. Rejects with a KubeFault: nothing is allowed because it could not be read.
 */
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

/** The policy of a namespace by what the watch has seen; quorum reads where that does not suffice. */
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

/** A policy that comes, changes or goes is a reason to look at every PodEIP again. */
export const feedPolicies = ({ reflector }: PolicyCache, podEips: Reflector<PodEip>, queue: WorkQueue): void => {
  reflector.subscribe(({ type, object, old }) => {
    if (type === 'updated' && JSON.stringify(object.spec) === JSON.stringify(old?.spec)) return;
    for (const { metadata } of podEips.store.values()) queue.add(keyOf(metadata), 'resync');
  });
};
