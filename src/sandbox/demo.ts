import { POD } from '../api/core.ts';
import { REVISION_LABEL, SERVICE_LABEL } from '../api/knative.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube, KubeObject, Resource } from '../kube/port.ts';
import type { Clock } from '../lib/clock.ts';
import type { AddressLedger } from './address-ledger.ts';
import type { Knative } from './knative/run-knative.ts';
import { CRON_JOB } from './cluster/cronjobs.ts';
import { DAEMON_SET } from './cluster/daemonsets.ts';
import { JOB } from './cluster/jobs.ts';
import { FULL_STATEFUL_SET } from './cluster/statefulsets.ts';
import { FULL_DEPLOYMENT, REPLICA_SET } from './cluster/workloads.ts';
import { SERVICE } from './knative/resources.ts';
import {
  applySample,
  CONTRADICTION,
  isOfSample,
  SAMPLES_NAMESPACE,
  ON_ECI,
  ON_ECS,
  REFUSED,
  SAMPLES,
  WITH_OWN_EIP,
  type Sample,
} from './samples.ts';

export interface DemoStage {
  readonly kube: Kube;
  readonly knative: Knative;
  readonly ledger: AddressLedger;
  readonly clock: Clock;
  /** How long the pauses of one round take together; forever more rounds where it is left out. */
  readonly seconds: number | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Pauses of one round of samples without `--for`, seconds. */
const ROUND_S = 30;
/** How the pauses of one round are divided: together they are the time that was given. */
export const PAUSES = { served: 0.3, rolledOut: 0.2, atZero: 0.2, awake: 0.3 } as const;
/** Before the next round, of its time. */
const BETWEEN = 0.3;
const LOOK_EVERY_MS = 250;
/** How long one part of it may take to come to its end. */
const SCENE_MS = 300_000;

/** What the demo has made, and it alone takes away again. */
interface Made {
  readonly resource: Resource<KubeObject>;
  readonly object: KubeObject;
}

const inSamples = (name: string) => ({ namespace: SAMPLES_NAMESPACE, name });

/**
 * Samples come, a Knative Service is rolled out, all Services scale to zero and wake up, and everything goes: once with
 * a time given, otherwise until the signal.
 */
export const play = async (stage: DemoStage): Promise<void> => {
  const { kube, clock, seconds, signal, say } = stage;
  const pause = (share: number) => clock.sleep((seconds ?? ROUND_S) * 1_000 * share, signal);
  try {
    for (;;) {
      say(`+ samples are applied: web, three pods on ECS nodes; three Knative Services:`);
      say(`  ${ON_ECS} on ECS nodes, ${ON_ECI} on ECI, ${WITH_OWN_EIP} with an EIP of the user's;`);
      say(`  ${REFUSED} with an EIP that nobody has, and ${CONTRADICTION},`);
      say(`  with annotations that cannot be meant`);
      const made: Made[] = [];
      for (const sample of SAMPLES)
        if (sample.name === CONTRADICTION) await contradict(stage, sample);
        else made.push(...(await make(stage, sample)));
      const visit = visitor(stage);
      const visits = [ON_ECS, ON_ECI, WITH_OWN_EIP].map((name) => visit(name));
      await served(stage);
      await pause(PAUSES.served);
      await rollOutSample(stage);
      await pause(PAUSES.rolledOut);
      say('~ the visitors leave: Knative scales its Services to zero');
      for (const leave of visits) await leave();
      await until(stage, 'Knative Services are at zero', async () => (await knativePods(stage)).length === 0);
      await pause(PAUSES.atZero);
      say('~ requests come: two Services wake up');
      const again = [ON_ECS, ON_ECI].map((name) => visit(name));
      await until(
        stage,
        'both have woken up',
        async () => new Set((await knativePods(stage)).map(serviceOf)).size === 2,
      );
      await served(stage);
      await pause(PAUSES.awake);
      for (const leave of again) await leave();
      say('- samples are deleted');
      await remove(kube, made);
      if (seconds !== undefined) return await removeAll(kube);
      await until(stage, 'everything is gone', async () => (await samplePods(stage)).length === 0);
      await pause(BETWEEN);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    say('\n- stopping: everything is deleted, addresses go back');
    await removeAll(kube);
  }
};

/** How long one sleep of an empty sandbox is, seconds. */
const EMPTY_S = 60;

/** Nothing happens but what the user makes: until the signal, or for as long as was said. */
export const stayEmpty = async ({ kube, clock, seconds, signal, say }: DemoStage): Promise<void> => {
  say('+ it is empty: apply something, such as knative/bandwidth.yaml or config/samples/web.yaml');
  try {
    for (;;) {
      await clock.sleep((seconds ?? EMPTY_S) * 1_000, signal);
      if (seconds !== undefined) break;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  say('- stopping: everything is deleted, addresses go back');
  await removeAll(kube);
};

/** Creates a sample; where somebody else has one of the name, it stays as it is. */
export const make = async ({ kube, say }: DemoStage, sample: Sample): Promise<readonly Made[]> => {
  try {
    return [{ resource: sample.resource, object: await applySample(kube, sample) }];
  } catch (error) {
    if (!(error instanceof KubeFault) || error.kind !== 'exists') throw error;
    say(
      `! ${SAMPLES_NAMESPACE}/${sample.name} is somebody else's and stays as it is: give it another name, or a namespace of yours`,
    );
    return [];
  }
};

/** Applies what the webhook is to refuse, and tells its sentence as kubectl does. */
const contradict = async ({ kube, ledger, say }: DemoStage, sample: Sample): Promise<void> => {
  const { file } = sample;
  ledger.contradictions.applied += 1;
  try {
    await applySample(kube, sample);
    say(`  NOT refused: ${file}`);
  } catch (error) {
    if (!(error instanceof KubeFault) || error.kind !== 'forbidden') throw error;
    ledger.contradictions.denied += 1;
    say(`x Error from server (${error.reason ?? ''}): error when creating "${file}": ${error.message}`);
  }
};

/** A visitor: keeps a Service busy with one request until it leaves. */
export const visitor =
  ({ knative, clock, signal }: DemoStage) =>
  (name: string): (() => Promise<void>) => {
    const left = new AbortController();
    const options = { takesMs: 3_600_000, signal: AbortSignal.any([left.signal, signal]) };
    const asking = (async () => {
      // As long as there is no Route.
      while ((await knative.request(inSamples(name), options)).status === 404)
        await clock.sleep(LOOK_EVERY_MS, options.signal);
      // A visitor that leaves does not wait for the answer.
    })().catch(() => undefined);
    return async () => {
      left.abort();
      await asking;
    };
  };

const serviceOf = ({ metadata }: { metadata: { labels?: Readonly<Record<string, string>> | undefined } }) =>
  metadata.labels?.[SERVICE_LABEL];

const samplePods = ({ kube }: DemoStage, labelSelector?: string) =>
  kube.list(POD, { namespace: SAMPLES_NAMESPACE, ...(labelSelector !== undefined && { labelSelector }) });

export const knativePods = (stage: DemoStage) => samplePods(stage, REVISION_LABEL);

/** A new Revision of the Service that has the user's own EIP: it goes from the old pod to the new one. */
export const rollOutSample = async (stage: DemoStage): Promise<void> => {
  const { kube, clock, say } = stage;
  const before = (await kube.get(SERVICE, inSamples(WITH_OWN_EIP)))?.status?.latestReadyRevisionName;
  say(`~ ${WITH_OWN_EIP} is rolled out: its EIP is handed to the new Revision`);
  const template = { metadata: { annotations: { 'example.com/rolled-out': new Date(clock.now()).toISOString() } } };
  await kube.patch(SERVICE, inSamples(WITH_OWN_EIP), { type: 'merge', body: { spec: { template } } });
  const began = clock.mono();
  await until(stage, 'the new Revision is Ready', async () => {
    const status = (await kube.get(SERVICE, inSamples(WITH_OWN_EIP)))?.status;
    return status?.latestReadyRevisionName !== undefined && status.latestReadyRevisionName !== before;
  });
  say(`  the new Revision is Ready, with the address, after ${((clock.mono() - began) / 1_000).toFixed(1)} s`);
};

/** Takes away what was made, and nothing that has come to be called the same. */
const remove = async (kube: Kube, made: readonly Made[]): Promise<void> => {
  for (const { resource, object } of made)
    try {
      await kube.delete(resource, object.metadata, { uid: object.metadata.uid });
    } catch (error) {
      // Somebody else was faster, or has put another in its place.
      if (!(error instanceof KubeFault) || (error.kind !== 'notFound' && error.kind !== 'conflict')) throw error;
    }
};

/** Also what the user has made: the sandbox ends only once every address is given back. */
export const removeAll = async (kube: Kube): Promise<void> => {
  const kinds: readonly Resource<KubeObject>[] = [
    SERVICE,
    FULL_DEPLOYMENT,
    FULL_STATEFUL_SET,
    DAEMON_SET,
    CRON_JOB,
    JOB,
    REPLICA_SET,
    POD,
  ];
  for (const resource of kinds)
    for (const { metadata } of await kube.list(resource)) {
      if ((metadata.ownerReferences ?? []).length > 0 || metadata.deletionTimestamp !== undefined) continue;
      await kube.delete(resource, metadata, { uid: metadata.uid });
    }
};

export const until = async (
  { clock, signal, say }: DemoStage,
  what: string,
  isSo: () => Promise<boolean>,
): Promise<void> => {
  const deadline = clock.mono() + SCENE_MS;
  while (!(await isSo())) {
    if (clock.mono() > deadline) return say(`  NOT within ${SCENE_MS / 1_000} s: ${what}`);
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
};

/** Waits until every pod that asked for an address has it, or has waited too long. */
export const served = (stage: DemoStage): Promise<void> =>
  until(stage, 'every pod has its address', async () => {
    await stage.ledger.look();
    return stage.ledger.requesters.size > 0 && stage.ledger.waiting(isOfSample) === 0;
  });
