import type { ContainerGroup, ContainerGroups } from '../cloud/container-groups.ts';
import { CloudFault } from '../cloud/fault.ts';
import { FAULT } from '../cloud/fault-policy.ts';
import type { Tag } from '../cloud/port.ts';
import type { Clock } from '../lib/clock.ts';
import { clusterTag, nodeTags, TAG_POD_UID } from './translate/group.ts';

/** How long the cheap call is not tried again after it was denied; milliseconds. */
const DENIED_MS = 300_000;
/** So many IDs are asked for in one call (ECI API reference, DescribeContainerGroups, ContainerGroupIds). */
const MOST_IDS = 20;

/** The state of all groups at one time. */
interface Snapshot {
  /** The state as text, by ID: a different text is a change. */
  readonly states: Map<string, string>;
  /** The groups themselves and the time of the list, if they were listed. */
  readonly listed?: { readonly groups: readonly ContainerGroup[]; readonly at: number } | undefined;
}

/** The groups of a pod, as they were described. */
interface Details {
  readonly groups: readonly ContainerGroup[];
  /** When they were asked for, monotonic milliseconds. */
  readonly at: number;
  /** From when on they are read again although no change was seen. */
  readonly until?: number | undefined;
}

/**
 * The container groups of one virtual node, as the account shows them. One cheap call for all of them detects changes
 * (DescribeContainerGroupStatus: 10,000 calls in 60 s); details are fetched only after a change, together for all that
 * have changed. If that call is denied, or unknown in the region, all groups are listed instead.
 */
export class NodeGroups {
  readonly #api: ContainerGroups;
  readonly #tags: readonly Tag[];
  readonly #clusterUid: string;
  /** By ID, the state that was reported last. */
  #states = new Map<string, string>();
  /** Why the cheap call is not made, and until when, monotonic milliseconds. */
  #denied: { readonly fault: CloudFault; readonly until: number } | undefined;
  /** By ID, the pod. */
  readonly #podOf = new Map<string, string>();
  /** By ID, what was described last, also where it has changed since. */
  readonly #described = new Map<string, ContainerGroup>();
  /** By UID of the pod, what was fetched since the last change. */
  readonly #details = new Map<string, Details>();
  /** By UID of the pod, when the status call showed the last change after which details may lag behind it. */
  readonly #changedAt = new Map<string, number>();
  /** By UID of the pod, the fetches under way whose answer may still be kept. */
  readonly #fetching = new Map<string, object>();
  /** By ID, when this process first saw that the group has ended. */
  readonly #endedAt = new Map<string, number>();
  readonly #clock: Clock;
  readonly #readLagMs: number;

  /** @param settings `readLagMs`: see DecideSettings */
  constructor(
    api: ContainerGroups,
    clock: Clock,
    settings: { readonly clusterUid: string; readonly nodeName: string; readonly readLagMs: number },
  ) {
    this.#api = api;
    this.#clock = clock;
    this.#tags = nodeTags(settings.clusterUid, settings.nodeName);
    this.#clusterUid = settings.clusterUid;
    this.#readLagMs = settings.readLagMs;
  }

  /** Every group of the node. */
  async list(signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const groups = await this.#api.describeContainerGroups({ tags: this.#tags }, signal);
    for (const group of groups) this.#learn(group);
    return groups;
  }

  /** Every group of the cluster, including those of nodes that have another name now, or no longer exist. */
  async listOfCluster(signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const groups = await this.#api.describeContainerGroups({ tags: [clusterTag(this.#clusterUid)] }, signal);
    for (const group of groups) if (this.isOfNode(group)) this.#learn(group);
    const listed = new Set(groups.map(({ containerGroupId }) => containerGroupId));
    for (const id of this.#endedAt.keys()) if (!listed.has(id)) this.#endedAt.delete(id);
    return groups;
  }

  /** How long this process has known that the group has ended, of which it learns now at the latest; milliseconds. */
  endedMs({ containerGroupId }: ContainerGroup): number {
    const now = this.#clock.mono();
    const at = this.#endedAt.get(containerGroupId) ?? now;
    this.#endedAt.set(containerGroupId, at);
    return now - at;
  }

  /** Whether the group is of this node. */
  isOfNode({ tags }: ContainerGroup): boolean {
    return this.#tags.every(({ key, value }) => tags.get(key) === value);
  }

  /** Fetches all groups at once, so that the first reconciliation of each pod that has one needs no call of its own. */
  async prime(signal: AbortSignal): Promise<void> {
    // In this order, so that a change in between is detected.
    const { states, listed } = await this.#look(signal);
    this.#states = states;
    const at = listed?.at ?? this.#clock.mono();
    this.#keep(listed?.groups ?? (await this.list(signal)), at);
  }

  /** Keeps these details as the latest of their pods, or only of the given pods. */
  #keep(all: readonly ContainerGroup[], at: number, pods?: ReadonlySet<string>): void {
    const byPod = Map.groupBy(all, ({ tags }) => tags.get(TAG_POD_UID));
    for (const [uid, groups] of byPod)
      if (uid !== undefined && (pods?.has(uid) ?? true)) this.#details.set(uid, { groups: inOrder(groups), at });
  }

  /**
   * All groups of the node were listed, `at` monotonic milliseconds at the earliest. `onChange` is called with the UIDs
   * of the pods whose groups are not what they were taken for, because the cheap call does not show everything.
   */
  renew(all: readonly ContainerGroup[], at: number, onChange: (uid: string) => void): void {
    const byPod = Map.groupBy(all, ({ tags }) => tags.get(TAG_POD_UID));
    for (const [uid, known] of this.#details) {
      if (known.at >= at || known.groups.length === 0) continue;
      const groups = inOrder(byPod.get(uid) ?? []);
      if (JSON.stringify(groups) === JSON.stringify(known.groups)) continue;
      if (groups.length === 0) this.refresh(uid);
      else this.#details.set(uid, { groups, at });
      onChange(uid);
    }
  }

  /** Every group with its pod, as it was described last; without a call. */
  described(): readonly { readonly uid: string; readonly group: ContainerGroup }[] {
    return inOrder([...this.#described.values()]).flatMap((group) => {
      const uid = this.#podOf.get(group.containerGroupId);
      return uid === undefined ? [] : [{ uid, group }];
    });
  }

  /** What is known of the group of the pod without a call. */
  known(uid: string): readonly ContainerGroup[] {
    return this.#details.get(uid)?.groups ?? [];
  }

  /** The groups of a pod, oldest first; from memory where the status call has shown no change since. */
  async ofPod(uid: string, signal: AbortSignal): Promise<readonly ContainerGroup[]> {
    const known = this.#details.get(uid);
    const at = this.#clock.mono();
    if (known && known.groups.length > 0 && at < (known.until ?? Infinity)) return known.groups;
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

  /** The next read of the pod goes to the account. */
  refresh(uid: string): void {
    this.#fetching.delete(uid);
    this.#details.delete(uid);
  }

  /** What is known of the pod's groups holds for so long; after that, the next read goes to the account. */
  trust(uid: string, ms: number): void {
    const known = this.#details.get(uid);
    const until = this.#clock.mono() + ms;
    if (known && until < (known.until ?? Infinity)) this.#details.set(uid, { ...known, until });
  }

  /** Whether all details followed the last change so late that the account cannot have shown the state before it. */
  get isSure(): boolean {
    return this.#changedAt.size === 0;
  }

  /** The pod of a group that was just made, and may have been described before that was answered. */
  made(containerGroupId: string, uid: string): void {
    this.#podOf.set(containerGroupId, uid);
    if (!this.known(uid).some((group) => group.containerGroupId === containerGroupId)) this.refresh(uid);
  }

  forget(uid: string): void {
    this.refresh(uid);
    this.#changedAt.delete(uid);
    for (const [id, other] of this.#podOf) if (other === uid) this.#lose(id);
  }

  /** Whether any group is known. */
  get isEmpty(): boolean {
    return this.#podOf.size === 0;
  }

  /** Why all groups are listed instead of the cheap call; undefined while that one works. */
  get whyListed(): CloudFault | undefined {
    return this.#denied?.fault;
  }

  /**
   * Reads the state of all groups, and the details of those that have changed. `onChange` is called with the UIDs of
   * the pods whose groups have changed, come or gone since the last call. Changes of groups whose pod is not visible
   * yet are reported by the next call.
   */
  async poll(signal: AbortSignal, onChange: (uid: string) => void): Promise<void> {
    const { states, listed } = await this.#look(signal);
    const changed = [...new Set([...states.keys(), ...this.#states.keys()])].filter(
      (id) => states.get(id) !== this.#states.get(id),
    );
    const strange = changed.filter((id) => states.has(id) && !this.#podOf.has(id));
    const known = changed.filter((id) => !strange.includes(id));
    // Each of these may fail although the call before did not, and none of them hides what the others have found.
    const done = await Promise.allSettled([
      this.#report(known, states, { listed, signal, onChange }),
      ...(strange.length > 0 ? [this.#meet(strange, states, onChange, signal)] : []),
      ...(listed ? [] : [this.#lookAgain(states, onChange, signal)]),
    ]);
    for (const each of done) if (each.status === 'rejected') throw each.reason;
  }

  /** These have changed, come or gone. */
  async #report(
    ids: readonly string[],
    states: Snapshot['states'],
    { listed, signal, onChange }: Pick<Snapshot, 'listed'> & { signal: AbortSignal; onChange: (uid: string) => void },
  ): Promise<void> {
    const pods = this.#podsOf(ids);
    for (const uid of pods) this.refresh(uid);
    this.#note(ids, states);
    let failure: unknown;
    if (listed) this.#keep(listed.groups, listed.at, pods);
    else {
      const now = this.#clock.mono();
      for (const uid of pods) this.#changedAt.set(uid, now);
      // What cannot be had now is fetched when it is needed.
      await this.#fetch(pods, states, signal).catch((error: unknown) => void (failure = error));
    }
    for (const uid of pods) onChange(uid);
    if (failure !== undefined) throw failure;
  }

  /** Of these it is not known whose they are. */
  async #meet(
    ids: readonly string[],
    states: Snapshot['states'],
    onChange: (uid: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const at = this.#clock.mono();
    const described = await this.#api.describeContainerGroups({ containerGroupIds: ids }, signal);
    for (const group of described) this.#learn(group);
    const met = described.map(({ containerGroupId }) => containerGroupId);
    const pods = this.#podsOf(met);
    for (const uid of pods) {
      this.refresh(uid);
      this.#changedAt.set(uid, at);
    }
    this.#note(met, states);
    const all = [...states.keys()].filter((id) => pods.has(this.#podOf.get(id) ?? ''));
    if (all.every((id) => met.includes(id))) this.#keep(described, at, pods);
    for (const uid of pods) onChange(uid);
  }

  /** Reads once more what was read so soon after a change that the account may have shown the state before it. */
  async #lookAgain(states: Snapshot['states'], onChange: (uid: string) => void, signal: AbortSignal): Promise<void> {
    const now = this.#clock.mono();
    const due = new Map<string, Details>();
    for (const [uid, changedAt] of this.#changedAt) {
      if (now - changedAt < this.#readLagMs) continue;
      const known = this.#details.get(uid);
      if (known && known.groups.length > 0 && known.at - changedAt < this.#readLagMs) due.set(uid, known);
      else this.#changedAt.delete(uid);
    }
    await this.#fetch(new Set(due.keys()), states, signal);
    for (const [uid, known] of due) {
      const latest = this.#details.get(uid);
      if (latest && JSON.stringify(latest.groups) !== JSON.stringify(known.groups)) onChange(uid);
    }
  }

  /**
   * Fetches the details of the groups of these pods that the status call shows. Those of a pod are kept if all of them
   * are described, and nobody wanted them fresher meanwhile.
   */
  async #fetch(pods: ReadonlySet<string>, states: Snapshot['states'], signal: AbortSignal): Promise<void> {
    const ids = [...states.keys()].filter((id) => pods.has(this.#podOf.get(id) ?? ''));
    const idsOf = Map.groupBy(ids, (id) => this.#podOf.get(id) ?? '');
    const at = this.#clock.mono();
    const fetch = {};
    for (const uid of pods) this.#fetching.set(uid, fetch);
    const parts = Array.from({ length: Math.ceil(ids.length / MOST_IDS) }, (_, part) =>
      this.#api.describeContainerGroups(
        { containerGroupIds: ids.slice(part * MOST_IDS, (part + 1) * MOST_IDS), tags: this.#tags },
        signal,
      ),
    );
    const answers = await Promise.allSettled(parts);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    for (const group of found) this.#learn(group);
    const byPod = Map.groupBy(found, ({ tags }) => tags.get(TAG_POD_UID));
    for (const uid of pods) {
      if (this.#fetching.get(uid) !== fetch) continue;
      this.#fetching.delete(uid);
      const groups = inOrder(byPod.get(uid) ?? []);
      if (groups.length > 0 && groups.length === idsOf.get(uid)?.length) this.#details.set(uid, { groups, at });
    }
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  }

  #podsOf(ids: readonly string[]): ReadonlySet<string> {
    return new Set(ids.map((id) => this.#podOf.get(id)).filter((uid) => uid !== undefined));
  }

  /** Their present state has been reported. */
  #note(ids: readonly string[], states: Snapshot['states']): void {
    for (const id of ids) {
      const state = states.get(id);
      if (state !== undefined) this.#states.set(id, state);
      else {
        this.#states.delete(id);
        this.#lose(id);
      }
    }
  }

  async #look(signal: AbortSignal): Promise<Snapshot> {
    const at = this.#clock.mono();
    let denied: CloudFault | undefined;
    if (!this.#denied || at >= this.#denied.until)
      try {
        const answer = await this.#api.describeContainerGroupStatus({ tags: this.#tags }, signal);
        this.#denied = undefined;
        return { states: new Map(answer.map((status) => [status.containerGroupId, JSON.stringify(status)])) };
      } catch (error) {
        if (!(error instanceof CloudFault && FAULT[error.kind].isOfSetup)) throw error;
        denied = error;
      }
    // If the credentials are the problem, this call fails, too.
    const groups = await this.list(signal);
    if (denied) this.#denied = { fault: denied, until: at + DENIED_MS };
    const states = new Map(groups.map((group) => [group.containerGroupId, JSON.stringify(group)]));
    return { states, listed: { groups, at } };
  }

  #learn(group: ContainerGroup): void {
    const uid = group.tags.get(TAG_POD_UID);
    if (uid === undefined) return;
    this.#podOf.set(group.containerGroupId, uid);
    this.#described.set(group.containerGroupId, group);
  }

  #lose(containerGroupId: string): void {
    this.#podOf.delete(containerGroupId);
    this.#described.delete(containerGroupId);
  }
}

const inOrder = (groups: readonly ContainerGroup[]): readonly ContainerGroup[] =>
  groups.toSorted((a, b) => ((a.creationTime ?? '') < (b.creationTime ?? '') ? -1 : 1));
