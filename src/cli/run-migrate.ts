import { CloudFault } from '../cloud/fault.ts';
import type { Cloud } from '../cloud/port.ts';
import { WrongAccount } from '../controllers/preflight/account.ts';
import { KubeFault, type KubeFaultKind } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import { systemRandom as random } from '../lib/random.ts';
import { settingsOf } from '../manager/settings.ts';
import { applyPlan, rehearsedPod, StoppedByOther, type AppliedPod } from '../migrate/apply-plan.ts';
import type { Inventory } from '../migrate/inventory.ts';
import { planMigration, type Plan } from '../migrate/plan.ts';
import type { PlannedPod } from '../migrate/planned.ts';
import { mayPass, patient } from '../cloud/patient-cloud.ts';
import { PodEipsNotInstalled, readInventory, type InventoryPorts } from '../migrate/read-inventory.ts';
import { readPolicies, rehearse } from '../migrate/rehearse.ts';
import { checkAccount } from './drain-account.ts';
import { createProgress, type Progress } from './progress.ts';
import { blockedText, countsText, migrationText, outcomesText, refusalsText, writesText } from './migrate-report.ts';
import { askToBegin, clusterUidNow, connectCloud, onCluster } from './plan-and-apply.ts';
import type { MigrateOptions, RunMigrate } from './shell.ts';

/** How far the command has got, for whoever is told that it has ended early. */
interface Course {
  readonly progress: Progress;
  hasBegunToWrite: boolean;
}

/** `knative-eip migrate`. */
export const runMigrate: RunMigrate = (options) => {
  const course: Course = { progress: createProgress(options), hasBegunToWrite: false };
  return onCluster(
    options,
    (kube) => migrate(options, kube, course),
    (error) => {
      if (options.signal.aborted) return 'Stopped; run the same command again to go on.\n';
      if (error instanceof StoppedByOther)
        return `Stopped, since something has changed meanwhile; run this again then.\n${refusalsText(error.refusals)}`;
      if (error instanceof PodEipsNotInstalled) return `${error.message}\n`;
      return isExplained(error) ? endedEarly(error, course) : undefined;
    },
  );
};

type Explained = WrongAccount | CloudFault | KubeFault;

const isExplained = (error: unknown): error is Explained =>
  error instanceof WrongAccount || error instanceof CloudFault || error instanceof KubeFault;

const PASSING_IN_CLUSTER: ReadonlySet<KubeFaultKind> = new Set(['throttled', 'unavailable', 'conflict', 'expired']);

/** What has ended it, how far it was, and what to do. */
const endedEarly = (error: Explained, { progress, hasBegunToWrite }: Course): string => {
  const isForbidden = error instanceof KubeFault && error.kind === 'forbidden';
  const isPassing =
    (error instanceof CloudFault && mayPass(error.kind)) ||
    (error instanceof KubeFault && PASSING_IN_CLUSTER.has(error.kind));
  const sofar = progress.sofar();
  return [
    `knative-eip: ${error.message}${isForbidden ? '; use the kubeconfig of an administrator' : ''}`,
    ...(sofar === '' ? [] : [`It had got so far: ${sofar}.`]),
    `${hasBegunToWrite ? 'What was written stays' : 'Nothing was changed'}; run the same command again${isPassing ? '' : ' once that is mended'}.`,
    '',
  ].join('\n');
};

const no = (action: string) => () => Promise.reject(new Error(`${action} is never called by a migration`));

/** Of the cloud nothing can be changed but tags, whatever the code says. */
const onlyTags = (cloud: Cloud): Cloud => ({
  ...cloud,
  allocateEip: no('AllocateEipAddress'),
  associateEip: no('AssociateEipAddress'),
  unassociateEip: no('UnassociateEipAddress'),
  releaseEip: no('ReleaseEipAddress'),
  joinBandwidthPackage: no('AddCommonBandwidthPackageIp'),
  leaveBandwidthPackage: no('RemoveCommonBandwidthPackageIp'),
});

const migrate = async (options: MigrateOptions, kube: Kube, course: Course): Promise<number> => {
  const assembled = await connectCloud(options, options.signal);
  const { clock } = options;
  const onTriedAgain = (fault: CloudFault) => course.progress.triedAgain(fault);
  try {
    return await migrateWith(options, {
      kube,
      cloud: patient(onlyTags(assembled.cloud), { clock, random, onTriedAgain }),
      course,
    });
  } finally {
    await assembled.idle();
  }
};

interface MigrateParts {
  readonly kube: Kube;
  readonly cloud: Cloud;
  readonly course: Course;
}

const migrateWith = async (options: MigrateOptions, { kube, cloud, course }: MigrateParts): Promise<number> => {
  const { config, from, takeOver, isRollBack, clock, signal, err } = options;
  const uid = await clusterUidNow(kube, signal);
  if (config.cloud.checkAccount) await checkAccount({ config, kube, cloud, err }, signal);
  const { namespace, name } = config.leaderElection;
  const reading: InventoryPorts = {
    kube,
    cloud,
    clock,
    from,
    vouchedFor: new Set(takeOver),
    settings: settingsOf(config, uid),
    vpcId: config.vpcID,
    ownLease: { namespace, name },
    onRead: (what, done, total) => course.progress.did(what, done, total),
  };
  const cluster = { uid, id: config.clusterID, region: config.regionID };
  const inventory = await readInventory(reading, signal);
  const policies = await readPolicies(kube, signal);
  const plan = await rehearsed(
    planMigration(inventory, isRollBack),
    inventory,
    (seen, adoption, until) => rehearse(seen, adoption, { ...reading, random, cluster, policies }, until),
    { signal, progress: course.progress },
  );
  if (options.mode === 'apply') return apply(plan, inventory, { options, reading, cluster, course });
  return show(plan, options);
};

type Cluster = Parameters<typeof rehearse>[2]['cluster'];
type Rehearse = Parameters<typeof rehearsedPod>[2];

/** With what the controller would change stopped: it is asked itself. */
const rehearsed = async (
  plan: Plan,
  { seen }: Inventory,
  rehearsing: Rehearse,
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: Progress },
): Promise<Plan> => {
  const seenOf = new Map(seen.map((it) => [it.key, it]));
  let done = 0;
  const evaluate = async (pod: PlannedPod): Promise<PlannedPod> => {
    const it = seenOf.get(pod.key);
    const evaluated = it ? await rehearsedPod(pod, it, rehearsing, signal) : pod;
    progress.did('pods checked', (done += 1), plan.pods.length);
    return evaluated;
  };
  return { ...plan, pods: await Promise.all(plan.pods.map(evaluate)) };
};

const isAllFine = ({ refusals, pods }: Plan): boolean =>
  refusals.length === 0 && pods.every(({ is }) => is !== 'blocked' && is !== 'waits');

const show = (plan: Plan, { mode, output, out, err }: MigrateOptions): number => {
  out(mode === 'dryRun' && output === 'table' ? writesText(plan) : migrationText(plan, output));
  err(refusalsText(plan.refusals) + blockedText(plan.pods));
  err(`${countsText(plan.pods)}; nothing was changed.\n`);
  return isAllFine(plan) ? 0 : 1;
};

interface Applying {
  readonly options: MigrateOptions;
  readonly reading: InventoryPorts;
  readonly cluster: Cluster;
  readonly course: Course;
}

const apply = async (plan: Plan, inventory: Inventory, applying: Applying): Promise<number> => {
  const { options, reading, cluster, course } = applying;
  const { err, out, output, signal } = options;
  if (plan.refusals.length > 0) {
    err(refusalsText(plan.refusals));
    return 1;
  }
  const isThereWork = [...plan.first, ...plan.last].length > 0 || plan.pods.some(({ steps }) => steps.length > 0);
  if (isThereWork) {
    const about = `${countsText(plan.pods)}. `;
    const question = { about, preview: 'what would be written', declined: 'Nothing was changed.' };
    const refused = await askToBegin(options, question, signal);
    if (refused !== undefined) return refused;
  }
  out(migrationText(plan, output));
  const writing = { kube: reading.kube, cloud: reading.cloud, clock: reading.clock, cluster };
  course.hasBegunToWrite = isThereWork;
  let done = 0;
  const told = (it: AppliedPod) => {
    course.progress.did('pods worked on', (done += 1), plan.pods.length);
    if (it.because !== undefined) err(`${it.key}: ${it.is}: ${it.because}\n`);
  };
  const ports = {
    reading,
    writing,
    // With the policies as they are by then.
    rehearse: async (seen, adoption, until) =>
      rehearse(
        seen,
        adoption,
        { ...reading, random, cluster, policies: await readPolicies(reading.kube, until) },
        until,
      ),
    isRollBack: options.isRollBack,
    onApplied: told,
  } satisfies Parameters<typeof applyPlan>[2];
  const { applied, isWhole } = await applyPlan(plan, inventory, ports, signal);
  err(blockedText(plan.pods));
  const writes = applied.reduce((sum, it) => sum + it.written, 0);
  err(`${outcomesText(plan.pods, applied)}; ${writes} writes for them.\n`);
  const hasFailed = applied.some(({ is }) => is === 'failed');
  // What of ack-extend-network-controller is blocked is left alone by knative-eip, which may begin with the others.
  const mayGoOn = isWhole || (!hasFailed && reading.from !== 'terway' && !options.isRollBack);
  if (mayGoOn) for (const step of plan.afterwards) err(`Next: ${step}\n`);
  else err('It is not finished: run the same command again once what is said above is mended.\n');
  return isWhole && isAllFine(plan) ? 0 : 1;
};
