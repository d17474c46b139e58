import { CloudFault } from '../cloud/fault.ts';
import type { Cloud } from '../cloud/port.ts';
import { WrongAccount } from '../controllers/preflight/account.ts';
import { KubeFault } from '../kube/fault.ts';
import type { Kube } from '../kube/port.ts';
import { systemRandom as random } from '../lib/random.ts';
import { settingsOf } from '../manager/settings.ts';
import { applyPlan, rehearsedPod, StoppedByOther, type AppliedPod } from '../migrate/apply-plan.ts';
import type { Inventory } from '../migrate/inventory.ts';
import { planMigration, type Plan } from '../migrate/plan.ts';
import type { PlannedPod } from '../migrate/planned.ts';
import { readInventory, type InventoryPorts } from '../migrate/read-inventory.ts';
import { readPolicies, rehearse } from '../migrate/rehearse.ts';
import { checkAccount } from './drain-account.ts';
import { blockedText, countsText, migrationText, refusalsText, writesText } from './migrate-report.ts';
import { askToBegin, clusterUidNow, connectCloud, onCluster } from './plan-and-apply.ts';
import type { MigrateOptions, RunMigrate } from './shell.ts';

/** `knative-eip migrate`. */
export const runMigrate: RunMigrate = (options) =>
  onCluster(
    options,
    (kube) => migrate(options, kube),
    (error) => {
      if (options.signal.aborted) return 'Stopped; run the same command again to go on.\n';
      if (error instanceof StoppedByOther)
        return `Stopped, since something has changed meanwhile; run this again then.\n${refusalsText(error.refusals)}`;
      if (!(error instanceof WrongAccount || error instanceof CloudFault || error instanceof KubeFault))
        return undefined;
      const isForbidden = error instanceof KubeFault && error.kind === 'forbidden';
      return `knative-eip: ${error.message}${isForbidden ? '; use the kubeconfig of an administrator' : ''}\n`;
    },
  );

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

const migrate = async (options: MigrateOptions, kube: Kube): Promise<number> => {
  const assembled = await connectCloud(options, options.signal);
  try {
    return await migrateWith(options, kube, onlyTags(assembled.cloud));
  } finally {
    await assembled.idle();
  }
};

const migrateWith = async (options: MigrateOptions, kube: Kube, cloud: Cloud): Promise<number> => {
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
  };
  const cluster = { uid, id: config.clusterID, region: config.regionID };
  const inventory = await readAll(reading, signal, err);
  if (!inventory) return 1;
  const policies = await readPolicies(kube, signal);
  const plan = await rehearsed(
    planMigration(inventory, isRollBack),
    inventory,
    (seen, adoption, until) => rehearse(seen, adoption, { ...reading, random, cluster, policies }, until),
    signal,
  );
  if (options.mode === 'apply') return apply(plan, inventory, { options, reading, cluster });
  return show(plan, options);
};

type Cluster = Parameters<typeof rehearse>[2]['cluster'];
type Rehearse = Parameters<typeof rehearsedPod>[2];

const readAll = async (reading: InventoryPorts, signal: AbortSignal, err: (text: string) => void) => {
  try {
    return await readInventory(reading, signal);
  } catch (error) {
    if (!(error instanceof KubeFault && error.kind === 'notFound')) throw error;
    err('The CRD of PodEIP is not installed; install knative-eip first: kubectl apply -k config/default\n');
    return undefined;
  }
};

/** With what the controller would change stopped: it is asked itself. */
const rehearsed = async (plan: Plan, { seen }: Inventory, rehearsing: Rehearse, signal: AbortSignal): Promise<Plan> => {
  const seenOf = new Map(seen.map((it) => [it.key, it]));
  const evaluate = async (pod: PlannedPod): Promise<PlannedPod> => {
    const it = seenOf.get(pod.key);
    return it ? rehearsedPod(pod, it, rehearsing, signal) : pod;
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
}

const apply = async (plan: Plan, inventory: Inventory, { options, reading, cluster }: Applying): Promise<number> => {
  const { isRollBack, err, out, output, signal } = options;
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
  const told = (it: AppliedPod) => {
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
    isRollBack,
    onApplied: told,
  } satisfies Parameters<typeof applyPlan>[2];
  const { applied, isWhole } = await applyPlan(plan, inventory, ports, signal);
  err(blockedText(plan.pods));
  const writes = applied.reduce((sum, it) => sum + it.written, 0);
  err(`${countsText(plan.pods)}; ${writes} writes for them.\n`);
  for (const step of plan.afterwards) err(`Next: ${step}\n`);
  return isWhole && isAllFine(plan) ? 0 : 1;
};
