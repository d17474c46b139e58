import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parse } from 'yaml';
import { VIRTUAL_NODE_TAINT } from '../../src/api/annotations.ts';
import { NAMESPACE as NAMESPACES } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE, type EipPolicySpec } from '../../src/api/eippolicy.ts';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { runControllers } from '../../src/manager/controllers.ts';
import { assembleCloud } from '../../src/cloud/assemble-cloud.ts';
import type { ContainerGroups, ContainerGroupSpec } from '../../src/cloud/container-groups.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createPolicyCache, readPolicy, recallPolicy, type PolicyCache } from '../../src/controllers/policy-cache.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Kube, KubeObject, KubeTransport, Resource } from '../../src/kube/port.ts';
import type { Happening, ObjectReference } from '../../src/kube/recorder.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createMetrics } from '../../src/manager/metrics-registry.ts';
import { createSandboxCloud, type CloudOptions, type EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { createApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { transport as inProcess } from '../../src/sandbox/kube/in-process-transport.ts';
import { createPodWatch, runVirtualNode, type VirtualNodeSettings } from '../../src/virtualnode/provider.ts';
import { WORKLOAD_POD, type WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { seeded } from '../sandbox/cloud-bench.ts';
import { ManualClock } from '../harness/clock.ts';
import { KillableProcess, type Death } from '../harness/process.ts';

const definitionOf = ({ plural, group }: Pick<Resource<KubeObject>, 'plural' | 'group'>): object =>
  parse(readFileSync(new URL(`../../config/crd/${plural}.${group}.yaml`, import.meta.url), 'utf8')) as object;

const CRD: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

const VPC = 'vpc-1';
export const NODE_NAME = 'virtual-1';
export const SETTLE_MS = 15_000;
export const GARBAGE_MS = 120_000;

const between = (minMs: number, maxMs: number) => ({ minMs, maxMs });

/** A process of the provider. */
interface Provider {
  readonly process: KillableProcess;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * A cluster, an account, the whole PodEIP controller, and one process of the virtual node after the other.
 * In virtual time.
 */
export class Stage {
  readonly clock = new ManualClock();
  readonly cloud: EmbeddedCloud;
  readonly kube: Kube;
  readonly transport: KubeTransport;
  readonly events: (Happening & { readonly about: ObjectReference })[] = [];
  /** What CreateContainerGroup was asked for. */
  readonly created: ContainerGroupSpec[] = [];
  /** Called before the answer of CreateContainerGroup reaches the process. */
  onCreated: () => void = () => undefined;
  readonly #work = new AbortController();
  readonly #random = seeded(3);
  readonly #policies: PolicyCache;
  #provider: Provider | undefined;
  #drained: Promise<void> = Promise.resolve();

  private constructor(options: Partial<CloudOptions>) {
    const { clock } = this;
    this.cloud = createSandboxCloud({
      clock,
      random: seeded(4),
      transitions: {
        schedule: between(2_000, 2_000),
        containerStart: between(5_000, 5_000),
        containerStop: between(3_000, 3_000),
        associate: between(1_000, 1_000),
        unassociate: between(1_000, 1_000),
      },
      ...options,
    });
    this.cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: VPC, cidrBlock: '10.1.0.0/16' });
    this.transport = inProcess(createApiServer({ clock, random: seeded(5) }));
    this.kube = createKube({ transport: this.transport, clock, qps: 0 });
    const shared = { clock, random: this.#random, log: silentLog };
    this.#policies = createPolicyCache({ ...shared, transport: this.transport });
  }

  /** With `operating`, the PodEIP controller works too. `policies` are EipPolicies by name. */
  static async create({
    operating = false,
    cloud = {},
    policies,
  }: {
    operating?: boolean;
    cloud?: Partial<CloudOptions>;
    policies?: Readonly<Record<string, EipPolicySpec>>;
  } = {}): Promise<Stage> {
    const stage = new Stage(cloud);
    for (const kind of [PODEIP, EIP_POLICY, EIP_USAGE]) await stage.kube.create(CRD, definitionOf(kind));
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

  #operate(): void {
    const { clock, kube, cloud, transport } = this;
    const { config } = loadConfig({
      base: { clusterID: 'cluster', regionID: 'cn-hangzhou', vpcID: VPC, sweeper: { mode: 'off' } },
      env: {},
    });
    const sent = callApi(cloud);
    const assembled = assembleCloud({
      clock,
      region: config.regionID,
      callApi: (params, request) => sent(params, request, {}),
    });
    const shared = { clock, random: this.#random, log: silentLog };
    this.#drained = runControllers({
      ...shared,
      config,
      kube,
      caches: createCaches({ ...shared, transport, onTrouble: () => undefined }),
      policies: this.#policies,
      metrics: createMetrics({ version: '0', nodeVersion: '0' }),
      election: undefined,
      record: () => undefined,
      assemble: () => assembled,
      work: this.#work.signal,
    }).drained;
  }

  /** The ECI API for everybody but the provider. */
  get containerGroups(): ContainerGroups {
    const sent = callApi(this.cloud);
    return assembleCloud({
      clock: this.clock,
      region: 'cn-hangzhou',
      callApi: (params, request) => sent(params, request, {}),
    }).containerGroups;
  }

  /** A process of the virtual node begins. */
  async start(over: Partial<VirtualNodeSettings> = {}, death?: Death): Promise<void> {
    const { clock, cloud } = this;
    const clusterUid = (await this.kube.get(NAMESPACES, { name: 'kube-system' }))?.metadata.uid ?? '';
    const sent = callApi(cloud);
    const assembled = assembleCloud({
      clock,
      region: 'cn-hangzhou',
      callApi: (params, request) => sent(params, request, {}),
    });
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
    const settings: VirtualNodeSettings = {
      nodeName: NODE_NAME,
      description: {
        name: NODE_NAME,
        region: 'cn-hangzhou',
        zone: 'cn-hangzhou-a',
        capacity: { cpu: '1000', memory: '4Ti', pods: '1000', ephemeralStorage: '40Ti' },
        version: '0.1.0',
      },
      node: {
        clusterUid,
        vSwitchIds: ['vsw-1'],
        securityGroupId: 'sg-1',
        clusterDNS: [],
        clusterDomain: 'cluster.local',
      },
      defaults: { bandwidthMbps: 5, internetChargeType: 'PayByTraffic', isp: 'BGP' },
      statefulKinds: ['StatefulSet'],
      enableVirtualNode: false,
      existingEips: 'any',
      existingEipNamespaces: [],
      settleMs: SETTLE_MS,
      missingMs: 60_000,
      readLagMs: 3_000,
      workers: 2,
      pollMs: 2_000,
      garbageCollectionMs: GARBAGE_MS,
      brakeAbove: 5,
      ...over,
    };
    const shared = { clock, random: this.#random, log: silentLog };
    const processKube = process.through(this.kube);
    const policies = this.#policies;
    const running = runVirtualNode(
      {
        ...shared,
        settings,
        kube: processKube,
        policyOf: async (namespace, isFresh, signal) =>
          isFresh
            ? (await readPolicy(policies, processKube, namespace, signal)).effective
            : recallPolicy(policies, processKube, namespace, signal),
        transport: calls,
        pods: createPodWatch({ ...shared, transport }, NODE_NAME),
        cloud: process.through(assembled.cloud),
        containerGroups: process.through(containerGroups),
        findEip: async (ipAddress, signal) => {
          const found = cloud.eips().find((eip) => eip.ipAddress === ipAddress);
          return found && assembled.cloud.describeEip(found.allocationId, signal);
        },
        record: (about, happening) => void (process.isDead || this.events.push({ ...happening, about })),
      },
      stop.signal,
    );
    this.#provider = { process, stop, ended: running };
  }

  /** The process is gone at once, whatever it was about to do. */
  kill(): void {
    this.#provider?.process.kill();
    this.#provider?.stop.abort(new Error('killed'));
  }

  /** Whether the process is dead. */
  get isDead(): boolean {
    return this.#provider?.process.isDead === true;
  }

  /** What the present process wrote so far. */
  get writes(): readonly string[] {
    return this.#provider?.process.writes ?? [];
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

  /** The object goes at once, without grace. */
  async removePod(name: string): Promise<void> {
    const body = JSON.stringify({ gracePeriodSeconds: 0 });
    const path = `/api/v1/namespaces/default/pods/${name}`;
    await this.transport({ method: 'DELETE', path, body, contentType: 'application/json' });
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

  /** Lets `ms` of virtual time pass, in small steps, so that what is woken up can go on. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      for (let turn = 0; turn < 3; turn += 1) await setImmediate();
      await this.clock.advance(Math.min(250, ms - passed));
    }
  }

  /** Lets time pass until `isSo`; the milliseconds that it took, or Infinity after `atMostMs`. */
  async until(isSo: () => unknown, atMostMs = 60_000): Promise<number> {
    const start = this.clock.mono();
    while (!(await isSo())) {
      if (this.clock.mono() - start >= atMostMs) return Infinity;
      await this.pass(500);
    }
    return this.clock.mono() - start;
  }

  /** Everything ends in order. */
  async stop(): Promise<void> {
    this.#provider?.stop.abort(new Error('the test is over'));
    this.#work.abort(new Error('the test is over'));
    let isDrained = this.#provider?.process.isDead === true;
    if (!isDrained)
      void Promise.all([this.#provider?.ended, this.#drained]).then(() => {
        isDrained = true;
      });
    if ((await this.until(() => isDrained, 600_000)) === Infinity) throw new Error('it does not drain');
  }
}
