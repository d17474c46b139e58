import { CLOCK_SKEW_MS } from '../rules/terway-switch.ts';
import { planHandBack } from './hand-back.ts';
import type { Inventory, PoolState, SeenDeployment, SeenLease, SeenPod, Surroundings } from './inventory.ts';
import { nothingToDo, type PlannedPod } from './planned.ts';
import type { MigrationStep } from './migration-step.ts';
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
const otherAtWork = ({ others, now }: Pick<Inventory, 'others' | 'now'>): readonly MigrationRefusal[] => [
  ...runningDeployments(others.deployments),
  ...others.pods.map((pod) => ({ because: `pod ${pod} has not ended`, todo: 'wait until it has' })),
  ...heldLeases(
    others.leases,
    now,
    'scale ack-extend-network-controller to 0, or uninstall it under Add-ons in the ACK console where ACK runs it',
  ),
];

const ownAtWork = ({ own, now }: Pick<Inventory, 'own' | 'now'>): readonly MigrationRefusal[] => [
  ...runningDeployments(own.deployments),
  ...heldLeases(own.leases, now, 'stop knative-eip'),
];

/**
 * Who is at work on the same PodEIPs. Ours may be on the way over from ack-extend-network-controller, whose PodEIPs it
 * leaves alone. From Terway it may not: once the EIP pool is off in the configuration, it would buy a second
 * EIP for each pod that a process of Terway which has read the old one serves.
 */
export const refusalsOf = (
  inventory: Pick<Inventory, 'from' | 'own' | 'others' | 'now'>,
  isRollBack: boolean,
): readonly MigrationRefusal[] => [
  ...(isRollBack || inventory.from === 'terway' ? ownAtWork(inventory) : []),
  ...otherAtWork(inventory),
];

/** What holds for every pod. */
export const surroundingsOf = (inventory: Inventory): Surroundings => {
  const { from, settings, vouchedFor, now, terway } = inventory;
  return { from, settings, vouchedFor, now, pool: poolStateOf(inventory), poolOffSince: terway.notedOff };
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
  const { isGuarded, isUnguardable } = inventory;
  const guard: readonly MigrationStep[] = isGuarded || isUnguardable ? [] : [{ do: 'GuardDefinition' }];
  const plan = isRollBack ? planRollBack(inventory, pods) : planForward(inventory, around.pool);
  const afterwards = isUnguardable ? [UNGUARDED, ...plan.afterwards] : plan.afterwards;
  return { ...plan, first: [...guard, ...plan.first], afterwards, pods };
};

/** There is nobody who would refuse it; see guard.ts. */
const UNGUARDED =
  'mind that this API server has no ValidatingAdmissionPolicy (Kubernetes has it since 1.30): nothing keeps the CRD podeips.alibabacloud.com, and with it every PodEIP, from being deleted with a chart or manifests that contain it';

type Rest = Omit<Plan, 'pods'>;

/** Whether all pods have to go back together: those that go back must not find knative-eip at work for the others. */
export const isAllOrNothing = ({ from }: Pick<Surroundings, 'from'>, isRollBack: boolean): boolean =>
  isRollBack && from === 'terway';

/**
 * A part of the pods must not go back to Terway: knative-eip would be needed for the rest, and would buy a second EIP
 * for each pod whose PodEIP is gone.
 */
const blockedOnes = (pods: readonly PlannedPod[]): readonly MigrationRefusal[] =>
  pods
    .filter(({ is }) => is === 'blocked')
    .map(({ key, because, todo = '' }) => ({
      because: `${key} cannot go back to Terway (${because}), and a part of the pods must not`,
      todo,
    }));

const planForward = (inventory: Inventory, pool: PoolState): Rest => {
  const { from, terway } = inventory;
  const refusals = refusalsOf(inventory, false);
  const note: readonly MigrationStep[] = terway.isTimeMissing && from === 'terway' ? [{ do: 'NoteSwitch' }] : [];
  if (from !== 'terway' || pool === 'off')
    return {
      refusals,
      first: note,
      last: [],
      afterwards: ['start knative-eip, if it does not run: it goes on from here'],
    };
  const configuration = switchedPool(terway.configuration, 'off');
  return {
    refusals,
    first: pool === 'on' ? [] : note,
    last: pool === 'on' && configuration !== undefined ? [{ do: 'SwitchPool', to: 'off' }] : [],
    afterwards: [TURN_OFF],
  };
};

const planRollBack = (inventory: Inventory, pods: readonly PlannedPod[]): Rest => {
  const { from, terway } = inventory;
  const refusals = refusalsOf(inventory, true);
  if (from !== 'terway')
    return {
      refusals,
      first: [],
      last: [],
      afterwards: [
        'kubectl delete -k config/uninstall-beside-another takes knative-eip away, and leaves the CRD of PodEIP',
        'kubectl -n kube-system scale deployment ack-extend-network-controller --replicas=1',
      ],
    };
  const configuration = switchedPool(terway.configuration, 'on');
  return {
    refusals: [...refusals, ...blockedOnes(pods)],
    // Before the first PodEIP goes: a knative-eip that is started too early buys nothing then.
    first: configuration === undefined ? [] : [{ do: 'SwitchPool', to: 'on' }],
    last: [],
    afterwards: [
      'restart Terway: kubectl -n kube-system rollout restart daemonset -l app=terway-eniip (or app=terway-eni)',
    ],
  };
};
