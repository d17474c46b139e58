import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parse } from 'yaml';
import { READINESS_GATE } from '../../src/api/annotations.ts';
import { NODE, POD, type Pod } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE, type EipPolicySpec } from '../../src/api/eippolicy.ts';
import { KNATIVE_SERVICE, type KnativeService } from '../../src/api/knative.ts';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { runControllers } from '../../src/manager/controllers.ts';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import { OPEN, type MayMutate } from '../../src/cloud/fence.ts';
import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createOtherControllers } from '../../src/controllers/preflight/other-controllers.ts';
import { createPolicyCache } from '../../src/controllers/policy-cache.ts';
import { createServiceCache } from '../../src/controllers/service/controller.ts';
import { createPodWatch } from '../../src/virtualnode/provider.ts';
import type { Sender } from '../../src/cloudevents/sender.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Kube, KubeObject, KubeRequest, KubeResponse, KubeTransport, Resource } from '../../src/kube/port.ts';
import { silentLog, type Log } from '../../src/lib/log.ts';
import type { EventNote, Regarding } from '../../src/controllers/podeip/events.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { createSandboxCloud, type EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport as inProcess } from '../../src/sandbox/kube/in-process-transport.ts';
import { seeded } from '../sandbox/cloud-bench.ts';
import { KNATIVE_SERVICES } from './knative-services.ts';
import { ManualClock } from './clock.ts';
import { KillableProcess, type Death } from './process.ts';

export const definitionOf = ({ plural, group }: Pick<Resource<KubeObject>, 'plural' | 'group'>): object =>
  parse(readFileSync(new URL(`../../config/crd/${plural}.${group}.yaml`, import.meta.url), 'utf8')) as object;

export const CRD: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

export { KNATIVE_SERVICES } from './knative-services.ts';

const NAMESPACE = 'default';
/** Between the final phase of a pod and the end of its object; milliseconds. */
const PHASE_BEFORE_OBJECT_MS = 500;
const VPC = 'vpc-1';
/** As many private addresses as an interface has with Terway. */
const PODS_PER_INTERFACE = 20;

export interface OperatingOptions {
  /** Over the configuration. */
  readonly config?: object;
  /** EipPolicies that are there from the beginning, by name. @default the kind is not installed */
  readonly policies?: Readonly<Record<string, EipPolicySpec>>;
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
}

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
  /** One that an earlier pod had; the next free one where none is said. */
  readonly podIP?: string | undefined;
}

/**
 * A cluster, a cloud and the whole controller as production composes it, watches and queue included, in virtual time.
 */
export class Operating {
  readonly clock = new ManualClock();
  readonly cloud: EmbeddedCloud;
  readonly kube: Kube;
  readonly events: (EventNote & { readonly about: Regarding })[] = [];
  /** Why processes could not work. */
  readonly failures: unknown[] = [];
  /** What the watch of Knative Services said. */
  readonly said: string[] = [];
  /** Warnings and errors of the controllers. */
  readonly complaints: string[] = [];
  readonly metrics = createMetrics({ version: '0', nodeVersion: '0' });
  readonly #transport;
  readonly #options: OperatingOptions;
  #work = new AbortController();
  #process: KillableProcess | undefined;
  readonly #random = seeded(3);
  /** Of the process at work. */
  fitsAccount: () => boolean = () => true;
  #drained: Promise<void> = Promise.resolve();
  #addresses = 0;

  private constructor(options: OperatingOptions) {
    const { clock } = this;
    const { quota } = options;
    this.#options = options;
    this.cloud = createSandboxCloud({ clock, random: seeded(4), ...(quota !== undefined && { quota }) });
    this.#transport = inProcess(createApiServer({ clock, random: seeded(5) }));
    this.kube = createKube({ transport: this.#transport, clock, qps: 0 });
  }

  static async create(options: OperatingOptions = {}): Promise<Operating> {
    const world = new Operating(options);
    await world.kube.create(CRD, definitionOf(PODEIP));
    if (options.policies) await world.installPolicies(options.policies);
    await world.kube.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } });
    await world.start();
    return world;
  }

  async installPolicies(policies: Readonly<Record<string, EipPolicySpec>>): Promise<void> {
    for (const resource of [EIP_POLICY, EIP_USAGE]) await this.kube.create(CRD, definitionOf(resource));
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
      if (status === undefined) return this.#transport(request);
      return status === 0 ? new Promise<never>(() => undefined) : refusal(status);
    });
    const kube = createKube({ transport, clock, qps: 0 });
    const { config } = loadConfig({
      base: { clusterID: 'cluster', regionID: 'cn-hangzhou', vpcID: VPC, sweeper: { mode: 'off' }, ...over, ...other },
      env: {},
    });
    const sent = callApi(cloud);
    let mayMutate: MayMutate | undefined;
    const assembled = assembleCloud({
      clock,
      region: config.regionID,
      mayMutate: (needMs) => mayMutate?.(needMs) ?? OPEN,
      callApi: process.throughCall<SdkCallApi>('callApi', (params, request) => sent(params, request, {})),
      onCall: ({ action, outcome, durationMs }) =>
        this.metrics.cloudCalled(action, outcome === 'success' ? 'ok' : outcome, durationMs / 1_000),
    });
    await assembled.warmUp();
    const shared = { clock, random: this.#random, log: silentLog };
    const complain = (_: object, message: string) => void this.complaints.push(message);
    const complaining: Log = { ...silentLog, warn: complain, error: complain, child: () => silentLog };
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
          transport,
          pods: createPodWatch({ ...shared, transport, onTrouble: () => undefined }, config.virtualNode.nodeName),
          heartbeatKube: kube,
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
      const primaryIp = `10.0.0.${eni}`;
      this.cloud.world.addNetworkInterface({ networkInterfaceId, vpcId: VPC, instanceId: 'i-1', primaryIp });
    }
    this.cloud.world.addPrivateIp(networkInterfaceId, podIP);
    return podIP;
  }

  /** A pod that runs on the node with an address of its own, as scheduler and kubelet leave it. */
  async runPod(
    name: string,
    annotations: Readonly<Record<string, string>>,
    { labels = {}, isGated = false, isReady = true, podIP = this.#nextAddress() }: PodParts = {},
  ): Promise<void> {
    await this.kube.create(POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: NAMESPACE, annotations, labels },
      spec: {
        nodeName: 'node-1',
        ...(isGated && { readinessGates: [{ conditionType: READINESS_GATE }] }),
        containers: [{ name: 'main', image: 'nginx' }],
      },
    });
    const conditions = [{ type: 'ContainersReady', status: isReady ? 'True' : 'False' }];
    const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } };
    await this.kube.patch(POD, { namespace: NAMESPACE, name }, { type: 'strategic', subresource: 'status', body });
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

  /** The pod is deleted by force: no phase, no grace. */
  async forcePod(name: string): Promise<void> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}`;
    const body = JSON.stringify({ gracePeriodSeconds: 0 });
    await this.#transport({ method: 'DELETE', path, contentType: 'application/json', body });
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

  /** Lets `ms` of virtual time pass, in small steps, so that whoever is woken up gets on. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      for (let turn = 0; turn < 3; turn += 1) await setImmediate();
      while (this.#options.isQuiet?.() === false) await setImmediate();
      await this.clock.advance(Math.min(100, ms - passed));
    }
  }

  /** Lets time pass until `isSo`; the milliseconds that it took, or Infinity after `atMostMs`. */
  async until(isSo: () => boolean | Promise<boolean>, atMostMs: number): Promise<number> {
    const start = this.clock.mono();
    while (!(await isSo())) {
      if (this.clock.mono() - start >= atMostMs) return Infinity;
      await this.pass(500);
    }
    return this.clock.mono() - start;
  }

  async stop(): Promise<void> {
    this.#work.abort(new Error('the test is over'));
    let isDrained = false;
    void this.#drained.then(() => {
      isDrained = true;
    });
    if ((await this.until(() => isDrained, 600_000)) === Infinity) throw new Error('it does not drain');
  }
}
