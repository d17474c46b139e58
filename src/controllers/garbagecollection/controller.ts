import { runReleaseAction } from './actions.ts';
import { NAMESPACE } from '../../api/core.ts';
import { TAG_CLUSTER_UID, TAG_POD, TAG_PODEIP_UID, UID_TO_KEEP } from '../../api/annotations.ts';
import { PODEIP, type PodEip } from '../../api/podeip.ts';
import { CloudFault } from '../../cloud/fault.ts';
import { FaultHistory } from '../../cloud/fault-history.ts';
import { FAULT } from '../../cloud/fault-policy.ts';
import type { Cloud, Eip } from '../../cloud/port.ts';
import { KubeFault } from '../../kube/fault.ts';
import type { Kube } from '../../kube/port.ts';
import { runSteps, type StepLoop } from '../../kube/step-loop.ts';
import { sleepUnlessAborted, type Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Caller } from '../../lib/token.ts';
import { isUntagged } from '../podeip/ownership.ts';
import { readRecord } from '../podeip/record.ts';
import {
  ownersOf,
  orphanCandidateOf,
  findOrphans,
  tried,
  type CandidateObservations,
  type OrphanCandidate,
  type CollectionSettings,
  type CandidateVerdict,
} from './orphans.ts';
import {
  decideRelease,
  isReleaseRead,
  isReleaseResult,
  type DueEip,
  type ReleaseAction,
  type ReleaseRead,
  type ReleaseResult,
} from './release.ts';
import { regarding, type EventNote, type Regarding } from '../podeip/events.ts';
import type { SweeperMetrics, SweepOutcome } from './metrics.ts';

/** The fixed settings of garbage collection. */
export interface GarbageCollectionSettings extends CollectionSettings {
  /** `report`: everything except the release. */
  readonly mode: 'release' | 'report';
  /** Time between the end of a pass and the next one, milliseconds. */
  readonly periodMs: number;
  /** How many EIPs are worked on in one pass; the others wait for the next one. */
  readonly maxReleases: number;
  /** The VPC in which network interfaces are looked up. */
  readonly vpcId: string;
}

interface GarbageCollectionPorts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: GarbageCollectionSettings;
  readonly metrics: SweeperMetrics;
  readonly record: (regarding: Regarding, event: EventNote) => void;
  /** Hears of both lists in each pass, the EIPs listed before the PodEIPs. Must not throw. */
  readonly listed?: ((eips: readonly Eip[], podEips: readonly PodEip[]) => void) | undefined;
  readonly log: Log;
}

/**
 * Time until the first pass, milliseconds: early, because it starts the observations, but after the work that has piled
 * up before the start.
 */
export const FIRST_PASS_MS = 30_000;

/**
 * Finds EIPs that have the tags of this cluster and belong to no PodEIP, in periodic passes, and releases them, until
 * the signal aborts. Observations start from nothing, also after a change of the leader.
 */
export const runGarbageCollection = async (ports: GarbageCollectionPorts, signal: AbortSignal): Promise<void> => {
  const { clock, settings, metrics } = ports;
  const sweeper = new GarbageCollector(ports);
  let completeAt = clock.mono();
  metrics.lastPassAge(() => (signal.aborted ? undefined : (clock.mono() - completeAt) / 1_000));
  for (let waitMs = FIRST_PASS_MS; ; waitMs = settings.periodMs) {
    await sleepUnlessAborted(clock, waitMs, signal);
    if (signal.aborted) return;
    const outcome = await sweeper.pass(signal);
    if (outcome === undefined) return;
    metrics.passed(outcome);
    if (outcome === 'ok' || outcome === 'braked') completeAt = clock.mono();
  }
};

/** The outcome of one pass for one EIP. */
interface CollectOutcome {
  /** `passes`: nothing was done, because of an obstacle that passes by itself. */
  readonly is: 'changed' | 'released' | 'passes' | 'blocked';
  readonly say: string;
}

class GarbageCollector {
  readonly #ports: GarbageCollectionPorts;
  readonly #log: Log;
  /** Identifies this process in client tokens, because the attempts of earlier processes are not known. */
  readonly #subject: string;
  #observations: CandidateObservations = new Map();
  /** The last message by allocation ID: a message is repeated only if it changes. */
  #said = new Map<string, string>();
  /** By allocation ID, what the cloud keeps answering. */
  readonly #faults: FaultHistory;

  constructor(ports: GarbageCollectionPorts) {
    this.#ports = ports;
    this.#faults = new FaultHistory(ports.clock);
    this.#log = ports.log.child({ controller: 'sweeper' });
    this.#subject = `sweeper/${ports.random.uuid()}`;
  }

  /** Runs one pass; undefined if the signal aborted it. Never rejects. */
  async pass(signal: AbortSignal): Promise<SweepOutcome | undefined> {
    try {
      return await this.#pass(signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof CloudFault && error.code === 'InconsistentPages') {
        this.#log.info({ action: error.action }, `The list of EIPs changed while it was read; this pass is skipped`);
        return 'inconsistent';
      }
      const isFault = error instanceof CloudFault || error instanceof KubeFault;
      const fields = isFault ? { kind: error.kind } : { error };
      this.#log[isFault ? 'warn' : 'error'](fields, `A pass failed, the next one tries again: ${messageOf(error)}`);
      return 'failed';
    }
  }

  async #pass(signal: AbortSignal): Promise<SweepOutcome> {
    const { cloud, kube, clock, settings, metrics } = this.#ports;
    // EIPs must be listed before PodEIPs: see findOrphans().
    const eips = await cloud.findEips([{ key: TAG_CLUSTER_UID, value: settings.clusterUid }], signal);
    const untagged = await cloud.listFreeEips(signal);
    const podEips = await kube.list(PODEIP, {}, signal);
    this.#ports.listed?.(eips, podEips);
    const { observations, verdicts, breaker } = findOrphans(
      this.#observations,
      { eips, untagged, podEips, now: clock.mono() },
      settings,
    );
    this.#observations = observations;
    const count = { orphan: 0, surplus: 0, unidentified: 0 };
    for (const { kind } of verdicts) count[kind] += 1;
    metrics.saw(count);
    let left = verdicts.filter(({ is }) => is === 'due' || is === 'blocked').length;
    metrics.left(left);
    metrics.braked(breaker !== undefined);
    this.#faults.keep((allocationId) => observations.has(allocationId));
    this.#said = new Map([...this.#said].filter(([allocationId]) => observations.has(allocationId)));
    for (const verdict of verdicts) this.#tell(verdict);
    const due = verdicts.filter(({ is }) => is === 'due');
    this.#log.debug({ ...count, eips: eips.length, podEips: podEips.length, due: due.length }, 'Looked at all EIPs');
    if (breaker !== undefined) {
      this.#log.error({ eips: eips.length, podEips: podEips.length, due: due.length }, breaker);
      this.#record(
        { podEip: undefined },
        { type: 'Warning', reason: 'ReleaseBlocked', action: 'Sweep', note: breaker },
      );
      return 'braked';
    }
    if (settings.mode === 'release')
      for (const verdict of due.slice(0, settings.maxReleases)) {
        if (await this.#work(verdict, signal)) left -= 1;
        metrics.left(left);
      }
    return 'ok';
  }

  /** Reports the verdict about an EIP if it has changed. */
  #tell(verdict: CandidateVerdict): void {
    const { is, eip, because, obstacle } = verdict;
    if (is === 'due' && this.#ports.settings.mode === 'release') return;
    const what = `${eip.allocationId} (${eip.ipAddress}) ${because}`;
    if (is === 'blocked') this.#blocked(verdict, obstacle ?? '');
    else if (is === 'young') this.#say(verdict, 'info', `${what}; it is watched`);
    else if (is === 'due') this.#say(verdict, 'warn', `${what}; it would be released, but sweeper.mode is report`);
    else
      this.#say(
        verdict,
        'warn',
        `${what}; it is left alone. Release it in the console, or ${isUntagged(eip) ? `give it the tag ${TAG_PODEIP_UID}=${UID_TO_KEEP}` : `remove its tag ${TAG_CLUSTER_UID}`}`,
      );
  }

  /** Reads the EIP again, and makes the next change that leads to its release. Resolves to whether it is released. */
  async #work(verdict: CandidateVerdict, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const { allocationId } = verdict.eip;
    const caller = { subject: this.#subject, attempt: this.#observations.get(allocationId)?.tries ?? 0 };
    try {
      const result = await this.#release(verdict, caller, signal);
      this.#observations = tried(this.#observations, allocationId, result.is === 'released');
      if (result.is === 'changed' || result.is === 'released') this.#faults.forget(allocationId);
      if (result.is === 'blocked') this.#blocked(verdict, result.say);
      else if (result.is === 'passes') this.#log.debug(fieldsOf(verdict), `${allocationId}: ${result.say}`);
      else this.#log.info(fieldsOf(verdict), `${result.say}, because it ${verdict.because}`);
      return result.is === 'released';
    } catch (error) {
      if (!(error instanceof CloudFault)) throw error;
      this.#observations = tried(this.#observations, allocationId, false);
      const { kind, action, code, requestId, message } = error;
      const { trouble } = this.#faults.failed(allocationId, action, error);
      if (trouble) this.#blocked(verdict, trouble.message, trouble.topic);
      else this.#log.debug({ ...fieldsOf(verdict), kind, action, code, requestId }, message);
      return false;
    }
  }

  async #release(verdict: CandidateVerdict, caller: Caller, signal: AbortSignal): Promise<CollectOutcome> {
    return runSteps(this.#stepLoop(caller), await this.#observe(verdict, signal), signal);
  }

  #stepLoop(caller: Caller): StepLoop<DueEip, ReleaseRead, ReleaseAction, ReleaseResult, CollectOutcome> {
    return {
      decide: decideRelease,
      isRead: isReleaseRead,
      isResult: isReleaseResult,
      read: async (step, due, signal) => ({ ...due, primaryAddress: await this.#primaryAddress(step, due, signal) }),
      act: (step, { verdict: { eip } }, signal) => this.#act(step, { eip, caller }, signal),
      settle: ({ do: how, because }) => Promise.resolve({ is: how === 'Wait' ? 'passes' : 'blocked', say: because }),
    };
  }

  /** Reads the EIP again and, if it is a surplus one, the EIP that its PodEIP has recorded. */
  async #observe(verdict: CandidateVerdict, signal: AbortSignal): Promise<DueEip> {
    const { cloud, kube, settings } = this.#ports;
    const { allocationId } = verdict.eip;
    const recordedId = verdict.podEip?.spec.allocationID;
    const looked = await Promise.all(
      [allocationId, ...(recordedId === undefined ? [] : [recordedId])].map((id) => cloud.describeEip(id, signal)),
    );
    const podEips = await kube.list(PODEIP, {}, signal);
    const [eip] = looked;
    const listed = new Map(looked.flatMap((it) => (it ? [[it.allocationId, it] as const] : [])));
    const candidate = eip && orphanCandidateOf(eip, listed, ownersOf(podEips), settings);
    return { verdict, eip, candidate, podEips };
  }

  async #act(
    step: ReleaseAction,
    { eip: { allocationId, ipAddress }, caller }: { readonly eip: Eip; readonly caller: Caller },
    signal: AbortSignal,
  ): Promise<CollectOutcome> {
    const { cloud, metrics } = this.#ports;
    const target = { cloud, allocationId, caller };
    switch (step.do) {
      case 'Unassociate':
        await runReleaseAction(step, target, signal);
        return {
          is: 'changed',
          say: `detached ${allocationId} from ${step.networkInterfaceId} ${step.privateIpAddress}`,
        };
      case 'LeaveBandwidthPackage':
        await runReleaseAction(step, target, signal);
        return { is: 'changed', say: `took ${allocationId} out of ${step.bandwidthPackageId}` };
      case 'Release': {
        try {
          await runReleaseAction(step, target, signal);
        } catch (error) {
          if (!(error instanceof CloudFault && FAULT[error.kind].effect === 'absent')) throw error;
          return { is: 'passes', say: 'it had been released already' };
        }
        metrics.released();
        const note = `released ${allocationId} (${ipAddress}), which ${step.candidate.because}`;
        this.#record(step.candidate, { type: 'Normal', reason: 'Released', action: 'Sweep', note });
        return { is: 'released', say: `released ${allocationId}` };
      }
    }
  }

  /**
   * The primary address of a network interface. It is taken from bindings in the records of PodEIPs, and must be
   * confirmed by the cloud.
   */
  async #primaryAddress(
    { networkInterfaceId }: ReleaseRead,
    { podEips }: DueEip,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { cloud, settings } = this.#ports;
    const bindings = podEips.flatMap((podEip) => readRecord(podEip).bindings);
    const noted = bindings.filter((binding) => binding.isPrimary && binding.networkInterfaceId === networkInterfaceId);
    for (const privateIpAddress of new Set(noted.map((binding) => binding.privateIpAddress))) {
      const found = await cloud.findNetworkInterfaces({ vpcId: settings.vpcId, privateIpAddress }, signal);
      const isPrimary = found.some(
        (eni) => eni.networkInterfaceId === networkInterfaceId && eni.primaryIpAddress === privateIpAddress,
      );
      if (isPrimary) return privateIpAddress;
    }
    return null;
  }

  /**
   * Reports that somebody has to act before the EIP can be released. `topic` is the obstacle without the parts that
   * differ each time.
   */
  #blocked(candidate: OrphanCandidate, obstacle: string, topic = obstacle): void {
    const { eip, because } = candidate;
    this.#ports.metrics.blocked();
    const note = `${eip.allocationId} (${eip.ipAddress}) ${because}, and cannot be released: ${obstacle}`;
    if (!this.#say(candidate, 'warn', note, topic)) return;
    this.#record(candidate, { type: 'Warning', reason: 'ReleaseBlocked', action: 'Sweep', note });
  }

  /** Logs a sentence unless it is repeated; returns whether it was logged. */
  #say(candidate: OrphanCandidate, level: 'info' | 'warn', sentence: string, topic = sentence): boolean {
    const { allocationId } = candidate.eip;
    if (this.#said.get(allocationId) === topic) return false;
    this.#said.set(allocationId, topic);
    this.#log[level](fieldsOf(candidate), sentence);
    return true;
  }

  /**
   * Records an Event about the PodEIP or, if there is none, about the namespace kube-system, whose UID identifies the
   * cluster.
   */
  #record({ podEip }: Pick<OrphanCandidate, 'podEip'>, event: EventNote): void {
    const { record, settings } = this.#ports;
    const { version, kind } = NAMESPACE;
    const cluster: Regarding = { apiVersion: version, kind, name: 'kube-system', uid: settings.clusterUid };
    for (const object of podEip ? regarding({ pod: null, podEip }) : [cluster]) record(object, event);
  }
}

const fieldsOf = ({ kind, eip, podEipUid }: OrphanCandidate) => ({
  kind,
  eip: eip.allocationId,
  ipAddress: eip.ipAddress,
  podEipUid,
  pod: eip.tags.get(TAG_POD),
});

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
