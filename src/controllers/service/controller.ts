import {
  KNATIVE_REVISION,
  KNATIVE_SERVICE,
  POD_AUTOSCALER,
  SERVICE_LABEL,
  type KnativeService,
} from '../../api/knative.ts';
import { sentence } from '../../api/finding.ts';
import type { PodEip } from '../../api/podeip.ts';
import { runController, type Requeue } from '../../kube/reconcile-loop.ts';
import type { RuleSettings } from '../../rules/rule.ts';
import type { RevisionFacts } from '../../rules/cluster-facts.ts';
import { revisionsToRead } from '../../rules/revision-traffic.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube, KubeTransport } from '../../kube/port.ts';
import { createQueue, type WorkQueue } from '../../kube/queue.ts';
import { createReflector, type Reflector } from '../../kube/reflector.ts';
import { keyOf } from '../../kube/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { silentLog, type Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { routingFacts } from '../podeip/service-routing.ts';
import type { EventNote, Regarding } from '../podeip/events.ts';
import {
  conditionOf,
  EIP_READY,
  findingsOf,
  idleSentence,
  newsOf,
  NOTHING_TOLD_YET,
  summarySentence,
  summarize,
  type ToldSummary,
} from './summary.ts';

/** The cache of Knative Services, while Knative Serving is installed. */
export type ServiceCache = Reflector<KnativeService>;

interface ServiceCacheOptions {
  readonly transport: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Interval between attempts to watch while Knative is not installed, milliseconds. */
const LOOK = { baseMs: 5_000, capMs: 60_000 };

/** Labels that somebody meant as annotations about EIPs; the others are not cached. */
const readLabels = (labels: Readonly<Record<string, string>> | undefined) => {
  const meant = Object.entries(labels ?? {}).filter(([key]) => key.includes('eip'));
  return meant.length === 0 ? undefined : Object.fromEntries(meant);
};

/** Watches Knative Services. It logs once if Knative is not installed, and notices when it is installed later. */
export const createServiceCache = ({ log, ...ports }: ServiceCacheOptions): ServiceCache => {
  let said = '';
  return createReflector<KnativeService, KnativeService>({
    ...ports,
    log: silentLog,
    resource: KNATIVE_SERVICE,
    backoff: LOOK,
    keep: ({ metadata, spec, status }) => ({
      metadata: {
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
        generation: metadata.generation,
        annotations: metadata.annotations,
        labels: readLabels(metadata.labels),
        deletionTimestamp: metadata.deletionTimestamp,
      },
      spec: {
        template: {
          metadata: {
            name: spec?.template?.metadata?.name,
            annotations: spec?.template?.metadata?.annotations,
            labels: readLabels(spec?.template?.metadata?.labels),
          },
        },
        traffic: spec?.traffic,
      },
      status: {
        conditions: status?.conditions?.filter(({ type }) => type === EIP_READY),
        traffic: status?.traffic,
        latestCreatedRevisionName: status?.latestCreatedRevisionName,
      },
    }),
    onTrouble: (fault) => {
      if (fault.kind === said || fault.kind === 'expired') return;
      said = fault.kind;
      if (fault.kind === 'notFound')
        log.info(
          {},
          'Knative Serving is not installed; pods get their addresses all the same, and it is looked for again',
        );
      else log.warn({ kind: fault.kind }, `Knative Services cannot be watched (retrying): ${fault.message}`);
    },
  });
};

/**
 * Adds the PodEIPs of a Service to the queue when it is deleted or its routing changes: a held EIP may not be needed
 * any more, or a named EIP may go to another pod.
 */
export const enqueueForServices = (services: ServiceCache, podEips: Reflector<PodEip>, queue: WorkQueue): void => {
  services.subscribe(({ type, object, old }) => {
    if (type !== 'deleted' && old !== undefined && routingFacts(old) === routingFacts(object)) return;
    for (const { metadata } of podEips.store.by('service', keyOf(object.metadata))) queue.add(keyOf(metadata));
  });
};

/** What the reports on Knative Services need. */
interface ServicesPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly services: ServiceCache;
  readonly podEips: Reflector<PodEip>;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  readonly settings: RuleSettings;
  /** Whether to write the informational condition into the Service's status. */
  readonly writesCondition: boolean;
}

/** What was last reported about a Service. */
interface ReportedService {
  readonly summary: ToldSummary;
  /** What is wrong with it. */
  readonly wrong: readonly string[];
}

/** Changes within this time are reported together, milliseconds. */
const TOGETHER_MS = 2_000;

/**
 * Reports on each Knative Service the state of its addresses: an Event for each new state, and the condition if it is
 * enabled. Nothing depends on it. Never writes to Revisions or Configurations: changed annotations and labels would
 * restart pods, or Knative would overwrite them.
 */
export const runServices = async (ports: ServicesPorts, signal: AbortSignal): Promise<void> => {
  const { clock, random, log, services, podEips } = ports;
  const queue = createQueue({ clock, random });
  /** What was last reported about each Service, by UID. */
  const told = new Map<string, ReportedService>();
  services.subscribe(({ type, object }) => {
    if (type === 'deleted') told.delete(object.metadata.uid);
    else queue.addAfter(keyOf(object.metadata), TOGETHER_MS);
  });
  podEips.subscribe(({ object: { metadata } }) => {
    const name = metadata.labels?.[SERVICE_LABEL];
    if (name !== undefined) queue.addAfter(keyOf({ namespace: metadata.namespace, name }), TOGETHER_MS);
  });
  const reconcile = (key: string): Promise<Requeue> => {
    const service = services.store.get(key);
    return service ? tell(ports, service, told) : Promise.resolve('done');
  };
  const reflecting = services.run(signal);
  await runController({ name: 'services', queue, workers: 1, clock, log, reconcile: (key) => reconcile(key) }, signal);
  await reflecting;
};

/** Why there are no pods, by the PodAutoscalers of the Service; empty if they do not say. */
const whyIdle = async (kube: Kube, log: Log, { metadata: { namespace, name } }: KnativeService): Promise<string> => {
  try {
    const all = await kube.list(POD_AUTOSCALER, { namespace, labelSelector: `${SERVICE_LABEL}=${name}` });
    return idleSentence(all);
  } catch (error) {
    if (!(error instanceof KubeFault)) throw error;
    // The API is internal to Knative: it may be missing, different or forbidden, and nothing depends on it.
    log.debug({ kind: error.kind, namespace, name }, `The PodAutoscalers cannot be read: ${error.message}`);
    return '';
  }
};

/** The Revisions to which a Service that names an existing EIP routes by name. */
const routedRevisions = async (
  kube: Kube,
  log: Log,
  { metadata: { namespace = '', name }, spec }: KnativeService,
): Promise<readonly RevisionFacts[]> => {
  const names = revisionsToRead(spec?.template?.metadata, spec?.traffic);
  try {
    const found = await Promise.all(names.map((each) => kube.get(KNATIVE_REVISION, { namespace, name: each })));
    return found.flatMap((it) =>
      it ? [{ namespace, name: it.metadata.name, annotations: it.metadata.annotations ?? {} }] : [],
    );
  } catch (error) {
    if (!(error instanceof KubeFault)) throw error;
    // The pods of the Service report its problems, too.
    log.debug({ kind: error.kind, namespace, name }, `The Revisions cannot be read: ${error.message}`);
    return [];
  }
};

const tell = async (
  { kube, clock, log, podEips, record, settings, writesCondition }: ServicesPorts,
  service: KnativeService,
  told: Map<string, ReportedService>,
): Promise<Requeue> => {
  const { namespace, name, uid } = service.metadata;
  const regarding: Regarding = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', namespace, name, uid };
  const before = told.get(uid);
  const summary = summarize(podEips.store.by('service', keyOf({ namespace, name })));
  const text = summarySentence(summary);
  const revisions = await routedRevisions(kube, log, service);
  const wrong = findingsOf(service, settings, revisions).map((finding) => ({
    reason: finding.id,
    note: sentence(finding),
  }));
  for (const { reason, note } of wrong)
    if (before?.wrong.includes(note) !== true) record(regarding, { type: 'Warning', reason, action: 'Read', note });
  const news = newsOf(before?.summary ?? NOTHING_TOLD_YET, summary, clock.mono());
  if (news.is)
    record(regarding, {
      type: 'Normal',
      reason: news.is === 'ready' ? 'AddressesReady' : 'AddressesWaiting',
      action: 'Summarize',
      note: summary.asked === 0 ? text + (await whyIdle(kube, log, service)) : text,
    });
  told.set(uid, { summary: news.told, wrong: wrong.map(({ note }) => note) });
  const again: Requeue = news.againMs === undefined ? 'done' : { afterMs: news.againMs };
  if (!writesCondition) return again;
  const now = service.status?.conditions?.find(({ type }) => type === EIP_READY);
  const wanted = conditionOf(summary, now, clock.now());
  const isSaid = now?.status === wanted.status && now.message === wanted.message;
  if (isSaid || (summary.asked === 0 && !now)) return again;
  return (await writeCondition(kube, service, wanted)) === 'conflict' ? 'backoff' : again;
};

/** Writes the condition of the Service, unless another object has its name by now. */
const writeCondition = async (
  kube: Kube,
  { metadata: { namespace, name, uid } }: KnativeService,
  wanted: ReturnType<typeof conditionOf>,
): Promise<'written' | 'conflict'> => {
  // In a custom resource, conditions are a list without merge keys. So the whole list is written, and only if it has
  // not changed.
  const current = await kube.get(KNATIVE_SERVICE, { namespace, name });
  if (current?.metadata.uid !== uid) return 'written';
  const conditions = [...(current.status?.conditions ?? []).filter(({ type }) => type !== EIP_READY), wanted];
  const body = { metadata: { uid, resourceVersion: current.metadata.resourceVersion }, status: { conditions } };
  try {
    await kube.patch(KNATIVE_SERVICE, { namespace, name }, { type: 'merge', subresource: 'status', body });
  } catch (error) {
    if (!(error instanceof KubeFault)) throw error;
    if (error.kind === 'conflict') return 'conflict';
    if (error.kind !== 'forbidden') throw error;
    const { kind, status, message } = error;
    throw new KubeFault({ kind, status, message: `${message}; apply config/service-condition, which allows it` });
  }
  return 'written';
};
