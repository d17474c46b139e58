import type { CloudReading } from '../../src/cloud/readings.ts';

/** What a pod's annotations ask for. */
export type Ask =
  | { readonly for: 'new'; readonly inPackage: boolean; readonly strategy?: string | undefined }
  | { readonly for: 'existing'; readonly allocationId: string; readonly strategy?: string | undefined }
  | { readonly for: 'nothing' }
  /** Annotations that are refused. */
  | { readonly for: 'nonsense' };

/** One EIP: of the users by its ID, or the one that was bought for this pod. */
export type Which = { readonly eip: string } | { readonly ofPod: string };

/**
 * Graceful deletion, as kubelets do it since Kubernetes 1.27: the containers end after `graceMs`, then the final phase
 * is written, and the object goes.
 */
export interface Ending {
  readonly graceMs: number;
  /** @default Failed */
  readonly phase?: 'Succeeded' | 'Failed' | undefined;
  /** How long after the phase the object goes. @default 0 */
  readonly objectMs?: number | undefined;
  /** Whether the private address is free before the phase is written, or once the object is gone. */
  readonly freesFirst: boolean;
}

/**
 * Where requests go: to the latest Revision, to the one before it, to both of them, or to the latest with a tag for the
 * one before it.
 */
export type RouteTo = 'latest' | 'previous' | 'both' | 'tagged';

/** What somebody or something does to the cluster or in the cloud. */
export type Deed =
  /** A pod comes to a node, and runs with an address of its own after `startMs`. */
  | {
      readonly do: 'create';
      readonly pod: string;
      readonly ask: Ask;
      readonly gated: boolean;
      readonly node: number;
      readonly startMs: number;
      /** Its owner makes it anew under its name, as a StatefulSet's controller does. */
      readonly owner?: 'StatefulSet' | undefined;
      /** It is a pod of the one Knative Service, of this Revision. */
      readonly revision?: number | undefined;
    }
  | ({ readonly do: 'delete'; readonly pod: string } & Ending)
  /** The object goes at once; the containers hold the private address for `lingerMs` more. */
  | { readonly do: 'force'; readonly pod: string; readonly lingerMs: number }
  /** A user applies the Knative Service: it is made, or gets a Revision more. */
  | ({
      readonly do: 'apply';
      readonly ask: Ask;
      readonly gated: boolean;
      readonly node: number;
      readonly startMs: number;
      /** How long a Revision without requests keeps its pods: the stable window, and what they drain. */
      readonly windowMs: number;
    } & Ending)
  /** A user writes into the Service where the requests shall go. */
  | { readonly do: 'route'; readonly to: RouteTo }
  /** The autoscaler wants so many pods of each Revision that requests get to. */
  | { readonly do: 'scale'; readonly pods: 0 | 1 }
  /** A user deletes the Service. */
  | { readonly do: 'unserve' }
  /** The containers end by themselves. */
  | { readonly do: 'finish'; readonly pod: string; readonly phase: 'Succeeded' | 'Failed' }
  | { readonly do: 'annotate'; readonly pod: string; readonly ask: Ask }
  /** The sandbox of the pod is made anew: it gets another private address. */
  | { readonly do: 'move'; readonly pod: string }
  /** Somebody writes into the pod that it has an address. Never generated: it breaks I6, to see that this is seen. */
  | { readonly do: 'lie'; readonly pod: string }
  | { readonly do: 'deletePodEip'; readonly pod: string }
  /** An operator declares the EIP of the pod theirs: the type of its PodEIP becomes Static. */
  | { readonly do: 'declare'; readonly pod: string }
  /** Somebody takes the finalizers off the PodEIP. */
  | { readonly do: 'strip'; readonly pod: string }
  /** A human at the console. */
  | { readonly do: 'detach' | 'rebind' | 'release'; readonly which: Which }
  | { readonly do: 'quota'; readonly eips: number }
  /** The EipPolicy of the namespace allows this many EIPs from now on. */
  | { readonly do: 'limit'; readonly eips: number }
  /** The node and its network interface are gone, its pods are removed by force. */
  | { readonly do: 'loseNode'; readonly node: number }
  | { readonly do: 'compact' }
  /** Somebody deletes the Lease. */
  | { readonly do: 'deleteLease' };

/** What happens to the processes of the controller. */
export type Attack =
  | { readonly do: 'outage'; readonly peer: 'kubernetes' | 'cloud'; readonly ms: number }
  /** The leading process dies; the next one starts after `downMs`. */
  | { readonly do: 'kill'; readonly downMs: number }
  /** SIGTERM; the next one starts after it has ended. */
  | { readonly do: 'terminate' }
  /** SIGSTOP and SIGCONT. */
  | { readonly do: 'pause'; readonly ms: number }
  /** A second process starts beside the first, which goes on for `ms`. */
  | { readonly do: 'second'; readonly ms: number }
  /** The wall clock of the process jumps. */
  | { readonly do: 'jump'; readonly ms: number };

const ATTACKS: ReadonlySet<string> = new Set([
  'outage',
  'kill',
  'terminate',
  'pause',
  'second',
  'jump',
] satisfies Attack['do'][]);

export const isAttack = (action: Deed | Attack): action is Attack => ATTACKS.has(action.do);

export type Action = (Deed | Attack) & { readonly at: number };

/** Whether no pod on a node can have an EIP in a cloud like this. */
export const isHopeless = ({ readings = [] }: Pick<Script, 'readings'>): boolean =>
  readings.includes('noInterface') || readings.includes('prefixMode');

/** Whether Knative Serving is installed in the world of these actions. */
export const hasKnative = (actions: readonly Action[]): boolean =>
  actions.some((it) => it.do === 'apply' || (it.do === 'create' && it.revision !== undefined));

/** One world and its history, but for the draws. Plain JSON. */
export interface Script {
  readonly name: string;
  readonly actions: readonly Action[];
  /** When the faults end; milliseconds. */
  readonly endMs: number;
  /** Probability of a fault at each I/O until then. */
  readonly faultRate: number;
  /**
   * So long each process lives, from its start, and the next one starts at once; until the faults end, where there are
   * any. @default until something kills it
   */
  readonly lifeMs?: number | undefined;
  /** Whether the controllers elect a leader; otherwise each one that runs works. */
  readonly election: boolean;
  /** Whether the node's plug-in takes the address of a pod that has ended off the interface, or keeps it in a pool. */
  readonly freesAddresses: boolean;
  readonly quota: number;
  /** What its cloud is like where the documentation leaves it open. @default none */
  readonly readings?: readonly CloudReading[] | undefined;
  /** Whether the bandwidth package is there that pods name. @default true */
  readonly hasPackage?: boolean | undefined;
  /** How many EIPs the EipPolicy of the namespace allows at the beginning. @default there is no policy */
  readonly limit?: number | undefined;
  /** How long EIPs are kept for the next pod of the Service. @default 0 */
  readonly holdOffSeconds?: number | undefined;
  /** Whether EIPs without a PodEIP are looked for. Not in most worlds: it would hide that one was lost. */
  readonly sweeper: boolean;
  /** Whether a sink is told by CloudEvents. @default false */
  readonly sink?: boolean | undefined;
  /** PodEIPs that another controller has left behind, to be taken over. */
  readonly legacy: readonly Legacy[];
  /** Whether an hour without any event is watched at the end. */
  readonly quiet: boolean;
}

/** A pod that runs, and its PodEIP, written by ack-extend-network-controller. */
export interface Legacy {
  readonly pod: string;
  readonly type: 'Auto' | 'Static';
  /** Whether the pod is still there. */
  readonly hasPod: boolean;
}

/** The EIP of a PodEIP that was left behind. */
export const legacyEip = ({ pod, type }: Legacy): string => (type === 'Static' ? USERS_EIPS[1] : `eip-legacy${pod}`);

/** The users' EIPs that exist in every world. */
export const USERS_EIPS = ['eip-users1', 'eip-users2'] as const;

export const PACKAGE = 'cbwp-1';
