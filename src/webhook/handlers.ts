import { EIP_BEFORE_TRAFFIC, WANTS_ECI, WANTS_ECI_LEGACY } from '../api/annotations.ts';
import type { Scalable } from '../api/apps.ts';
import { NAMESPACE, type Pod } from '../api/core.ts';
import type { Finding } from '../api/finding.ts';
import type { RuleSettings } from '../rules/rule.ts';
import { NO_FACTS, type ClusterFacts } from '../rules/cluster-facts.ts';
import type { Workload } from '../rules/workload.ts';
import type { Provider } from '../request/target.ts';
import type { EipPolicy } from '../api/eippolicy.ts';
import { effectivePolicy } from '../request/policy.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Unreadable } from '../manifest/read-workload.ts';
import { underPolicy } from '../request/policy.ts';
import { admitPod, mentionsEip, type AdmissionFacts } from './mutate-pod.ts';
import { problemsOf, readReview, UNCHANGED, writeReview, type AdmissionRequest, type Admitted } from './review.ts';
import { changeOfScale, isOfCluster, readScaling, type Scaling } from './validate-scale.ts';
import { admitService } from './mutate-service.ts';
import { changeOf, validate, type ObjectChange, type ValidationFacts } from './validate.ts';
import { podSchema, serviceSchema } from './review-object.ts';

/** How a review ended. `unreadable`: the object was let in as it is, because it could not be read. */
export type ReviewAnswer = 'changed' | 'unchanged' | 'refused' | 'unreadable';

export interface ReviewerParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: AdmissionFacts['settings'];
  readonly provider: Provider;
  /** EipPolicies as they are known, undefined as long as they are not. @default none */
  readonly policies?: { readonly known: () => readonly EipPolicy[] | undefined } | undefined;
  /** Whether contradictions are refused, or only said. */
  readonly onConflict?: ValidationFacts['onConflict'] | undefined;
  /**
   * What the cluster says about a workload beside its namespace's labels; asked only where an address is asked for, with
   * the settings as they hold in its namespace.
   */
  readonly known?: ((workload: Workload, settings: RuleSettings) => Promise<ClusterFacts>) | undefined;
  /** Told of each finding of an object that was judged, for metrics. */
  readonly found?: ((finding: Finding) => void) | undefined;
  readonly observe?: ((webhook: string, answer: ReviewAnswer, durationMs: number) => void) | undefined;
}

/** Takes the parsed body of a request, gives the body of the answer; throws a {@link ReviewError} where it is none. */
export type Reviewer = (body: unknown) => Promise<object>;

/** Labels of a namespace change rarely, and pods come in bursts. Milliseconds. */
const NAMESPACE_AGE_MS = 10_000;
/** Of the 3 s that the API server waits for the answer. */
const NAMESPACE_TIMEOUT_MS = 1_000;
const MOST_NAMESPACES = 10_000;

/** A pod before it has a UID or a version. */
const asPod = ({ metadata, spec }: ReturnType<typeof podSchema.parse>, namespace: string): Pod => ({
  metadata: { name: '', uid: '', resourceVersion: '', ...metadata, namespace },
  spec,
});

const answerOf = ({ denied, patch }: Admitted): ReviewAnswer =>
  denied ? 'refused' : patch.length > 0 ? 'changed' : 'unchanged';

/**
 * The webhooks, by path. None of them has side effects, so that a dry run is answered like any other request. The two that
 * change objects refuse nothing.
 */
export const createReviewers = (parts: ReviewerParts): Readonly<Record<string, Reviewer>> => {
  const { settings, provider } = parts;
  const labelsOf = namespaceLabels(parts);
  const facts = async (namespace: string): Promise<AdmissionFacts> => {
    const labels = await labelsOf(namespace);
    const policies = parts.policies?.known();
    return {
      settings: underPolicy(settings, policies && effectivePolicy(policies, { name: namespace, labels })),
      provider,
      namespaceLabels: labels,
    };
  };
  const review =
    (webhook: string, admit: (request: AdmissionRequest) => Promise<Admitted | string>): Reviewer =>
    async (body) => {
      const began = parts.clock.mono();
      const request = readReview(body);
      const admitted = await admit(request);
      const isRead = typeof admitted !== 'string';
      if (!isRead) parts.log.warn({ webhook, namespace: request.namespace }, `An object cannot be read: ${admitted}`);
      const answer = isRead ? answerOf(admitted) : 'unreadable';
      if (isRead) for (const finding of admitted.findings ?? []) parts.found?.(finding);
      parts.observe?.(webhook, answer, parts.clock.mono() - began);
      return writeReview(
        request.uid,
        isRead ? admitted : { patch: [], warnings: [`knative-eip cannot read this object: ${admitted}`] },
      );
    };
  const evaluateChange = async (
    change: ObjectChange,
    around: AdmissionFacts,
    onConflict = parts.onConflict ?? 'refuse',
  ) =>
    validate(change, {
      ...around,
      onConflict,
      known: (await parts.known?.(change.after, around.settings)) ?? NO_FACTS,
    });
  return {
    '/mutate/pods': review('pods', async ({ resource, subResource, operation, object, namespace }) => {
      if (resource !== '/pods' || subResource !== '' || operation !== 'CREATE') return UNCHANGED;
      const read = podSchema.safeParse(object);
      if (!read.success) return problemsOf(read.error);
      const pod = asPod(read.data, namespace);
      const isConcerned = mentionsEip(pod.metadata.annotations) || (provider === 'ours' && asksForEci(pod));
      return isConcerned ? admitPod(pod, await facts(namespace)) : UNCHANGED;
    }),
    '/mutate/services': review('services', async ({ resource, subResource, operation, object, namespace }) => {
      if (resource !== 'serving.knative.dev/services' || subResource !== '') return UNCHANGED;
      if (operation !== 'CREATE' && operation !== 'UPDATE') return UNCHANGED;
      const read = serviceSchema.safeParse(object);
      if (!read.success) return problemsOf(read.error);
      const isConcerned = Object.hasOwn(read.data.spec.template?.metadata?.annotations ?? {}, EIP_BEFORE_TRAFFIC);
      return isConcerned ? admitService(read.data, await facts(namespace)) : UNCHANGED;
    }),
    '/validate/workloads': review('workloads', async (request) => {
      const change = changeOf(request);
      if (!change) return UNCHANGED;
      if ('length' in change) return unreadable(change);
      return evaluateChange(change, await facts(request.namespace));
    }),
    '/validate/scale': review('scale', async (request) => {
      const scaling = readScaling(request);
      if (typeof scaling !== 'object') return scaling ?? UNCHANGED;
      const [scaled, around] = await Promise.all([readScaled(parts, scaling), facts(request.namespace)]);
      const change = scaled && changeOfScale(scaling, scaled);
      if (!change) return UNCHANGED;
      return evaluateChange(change, around, isOfCluster(request.username) ? 'warn' : undefined);
    }),
  };
};

/** Pods that only their namespace sends to ECI are not looked at, so that a Pod without any of our keys costs nothing. */
const asksForEci = ({ metadata: { labels = {} } }: Pod): boolean =>
  labels[WANTS_ECI] === 'true' || labels[WANTS_ECI_LEGACY] === 'true';
const unreadable = (problems: readonly Unreadable[]): string =>
  problems
    .slice(0, 3)
    .map(({ path, message }) => `${path.map(String).join('.').slice(0, 100) || 'the object'}: ${message}`)
    .join('; ');

/** Of the 3 s that the API server waits for the answer. */
const SCALED_TIMEOUT_MS = 1_000;

/** The object that is scaled; undefined where it is gone, or the API server does not say in time: it is let in then. */
const readScaled = async (
  { kube, clock, log }: ReviewerParts,
  { resource, namespace, name }: Scaling,
): Promise<Scalable | undefined> => {
  const stop = new AbortController();
  const cancel = clock.timer(SCALED_TIMEOUT_MS, () => stop.abort(new Error('the API server took too long')));
  try {
    return await kube.get(resource, { namespace, name }, stop.signal);
  } catch (error) {
    if (!(error instanceof KubeFault) && !stop.signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    log.warn({ namespace, name, kind: resource.kind }, `What is scaled cannot be read, and is let in: ${why}`);
    return undefined;
  } finally {
    cancel();
  }
};

type Labels = Readonly<Record<string, string>>;

/** Reads labels of namespaces, each at most once in ten seconds; undefined where the API server does not say in time. */
const namespaceLabels = ({ kube, clock, log }: ReviewerParts): ((name: string) => Promise<Labels | undefined>) => {
  const known = new Map<string, { readonly at: number; readonly labels: Promise<Labels | undefined> }>();
  const read = async (name: string): Promise<Labels | undefined> => {
    const stop = new AbortController();
    const cancel = clock.timer(NAMESPACE_TIMEOUT_MS, () => stop.abort(new Error('the API server took too long')));
    try {
      const namespace = await kube.get(NAMESPACE, { name }, stop.signal);
      return namespace?.metadata.labels ?? {};
    } catch (error) {
      if (!(error instanceof KubeFault) && !stop.signal.aborted) throw error;
      known.delete(name);
      const why = error instanceof Error ? error.message : String(error);
      log.warn(
        { namespace: name },
        `The labels of the namespace cannot be read, pods are prepared for any node: ${why}`,
      );
      return undefined;
    } finally {
      cancel();
    }
  };
  return (name) => {
    if (name === '') return Promise.resolve(undefined);
    const found = known.get(name);
    if (found && clock.mono() - found.at < NAMESPACE_AGE_MS) return found.labels;
    if (known.size >= MOST_NAMESPACES) known.clear();
    const labels = read(name);
    known.set(name, { at: clock.mono(), labels });
    return labels;
  };
};
