import { EIP_BEFORE_TRAFFIC, WANTS_ECI, WANTS_ECI_LEGACY } from '../api/annotations.ts';
import type { Scalable } from '../api/apps.ts';
import { NAMESPACE, type Pod } from '../api/core.ts';
import type { Finding } from '../api/finding.ts';
import type { RuleSettings } from '../rules/rule.ts';
import { NO_FACTS, type ClusterFacts } from '../rules/cluster-facts.ts';
import type { Annotations, Workload } from '../rules/workload.ts';
import type { Provider } from '../request/target.ts';
import type { Policies } from '../policies/policy-cache.ts';
import { effectivePolicy, underPolicy } from '../policies/policy.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ProfileSelector } from '../rules/eci-profile.ts';
import { readKnativeService, readPod } from '../manifest/read-admitted.ts';
import { oneLineOf, type Unreadable } from '../manifest/wire.ts';
import { admitPod, mentionsEip, type AdmissionFacts } from './mutate-pod.ts';
import { foreignEipsOf } from './foreign-eips.ts';
import { mayRead } from './may-read.ts';
import { readWithin } from './read-within.ts';
import { readReview, UNCHANGED, writeReview, type AdmissionRequest, type Admitted } from './review.ts';
import { changeOfScale, isOfCluster, readScaling, withoutNamedEip, type Scaling } from './validate-scale.ts';
import { admitService } from './mutate-service.ts';
import { changeOf, NO_CHANGE, validateProfiled, type ReadChange, type ValidationFacts } from './validate.ts';

/** The outcome of a review. `unreadable`: the object was admitted unchanged, because it could not be read. */
type ReviewAnswer = 'changed' | 'unchanged' | 'refused' | 'unreadable';

interface ReviewerParts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: AdmissionFacts['settings'];
  readonly provider: Provider;
  /** The selectors of the eci-profile, as they are now. @default there are none */
  readonly profile?: (() => readonly ProfileSelector[]) | undefined;
  /** The EipPolicies; `known` returns undefined until they are known. @default there are none */
  readonly policies?: Pick<Policies, 'known'> | undefined;
  /** Whether contradictions are refused or only warned about. */
  readonly onConflict?: ValidationFacts['onConflict'] | undefined;
  /**
   * Reads what the rules need to know about the cluster beside the labels of the namespace. Called only if an address
   * is asked for, with the settings that hold in the namespace.
   */
  readonly known?: ((workload: Workload, settings: RuleSettings) => Promise<ClusterFacts>) | undefined;
  /** Called with each finding about an object, for metrics. */
  readonly found?: ((finding: Finding) => void) | undefined;
  readonly observe?: ((webhook: string, answer: ReviewAnswer, durationMs: number) => void) | undefined;
}

/**
 * Takes the parsed body of a request and returns the body of the answer.
 * @throws {ReviewError} if the body is not an AdmissionReview
 */
type Reviewer = (body: unknown) => Promise<object>;

/** How long labels of a namespace are cached, milliseconds: they change rarely, and pods are created in bursts. */
const NAMESPACE_AGE_MS = 10_000;
/** Part of the 3 s for which the API server waits for the answer. Milliseconds. */
const NAMESPACE_TIMEOUT_MS = 1_000;
const MOST_NAMESPACES = 10_000;

/** The result of one webhook for one object. An object that cannot be read is admitted unchanged. */
type Evaluated = { readonly kind: 'admitted'; readonly admitted: Admitted } | Unreadable;

const admitted = (it: Admitted): Evaluated => ({ kind: 'admitted', admitted: it });

const answerOf = ({ denied, patch }: Admitted): ReviewAnswer =>
  denied ? 'refused' : patch.length > 0 ? 'changed' : 'unchanged';

/**
 * The webhooks, by path. None of them has side effects, so that dry runs are answered like other requests. The two
 * mutating ones never refuse.
 */
export const createReviewers = (parts: ReviewerParts): Readonly<Record<string, Reviewer>> => {
  const { settings, provider } = parts;
  const labelsOf = namespaceLabels(parts);
  const foreignEips = foreignEipsOf(parts);
  const facts = async (namespace: string, annotations?: Annotations): Promise<AdmissionFacts> => {
    const [labels, foreign] = await Promise.all([labelsOf(namespace), foreignEips(namespace, annotations)]);
    const policies = parts.policies?.known();
    const under = underPolicy(
      settings,
      policies && effectivePolicy(policies, { name: namespace, labels: labels ?? 'unread' }),
    );
    return {
      settings: { ...under, foreignEips: foreign },
      provider,
      namespaceLabels: labels,
      profile: parts.profile?.(),
    };
  };
  const review =
    (webhook: string, evaluate: (request: AdmissionRequest) => Promise<Evaluated>): Reviewer =>
    async (body) => {
      const began = parts.clock.mono();
      const request = readReview(body);
      const evaluated = await evaluate(request);
      const took = () => parts.clock.mono() - began;
      if (evaluated.kind === 'unreadable') {
        const problems = oneLineOf(evaluated, 'the object');
        parts.log.warn({ webhook, namespace: request.namespace }, `An object cannot be read: ${problems}`);
        parts.observe?.(webhook, 'unreadable', took());
        return writeReview(request.uid, { patch: [], warnings: [`knative-eip cannot read this object: ${problems}`] });
      }
      for (const finding of evaluated.admitted.findings ?? []) parts.found?.(finding);
      parts.observe?.(webhook, answerOf(evaluated.admitted), took());
      return writeReview(request.uid, evaluated.admitted);
    };
  const evaluateChange = async (
    read: ReadChange,
    around: (annotations: Annotations) => Promise<AdmissionFacts>,
    onConflict = parts.onConflict ?? 'refuse',
  ): Promise<Evaluated> => {
    if (read.kind === 'unreadable') return read;
    if (read.kind === 'none') return admitted(UNCHANGED);
    const beside = await around(read.change.after.annotations);
    const known = (await parts.known?.(read.change.after, beside.settings)) ?? NO_FACTS;
    return admitted(validateProfiled(read.change, { ...beside, onConflict, known }));
  };
  return {
    '/mutate/pods': review('pods', async ({ resource, subResource, operation, object, namespace }) => {
      if (resource !== '/pods' || subResource !== '' || operation !== 'CREATE') return admitted(UNCHANGED);
      const read = readPod(object, namespace);
      if (read.kind === 'unreadable') return read;
      const { pod } = read;
      const isConcerned =
        mentionsEip(pod.metadata.annotations) ||
        (provider === 'ours' && asksForEci(pod)) ||
        (parts.profile?.().length ?? 0) > 0;
      return admitted(isConcerned ? admitPod(pod, await facts(namespace, pod.metadata.annotations)) : UNCHANGED);
    }),
    '/mutate/services': review('services', async ({ resource, subResource, operation, object, namespace }) => {
      if (resource !== 'serving.knative.dev/services' || subResource !== '') return admitted(UNCHANGED);
      if (operation !== 'CREATE' && operation !== 'UPDATE') return admitted(UNCHANGED);
      const read = readKnativeService(object);
      if (read.kind === 'unreadable') return read;
      const { service } = read;
      const isConcerned = Object.hasOwn(service.spec.template?.metadata?.annotations ?? {}, EIP_BEFORE_TRAFFIC);
      return admitted(isConcerned ? admitService(service, await facts(namespace)) : UNCHANGED);
    }),
    '/validate/workloads': review('workloads', async (request) =>
      evaluateChange(changeOf(request), (annotations) => facts(request.namespace, annotations)),
    ),
    '/validate/scale': review('scale', async (request) => {
      const read = readScaling(request);
      if (read.kind === 'unreadable') return read;
      if (read.kind === 'none') return admitted(UNCHANGED);
      const [scaled, around] = await Promise.all([readScaled(parts, read.scaling), facts(request.namespace)]);
      const change = scaled ? changeOfScale(read.scaling, scaled) : NO_CHANGE;
      if (change.kind === 'none') return admitted(UNCHANGED);
      const isByCluster = isOfCluster(request.user?.username);
      // The answer tells of an object that the request does not show.
      if (!isByCluster && !(await mayRead(parts, request.user, read.scaling))) return admitted(UNCHANGED);
      const evaluated = await evaluateChange(change, async () => around, isByCluster ? 'warn' : undefined);
      return evaluated.kind === 'admitted' ? admitted(withoutNamedEip(evaluated.admitted, change)) : evaluated;
    }),
  };
};

/**
 * Whether the pod's own labels ask for ECI. A pod that only its namespace sends to ECI, and that has none of our keys,
 * is skipped, so that most pods cost nothing.
 */
const asksForEci = ({ metadata: { labels = {} } }: Pod): boolean =>
  labels[WANTS_ECI] === 'true' || labels[WANTS_ECI_LEGACY] === 'true';

/** Part of the 3 s for which the API server waits for the answer. Milliseconds. */
const SCALED_TIMEOUT_MS = 1_000;

/**
 * Reads the object that is scaled; undefined if it is gone, or if the API server does not answer in time: the request
 * is admitted then.
 */
const readScaled = async (
  { kube, clock, log }: ReviewerParts,
  { resource, namespace, name }: Scaling,
): Promise<Scalable | undefined> => {
  const reading = await readWithin(clock, SCALED_TIMEOUT_MS, (signal) =>
    kube.get(resource, { namespace, name }, signal),
  );
  if (reading.kind === 'read') return reading.value;
  log.warn({ namespace, name, kind: resource.kind }, `What is scaled cannot be read, and is let in: ${reading.why}`);
  return undefined;
};

type Labels = Readonly<Record<string, string>>;

/**
 * Reads labels of namespaces, each at most once in ten seconds; undefined if the API server does not answer in time.
 */
const namespaceLabels = ({ kube, clock, log }: ReviewerParts): ((name: string) => Promise<Labels | undefined>) => {
  const known = new Map<string, { readonly at: number; readonly labels: Promise<Labels | undefined> }>();
  const read = async (name: string): Promise<Labels | undefined> => {
    const reading = await readWithin(clock, NAMESPACE_TIMEOUT_MS, (signal) => kube.get(NAMESPACE, { name }, signal));
    if (reading.kind === 'read') return reading.value?.metadata.labels ?? {};
    known.delete(name);
    log.warn(
      { namespace: name },
      `The labels of the namespace cannot be read, pods are prepared for any node: ${reading.why}`,
    );
    return undefined;
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
