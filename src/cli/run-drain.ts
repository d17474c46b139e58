import type { PodEip } from '../api/podeip.ts';
import { CloudFault } from '../cloud/fault.ts';
import { patient } from '../cloud/patient-cloud.ts';
import { WrongAccount } from '../controllers/preflight/account.ts';
import {
  drainPodEips,
  findManaged,
  findOwnerless,
  holdingOf,
  keepTurn,
  releaseTurn,
  type Releasing,
} from '../controllers/drain.ts';
import { Tracker } from '../controllers/podeip/tracker.ts';
import { KubeFault } from '../kube/fault.ts';
import { LEASE, type Lease } from '../kube/lease.ts';
import type { Kube } from '../kube/port.ts';
import { systemRandom as random } from '../lib/random.ts';
import { checkAccount } from './drain-account.ts';
import {
  keptText,
  endedAs,
  outcomeOf,
  ownerlessText,
  planText,
  progress,
  protection,
  summary,
  unknownText,
} from './drain-report.ts';
import { createProgress } from './progress.ts';
import { settingsOf } from '../manager/settings.ts';
import { readMarkKey } from '../manager/mark-key.ts';
import { askToBegin, clusterUidNow, connectCloud, onCluster } from './plan-and-apply.ts';
import type { DrainOptions, RunDrain } from './shell.ts';

/** The number of PodEIPs that are worked on at once. */
const AT_ONCE = 10;

/**
 * `knative-eip drain`. Exit code 0 if nothing is left; 1 if something is left, if it is not known, or if a controller
 * leads; 2 if a question must be asked and there is no terminal.
 */
export const runDrain: RunDrain = (options) =>
  onCluster(
    options,
    (kube) => drain(options, kube),
    (error) => {
      if (error instanceof WrongAccount) return `knative-eip: ${error.message}. Nothing was changed.\n`;
      return options.signal.aborted ? 'Stopped before anything was changed.\n' : undefined;
    },
  );

/** Drains until it is done, or until the stop signal or the timeout. */
const drain = async (options: DrainOptions, kube: Kube): Promise<number> => {
  const ending = new AbortController();
  const disarm =
    options.timeoutMs === undefined
      ? undefined
      : options.clock.timer(options.timeoutMs, () => ending.abort(new Error('the time of --timeout is over')));
  try {
    return await drainUnder(AbortSignal.any([options.signal, ending.signal]), options, kube);
  } finally {
    disarm?.();
  }
};

const drainUnder = async (signal: AbortSignal, options: DrainOptions, kube: Kube): Promise<number> => {
  const { config, how, clock, output, out, err } = options;
  if (!options.force && !options.dryRun) {
    const holder = await leader(options, kube, signal);
    if (holder !== undefined) {
      err(holder);
      return 1;
    }
  }
  const podEips = await managedIn(options, kube, signal);
  const holdings = podEips.map(holdingOf);
  if (options.dryRun) {
    out(planText(holdings, how, output));
    err(`${holdings.length} PodEIPs; nothing was changed.\n`);
    return 0;
  }
  if (holdings.length > 0) {
    const counts = Object.entries(Object.groupBy(holdings, (it) => outcomeOf(it, how)))
      .map(([outcome, all]) => `${outcome}: ${all.length}`)
      .join(', ');
    const about = `${holdings.length} PodEIPs (to be ${counts}). `;
    const question = { about, preview: 'what would be done', declined: 'Nothing was changed.' };
    const refused = await askToBegin(options, question, signal);
    if (refused !== undefined) return refused;
  }
  // Printed before the work begins, so that the list is complete even if the process is killed halfway.
  if (how === 'keep') {
    out(keptText(holdings, output));
    err(protection(holdings, config.regionID));
  }
  const { turn, isNotOurs, ownerless, idle } =
    how === 'keep'
      ? { turn: keepTurn(kube), isNotOurs: () => false, ownerless: async () => NO_OWNERLESS, idle: async () => {} }
      : await releasing(options, kube, podEips.length > 0, signal);
  const drained = await drainPodEips(
    podEips,
    {
      kube,
      clock,
      turn,
      atOnce: AT_ONCE,
      outcome: (it) => (isNotOurs(it) ? 'not ours' : endedAs(it, how)),
      onDrained: progress(podEips.length, options),
    },
    signal,
  );
  const rest = await ownerless(signal);
  await idle();
  err(summary(drained));
  err(rest.text);
  const left = signal.aborted
    ? drained.filter(({ outcome }) => outcome === 'left')
    : await managedIn(options, kube, signal);
  if (left.length > 0 || drained.some(({ outcome }) => outcome === 'failed')) {
    err(`${left.length} PodEIPs are left; run the same command again.\n`);
    return 1;
  }
  // Whose namespace an EIP without a PodEIP was bought in is not known: it must not hold up the drain of another one.
  if (rest.is === 'none' || options.namespace !== undefined) return 0;
  if (rest.is === 'stopped') err(unknownText('it was not looked for, because the drain was stopped'));
  return 1;
};

/**
 * What is left of EIPs that were bought here and belong to no PodEIP. `stopped`: there was no time to look, of which
 * nothing is said yet.
 */
interface Ownerless {
  readonly is: 'none' | 'some' | 'unknown' | 'stopped';
  readonly text: string;
}

const NO_OWNERLESS: Ownerless = { is: 'none', text: '' };
const STOPPED: Ownerless = { is: 'stopped', text: '' };

/** The PodEIPs to be drained; none where their kind is not installed. */
const managedIn = async (
  { namespace, err }: Pick<DrainOptions, 'namespace' | 'err'>,
  kube: Kube,
  signal: AbortSignal,
): Promise<readonly PodEip[]> => {
  try {
    return await findManaged(kube, namespace, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
    err('The CRD of PodEIP is not installed: there are no PodEIPs.\n');
    return [];
  }
};

/** Releases with the steps of the controller and the real cloud. */
const releasing = async (
  options: DrainOptions,
  kube: Kube,
  isAnythingThere: boolean,
  signal: AbortSignal,
): Promise<
  Releasing & {
    ownerless: (signal: AbortSignal) => Promise<Ownerless>;
    idle: () => Promise<unknown>;
  }
> => {
  const { config, clock, log, err } = options;
  const clusterUid = await clusterUidNow(kube, signal);
  const { namespace } = config.leaderElection;
  const markKey = await readMarkKey({ kube, log, namespace }, signal).catch((error: unknown) => {
    if (!(error instanceof KubeFault && error.kind === 'forbidden')) throw error;
    err(`${error.message}: EIPs without tags cannot be told from others by their mark.\n`);
    return undefined;
  });
  const assembled = await connectCloud(options, signal);
  const { triedAgain } = createProgress(options);
  // The steps of the controller try again by themselves; the looks before and after them have nobody else who would.
  const cloud = patient(assembled.cloud, { clock, random, onTriedAgain: triedAgain });
  const check = () =>
    config.cloud.checkAccount ? checkAccount({ config, kube, cloud, err }, signal) : Promise.resolve(undefined);
  if (isAnythingThere) await check();
  const release = releaseTurn({
    kube,
    cloud: assembled.cloud,
    clock,
    cluster: { uid: clusterUid, id: config.clusterID, region: config.regionID, markKey },
    settings: settingsOf(config, clusterUid, markKey),
    annotateThrough: config.announcement.through,
    vpcId: config.vpcID,
    tracker: new Tracker(clock, random),
    nodeOf: () => undefined,
    mayAct: () => !signal.aborted,
    onQuotaFreed: () => undefined,
    record: () => undefined,
    warnService: () => undefined,
    log,
  });
  return {
    ...release,
    ownerless: async (until) => {
      if (until.aborted) return STOPPED;
      try {
        // In another account none would be seen.
        if (!isAnythingThere) await check();
        const podEips = () => managedIn({ namespace: undefined, err: () => undefined }, kube, until);
        const cluster = { clusterUid, clusterId: config.clusterID, markKey };
        const found = await findOwnerless({ cloud, podEips, cluster }, until);
        return found.length === 0 ? NO_OWNERLESS : { is: 'some', text: ownerlessText(found) };
      } catch (error) {
        if (until.aborted) return STOPPED;
        if (!(error instanceof CloudFault || error instanceof KubeFault || error instanceof WrongAccount)) throw error;
        return { is: 'unknown', text: unknownText(error.message) };
      }
    },
    idle: () => assembled.idle(),
  };
};

/** Says who leads, and what to do about it; undefined if nobody does. */
const leader = async (
  { config, clock, err }: DrainOptions,
  kube: Kube,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { enabled, namespace, name, leaseDurationSeconds } = config.leaderElection;
  if (!enabled) {
    err('leaderElection.enabled is false: whether a controller runs cannot be seen; make sure that none does.\n');
    return undefined;
  }
  const ref = { namespace, name };
  const lease = await kube.get(LEASE, ref, signal);
  const holder = lease?.spec?.holderIdentity ?? '';
  if (!lease || holder === '') return undefined;
  const ms = (lease.spec?.leaseDurationSeconds ?? leaseDurationSeconds) * 1_000;
  // The times in a Lease are from another machine's clock. A Lease that looks expired counts as such only if it does
  // not change while it is watched.
  if (!isFresh(lease, ms, clock.now())) {
    err(`The Lease ${namespace}/${name} of ${holder} looks old; watching it for ${ms / 1_000} s.\n`);
    await clock.sleep(ms, signal);
    const after = await kube.get(LEASE, ref, signal);
    if (!after?.spec?.holderIdentity || JSON.stringify(after.spec) === JSON.stringify(lease.spec)) return undefined;
  }
  return `A controller runs: ${holder} holds the Lease ${namespace}/${name}, and would make new PodEIPs for pods that live.
Stop it first: kubectl -n ${namespace} scale deployment knative-eip --replicas=0
If it was killed a moment ago, try again in ${ms / 1_000} s. --force goes on all the same.
`;
};

const isFresh = ({ spec }: Lease, ms: number, now: number): boolean => {
  const renewed = Date.parse(spec?.renewTime ?? '');
  return !Number.isNaN(renewed) && now < renewed + ms;
};
