import { EIP_BEFORE_TRAFFIC, WANTS_ECI, WANTS_ECI_LEGACY } from '../api/annotations.ts';
import type { Scalable } from '../api/apps.ts';
import { NAMESPACE, type Pod } from '../api/core.ts';
import type { Finding } from '../api/finding.ts';
import type { RuleSettings } from '../rules/rule.ts';
import { NO_FACTS, type ClusterFacts } from '../rules/cluster-facts.ts';
import type { Workload } from '../rules/workload.ts';
import type { Provider } from '../request/target.ts';
import type { EipPolicy } from '../api/eippolicy.ts';
import { effectivePolicy, underPolicy } from '../request/policy.ts';
import type { Kube } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { readKnativeService, readPod } from '../manifest/read-admitted.ts';
import { oneLineOf, type Unreadable } from '../manifest/wire.ts';
import { admitPod, mentionsEip, type AdmissionFacts } from './mutate-pod.ts';
import { readWithin } from './read-within.ts';
import { readReview, UNCHANGED, writeReview, type AdmissionRequest, type Admitted } from './review.ts';
import { changeOfScale, isOfCluster, readScaling, type Scaling } from './validate-scale.ts';
import { admitService } from './mutate-service.ts';
import { changeOf, NO_CHANGE, validate, type ReadChange, type ValidationFacts } from './validate.ts';

/** How a review ended. `unreadable`: the object was let in as it is, because it could not be read. */
type ReviewAnswer = 'changed' | 'unchanged' | 'refused' | 'unreadable';

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
   * What the cluster says about a workload beside its namespace's labels; asked only where an address is asked for,
   * with the settings as they hold in its namespace.
   */
  readonly known?: ((workload: Workload, settings: RuleSettings) => Promise<ClusterFacts>) | undefined;
  /** Told of each finding of an object that was judged, for metrics. */
  readonly found?: ((finding: Finding) => void) | undefined;
  readonly observe?: ((webhook: string, answer: ReviewAnswer, durationMs: number) => void) | undefined;
}

/** Takes the parsed body of a request, gives the body of the answer; throws a {@link ReviewError} where it is none. */
type Reviewer = (body: unknown) => Promise<object>;

/** Labels of a namespace change rarely, and pods come in bursts. Milliseconds. */
const NAMESPACE_AGE_MS = 10_000;
/** Of the 3 s that the API server waits for the answer. */
const NAMESPACE_TIMEOUT_MS = 1_000;
const MOST_NAMESPACES = 10_000;

/** What a webhook makes of an object. One that cannot be read is let in as it is. */
type Evaluated = { readonly kind: 'admitted'; readonly admitted: Admitted } | Unreadable;

const admitted = (it: Admitted): Evaluated => ({ kind: 'admitted', admitted: it });

const answerOf = ({ denied, patch }: Admitted): ReviewAnswer =>
  denied ? 'refused' : patch.length > 0 ? 'changed' : 'unchanged';

/**
 * The webhooks, by path. None of them has side effects, so that a dry run is answered like any other request. The two
 * that change objects refuse nothing.
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
    around: () => Promise<AdmissionFacts>,
    onConflict = parts.onConflict ?? 'refuse',
  ): Promise<Evaluated> => {
    if (read.kind === 'unreadable') return read;
    if (read.kind === 'none') return admitted(UNCHANGED);
    const beside = await around();
    const known = (await parts.known?.(read.change.after, beside.settings)) ?? NO_FACTS;
    return admitted(validate(read.change, { ...beside, onConflict, known }));
  };
  return {
    '/mutate/pods': review('pods', async ({ resource, subResource, operation, object, namespace }) => {
      if (resource !== '/pods' || subResource !== '' || operation !== 'CREATE') return admitted(UNCHANGED);
      const read = readPod(object, namespace);
      if (read.kind === 'unreadable') return read;
      const { pod } = read;
      const isConcerned = mentionsEip(pod.metadata.annotations) || (provider === 'ours' && asksForEci(pod));
      return admitted(isConcerned ? admitPod(pod, await facts(namespace)) : UNCHANGED);
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
      evaluateChange(changeOf(request), () => facts(request.namespace)),
    ),
    '/validate/scale': review('scale', async (request) => {
      const read = readScaling(request);
      if (read.kind === 'unreadable') return read;
      if (read.kind === 'none') return admitted(UNCHANGED);
      const [scaled, around] = await Promise.all([readScaled(parts, read.scaling), facts(request.namespace)]);
      const change = scaled ? changeOfScale(read.scaling, scaled) : NO_CHANGE;
      return evaluateChange(change, async () => around, isOfCluster(request.username) ? 'warn' : undefined);
    }),
  };
};

/**
 * Pods that only their namespace sends to ECI are not looked at, so that a Pod without any of our keys costs nothing.
 */
const asksForEci = ({ metadata: { labels = {} } }: Pod): boolean =>
  labels[WANTS_ECI] === 'true' || labels[WANTS_ECI_LEGACY] === 'true';

/** Of the 3 s that the API server waits for the answer. */
const SCALED_TIMEOUT_MS = 1_000;

/** The object that is scaled; undefined where it is gone, or the API server does not say in time: it is let in then. */
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
 * Reads labels of namespaces, each at most once in ten seconds; undefined where the API server does not say in time.
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
