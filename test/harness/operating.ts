import { CRD } from '../../src/api/apiextensions.ts';
import { READINESS_GATE } from '../../src/api/annotations.ts';
import { NAMESPACE as NAMESPACE_KIND, NODE, POD, type Pod } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE, type EipPolicySpec } from '../../src/api/eippolicy.ts';
import { KNATIVE_SERVICE, type KnativeService } from '../../src/api/knative.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { runControllers } from '../../src/manager/controllers.ts';
import { workAsVirtualNode } from '../../src/manager/virtual-node-wiring.ts';
import { assembleCloudEvents } from '../../src/cloudevents/assemble-cloudevents.ts';
import { OPEN, type MayMutate } from '../../src/cloud/fence.ts';
import type { CloudReading } from '../../src/cloud/readings.ts';
import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createOtherControllers } from '../../src/controllers/preflight/other-controllers.ts';
import { createPolicyCache } from '../../src/policies/policy-cache.ts';
import { createServiceCache } from '../../src/controllers/service/controller.ts';
import { createPodWatch } from '../../src/virtualnode/pod-watch.ts';
import type { Sender } from '../../src/cloudevents/sender.ts';
import { createKube } from '../../src/kube/client.ts';
import type { KubeRequest, KubeResponse, KubeTransport } from '../../src/kube/port.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { silentLog, type Log } from '../../src/lib/log.ts';
import type { EventNote, Regarding } from '../../src/controllers/podeip/events.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { type CloudOptions, type EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { seeded } from './random.ts';
import { KNATIVE_SERVICES } from './knative-services.ts';
import { KillableProcess, type Death } from './process.ts';
import { configOf, VPC } from './settings.ts';
import { adapterOn, EmbeddedCluster } from './cluster.ts';

const NAMESPACE = 'default';
/** Between the final phase of a pod and the end of its object; milliseconds. */
const PHASE_BEFORE_OBJECT_MS = 500;
/** As many private addresses as an interface has with Terway. */
const PODS_PER_INTERFACE = 20;

export interface OperatingOptions {
  /** Over the configuration. */
  readonly config?: object;
  /** The namespace that the product is installed in. @default kube-system, which is there anyway */
  readonly home?: string;
  /** EipPolicies that are there from the beginning, by name. @default the kind is not installed */
  readonly policies?: Readonly<Record<string, EipPolicySpec>>;
  /** What the cloud is like where its documentation leaves it open. @default none */
  readonly readings?: readonly CloudReading[];
  /** EIPs that the account may have. */
  readonly quota?: number;
  /** Who takes CloudEvents. */
  readonly sender?: Sender;
  /** Whether nothing is under way outside of virtual time; asked before time passes. */
  readonly isQuiet?: () => boolean;
  /**
   * The HTTP status that the API server answers a request of the controller with in the place of the true one; 0: none.
   */
  readonly refuse?: (request: KubeRequest) => number | undefined;
  /** How long the cloud's transitions take. @default no time */
  readonly transitions?: CloudOptions['transitions'];
  /** What lies between the controller and the cluster and the cloud. @default nothing, and no limit of requests */
  readonly way?: (clock: Clock) => Way;
}

/** The way of the controller's calls, in both directions. */
export interface Way {
  /** Whether the configured limits of requests hold. */
  readonly isLimited: boolean;
  readonly kube: (transport: KubeTransport) => KubeTransport;
  readonly cloud: (callApi: SdkCallApi) => SdkCallApi;
}

const NO_WAY: Way = { isLimited: false, kube: (transport) => transport, cloud: (callApi) => callApi };

const refusal = (status: number): KubeResponse => ({
  status,
  header: () => undefined,
  text: () => Promise.resolve(JSON.stringify({ kind: 'Status', status: 'Failure', message: 'no', code: status })),
  lines: () => {
    throw new Error('an error has no lines');
  },
});

export interface PodParts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly isGated?: boolean;
  /** Whether its containers are. */
  readonly isReady?: boolean;
  /** @default 'default' */
  readonly namespace?: string;
  /** One that an earlier pod had; the next free one where none is said. */
  readonly podIP?: string | undefined;
}

/**
 * A cluster, a cloud and the whole controller as production composes it, watches and queue included, in virtual time.
 */
export class Operating extends EmbeddedCluster {
  readonly events: (EventNote & { readonly about: Regarding })[] = [];
  /** Why processes could not work. */
  readonly failures: unknown[] = [];
  /** What the watch of Knative Services said. */
  readonly said: string[] = [];
  /** Warnings and errors of the controllers. */
  readonly complaints: string[] = [];
  /** The fields of each line of them. */
  readonly complained: object[] = [];
  readonly metrics = createMetrics({ version: '0', nodeVersion: '0' });
  readonly #options: OperatingOptions;
  #work = new AbortController();
  #process: KillableProcess | undefined;
  readonly #random = seeded(3);
  /** Of the process at work. */
  fitsAccount: () => boolean = () => true;
  #drained: Promise<void> = Promise.resolve();
  #addresses = 0;

  private constructor(options: OperatingOptions) {
    const { quota, readings = [], isQuiet, transitions } = options;
    const cloud = { readings, ...(quota !== undefined && { quota }), ...(transitions && { transitions }) };
    super({ seeds: { api: 5, cloud: 4 }, cloud, isQuiet });
    this.#options = options;
  }

  static async create(options: OperatingOptions = {}): Promise<Operating> {
    const world = new Operating(options);
    await world.define(PODEIP, EIP_HOLDER);
    if (options.policies) await world.installPolicies(options.policies);
    await world.kube.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } });
    const { home: name } = options;
    if (name !== undefined)
      await world.kube.create(NAMESPACE_KIND, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await world.start();
    return world;
  }

  async installPolicies(policies: Readonly<Record<string, EipPolicySpec>>): Promise<void> {
    await this.define(EIP_POLICY, EIP_USAGE);
    for (const [name, spec] of Object.entries(policies)) await this.addPolicy(name, spec);
  }

  async addPolicy(name: string, spec: EipPolicySpec): Promise<void> {
    const { group, version, kind } = EIP_POLICY;
    await this.kube.create(EIP_POLICY, { apiVersion: `${group}/${version}`, kind, metadata: { name }, spec });
  }

  async changePolicy(name: string, spec: EipPolicySpec): Promise<void> {
    await this.kube.patch(EIP_POLICY, { name }, { type: 'merge', body: { spec } });
  }

  /** How many calls the process has made. */
  get calls(): number {
    return this.#process?.calls.length ?? 0;
  }

  get isDead(): boolean {
    return this.#process?.isDead ?? true;
  }

  /** The process ends on the spot, without any of its code running. */
  kill(): void {
    this.#process?.kill();
  }

  /** The process will end at its call of this number: before the call is sent, or when the answer would come. */
  dieAt(death: Death): void {
    if (this.#process) this.#process.death = death;
  }

  /** A new process; where it is said, with another configuration and another account. */
  async start({
    cloud = this.cloud,
    config: other = {},
  }: { cloud?: EmbeddedCloud; config?: object } = {}): Promise<void> {
    const { config: over = {}, sender } = this.#options;
    const process = new KillableProcess(this.clock, { once: 'hang' });
    this.#process = process;
    this.#work = new AbortController();
    const { clock } = process;
    const transport: KubeTransport = process.throughCall('request', async (request: KubeRequest) => {
      const status = this.#options.refuse?.(request);
      if (status === undefined) return this.transport(request);
      return status === 0 ? new Promise<never>(() => undefined) : refusal(status);
    });
    const leaderElection = { namespace: this.#options.home ?? 'kube-system' };
    const config = configOf({ sweeper: { mode: 'off' }, leaderElection, ...over, ...other });
    const way = this.#options.way?.(clock) ?? NO_WAY;
    const { kubeClientQPS: qps, kubeClientBurst: burst } = config;
    const limits = way.isLimited ? { qps, burst } : { qps: 0 };
    const kube = createKube({ transport: way.kube(transport), clock, ...limits });
    const sent = way.cloud(callApi(cloud) as SdkCallApi);
    let mayMutate: MayMutate | undefined;
    const assembled = adapterOn(cloud, clock, {
      region: config.regionID,
      rateShare: config.cloud.apiShare,
      mayMutate: (needMs) => mayMutate?.(needMs) ?? OPEN,
      callApi: process.throughCall<SdkCallApi>('callApi', (params, request) => sent(params, request, {})),
      onCall: ({ action, outcome, durationMs }) =>
        this.metrics.cloudCalled(action, outcome === 'success' ? 'ok' : outcome, durationMs / 1_000),
    });
    await assembled.warmUp();
    const shared = { clock, random: this.#random, log: silentLog };
    const complain = (fields: object, message: string) => {
      this.complaints.push(message);
      this.complained.push(fields);
    };
    const complaining: Log = {
      ...silentLog,
      warn: complain,
      error: complain,
      child: ({ controller, component }) =>
        controller === 'sweeper' || component === 'cloudevents' ? complaining : silentLog,
    };
    const log: Log = { ...silentLog, info: (_, message) => void this.said.push(message), child: () => silentLog };
    const operation = runControllers({
      ...shared,
      log: complaining,
      config,
      kube,
      caches: createCaches({ ...shared, transport, onTrouble: () => undefined }),
      services: createServiceCache({ ...shared, log, transport }),
      policies: createPolicyCache({ ...shared, transport }),
      otherControllers: createOtherControllers({
        kube,
        clock,
        log: silentLog,
        seen: (names) => this.metrics.otherControllers(names),
      }),
      ...(config.virtualNode.enabled && {
        virtualNode: {
          run: workAsVirtualNode,
          transport: way.kube(transport),
          nodeKube: createKube({ transport: way.kube(transport), clock, ...limits }),
          pods: createPodWatch({ ...shared, transport, onTrouble: () => undefined }, config.virtualNode.nodeName),
          heartbeatKube: kube,
          endpointKube: kube,
          version: '0',
          record: () => undefined,
        },
      }),
      metrics: this.metrics,
      election: undefined,
      record: (about, event) => void this.events.push({ ...event, about }),
      assemble: (may) => {
        mayMutate = may;
        return assembled;
      },
      cloudEvents: sender && {
        assemble: assembleCloudEvents,
        sender: { ...sender, send: process.throughCall<Sender['send']>('send', (...parts) => sender.send(...parts)) },
        kube,
      },
      work: this.#work.signal,
    });
    this.#drained = operation.drained;
    this.fitsAccount = operation.fitsAccount;
    void operation.failed.then(({ error }) => void this.failures.push(error));
    await this.pass(1_000);
  }

  /** A private address that no pod had yet, on an interface of the node. */
  #nextAddress(): string {
    this.#addresses += 1;
    const podIP = `10.0.${Math.floor(this.#addresses / 200) + 1}.${(this.#addresses % 200) + 1}`;
    const eni = Math.ceil(this.#addresses / PODS_PER_INTERFACE);
    const networkInterfaceId = `eni-${eni}`;
    if (this.#addresses % PODS_PER_INTERFACE === 1) {
      const primaryIp = `10.${eni > 200 ? Math.ceil(eni / 200) : 0}.0.${((eni - 1) % 200) + 1}`;
      this.cloud.world.addNetworkInterface({ networkInterfaceId, vpcId: VPC, instanceId: 'i-1', primaryIp });
    }
    this.cloud.world.addPrivateIp(networkInterfaceId, podIP);
    return podIP;
  }

  /** A pod that runs on the node with an address of its own, as scheduler and kubelet leave it. */
  async runPod(
    name: string,
    annotations: Readonly<Record<string, string>>,
    { labels = {}, isGated = false, isReady = true, podIP = this.#nextAddress(), namespace = NAMESPACE }: PodParts = {},
  ): Promise<void> {
    await this.kube.create(POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, annotations, labels },
      spec: {
        nodeName: 'node-1',
        ...(isGated && { readinessGates: [{ conditionType: READINESS_GATE }] }),
        containers: [{ name: 'main', image: 'nginx' }],
      },
    });
    const conditions = [{ type: 'ContainersReady', status: isReady ? 'True' : 'False' }];
    const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } };
    await this.kube.patch(POD, { namespace, name }, { type: 'strategic', subresource: 'status', body });
  }

  /** The pod's containers have become ready. */
  async becomeReady(name: string): Promise<void> {
    const body = { status: { conditions: [{ type: 'ContainersReady', status: 'True' }] } };
    await this.kube.patch(POD, { namespace: NAMESPACE, name }, { type: 'strategic', subresource: 'status', body });
  }

  /**
   * The pod's containers have ended, and its object goes: as kubelets do it since Kubernetes 1.27, the final phase
   * first and the object after that.
   */
  async endPod(
    name: string,
    {
      phase = 'Succeeded',
      lingerMs = PHASE_BEFORE_OBJECT_MS,
    }: { phase?: 'Succeeded' | 'Failed'; lingerMs?: number } = {},
  ): Promise<void> {
    const ref = { namespace: NAMESPACE, name };
    const body = { status: { phase } };
    const { metadata } = await this.kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body });
    await this.pass(lingerMs);
    await this.kube.delete(POD, ref, { uid: metadata.uid });
  }

  /** A user gives the address of the pod up. */
  async deletePodEipOf(name: string): Promise<void> {
    const there = await this.kube.get(PODEIP, { namespace: NAMESPACE, name });
    if (there) await this.kube.delete(PODEIP, there.metadata, { uid: there.metadata.uid });
  }

  /** A Knative Service as Knative Serving leaves it, as far as its addresses are concerned; its UID. */
  async addService(name: string, parts: Pick<KnativeService, 'spec' | 'status'> = {}): Promise<string> {
    if (!(await this.kube.get(CRD, { name: KNATIVE_SERVICES.metadata.name })))
      await this.kube.create(CRD, KNATIVE_SERVICES);
    const head = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name, namespace: NAMESPACE } };
    const { metadata } = await this.kube.create(KNATIVE_SERVICE, { spec: {}, ...head, ...parts });
    if (parts.status) await this.changeService(name, parts);
    return metadata.uid;
  }

  async changeService(name: string, { spec, status }: Pick<KnativeService, 'spec' | 'status'>): Promise<void> {
    const ref = { namespace: NAMESPACE, name };
    if (spec) await this.kube.patch(KNATIVE_SERVICE, ref, { type: 'merge', body: { spec } });
    if (status) await this.kube.patch(KNATIVE_SERVICE, ref, { type: 'merge', subresource: 'status', body: { status } });
  }

  async deleteService(name: string): Promise<void> {
    const there = await this.kube.get(KNATIVE_SERVICE, { namespace: NAMESPACE, name });
    if (there) await this.kube.delete(KNATIVE_SERVICE, there.metadata, { uid: there.metadata.uid });
  }

  pods(): Promise<readonly Pod[]> {
    return this.kube.list(POD, { namespace: NAMESPACE });
  }

  podEips(): Promise<readonly PodEip[]> {
    return this.kube.list(PODEIP, { namespace: NAMESPACE });
  }
  async stop(): Promise<void> {
    this.#work.abort(new Error('the test is over'));
    await this.drained(this.#drained);
  }
}
