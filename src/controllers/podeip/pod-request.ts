import { ipv4Of, isAnnounced } from '../../api/pod.ts';
import type { Node, Pod } from '../../api/core.ts';
import type { Finding } from '../../api/finding.ts';
import type { Eip } from '../../cloud/port.ts';
import type { RuleSettings, RuleInput } from '../../rules/rule.ts';
import { NO_FACTS } from '../../rules/cluster-facts.ts';
import { evaluateRequest } from '../../rules/evaluate.ts';
import { workloadOfPod, type Workload } from '../../rules/workload.ts';
import { parseAnnotations, type ParsedRequest } from '../../request/parse.ts';
import { creationFacts } from '../../policies/policy.ts';
import { planCreation, type CreationPlan } from '../../request/provisioner.ts';
import { targetOf, type Target } from '../../request/target.ts';
import type { Handover } from '../../request/values.ts';
import { isBoundTo, latestBinding, type PodEipRecord } from './record.ts';
import type { Settings } from './observation.ts';

/** Whether the owner of the pod gives the next pod the same name. */
export const isStateful = ({ metadata }: Pod, { statefulKinds }: Pick<Settings, 'statefulKinds'>): boolean =>
  metadata.ownerReferences?.some(({ controller, kind }) => controller === true && statefulKinds.includes(kind)) ??
  false;

/**
 * What a pod asks for, and what follows from where it runs. Each part is computed when it is first needed, and once:
 * finding out whether an address is wanted costs neither the rules nor the plan.
 */
export class PodRequest {
  readonly pod: Pod;
  readonly #node: Node | undefined;
  readonly #settings: RuleSettings;
  #said: ParsedRequest | undefined;
  #workload: Workload | undefined;
  #parsed: ParsedRequest | undefined;
  #target: Target | undefined;
  #plan: CreationPlan | undefined;
  #findings: readonly Finding[] | undefined;

  /** @param settings as they hold in the pod's namespace */
  constructor(pod: Pod, node: Node | null, settings: RuleSettings) {
    this.pod = pod;
    this.#node = node ?? undefined;
    this.#settings = settings;
  }

  /** Whether an address is asked for at all. */
  get isWanted(): boolean {
    return this.#annotations.wanted;
  }

  /** How an existing EIP comes from an older pod of the same Knative Service. */
  get handover(): Handover {
    return this.#annotations.handover;
  }

  /** What the pod asks for, as far as the pod itself can say. */
  get parsed(): ParsedRequest {
    return (this.#parsed ??= evaluateRequest(this.#input(undefined), this.#annotations));
  }

  get target(): Target {
    return (this.#target ??= targetOf(this.pod, this.#node));
  }

  /** Who makes the address. */
  get plan(): CreationPlan {
    const { annotations } = this.pod.metadata;
    return (this.#plan ??= planCreation(this.parsed, annotations, this.target, creationFacts(this.#settings)));
  }

  /** All findings about the pod on the node where it runs. */
  get findings(): readonly Finding[] {
    return (this.#findings ??= evaluateRequest(this.#input(this.target), this.#annotations).findings);
  }

  get #annotations(): ParsedRequest {
    return (this.#said ??= parseAnnotations(this.pod.metadata.annotations, this.#settings.defaults));
  }

  #input(target: Target | undefined): RuleInput {
    const workload = (this.#workload ??= workloadOfPod(this.pod));
    return { workload, target, settings: this.#settings, facts: NO_FACTS };
  }
}

/** What a pod asks for, as far as the pod itself can say. */
export const parsePod = (pod: Pod, settings: RuleSettings): ParsedRequest => new PodRequest(pod, null, settings).parsed;

/**
 * Whether the cloud shows something else than what was published on the pod. A single such read may come from a lagging
 * replica.
 */
export const isDrifting = (pod: Pod | null, eip: Eip | null, record: PodEipRecord): boolean => {
  if (!pod || !isAnnounced(pod)) return false;
  const binding = latestBinding(record);
  return !(
    eip?.status === 'InUse' &&
    binding !== undefined &&
    isBoundTo(eip, binding) &&
    binding.privateIpAddress === ipv4Of(pod)
  );
};
