import {
  ADOPTED,
  ALLOCATED_ADDRESS,
  SUCCESSOR_UID,
  BINDINGS,
  CONTROLLER,
  CONTROLLER_NAME,
  FORMER_POD_UID,
  GENERATION,
  GONE_SINCE,
  HANDED_OVER,
  REUSABLE,
  POD_UID,
  QUIET_SINCE,
  READINESS_GATE,
  REQUEST,
} from '../../../src/api/annotations.ts';
import type { Namespace, Pod } from '../../../src/api/core.ts';
import type { EipHolder } from '../../../src/api/eipholder.ts';
import type { EipUsage } from '../../../src/api/eippolicy.ts';
import type { KnativeService } from '../../../src/api/knative.ts';
import { FINALIZER, type PodEip } from '../../../src/api/podeip.ts';
import type { Eip } from '../../../src/cloud/port.ts';
import type { EffectivePolicy } from '../../../src/policies/policy.ts';
import { writeRequest } from '../../../src/request/request.ts';
import { decide } from '../../../src/controllers/podeip/decide.ts';
import { sortByMark } from '../../../src/controllers/podeip/ownership.ts';
import { isDrifting } from '../../../src/controllers/podeip/pod-request.ts';
import { readRecord, writeBindings } from '../../../src/controllers/podeip/record.ts';
import type {
  TrackedState,
  CompetingClaim,
  ObservedState,
  Settings,
} from '../../../src/controllers/podeip/observation.ts';
import { isReadStep, type Action, type ReadStep, type Result } from '../../../src/controllers/podeip/step.ts';
import { bound, eip as anEip, eni, node, podEip as aPodEip } from './situation.ts';

/** A pod, its PodEIP and one EIP: what the decision is about, as plain data. */
export interface State {
  readonly pod: Pod | null;
  readonly podEip: PodEip | null;
  readonly eip: Eip | null;
  readonly memory: TrackedState;
  readonly now: number;
  /** Who else holds the EIP. @default [] */
  readonly competitors?: readonly CompetingClaim[];
  /** The Knative Service. @default 'unreadable' */
  readonly service?: KnativeService | null;
  /** Whose EIPs are to be had. @default [] */
  readonly reusable?: readonly PodEip[];
  /** Who gets the EIP. @default null */
  readonly successor?: PodEip | null;
  /** What holds in the namespace. @default no policy */
  readonly policy?: EffectivePolicy;
  /** UIDs of the PodEIPs that have a place, in order. @default [] */
  readonly taken?: readonly string[];
  /** Whose the existing EIP is. @default null */
  readonly holder?: EipHolder | null;
  /** UIDs of other PodEIPs that are there, none of which has an EIP. @default [] */
  readonly waiting?: readonly string[];
}

/** The most that is ever looked at before something is done. */
const MOST_LOOKS = 8;

const namespace: Namespace = { metadata: { name: 'default', uid: 'namespace', resourceVersion: '1' } };

const usageOf = (taken: readonly string[]): EipUsage => ({
  metadata: { name: 'default', uid: 'usage', resourceVersion: '1' },
  places: taken.map((podEipUID) => ({ podEipUID, podEip: podEipUID, bandwidthMbps: 5 })),
});

const answer = (look: ReadStep, state: State, settings: Settings): Partial<ObservedState> => {
  const { eip, podEip, pod, competitors = [], reusable = [], successor = null, policy, taken, waiting = [] } = state;
  switch (look.do) {
    case 'ReadEip':
      return { eip: eip?.allocationId === look.allocationId ? eip : null };
    case 'ReadTaggedEips':
    case 'ReadMarkedEips': {
      const tagged = eip && eip.tags.get('knative-eip/podeip-uid') === podEip?.metadata.uid ? [eip] : [];
      if (look.do === 'ReadTaggedEips') return { tagged };
      if (eip?.status !== 'Available' || !podEip) return { tagged, suspects: [] };
      const { ours, suspects } = sortByMark([eip], podEip, settings);
      return { tagged: [...tagged, ...ours], suspects };
    }
    case 'ReadInterfaces':
      return { interfaces: [eni({ privateIpAddresses: ['10.0.0.1', pod?.status?.podIP ?? ''] })] };
    case 'ReadNodeInterfaces':
      return { nodeInterfaces: [] };
    case 'ReadBandwidthPackage':
      return {
        bandwidthPackage: { bandwidthPackageId: look.bandwidthPackageId, isp: 'BGP', businessStatus: 'Normal' },
      };
    case 'ReadCompetingClaims':
      return { competitors };
    case 'ReadReusable':
      return { reusable };
    case 'ReadSuccessor':
      return { successor };
    case 'ReadService':
      return { service: state.service === undefined ? 'unreadable' : state.service };
    case 'ReadHolder':
      return { holder: state.holder ?? null };
    case 'ReadNamingServices':
      return { isNamedByService: false };
    case 'ReadNamespace':
      return { namespace: settings.existingEips === 'firstUse' ? namespace : null };
    case 'ReadPolicy':
      return { policy: policy && { effective: policy, isFresh: true }, namespace };
    case 'ReadQuota': {
      const others = waiting.map((uid) => ({ ...aPodEip(), metadata: { ...aPodEip().metadata, name: uid, uid } }));
      return { quota: { usage: taken ? usageOf(taken) : null, podEips: podEip ? [podEip, ...others] : others } };
    }
    case 'ReadReclaimable':
      return { reclaimable: new Map([[look.podEipUid, true]]) };
  }
};

/** Looks until there is something to do, or nothing. */
export const settle = (state: State, settings: Settings): { step: Action | Result; looks: number } => {
  const { pod, podEip, memory, now, policy } = state;
  let seen: ObservedState = { pod, podEip, node, memory, now, policy: policy && { effective: policy, isFresh: false } };
  for (let looks = 0; looks <= MOST_LOOKS; looks += 1) {
    const step = decide(seen, settings);
    if (!isReadStep(step)) return { step, looks };
    seen = { ...seen, ...answer(step, state, settings) };
  }
  throw new Error(`more than ${MOST_LOOKS} looks`);
};

const annotated = <T extends Pod | PodEip>(object: T, changes: Readonly<Record<string, string | undefined>>): T => {
  const all = Object.entries({ ...object.metadata.annotations, ...changes });
  const annotations = Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
  return { ...object, metadata: { ...object.metadata, annotations } };
};
const recorded = (podEip: PodEip, allocationID: string): PodEip => ({
  ...podEip,
  spec: { ...podEip.spec, allocationID },
});
const told = (pod: Pod, address: string | undefined, isGated: boolean, reason?: string): Pod => {
  const after = annotated(pod, { [ALLOCATED_ADDRESS]: address });
  const status = address === undefined && reason === undefined ? 'False' : 'True';
  const conditions = [{ type: READINESS_GATE, status, ...(reason !== undefined && { reason }) }] as const;
  return isGated ? { ...after, status: { ...after.status, conditions } } : after;
};
const unbound = (eip: Eip): Eip => {
  const { instanceId: _, instanceType: __, privateIpAddress: ___, ...rest } = eip;
  return { ...rest, status: 'Available' };
};

/** What becomes of the world when the act succeeds at once. */
export const apply = (step: Action, state: State): State => {
  const { pod, podEip, eip } = state;
  if (step.do === 'Claim') {
    const claimed = aPodEip({
      request: step.request,
      hasFinalizer: step.request !== undefined,
      generation: step.generation,
      release: step.release,
      podUid: pod?.metadata.uid ?? '',
    });
    return { ...state, podEip: claimed };
  }
  if (step.do === 'RecordExternal') {
    const record = aPodEip({ controller: 'eci-virtual-node', hasFinalizer: false, podUid: pod?.metadata.uid ?? '' });
    return { ...state, podEip: record };
  }
  if (!podEip) throw new Error(`${step.do} without a PodEIP`);
  const mustBe = (it: Eip | null): Eip => {
    if (!it) throw new Error(`${step.do} without an EIP`);
    return it;
  };
  const note = (changes: Readonly<Record<string, string | undefined>>): State => ({
    ...state,
    podEip: annotated(podEip, changes),
  });
  switch (step.do) {
    case 'Retire': {
      if (podEip.metadata.finalizers?.length === 0) return { ...state, podEip: null };
      const metadata = { ...podEip.metadata, deletionTimestamp: '2026-11-21T12:00:00Z' };
      return { ...state, podEip: { ...podEip, metadata } };
    }
    case 'Retain':
      return note({
        [POD_UID]: '',
        [FORMER_POD_UID]: readRecord(podEip).podUid,
        [GONE_SINCE]: new Date(state.now).toISOString(),
      });
    case 'TakeOver':
      return note({ [POD_UID]: step.podUid, [GONE_SINCE]: undefined });
    case 'Adopt':
      return note({
        [CONTROLLER]: CONTROLLER_NAME,
        [ADOPTED]: step.from,
        [POD_UID]: step.podUid,
        [GONE_SINCE]: step.goneSince === undefined ? undefined : new Date(step.goneSince).toISOString(),
        [REQUEST]: writeRequest(step.request),
        [GENERATION]: '1',
        [BINDINGS]: JSON.stringify(step.bindings),
      });
    case 'MarkReusable':
      return note({ [REUSABLE]: 'true' });
    case 'AssignSuccessor': {
      const { uid } = podEip.metadata;
      return { ...state, reusable: [annotated(step.predecessor, { [SUCCESSOR_UID]: uid })] };
    }
    case 'CancelTransfer':
      return { ...state, reusable: [annotated(step.predecessor, { [SUCCESSOR_UID]: undefined })] };
    case 'TransferOwnership': {
      const tags = new Map([...mustBe(eip).tags, ['knative-eip/podeip-uid', podEip.metadata.uid] as const]);
      return { ...state, eip: { ...mustBe(eip), tags }, reusable: [] };
    }
    case 'Tag':
      return { ...state, eip: { ...mustBe(eip), tags: anEip().tags } };
    case 'Hold': {
      const holder = { namespace: step.namespace.metadata.name, lastNamed: new Date(state.now).toISOString() };
      const metadata = { name: step.allocationId, uid: 'holder', resourceVersion: '1' };
      return { ...state, holder: { metadata, ...holder } };
    }
    case 'Reserve': {
      const { uid } = podEip.metadata;
      const kept = (state.taken ?? []).filter((it) => it !== uid && !step.reclaimed.includes(it));
      return { ...state, taken: [...kept, uid] };
    }
    case 'Allocate':
      return { ...state, eip: anEip({ allocationId: 'eip-2' }), podEip: recorded(podEip, 'eip-2') };
    case 'Forget': {
      const after = annotated(podEip, { [GENERATION]: String(step.generation), [BINDINGS]: undefined });
      return { ...state, podEip: recorded(after, '') };
    }
    case 'Preempt':
      // Its own reconciler detaches what it has.
      return { ...state, competitors: [], eip: eip?.status === 'InUse' ? unbound(eip) : eip };
    case 'Unclaim':
      return { ...state, podEip: recorded(podEip, '') };
    case 'Record':
      return { ...state, podEip: recorded(podEip, step.allocationId) };
    case 'RecordBinding':
      return note({ [BINDINGS]: writeBindings(readRecord(podEip).bindings, step.binding) });
    case 'Associate': {
      const { privateIpAddress, networkInterfaceId } = step.binding;
      return { ...state, eip: { ...mustBe(eip), ...bound, instanceId: networkInterfaceId, privateIpAddress } };
    }
    case 'Untag':
      return { ...state, eip: { ...mustBe(eip), tags: new Map() } };
    case 'Unassociate':
    case 'ForceDetach':
      return { ...state, eip: unbound(mustBe(eip)) };
    case 'JoinBandwidthPackage':
      return { ...state, eip: { ...mustBe(eip), bandwidthPackageId: step.bandwidthPackageId } };
    case 'LeaveBandwidthPackage': {
      const { bandwidthPackageId: _, ...rest } = mustBe(eip);
      return { ...state, eip: rest };
    }
    case 'Release':
      return { ...state, eip: null };
    case 'NoteQuiet':
      return note({ [QUIET_SINCE]: step.note });
    case 'RestoreFinalizer': {
      const its = step.podEip;
      return { ...state, podEip: { ...its, metadata: { ...its.metadata, finalizers: [FINALIZER] } } };
    }
    case 'RemoveFinalizer':
      return { ...state, podEip: null };
    case 'Publish':
      return { ...state, pod: pod && told(pod, step.ipAddress, step.isGated) };
    case 'Unpublish':
      return { ...state, pod: pod && told(pod, undefined, step.isGated) };
    case 'StandAside':
      return { ...state, pod: pod && told(pod, undefined, step.isGated, HANDED_OVER) };
  }
};

/** Time passes: what the cloud was doing is done, and the process has been quiet and has seen what it sees for long. */
export const pass = (state: State, ms: number): State => {
  const { pod, podEip } = state;
  const eip =
    state.eip?.status === 'Associating'
      ? { ...state.eip, status: 'InUse' }
      : state.eip && (state.eip.status === 'Unassociating' ? unbound(state.eip) : state.eip);
  const isThere = eip !== null && eip.allocationId === podEip?.spec.allocationID;
  return {
    ...state,
    eip,
    now: state.now + ms,
    memory: {
      quietMs: 600_000,
      isCertain: state.memory.isCertain,
      driftMs: podEip && isDrifting(pod, isThere ? eip : null, readRecord(podEip)) ? 600_000 : 0,
      missingMs: isThere ? 0 : 600_000,
      retainedMs: 7_200_000,
    },
  };
};
