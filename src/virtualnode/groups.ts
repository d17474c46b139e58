import type { ContainerGroup, ContainerGroups } from '../cloud/container-groups.ts';
import { nodeTags, TAG_POD_UID } from './translate/group.ts';

/**
 * The container groups of one virtual node, as the account shows them. One cheap call for all of them notices changes
 * (DescribeContainerGroupStatus: 10,000 calls in 60 s); the details of one are fetched only where something changed.
 */
export class NodeGroups {
  readonly #api: ContainerGroups;
  readonly #tags: ReturnType<typeof nodeTags>;
  /** By ID, the last answer of the status call. */
  #statuses = new Map<string, string>();
  /** By ID, the pod. */
  readonly #podOf = new Map<string, string>();
  /** By UID of the pod, what was fetched and for which statuses. */
  readonly #details = new Map<string, { readonly groups: readonly ContainerGroup[]; readonly of: string }>();

  constructor(api: ContainerGroups, clusterUid: string, nodeName: string) {
    this.#api = api;
    this.#tags = nodeTags(clusterUid, nodeName);
  }

  /** Every group of the node. */
  async list(signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const groups = await this.#api.describeContainerGroups({ tags: this.#tags }, signal);
    for (const group of groups) this.#learn(group);
    return groups;
  }

  /** The groups of a pod, oldest first; from memory where the status call has shown no change since. */
  async ofPod(uid: string, signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const known = this.#details.get(uid);
    if (known && known.groups.length > 0 && known.of === this.#shown(known.groups)) return known.groups;
    const tags = [...this.#tags, { key: TAG_POD_UID, value: uid }];
    const groups = (await this.#api.describeContainerGroups({ tags }, signal)).toSorted((a, b) =>
      (a.creationTime ?? '') < (b.creationTime ?? '') ? -1 : 1,
    );
    for (const group of groups) this.#learn(group);
    this.#details.set(uid, { groups, of: this.#shown(groups) });
    return groups;
  }

  /** The next look at the pod goes to the account. */
  refresh(uid: string): void {
    this.#details.delete(uid);
  }

  /** The pod of a group that was just made. */
  made(containerGroupId: string, uid: string): void {
    this.#podOf.set(containerGroupId, uid);
    this.#details.delete(uid);
  }

  forget(uid: string): void {
    this.#details.delete(uid);
    for (const [id, other] of this.#podOf) if (other === uid) this.#podOf.delete(id);
  }

  /** Whether any group is known. */
  get isEmpty(): boolean {
    return this.#podOf.size === 0;
  }

  /** Asks for the status of all groups. The UIDs of the pods whose groups have changed, come or gone since the last time. */
  async poll(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const answer = await this.#api.describeContainerGroupStatus({ tags: this.#tags }, signal);
    const statuses = new Map(answer.map((status) => [status.containerGroupId, JSON.stringify(status)]));
    const changed = [...new Set([...statuses.keys(), ...this.#statuses.keys()])].filter(
      (id) => statuses.get(id) !== this.#statuses.get(id),
    );
    this.#statuses = statuses;
    const strange = changed.filter((id) => statuses.has(id) && !this.#podOf.has(id));
    if (strange.length > 0)
      for (const group of await this.#api.describeContainerGroups({ containerGroupIds: strange }, signal))
        this.#learn(group);
    const pods = new Set(changed.map((id) => this.#podOf.get(id)).filter((uid) => uid !== undefined));
    for (const id of changed) if (!statuses.has(id)) this.#podOf.delete(id);
    return pods;
  }

  #learn({ containerGroupId, tags }: ContainerGroup): void {
    const uid = tags.get(TAG_POD_UID);
    if (uid !== undefined) this.#podOf.set(containerGroupId, uid);
  }

  #shown(groups: readonly ContainerGroup[]): string {
    return groups.map(({ containerGroupId }) => this.#statuses.get(containerGroupId) ?? '').join('\n');
  }
}
