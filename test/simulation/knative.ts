import {
  CONFIGURATION_GENERATION,
  REVISION_LABEL,
  SERVICE_LABEL,
  SERVICE_UID,
  type KnativeService,
  type TrafficTarget,
} from '../../src/api/knative.ts';
import { READINESS_GATE } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import type { KubeObject } from '../../src/kube/port.ts';
import { KNATIVE_SERVICES } from '../harness/knative-services.ts';
import type { ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import type { Deed, Ending, RouteTo } from './script.ts';
import type { ManualClock } from '../harness/clock.ts';

/** How long Knative's controllers take to see a change and to act on it; milliseconds. */
const LAG_MS = 150;
/** What a pod that never became ready is given: progress-deadline and 30 s. Source: kpa/scaler.go handleScaleToZero. */
const ACTIVATION_MS = 630_000;

export const SERVICES = '/apis/serving.knative.dev/v1/namespaces/default/services';

/** The Service that users apply; and the one whose pods a script makes itself. */
const APPLIED = 'web';
const SCRIPTED = 'api';

type Template = Extract<Deed, { do: 'apply' }>;

interface Revision {
  readonly name: string;
  readonly generation: number;
  /** Undefined where the script makes the pods. */
  readonly template: Template | undefined;
  wasReady: boolean;
  /** Since when no request gets to it, or it has not been ready; virtual time. */
  idleSince: number | undefined;
  unreadySince: number | undefined;
}

interface Service {
  readonly uid: string;
  readonly name: string;
  readonly revisions: Revision[];
  wanted: readonly TrafficTarget[];
  traffic: readonly TrafficTarget[];
  said: string;
}

/** What Knative needs of the cluster. Each is skipped where there is nothing to do it to. */
export interface KnativeHands {
  readonly send: (
    method: string,
    path: string,
    body?: string,
    patch?: 'merge',
  ) => Promise<{ status: number; body: unknown }>;
  readonly create: (
    pod: Pick<Template, 'ask' | 'gated' | 'node' | 'startMs'> & { readonly pod: string },
    labels: Readonly<Record<string, string>>,
  ) => Promise<void>;
  readonly end: (pod: string, ending: Ending) => Promise<void>;
}

const LATEST: readonly TrafficTarget[] = [{ latestRevision: true, percent: 100 }];

/** Whether a pod is Ready: its containers are, and every gate is open. */
const isReady = ({ metadata, spec, status }: Pod): boolean => {
  const is = (type: string) => status?.conditions?.some((it) => it.type === type && it.status === 'True') ?? false;
  return (
    metadata.deletionTimestamp === undefined &&
    status?.phase === 'Running' &&
    is('ContainersReady') &&
    (spec.readinessGates ?? []).every(({ conditionType }) => conditionType !== READINESS_GATE || is(conditionType))
  );
};

const isLiving = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed';

/**
 * A small Knative Serving: Services with Revisions, one pod for each Revision that requests get to or that has yet to
 * show that it works, rollouts that wait for readiness, and traffic. Nothing goes wrong for it, and it is
 * never asked for more.
 *
 * Source: knative/serving pkg/reconciler/{configuration,route,labeler,autoscaling/kpa}.
 */
export class Knative {
  readonly #hands: KnativeHands;
  readonly #time: ManualClock;
  readonly #services = new Map<string, Service>();
  readonly #pods = new Map<string, Pod>();
  readonly #due = new Set<string>();
  #made = 0;
  #last: Promise<void> = Promise.resolve();
  #scale: 0 | 1 = 1;

  constructor(server: ApiServer, time: ManualClock, hands: KnativeHands) {
    this.#time = time;
    this.#hands = hands;
    server.onWrite(({ type, object }) => {
      const { kind, metadata } = object as unknown as Pod & { kind: string };
      const name = metadata.labels?.[SERVICE_LABEL];
      if (kind !== 'Pod' || name === undefined) return;
      if (type === 'DELETED') this.#pods.delete(metadata.uid);
      else this.#pods.set(metadata.uid, object as unknown as Pod);
      this.#soon(name);
    });
  }

  async install(): Promise<void> {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await this.#hands.send('POST', path, JSON.stringify(KNATIVE_SERVICES));
    await this.#serve(SCRIPTED);
  }

  async #serve(name: string): Promise<Service> {
    const there = this.#services.get(name);
    if (there) return there;
    const head = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name, namespace: 'default' } };
    const { body } = await this.#hands.send('POST', SERVICES, JSON.stringify({ ...head, spec: { traffic: LATEST } }));
    const { uid } = (body as KubeObject).metadata;
    const service: Service = { uid, name, revisions: [], wanted: LATEST, traffic: [], said: '' };
    this.#services.set(name, service);
    return service;
  }

  /** The labels of a pod that the script makes, of this Revision of the Service whose pods it makes. */
  labelsOf(generation: number): Readonly<Record<string, string>> {
    const service = this.#services.get(SCRIPTED);
    if (!service) throw new Error('Knative is not installed');
    const revision = this.#revision(service, generation, undefined);
    this.#soon(SCRIPTED);
    return labelsOf(service, revision);
  }

  apply(template: Template): Promise<void> {
    return this.#inTurn(async () => {
      const service = await this.#serve(APPLIED);
      this.#revision(service, service.revisions.length + 1, template);
      this.#soon(APPLIED);
    });
  }

  async route(to: RouteTo): Promise<void> {
    const service = this.#services.get(APPLIED);
    const previous = service?.revisions.at(-2)?.name;
    if (!service || previous === undefined) return;
    const ways: Readonly<Record<RouteTo, readonly TrafficTarget[]>> = {
      latest: LATEST,
      previous: [{ revisionName: previous, percent: 100 }],
      both: [
        { revisionName: previous, percent: 50 },
        { latestRevision: true, percent: 50 },
      ],
      tagged: [...LATEST, { revisionName: previous, percent: 0, tag: 'old' }],
    };
    service.wanted = ways[to];
    const body = JSON.stringify({ spec: { traffic: service.wanted } });
    await this.#hands.send('PATCH', `${SERVICES}/${APPLIED}`, body, 'merge');
    this.#soon(APPLIED);
  }

  scale(pods: 0 | 1): void {
    this.#scale = pods;
    this.#soon(APPLIED);
  }

  /** The Service goes, and with it its pods. */
  unserve(): Promise<void> {
    return this.#inTurn(async () => {
      const service = this.#services.get(APPLIED);
      if (!service) return;
      this.#services.delete(APPLIED);
      await this.#hands.send('DELETE', `${SERVICES}/${APPLIED}`);
      for (const pod of this.#pods.values())
        if (pod.metadata.labels?.[SERVICE_UID] === service.uid) await this.#end(service, pod);
    });
  }

  #revision(service: Service, generation: number, template: Template | undefined): Revision {
    const there = service.revisions.find((it) => it.generation === generation);
    if (there) return there;
    const name = `${service.name}-${String(generation).padStart(5, '0')}`;
    const revision = {
      name,
      generation,
      template,
      wasReady: false,
      idleSince: undefined,
      unreadySince: undefined,
    };
    service.revisions.push(revision);
    return revision;
  }

  #soon(name: string, ms = LAG_MS): void {
    if (ms === LAG_MS && this.#due.has(name)) return;
    if (ms === LAG_MS) this.#due.add(name);
    this.#time.timer(ms, () => {
      if (ms === LAG_MS) this.#due.delete(name);
      const service = this.#services.get(name);
      if (service) void this.#inTurn(() => this.#sync(service));
    });
  }

  /** One after the other, as a controller works at one key. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #sync(service: Service): Promise<void> {
    if (this.#services.get(service.name) !== service) return;
    const podsOf = (revision: Revision): readonly Pod[] =>
      [...this.#pods.values()].filter(
        ({ metadata: { labels = {} } }) =>
          labels[SERVICE_UID] === service.uid && labels[REVISION_LABEL] === revision.name,
      );
    const now = this.#time.mono();
    for (const revision of service.revisions) {
      const ready = podsOf(revision).some(isReady);
      if (ready) revision.wasReady = true;
      if (!ready && revision.unreadySince === undefined) this.#soon(service.name, ACTIVATION_MS + 1);
      revision.unreadySince = ready ? undefined : (revision.unreadySince ?? now);
    }
    const latestReady = service.revisions.findLast(({ wasReady }) => wasReady)?.name;
    const latest = service.revisions.at(-1)?.name;
    const resolved = service.wanted.map((target) => {
      const revisionName = target.revisionName ?? latestReady;
      const isThere = service.revisions.some(({ name, wasReady }) => name === revisionName && wasReady);
      return isThere ? { ...target, revisionName } : undefined;
    });
    if (resolved.every((it) => it !== undefined)) service.traffic = resolved;
    await this.#say(service, latest, latestReady);

    const follows = service.wanted.some(({ revisionName }) => revisionName === undefined);
    const routed = new Set([...service.traffic, ...service.wanted].flatMap(({ revisionName }) => revisionName ?? []));
    if (follows && latest !== undefined) routed.add(latest);
    for (const revision of service.revisions)
      if (revision.template) await this.#scaleTo(service, revision, podsOf(revision), routed.has(revision.name));
  }

  async #say(service: Service, latestCreatedRevisionName?: string, latestReadyRevisionName?: string): Promise<void> {
    const status = { traffic: service.traffic, latestCreatedRevisionName, latestReadyRevisionName };
    const said = JSON.stringify(status);
    if (said === service.said) return;
    service.said = said;
    await this.#hands.send('PATCH', `${SERVICES}/${service.name}/status`, JSON.stringify({ status }), 'merge');
  }

  async #scaleTo(service: Service, revision: Revision, pods: readonly Pod[], isRouted: boolean): Promise<void> {
    const { template } = revision;
    if (!template) return;
    const now = this.#time.mono();
    const leftOf = (since: number | undefined, ms: number): number => (since === undefined ? ms : since + ms - now);
    if (!isRouted && revision.idleSince === undefined) this.#soon(service.name, template.windowMs + 1);
    revision.idleSince = isRouted ? undefined : (revision.idleSince ?? now);
    // What is on its way up is let up first, whether requests get to it or not.
    const living = pods.filter(isLiving);
    const isActivating = revision.unreadySince !== undefined && (!revision.wasReady || living.length > 0);
    const isUp = isActivating
      ? leftOf(revision.unreadySince, ACTIVATION_MS) > 0 && (isRouted ? !revision.wasReady || this.#scale > 0 : true)
      : isRouted
        ? this.#scale > 0
        : leftOf(revision.idleSince, template.windowMs) > 0 && living.length > 0;
    const wanted = isUp ? 1 : 0;
    for (const pod of living.slice(wanted)) await this.#end(service, pod);
    if (living.length < wanted && (isRouted || !revision.wasReady)) {
      this.#made += 1;
      const pod = `${service.name}-${revision.generation}-${this.#made}`;
      await this.#hands.create({ ...template, pod }, labelsOf(service, revision));
    }
  }

  async #end(service: Service, { metadata }: Pod): Promise<void> {
    const revision = service.revisions.find(({ name }) => name === metadata.labels?.[REVISION_LABEL]);
    if (revision?.template && metadata.deletionTimestamp === undefined)
      await this.#hands.end(metadata.name, revision.template);
  }
}

const labelsOf = (service: Service, revision: Revision): Readonly<Record<string, string>> => ({
  [SERVICE_LABEL]: service.name,
  [SERVICE_UID]: service.uid,
  [REVISION_LABEL]: revision.name,
  [CONFIGURATION_GENERATION]: String(revision.generation),
});

/** How much of a Service's requests a Revision gets, as its spec wants it and as its status says it. */
export type Way = 'routed' | 'coming' | 'left' | 'none';

/** Which way each Revision of a Service is, at one moment. */
export const wayTo = ({ spec, status }: KnativeService, revision: string): Way => {
  const gets = (targets: readonly TrafficTarget[] = [], latest?: string) =>
    targets.some(
      ({ revisionName = latest, percent, tag }) =>
        revisionName === revision && ((percent ?? 0) > 0 || tag !== undefined),
    );
  const isWanted = gets(spec?.traffic, status?.latestCreatedRevisionName);
  const isServing = gets(status?.traffic);
  if (isWanted) return isServing ? 'routed' : 'coming';
  return isServing ? 'left' : 'none';
};
