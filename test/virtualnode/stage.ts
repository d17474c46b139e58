import { VIRTUAL_NODE_TAINT } from '../../src/api/annotations.ts';
import { NAMESPACE as NAMESPACES } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { EIP_POLICY, EIP_USAGE, type EipPolicySpec } from '../../src/api/eippolicy.ts';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { runControllers } from '../../src/manager/controllers.ts';
import type { ContainerGroups, ContainerGroupSpec } from '../../src/cloud/container-groups.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createPolicyCache, readPolicy, recallPolicy, type PolicyCache } from '../../src/policies/policy-cache.ts';
import type { EffectivePolicy } from '../../src/policies/policy.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Kube, KubeTransport } from '../../src/kube/port.ts';
import type { Reflector } from '../../src/kube/reflector.ts';
import type { Happening, ObjectReference } from '../../src/kube/recorder.ts';
import { silentLog, type Log } from '../../src/lib/log.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import type { CloudOptions, EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import type { VirtualNodeMetrics } from '../../src/virtualnode/metrics.ts';
import { createPodWatch } from '../../src/virtualnode/pod-watch.ts';
import { runVirtualNode, type VirtualNodeSettings } from '../../src/virtualnode/provider.ts';
import { WORKLOAD_POD, type WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { seeded } from '../harness/random.ts';
import { KillableProcess, type Death } from '../harness/process.ts';
import { configOf, nodeSettings, virtualNodeSettings, VPC } from '../harness/settings.ts';
import { adapterOn, EmbeddedCluster } from '../harness/cluster.ts';

export const { nodeName: NODE_NAME } = virtualNodeSettings();
export const SETTLE_MS = 15_000;
export const GARBAGE_MS = 120_000;

const between = (minMs: number, maxMs: number) => ({ minMs, maxMs });

export type Send = ReturnType<typeof callApi>;
/** What is between the product and the embedded cloud: a cloud that is another one than that. */
export type Wire = (send: Send, cloud: EmbeddedCloud) => Send;

/** A process of the provider. */
interface Provider {
  readonly process: KillableProcess;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * A cluster, an account, the whole PodEIP controller, and one process of the virtual node after the other; a second
 * virtual node where a test starts it by its name. In virtual time.
 */
export class Stage extends EmbeddedCluster {
  readonly events: (Happening & { readonly about: ObjectReference })[] = [];
  /** What CreateContainerGroup was asked for. */
  readonly created: ContainerGroupSpec[] = [];
  /** The log of the virtual node. */
  readonly said: string[] = [];
  /** Of the same, what was a warning or an error. */
  readonly warned: string[] = [];
  /** What the last search for groups without a pod has found. */
  orphans: Parameters<VirtualNodeMetrics['orphans']>[0] | undefined;
  /** What is between the kubelet endpoint of the next process and the API server, which knows no users by itself. */
  reviews: (transport: KubeTransport) => KubeTransport = (transport) => transport;
  /** What is between the next process and the API server, as far as objects go. */
  throughRights: (kube: Kube) => Kube = (kube) => kube;
  /** Called before the answer of CreateContainerGroup reaches the process. */
  onCreated: () => void = () => undefined;
  readonly #work = new AbortController();
  readonly #random = seeded(3);
  readonly #policies: PolicyCache;
  #heardPolicy: EffectivePolicy | undefined;
  readonly #wire: (send: Send) => Send;
  /** The present processes, by the node that they run. */
  readonly #providers = new Map<string, Provider>();
  #podEips: Reflector<PodEip> | undefined;
  #drained: Promise<void> = Promise.resolve();

  private constructor(options: Partial<CloudOptions>, wire: Wire) {
    const transitions = {
      schedule: between(2_000, 2_000),
      containerStart: between(5_000, 5_000),
      containerStop: between(3_000, 3_000),
      associate: between(1_000, 1_000),
      unassociate: between(1_000, 1_000),
    };
    super({ seeds: { api: 5, cloud: 4 }, cloud: { transitions, ...options }, stepMs: 250 });
    const { clock } = this;
    this.#wire = (send) => wire(send, this.cloud);
    this.cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: VPC, cidrBlock: '10.1.0.0/16' });
    const shared = { clock, random: this.#random, log: silentLog };
    this.#policies = createPolicyCache({ ...shared, transport: this.transport });
  }

  /** With `operating`, the PodEIP controller works too. `policies` are EipPolicies by name. */
  static async create({
    operating = false,
    cloud = {},
    wire = (send) => send,
    policies,
  }: {
    operating?: boolean;
    cloud?: Partial<CloudOptions>;
    wire?: Wire;
    policies?: Readonly<Record<string, EipPolicySpec>>;
  } = {}): Promise<Stage> {
    const stage = new Stage(cloud, wire);
    await stage.define(PODEIP, EIP_HOLDER, EIP_POLICY, EIP_USAGE);
    for (const [name, spec] of Object.entries(policies ?? {})) await stage.setPolicy(name, spec);
    if (operating) stage.#operate();
    await stage.start();
    await stage.pass(1_000);
    return stage;
  }

  /** What a policy says from now on; undefined takes it away. */
  async setPolicy(name: string, spec: EipPolicySpec | undefined): Promise<void> {
    const { group, version, kind } = EIP_POLICY;
    const old = await this.kube.get(EIP_POLICY, { name });
    if (old) await this.kube.delete(EIP_POLICY, { name }, { uid: old.metadata.uid });
    if (spec) await this.kube.create(EIP_POLICY, { apiVersion: `${group}/${version}`, kind, metadata: { name }, spec });
  }

  /** The cache of policies hears of no change any more. */
  async stopPolicyWatch(): Promise<void> {
    this.#heardPolicy = (
      await readPolicy(this.#policies, this.kube, 'default', new AbortController().signal)
    ).effective;
  }

  #operate(): void {
    const { clock, kube, transport } = this;
    const config = configOf({ sweeper: { mode: 'off' } });
    const assembled = this.#adapter();
    const shared = { clock, random: this.#random, log: silentLog };
    const caches = createCaches({ ...shared, transport, onTrouble: () => undefined });
    this.#podEips = caches.podEips;
    this.#drained = runControllers({
      ...shared,
      config,
      kube,
      caches,
      policies: this.#policies,
      metrics: createMetrics({ version: '0', nodeVersion: '0' }),
      election: undefined,
      record: () => undefined,
      assemble: () => assembled,
      work: this.#work.signal,
    }).drained;
  }

  /** The adapter through this wire. */
  #adapter(): ReturnType<typeof adapterOn> {
    const sent = this.#wire(callApi(this.cloud));
    return adapterOn(this.cloud, this.clock, { callApi: (params, request) => sent(params, request, {}) });
  }

  /** The ECI API for everybody but the provider. */
  get containerGroups(): ContainerGroups {
    return this.#adapter().containerGroups;
  }

  /** A process of the virtual node begins. */
  async start(over: Partial<VirtualNodeSettings> = {}, death?: Death): Promise<void> {
    const { clock } = this;
    const clusterUid = (await this.kube.get(NAMESPACES, { name: 'kube-system' }))?.metadata.uid ?? '';
    const assembled = this.#adapter();
    await assembled.warmUp();
    const stop = new AbortController();
    const process = new KillableProcess(clock, { death, counts: 'writes', once: 'hang' });
    const containerGroups: ContainerGroups = {
      ...assembled.containerGroups,
      createContainerGroup: async (spec, signal) => {
        this.created.push(spec);
        const made = await assembled.containerGroups.createContainerGroup(spec, signal);
        this.onCreated();
        return made;
      },
    };
    const calls: KubeTransport = (request) =>
      process.call(request.method === 'DELETE' ? 'finishDeletion' : 'request', () => this.transport(request));
    const transport: KubeTransport = process.throughCall('request', this.transport);
    const settings = virtualNodeSettings({
      node: nodeSettings({ clusterUid }),
      settleMs: SETTLE_MS,
      garbageCollectionMs: GARBAGE_MS,
      ...over,
    });
    const said = (_: object, message: string) => void this.said.push(message);
    const warned = (fields: object, message: string) => {
      said(fields, message);
      this.warned.push(message);
    };
    const log: Log = { ...silentLog, info: said, warn: warned, error: warned, child: () => log };
    const shared = { clock, random: this.#random, log };
    const processKube = process.through(this.throughRights(this.kube));
    const policies = this.#policies;
    const running = runVirtualNode(
      {
        ...shared,
        settings,
        kube: processKube,
        endpointKube: createKube({ transport: this.reviews(this.transport), clock, qps: 0 }),
        policyOf: async (namespace, isFresh, signal) =>
          isFresh
            ? (await readPolicy(policies, processKube, namespace, signal)).effective
            : (this.#heardPolicy ?? recallPolicy(policies, processKube, namespace, signal)),
        transport: calls,
        pods: createPodWatch({ ...shared, transport }, settings.nodeName),
        podEips: this.#podEips,
        cloud: process.through(assembled.cloud),
        metrics: {
          orphans: (found) => void (this.orphans = found),
          session: () => () => undefined,
          leading: () => undefined,
          certificate: () => undefined,
        },
        containerGroups: process.through(containerGroups),
        record: (about, happening) => void (process.isDead || this.events.push({ ...happening, about })),
      },
      stop.signal,
    );
    this.#providers.set(settings.nodeName, { process, stop, ended: running });
  }

  /** The process is gone at once, whatever it was about to do. */
  kill(nodeName = NODE_NAME): void {
    const provider = this.#providers.get(nodeName);
    provider?.process.kill();
    provider?.stop.abort(new Error('killed'));
  }

  /** Whether the process of a node is dead. */
  isDeadOn(nodeName: string): boolean {
    return this.#providers.get(nodeName)?.process.isDead === true;
  }

  /** Whether the process is dead. */
  get isDead(): boolean {
    return this.isDeadOn(NODE_NAME);
  }

  /** What the present process wrote so far. */
  get writes(): readonly string[] {
    return this.#providers.get(NODE_NAME)?.process.writes ?? [];
  }

  /** A pod that the scheduler has bound to the virtual node. */
  async runPod(
    name: string,
    annotations: Readonly<Record<string, string>> = {},
    spec: Readonly<Record<string, unknown>> = {},
    metadata: object = {},
  ): Promise<WorkloadPod> {
    return this.kube.create(WORKLOAD_POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', annotations, ...metadata },
      spec: {
        nodeName: NODE_NAME,
        tolerations: [{ key: VIRTUAL_NODE_TAINT, operator: 'Exists' }],
        containers: [{ name: 'main', image: 'nginx' }],
        ...spec,
      },
    });
  }

  pod(name: string): Promise<WorkloadPod | undefined> {
    return this.kube.get(WORKLOAD_POD, { namespace: 'default', name });
  }

  podEip(name: string): Promise<PodEip | undefined> {
    return this.kube.get(PODEIP, { namespace: 'default', name });
  }

  async deletePod(name: string): Promise<void> {
    const pod = await this.pod(name);
    if (pod) await this.kube.delete(WORKLOAD_POD, { namespace: 'default', name }, { uid: pod.metadata.uid });
  }

  /** The status of a condition of the pod. */
  async condition(name: string, type: string): Promise<string | undefined> {
    return (await this.pod(name))?.status?.conditions?.find((each) => each.type === type)?.status;
  }

  /** The group in the account, if there is exactly one. */
  get group() {
    const [group, ...others] = this.cloud.containerGroups();
    return others.length === 0 ? group : undefined;
  }

  /** Everything ends in order. */
  async stop(): Promise<void> {
    const live = [...this.#providers.values()].filter(({ process }) => !process.isDead);
    for (const { stop } of live) stop.abort(new Error('the test is over'));
    this.#work.abort(new Error('the test is over'));
    if (!this.isDead) await this.drained(Promise.all([...live.map(({ ended }) => ended), this.#drained]));
  }
}
