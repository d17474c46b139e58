import type { ContainerGroup, ContainerGroups } from '../cloud/container-groups.ts';
import type { Tag } from '../cloud/port.ts';
import type { Clock } from '../lib/clock.ts';
import { clusterTag, nodeTags, TAG_POD_UID } from './translate/group.ts';

/**
 * The container groups of one virtual node, as the account shows them. One cheap call for all of them notices changes
 * (DescribeContainerGroupStatus: 10,000 calls in 60 s); the details of one are fetched only where something changed.
 */
export class NodeGroups {
  readonly #api: ContainerGroups;
  readonly #tags: readonly Tag[];
  readonly #clusterUid: string;
  /** By ID, the last answer of the status call. */
  #statuses = new Map<string, string>();
  /** By ID, the pod. */
  readonly #podOf = new Map<string, string>();
  /** By UID of the pod, what was fetched since the last change. */
  readonly #details = new Map<string, { readonly groups: readonly ContainerGroup[]; readonly at: number }>();
  /** By UID of the pod, when the status call showed a change last. */
  readonly #changedAt = new Map<string, number>();
  /** By UID of the pod, the fetches under way whose answer may still be kept. */
  readonly #fetching = new Map<string, object>();
  readonly #clock: Clock;

  constructor(api: ContainerGroups, clock: Clock, clusterUid: string, nodeName: string) {
    this.#api = api;
    this.#clock = clock;
    this.#tags = nodeTags(clusterUid, nodeName);
    this.#clusterUid = clusterUid;
  }

  /** Every group of the node. */
  async list(signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const groups = await this.#api.describeContainerGroups({ tags: this.#tags }, signal);
    for (const group of groups) this.#learn(group);
    return groups;
  }

  /** Every group of the cluster: those, too, of nodes that have another name now, or none any more. */
  async listOfCluster(signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const groups = await this.#api.describeContainerGroups({ tags: [clusterTag(this.#clusterUid)] }, signal);
    for (const group of groups) if (this.isOfNode(group)) this.#learn(group);
    return groups;
  }

  /** Whether the group is of this node. */
  isOfNode({ tags }: ContainerGroup): boolean {
    return this.#tags.every(({ key, value }) => tags.get(key) === value);
  }

  /** Fetches all groups at once, so that the first look at each pod that has one needs no call of its own. */
  async prime(signal: AbortSignal): Promise<void> {
    // In this order: what changes in between is noticed.
    this.#statuses = await this.#fetchStatuses(signal);
    const at = this.#clock.mono();
    const byPod = Map.groupBy(await this.list(signal), ({ tags }) => tags.get(TAG_POD_UID));
    for (const [uid, groups] of byPod) if (uid !== undefined) this.#details.set(uid, { groups: inOrder(groups), at });
  }

  /** The groups of a pod, oldest first; from memory where the status call has shown no change since. */
  async ofPod(uid: string, signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const known = this.#details.get(uid);
    if (known && known.groups.length > 0) return known.groups;
    const at = this.#clock.mono();
    const fetch = {};
    this.#fetching.set(uid, fetch);
    const tags = [...this.#tags, { key: TAG_POD_UID, value: uid }];
    const groups = inOrder(await this.#api.describeContainerGroups({ tags }, signal));
    for (const group of groups) this.#learn(group);
    if (this.#fetching.get(uid) === fetch) {
      this.#fetching.delete(uid);
      this.#details.set(uid, { groups, at });
    }
    return groups;
  }

  /** The next look at the pod goes to the account. */
  refresh(uid: string): void {
    this.#fetching.delete(uid);
    this.#details.delete(uid);
  }

  /**
   * Whether the last look at the pod was so soon after a change that the account may have shown it as it was before.
   */
  mayLag(uid: string, lagMs: number): boolean {
    const { at = -Infinity } = this.#details.get(uid) ?? {};
    return at - (this.#changedAt.get(uid) ?? -Infinity) < lagMs;
  }

  /** The pod of a group that was just made. */
  made(containerGroupId: string, uid: string): void {
    this.#podOf.set(containerGroupId, uid);
    this.refresh(uid);
  }

  forget(uid: string): void {
    this.refresh(uid);
    this.#changedAt.delete(uid);
    for (const [id, other] of this.#podOf) if (other === uid) this.#podOf.delete(id);
  }

  /** Whether any group is known. */
  get isEmpty(): boolean {
    return this.#podOf.size === 0;
  }

  /**
   * Asks for the status of all groups. The UIDs of the pods whose groups have changed, come or gone since the last
   * time.
   */
  async poll(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const statuses = await this.#fetchStatuses(signal);
    const changed = [...new Set([...statuses.keys(), ...this.#statuses.keys()])].filter(
      (id) => statuses.get(id) !== this.#statuses.get(id),
    );
    this.#statuses = statuses;
    const strange = changed.filter((id) => statuses.has(id) && !this.#podOf.has(id));
    if (strange.length > 0)
      for (const group of await this.#api.describeContainerGroups({ containerGroupIds: strange }, signal))
        this.#learn(group);
    const pods = new Set(changed.map((id) => this.#podOf.get(id)).filter((uid) => uid !== undefined));
    for (const uid of pods) {
      this.refresh(uid);
      this.#changedAt.set(uid, this.#clock.mono());
    }
    for (const id of changed) if (!statuses.has(id)) this.#podOf.delete(id);
    return pods;
  }

  async #fetchStatuses(signal: AbortSignal): Promise<Map<string, string>> {
    const answer = await this.#api.describeContainerGroupStatus({ tags: this.#tags }, signal);
    return new Map(answer.map((status) => [status.containerGroupId, JSON.stringify(status)]));
  }

  #learn({ containerGroupId, tags }: ContainerGroup): void {
    const uid = tags.get(TAG_POD_UID);
    if (uid !== undefined) this.#podOf.set(containerGroupId, uid);
  }
}

const inOrder = (groups: readonly ContainerGroup[]): readonly ContainerGroup[] =>
  groups.toSorted((a, b) => ((a.creationTime ?? '') < (b.creationTime ?? '') ? -1 : 1));
