import { CONFIG_MAP } from '../../src/api/core.ts';
import { isFinal } from '../../src/api/pod.ts';
import { TAG_POD_UID } from '../../src/virtualnode/translate/group.ts';
import type { ContainerGroupSpec } from '../../src/cloud/container-groups.ts';
import type { Kube } from '../../src/kube/port.ts';
import type { ContainerGroupRecord } from '../../src/sandbox/cloud/records.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import { WORKLOAD_POD, type WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { virtualNodeSettings } from '../harness/settings.ts';
import { seeded } from '../harness/random.ts';
import { bindDisk, CLAIMED, DISK } from './bound-disk.ts';
import { NODE_NAME, SETTLE_MS, Stage } from './stage.ts';
import { WorldDraws } from './world-draws.ts';

/*
 * A world of two virtual nodes in one account, drawn from a seed: pods with claims of one disk, with EIPs, on spot
 * instances, of which there are some at times, with what is missing and what cannot be; they come, end, and are
 * deleted, also by force; the processes die at their writes, the cloud loses answers, refuses and lags, and somebody
 * writes into statuses. What must hold all the time is looked at every half second, and what must come of it in the
 * end.
 */

const OTHER = 'virtual-2';
const NODES = [NODE_NAME, OTHER];
const EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };
/** A spot instance, or a pay-as-you-go instance where there are none. */
const SPOT = { 'k8s.aliyun.com/eci-spot-strategy': 'SpotAsPriceGo', 'k8s.aliyun.com/eci-spot-fallback': 'true' };
/** A pod with it is held. */
const UNREADABLE = { 'k8s.aliyun.com/eci-ntp-server': '?' };
const ENDED = new Set(['Succeeded', 'Failed', 'ScheduleFailed', 'Expired']);

/** How long things happen, and how long they may then take to come to rest; milliseconds. */
const LIVELY_MS = 150_000;
const REST_MS = 240_000;
const LOOK_MS = 500;

export interface NodeWorldOutcome {
  readonly problems: readonly string[];
  readonly deaths: number;
  readonly instances: number;
  readonly withDisk: number;
  /** Pods for which a pay-as-you-go instance was asked for, after a spot instance. */
  readonly withoutSpot: number;
  readonly virtualMs: number;
}

const hasDisk = ({ volumes = [] }: ContainerGroupRecord): boolean =>
  volumes.some(({ options }) => options?.includes(DISK) === true);

const uidsOf = (asked: readonly ContainerGroupSpec[]) =>
  new Set(asked.map(({ tags }) => tags.find(({ key }) => key === TAG_POD_UID)?.value));

class NodeWorld {
  readonly #draws: WorldDraws;
  readonly #stage: Stage;
  readonly #problems = new Set<string>();
  /** Pods by name, as they were made. */
  readonly #made = new Map<string, { readonly hasClaim: boolean; readonly uid: string }>();
  /** Since when each node has had no process; virtual time. */
  readonly #down = new Map<string, number>();
  readonly #withDisk = new Set<string>();
  #deaths = 0;
  #pods = 0;
  #hasSpot = true;

  constructor(seed: number, stage: Stage) {
    this.#draws = new WorldDraws(seed);
    this.#stage = stage;
    stage.cloud.inject({
      action: 'CreateContainerGroup',
      times: Infinity,
      when: ({ parameters }) => parameters.has('SpotStrategy') && !this.#hasSpot,
      fault: { effect: 'never', answer: { code: 'OperationDenied.NoStock', status: 403 } },
    });
  }

  async live(): Promise<NodeWorldOutcome> {
    const stage = this.#stage;
    await bindDisk(stage.kube);
    stage.kill();
    for (const nodeName of NODES) await this.#start(nodeName);
    for (let at = 0; at < LIVELY_MS; at += LOOK_MS) {
      if (this.#draws.chance(0.15)) await this.#act();
      await this.#pass();
    }
    await this.#settle();
    await this.#clear();
    // One that is to die at a write that has not come yet would die while it ends, and never end.
    for (const nodeName of NODES) stage.kill(nodeName);
    await stage.stop();
    const uids = uidsOf(stage.created);
    const onSpot = uidsOf(stage.created.filter(({ spotStrategy }) => spotStrategy !== undefined));
    const others = uidsOf(stage.created.filter(({ spotStrategy }) => spotStrategy === undefined));
    return {
      problems: [...this.#problems],
      deaths: this.#deaths,
      instances: uids.size,
      withDisk: this.#withDisk.size,
      withoutSpot: onSpot.intersection(others).size,
      virtualMs: stage.clock.mono(),
    };
  }

  async #start(nodeName: string): Promise<void> {
    this.#down.delete(nodeName);
    const death = this.#draws.death(0.5, 14);
    const description = { ...virtualNodeSettings().description, name: nodeName };
    await this.#stage.start({ nodeName, description }, death);
  }

  async #act(): Promise<void> {
    if (this.#draws.chance(0.3)) this.#hasSpot = !this.#hasSpot;
    const draw = this.#draws.next();
    if (draw < 0.3 && this.#made.size < 7) return this.#create();
    if (draw < 0.4) return this.#delete();
    if (draw < 0.6) return this.#freeDisk();
    if (draw < 0.7) return this.#end();
    if (draw < 0.8) return this.#fail();
    if (draw < 0.88) return this.#meddle();
    if (draw < 0.93) return this.#stage.kill(NODES[this.#draws.below(2)]);
    await this.#stage.kube
      .create(CONFIG_MAP, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'late', namespace: 'default' },
        data: { a: 'b' },
      })
      .catch(() => undefined);
  }

  async #create(): Promise<void> {
    // On both nodes at once: who is first is decided between their processes.
    if (this.#draws.chance(0.4)) for (const nodeName of NODES) await this.#createOn(nodeName, true);
    else await this.#createOn(NODES[this.#draws.below(2)] ?? OTHER, this.#draws.chance(0.6));
  }

  async #createOn(nodeName: string, hasClaim: boolean): Promise<void> {
    this.#pods += 1;
    const name = `p${this.#pods}`;
    const volumes = [
      ...(hasClaim ? [CLAIMED] : []),
      ...(this.#draws.chance(0.2) ? [{ name: 'c', configMap: { name: 'late' } }] : []),
    ];
    const annotations = {
      ...(this.#draws.chance(0.4) && EIP),
      ...(this.#draws.chance(0.4) && SPOT),
      ...(this.#draws.chance(0.1) && UNREADABLE),
      ...(this.#draws.chance(0.1) && { 'k8s.aliyun.com/eci-fail-strategy': 'fail-fast' }),
    };
    const restartPolicy = this.#draws.chance(0.5) ? 'Never' : 'Always';
    const { metadata } = await this.#stage.runPod(name, annotations, { nodeName, volumes, restartPolicy });
    this.#made.set(name, { hasClaim, uid: metadata.uid });
  }

  async #delete(): Promise<void> {
    const [name, pod] = [...this.#made][this.#draws.below(this.#made.size)] ?? [];
    if (name === undefined) return;
    // What only one may have is given up with the object; a claim of a pod that was deleted by force is the cloud's
    // affair.
    if (pod && !pod.hasClaim && this.#draws.chance(0.4)) await this.#stage.forcePod(name);
    else await this.#stage.deletePod(name);
  }

  /** Whoever waits for it may have it then. */
  async #freeDisk(): Promise<void> {
    const uid = this.#live().find(hasDisk)?.tags.get(TAG_POD_UID);
    const [name] = [...this.#made].find(([, made]) => made.uid === uid) ?? [];
    if (name !== undefined) await this.#stage.deletePod(name);
  }

  #end(): void {
    const live = this.#live();
    const group = live[this.#draws.below(live.length)];
    if (group?.status === 'Running')
      this.#stage.cloud.world.endContainerGroup(group.containerGroupId, ...this.#outcome());
  }

  #outcome(): ['Succeeded' | 'Failed', number] {
    return this.#draws.chance(0.5) ? ['Succeeded', 0] : ['Failed', 3];
  }

  #fail(): void {
    const action = this.#draws.one(['CreateContainerGroup', 'DeleteContainerGroup', 'DescribeContainerGroups']);
    const fault = this.#draws.fault('OperationDenied.NoStock');
    this.#stage.cloud.inject({ action, times: 1 + this.#draws.below(3), fault });
  }

  async #meddle(): Promise<void> {
    const names = [...this.#made.keys()];
    const name = names[this.#draws.below(names.length)];
    const pod = name === undefined ? undefined : await this.#stage.pod(name);
    if (!pod || isFinal(pod)) return;
    if (this.#draws.chance(0.5)) {
      // What was asked for once would not be asked for again, so that no request of the next process shows the first.
      const value = this.#draws.chance(0.7) ? '?' : null;
      const annotations = { [Object.keys(UNREADABLE)[0] ?? '']: value };
      const edit = { type: 'merge', body: { metadata: { annotations } } } as const;
      await this.#stage.kube.patch(WORKLOAD_POD, { namespace: 'default', name: pod.metadata.name }, edit);
      return;
    }
    const body = { status: { conditions: [{ type: 'Ready', status: 'False', reason: 'NodeStatusUnknown' }] } };
    const patch = { type: 'strategic', subresource: 'status', body } as const;
    await this.#stage.kube.patch(WORKLOAD_POD, { namespace: 'default', name: pod.metadata.name }, patch);
  }

  /** Half a second, in which dead processes are replaced after a while. */
  async #pass(): Promise<void> {
    const stage = this.#stage;
    await stage.pass(LOOK_MS);
    for (const nodeName of NODES) {
      if (!stage.isDeadOn(nodeName)) continue;
      const now = stage.clock.mono();
      const since = this.#down.get(nodeName);
      if (since === undefined) {
        this.#down.set(nodeName, now);
        this.#deaths += 1;
      } else if (now - since >= 2_000) await this.#start(nodeName);
    }
    for (const [name, { uid }] of this.#made)
      if ((await stage.pod(name))?.metadata.uid !== uid) this.#made.delete(name);
    this.#look();
  }

  #live() {
    return this.#stage.cloud.containerGroups().filter(({ status }) => !ENDED.has(status));
  }

  /** What must hold at any time. */
  #look(): void {
    const at = `at ${this.#stage.clock.mono() / 1_000} s`;
    const live = this.#live();
    const uids = live.map(({ tags }) => tags.get(TAG_POD_UID));
    const twice = uids.find((uid, index) => uids.indexOf(uid) !== index);
    if (twice !== undefined) this.#problems.add(`two instances of one pod ${at}`);
    // The cloud gives nobody a disk that another instance has, and refuses the request: it should not have been sent.
    const refused = this.#stage.cloud.calls()['CreateContainerGroup']?.['InvalidParameter'] ?? 0;
    if (refused > 0) this.#problems.add(`an instance was asked for with a disk that another one has`);
    const withDisk = live.filter(hasDisk);
    for (const { containerGroupId } of withDisk) this.#withDisk.add(containerGroupId);
    if (withDisk.length > 1)
      this.#problems.add(
        `${withDisk.map(({ containerGroupName }) => containerGroupName).join(' and ')} have one disk ${at}`,
      );
  }

  /** Nothing more happens from outside; what does not come to rest is wrong. */
  async #settle(): Promise<void> {
    const unrest = async (): Promise<readonly string[]> => {
      const pods = (await Promise.all([...this.#made.keys()].map((name) => this.#stage.pod(name)))).filter(
        (pod): pod is WorkloadPod => pod !== undefined,
      );
      const strange = pods.filter((pod) => !isAtRest(pod)).map(({ metadata }) => `${metadata.name} is not at rest`);
      return [...strange, ...this.#waitsForNobody(pods)];
    };
    let found: readonly string[] = [];
    for (let passed = 0; passed < REST_MS; passed += LOOK_MS) {
      await this.#pass();
      if (passed % 10_000 === 0 && passed >= SETTLE_MS) {
        found = await unrest();
        if (found.length === 0) break;
      }
    }
    for (const problem of found) this.#problems.add(problem);
  }

  /** The disk is free, and pods that nothing else holds wait for it. */
  #waitsForNobody(pods: readonly WorkloadPod[]): readonly string[] {
    const isTaken = this.#live().some(hasDisk);
    const waiting = pods.filter(({ status }) => /one instance can have its volume/.test(status?.message ?? ''));
    return isTaken || waiting.length === 0
      ? []
      : [`${waiting.map(({ metadata }) => metadata.name).join(' and ')} wait for a disk that nobody has`];
  }

  async #clear(): Promise<void> {
    for (const name of this.#made.keys()) await this.#stage.deletePod(name);
    const left = () => [this.#made.size, this.#stage.cloud.containerGroups().length, this.#stage.cloud.eips().length];
    for (let passed = 0; passed < 2 * REST_MS && left().some((count) => count > 0); passed += LOOK_MS)
      await this.#pass();
    if (left().some((count) => count > 0)) this.#problems.add(`${left().join()} pods, instances and EIPs are left`);
  }
}

/** It runs, has ended, or says why not. */
const isAtRest = ({ metadata, status }: WorkloadPod): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.phase === 'Succeeded' ||
    status?.phase === 'Failed' ||
    (status?.reason !== undefined && status.message !== undefined) ||
    status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true);

/**
 * An API server that is far away: what it answers may be old when it comes.
 *
 * @param wayMs the longest way of a request, and of its answer
 */
const slowly = (kube: Kube, clock: Clock, random: Random, wayMs: number): Kube => {
  const way = () => clock.sleep(random.next() * wayMs);
  return {
    ...kube,
    get: async (resource, ref, signal) => {
      await way();
      const found = await kube.get(resource, ref, signal);
      await way();
      return found;
    },
    list: async (resource, listed, signal) => {
      await way();
      const found = await kube.list(resource, listed, signal);
      await way();
      return found;
    },
    patch: async (resource, ref, patch, signal) => {
      await way();
      const written = await kube.patch(resource, ref, patch, signal);
      await way();
      return written;
    },
  };
};

/** The world of a seed, from its beginning to when nothing is left of it. */
export const liveNodeWorld = async (seed: number): Promise<NodeWorldOutcome> => {
  const lag = seed % 3 === 0 ? 0 : 2_900;
  const cloud = { readLag: { maxMs: lag, monotonic: seed % 2 === 0 }, latency: { scale: seed % 4 } };
  const stage = await Stage.create({ cloud });
  stage.throughRights = (kube) => slowly(kube, stage.clock, seeded(seed + 1), seed % 2 === 0 ? 300 : 2_500);
  return new NodeWorld(seed, stage).live();
};
