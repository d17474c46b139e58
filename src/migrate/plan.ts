import { planHandBack } from './hand-back.ts';
import type { Inventory, PoolState, SeenDeployment, SeenLease, SeenPod, Surroundings } from './inventory.ts';
import { nothingToDo, type PlannedPod } from './planned.ts';
import type { MigrationStep } from './steps.ts';
import { planTakeOver, TURN_OFF } from './take-over.ts';
import { planFromTerway, poolStateOf, switchedPool } from './terway.ts';

/** Why nothing at all may be written yet, and what to do. */
export interface MigrationRefusal {
  readonly because: string;
  readonly todo: string;
}

/** What is going to happen: `first`, then the pods in any order, then `last`. */
export interface Plan {
  readonly refusals: readonly MigrationRefusal[];
  readonly first: readonly MigrationStep[];
  readonly pods: readonly PlannedPod[];
  readonly last: readonly MigrationStep[];
  /** What is left to a person then; empty where nothing is. */
  readonly afterwards: readonly string[];
}

/** Clocks of two machines differ by less; milliseconds. */
const CLOCK_SKEW_MS = 30_000;

const isFresh = ({ holder, renewedAt, durationMs }: SeenLease, now: number): boolean =>
  holder !== '' && renewedAt !== undefined && now < renewedAt + durationMs + CLOCK_SKEW_MS;

const scaleDown = ({ namespace, name }: SeenDeployment) =>
  `kubectl -n ${namespace} scale deployment ${name} --replicas=0`;

const runningDeployments = (all: readonly SeenDeployment[]): readonly MigrationRefusal[] =>
  all
    .filter(({ replicas }) => replicas > 0)
    .map((it) => ({
      because: `Deployment ${it.namespace}/${it.name} has ${it.replicas} replicas`,
      todo: scaleDown(it),
    }));

const heldLeases = (all: readonly SeenLease[], now: number, todo: string): readonly MigrationRefusal[] =>
  all
    .filter((it) => isFresh(it, now))
    .map(({ name, holder, durationMs }) => ({
      because: `${holder} holds the Lease ${name}`,
      todo: `${todo}; if it has ended, run this again in ${Math.ceil((durationMs + CLOCK_SKEW_MS) / 1_000)} s`,
    }));

/** Two controllers at work on the same PodEIPs is the worst that could happen. */
const otherAtWork = ({ others, now }: Inventory): readonly MigrationRefusal[] => [
  ...runningDeployments(others.deployments),
  ...others.pods.map((pod) => ({ because: `pod ${pod} has not ended`, todo: 'wait until it has' })),
  ...heldLeases(
    others.leases,
    now,
    'scale ack-extend-network-controller to 0, or uninstall it under Add-ons in the ACK console where ACK runs it',
  ),
];

const ownAtWork = ({ own, now }: Inventory): readonly MigrationRefusal[] => [
  ...runningDeployments(own.deployments),
  ...heldLeases(own.leases, now, 'stop knative-eip'),
];

/** What holds for every pod. */
export const surroundingsOf = (inventory: Inventory): Surroundings => {
  const { from, settings, includeGone, now } = inventory;
  return { from, settings, includeGone, now, pool: poolStateOf(inventory) };
};

/** What becomes of one pod. */
export const planPod = (seen: SeenPod, around: Surroundings, isRollBack: boolean): PlannedPod => {
  if (isRollBack) return planHandBack(seen, around);
  if (around.from === 'terway') return planFromTerway(seen, around);
  return seen.podEip ? planTakeOver(seen, seen.podEip, around) : nothingToDo(seen, 'there is no PodEIP');
};

/** Everything that the command will do; reads nothing, and decides all of it. */
export const planMigration = (inventory: Inventory, isRollBack: boolean): Plan => {
  const around = surroundingsOf(inventory);
  const pods = inventory.seen.map((seen) => planPod(seen, around, isRollBack));
  const guard: readonly MigrationStep[] = inventory.isGuarded ? [] : [{ do: 'GuardDefinition' }];
  const plan = isRollBack ? planRollBack(inventory) : planForward(inventory, around.pool);
  return { ...plan, first: guard, pods };
};

type Rest = Pick<Plan, 'refusals' | 'last' | 'afterwards'>;

const planForward = (inventory: Inventory, pool: PoolState): Rest => {
  const { from, terway } = inventory;
  const refusals = otherAtWork(inventory);
  if (from !== 'terway' || pool === 'off')
    return { refusals, last: [], afterwards: ['start knative-eip, if it does not run: it goes on from here'] };
  const configuration = switchedPool(terway.configuration, 'off');
  return {
    refusals,
    last: pool === 'on' && configuration !== undefined ? [{ do: 'SwitchPool', to: 'off', configuration }] : [],
    afterwards: [TURN_OFF],
  };
};

const planRollBack = (inventory: Inventory): Rest => {
  const { from, terway } = inventory;
  const refusals = [...ownAtWork(inventory), ...otherAtWork(inventory)];
  if (from !== 'terway')
    return {
      refusals,
      last: [],
      afterwards: [
        'kubectl delete -k config/uninstall-beside-another takes knative-eip away, and leaves the CRD of PodEIP',
        'kubectl -n kube-system scale deployment ack-extend-network-controller --replicas=1',
      ],
    };
  const configuration = switchedPool(terway.configuration, 'on');
  return {
    refusals,
    last: configuration === undefined ? [] : [{ do: 'SwitchPool', to: 'on', configuration }],
    afterwards: [
      'restart Terway: kubectl -n kube-system rollout restart daemonset -l app=terway-eniip (or app=terway-eni)',
    ],
  };
};
