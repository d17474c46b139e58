import { EIP_POLICY, type EipPolicy } from '../../api/eippolicy.ts';
import { NAMESPACE, type Namespace } from '../../api/core.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import { reasonPolicyOf } from '../../api/reason-policy.ts';
import { ramActionIn } from '../../cloud/alicloud/to-fault.ts';
import { effectivePolicy, packagesOf } from '../../policies/policy.ts';
import { namespaceHoldingOf, reportPolicies } from '../../policies/policy-status.ts';
import { unknownFields } from '../../policies/read-policy.ts';
import { knownAs, type Answer, type NamespaceFact, type PodEipFact, type PolicyFact } from '../facts.ts';
import { after, ask, type Reading } from './ask.ts';
import { isKindAbsent } from './read-cluster.ts';

/** The objects themselves, which the bundle has, too. */
export interface AddressObjects {
  readonly podEips: Answer<readonly PodEip[]>;
  readonly policies: Answer<readonly EipPolicy[]>;
  readonly namespaces: Answer<readonly Namespace[]>;
}

/** A kind that is not installed has no objects; that it is not is a finding of its own. */
const orNone = async <T>(list: Promise<readonly T[]>): Promise<readonly T[]> => {
  try {
    return await list;
  } catch (error) {
    if (isKindAbsent(error)) return [];
    throw error;
  }
};

export const readAddressObjects = async (reading: Reading): Promise<AddressObjects> => {
  const { kube } = reading;
  const [podEips, policies, namespaces] = await Promise.all([
    ask(reading, (signal) => orNone(kube.list(PODEIP, {}, signal))),
    ask(reading, (signal) => orNone(kube.list(EIP_POLICY, {}, signal))),
    ask(reading, (signal) => kube.list(NAMESPACE, {}, signal)),
  ]);
  return { podEips, policies, namespaces };
};

const podEipFact = (podEip: PodEip, now: number): PodEipFact => {
  const ready = podEip.status?.conditions?.find(({ type }) => type === 'Ready');
  const since = Date.parse(ready?.lastTransitionTime ?? podEip.metadata.creationTimestamp ?? '');
  const reason = ready?.reason ?? 'Pending';
  return {
    namespace: podEip.metadata.namespace ?? '',
    name: podEip.metadata.name,
    allocationId: podEip.spec.allocationID,
    isLeaving: podEip.metadata.deletionTimestamp !== undefined,
    isAuto: podEip.spec.allocationType.type === 'Auto',
    reason,
    message: ready?.message ?? '',
    refusedAction: ready?.status === 'False' ? ramActionIn(ready.message ?? '') : undefined,
    isStuck: ready?.status === 'False' && reasonPolicyOf(reason)?.phase === 'attention',
    ageMs: Number.isNaN(since) ? 0 : Math.max(0, now - since),
  };
};

const byNamespace = (podEips: readonly PodEip[]): ReadonlyMap<string, readonly PodEip[]> =>
  Map.groupBy(podEips, ({ metadata }) => metadata.namespace ?? '');

const policyFacts = (
  policies: readonly EipPolicy[],
  namespaces: readonly Namespace[],
  podEips: readonly PodEip[],
): readonly PolicyFact[] => {
  const held = byNamespace(podEips);
  const reports = reportPolicies({
    policies,
    namespaces: namespaces.map(({ metadata: { name, labels } }) => ({ name, labels })),
    holdingOf: (name) => namespaceHoldingOf(name, held.get(name) ?? []),
    unknownFields: ({ spec }) => unknownFields(spec),
  });
  return policies.map(({ metadata: { name }, spec }) => {
    const { reason, message } = reports.get(name)?.ready ?? { reason: 'InForce', message: '' };
    return { name, reason, message, bandwidthPackages: packagesOf(spec) ?? packageOfDefaults(spec) };
  });
};

const packageOfDefaults = ({ defaults }: EipPolicy['spec']): readonly string[] =>
  defaults?.bandwidthPackage === undefined ? [] : [defaults.bandwidthPackage];

const namespaceFacts = (
  policies: readonly EipPolicy[],
  namespaces: readonly Namespace[],
  podEips: readonly PodEip[],
): readonly NamespaceFact[] => {
  const labels = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.labels]));
  return [...byNamespace(podEips)].map(([name, all]) => {
    const { limits, names } = effectivePolicy(policies, { name, labels: labels.get(name) });
    return {
      name,
      eips: namespaceHoldingOf(name, all).eips,
      ...(limits.eips !== undefined && { limit: limits.eips }),
      policies: names,
    };
  });
};

/** What the objects amount to. */
export const addressFacts = async ({ podEips, policies, namespaces }: AddressObjects, now: number) => {
  const together = <T>(
    make: (policies: readonly EipPolicy[], namespaces: readonly Namespace[], podEips: readonly PodEip[]) => T,
  ): Promise<Answer<T>> =>
    after(policies, (every) => after(namespaces, (known) => after(podEips, (all) => knownAs(make(every, known, all)))));
  return {
    podEips: podEips.known ? knownAs(podEips.value.map((each) => podEipFact(each, now))) : podEips,
    policies: await together(policyFacts),
    namespaces: await together(namespaceFacts),
  };
};
