import { EIP_POLICY, type EipPolicy, type EipPolicyStatus } from '../../api/eippolicy.ts';
import type { Namespace } from '../../api/core.ts';
import { STALLED, type PodEip } from '../../api/podeip.ts';
import { KubeFault, UNAUTHORIZED } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import { createQueue } from '../../kube/queue.ts';
import { runController, type Requeue } from '../../kube/reconcile-loop.ts';
import type { Reflector } from '../../kube/reflector.ts';
import { patchUnchanged } from '../../kube/write.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { PolicyCache } from '../../policies/policy-cache.ts';
import {
  namespaceHoldingOf,
  reportPolicies,
  type NamespaceHolding,
  type PolicyReport,
} from '../../policies/policy-status.ts';
import { unknownFields } from '../../policies/read-policy.ts';

interface PoliciesPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly policies: PolicyCache;
  readonly podEips: Reflector<PodEip>;
  /** Whether this process leads. */
  readonly mayAct: () => boolean;
}

/** All policies are looked at together, because each may contradict another. */
const ALL = 'policies';

/** How soon after a change of a policy or namespace it is looked at them, milliseconds. */
const SOON_MS = 1_000;
/** The same for PodEIPs, which change all the time. */
const COUNTED_MS = 10_000;
/** How many policies are written in one turn whose numbers alone are others. */
const MOST_COUNTED = 20;
/** How soon it is tried again where no status can be written, milliseconds: until somebody applies something. */
const REST_MS = 600_000;

/** What is older than this version where no status can be written, as in the middle of an upgrade. */
const OLD = {
  rbac: 'The service account may not patch the status of EipPolicies, so that none is written; apply config/rbac',
  crd: 'The status of EipPolicies cannot be written, because the definition of the kind in the cluster is older than this version; apply config/crd',
};
type Old = keyof typeof OLD;

/**
 * Keeps the status of each EipPolicy: what it means at present, and what of it has no effect. For people: no decision
 * depends on it. Without any policy it asks for nothing.
 */
export const runPolicies = async (ports: PoliciesPorts, signal: AbortSignal): Promise<void> => {
  const { clock, random, log, policies, podEips } = ports;
  const queue = createQueue({ clock, random });
  const told = new Set<string>();
  const sayOnce = (message: string, fields = {}) => {
    if (!told.has(message)) log.warn(fields, message);
    told.add(message);
  };
  const namespaces = policies.watchNamespaces((fault) => {
    if (fault.kind === 'forbidden')
      sayOnce(
        'The service account may not watch namespaces; apply config/rbac. Until then the status of EipPolicies is not written: what they say holds all the same',
      );
    else log.debug({ kind: fault.kind }, `Namespaces cannot be watched (retrying): ${fault.message}`);
  });
  let reflecting: Promise<void> | undefined;
  policies.reflector.subscribe(({ type, object, old }) => {
    if (type === 'updated' && object.metadata.generation === old?.metadata.generation) return;
    reflecting ??= namespaces.run(signal);
    queue.addAfter(ALL, SOON_MS);
  });
  namespaces.subscribe(() => queue.addAfter(ALL, SOON_MS));
  /** What each namespace holds, until one of its PodEIPs changes: there may be 100,000 of them. */
  const holdings = new Map<string, NamespaceHolding>();
  podEips.subscribe(({ object }) => {
    holdings.delete(object.metadata.namespace ?? '');
    if (reflecting) queue.addAfter(ALL, COUNTED_MS);
  });
  let restUntil = 0;
  const rest: Rest = (old, { message }) => {
    // The answer names one policy, and so is no part of what is said once for all of them.
    sayOnce(OLD[old], { error: message });
    restUntil = clock.mono() + REST_MS;
    return { afterMs: REST_MS };
  };
  const reconcile = async (): Promise<Requeue> => {
    // PodEIPs that change bring the key back all the time.
    const restMs = restUntil - clock.mono();
    if (restMs > 0) return { afterMs: restMs };
    // The end of its first list adds the key by the namespaces that it finds.
    if (!namespaces.hasSynced()) return { afterMs: SOON_MS };
    return writeAll(ports, { namespaces, holdings }, rest);
  };
  await runController({ name: 'policies', queue, workers: 1, clock, log, reconcile }, signal);
  await reflecting;
};

interface Known {
  readonly namespaces: Reflector<Namespace>;
  readonly holdings: Map<string, NamespaceHolding>;
}

/** Ends a look at which it was seen that no status can be written. */
type Rest = (old: Old, fault: KubeFault) => Requeue;

const writeAll = async (
  { kube, clock, policies, podEips, mayAct }: PoliciesPorts,
  { namespaces, holdings }: Known,
  rest: Rest,
): Promise<Requeue> => {
  const all = [...policies.reflector.store.values()];
  const reports = reportPolicies({
    policies: all,
    namespaces: [...namespaces.store.values()].map(({ metadata: { name, labels } }) => ({ name, labels })),
    holdingOf: rememberedIn(holdings, podEips.store.values()),
    unknownFields: ({ spec }) => unknownFields(spec),
  });
  let counted = 0;
  let requeue: Requeue = 'done';
  for (const policy of all) {
    const report = reports.get(policy.metadata.name);
    if (!report) continue;
    const wanted = statusOf(policy, report, clock.now());
    const change = changeOf(policy.status, wanted);
    if (change === 'none') continue;
    if (change === 'numbers' && (counted += 1) > MOST_COUNTED) {
      requeue = { afterMs: COUNTED_MS };
      continue;
    }
    if (!mayAct()) return { afterMs: COUNTED_MS };
    try {
      await patchUnchanged(kube, EIP_POLICY, policy, { subresource: 'status', status: wanted });
    } catch (error) {
      if (!(error instanceof KubeFault)) throw error;
      // The cache is behind: what comes by the watch brings the next look, and this one is for what has come already.
      if (error.kind === 'conflict') {
        requeue = { afterMs: SOON_MS };
        continue;
      }
      // It is the same for all policies: the others are not tried.
      const old = await whatIsOld(kube, policy, error);
      if (old) return rest(old, error);
    }
  }
  return requeue;
};

/** Why no status can be written; undefined if only this policy is gone. Throws whatever else the fault is. */
const whatIsOld = async (
  kube: Kube,
  { metadata: { name, uid } }: EipPolicy,
  fault: KubeFault,
): Promise<Old | undefined> => {
  if (fault.kind === 'forbidden' && fault.status !== UNAUTHORIZED) return 'rbac';
  if (fault.kind !== 'notFound') throw fault;
  // A 404 may be for the subresource, or for a policy that was just deleted. There is no right to get a policy.
  const found = await kube.list(EIP_POLICY, { fieldSelector: `metadata.name=${name}` });
  return found.some(({ metadata }) => metadata.uid === uid) ? 'crd' : undefined;
};

/** What a namespace holds: as it was counted before, or counted now. */
const rememberedIn = (
  holdings: Map<string, NamespaceHolding>,
  podEips: Iterable<PodEip>,
): ((namespace: string) => NamespaceHolding) => {
  let groups: Map<string, PodEip[]> | undefined;
  return (namespace) => {
    const known = holdings.get(namespace);
    if (known) return known;
    groups ??= Map.groupBy(podEips, ({ metadata }) => metadata.namespace ?? '');
    const holding = namespaceHoldingOf(namespace, groups.get(namespace) ?? []);
    holdings.set(namespace, holding);
    return holding;
  };
};

const statusOf = (
  { metadata: { generation }, status }: EipPolicy,
  { ready, ...numbers }: PolicyReport,
  now: number,
): EipPolicyStatus => {
  const others = status?.conditions?.filter(({ type }) => type !== 'Ready' && type !== STALLED) ?? [];
  const before = status?.conditions?.find(({ type }) => type === 'Ready');
  const lastTransitionTime =
    before?.status === ready.status ? before.lastTransitionTime : `${new Date(now).toISOString().slice(0, 19)}Z`;
  const condition = { type: 'Ready', observedGeneration: generation, lastTransitionTime, ...ready };
  // What has no effect gets none by itself.
  const stalled = ready.status === 'False' ? [{ ...condition, type: STALLED, status: 'True' as const }] : [];
  return { observedGeneration: generation, ...numbers, conditions: [...others, condition, ...stalled] };
};

/** What people are told at once when it changes. */
const wordsOf = ({ observedGeneration, selects, conditions = [] }: EipPolicyStatus): string =>
  JSON.stringify([
    observedGeneration,
    selects,
    conditions.map(({ type, status, reason, message }) => [type, status, reason, message]),
  ]);

/** What is written when there is time. */
const numbersOf = ({ namespaces, pods, waiting, eips, bandwidthMbps, fullest }: EipPolicyStatus): string =>
  JSON.stringify([
    namespaces,
    pods,
    waiting,
    eips,
    bandwidthMbps,
    fullest && [fullest.namespace, fullest.eips, fullest.bandwidthMbps],
  ]);

const changeOf = (now: EipPolicyStatus | undefined, wanted: EipPolicyStatus): 'none' | 'numbers' | 'words' => {
  if (wordsOf(now ?? {}) !== wordsOf(wanted)) return 'words';
  return numbersOf({ fullest: null, ...now }) === numbersOf(wanted) ? 'none' : 'numbers';
};
