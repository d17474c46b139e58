import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parse } from 'yaml';
import { READINESS_GATE } from '../../src/api/annotations.ts';
import { NODE, POD, type Pod } from '../../src/api/core.ts';
import { EIP_POLICY, EIP_USAGE, type EipPolicySpec } from '../../src/api/eippolicy.ts';
import { PODEIP, type PodEip } from '../../src/api/podeip.ts';
import { operate } from '../../src/cli/operate.ts';
import { assembleCloud } from '../../src/cloud/assemble.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCaches } from '../../src/controllers/caches.ts';
import { createPolicyCache } from '../../src/controllers/policies.ts';
import { createServiceCache } from '../../src/controllers/services.ts';
import { createKube } from '../../src/kube/client.ts';
import type { Kube, KubeObject, Resource } from '../../src/kube/port.ts';
import { silentLog, type Log } from '../../src/lib/log.ts';
import type { EventNote, Regarding } from '../../src/report/events.ts';
import { createMetrics } from '../../src/report/metrics.ts';
import { createCloud, type EmbeddedCloud } from '../../src/sandbox/cloud/cloud.ts';
import { callApi } from '../../src/sandbox/cloud/transport.ts';
import { createApiServer } from '../../src/sandbox/kube/server.ts';
import { transport as inProcess } from '../../src/sandbox/kube/transport.ts';
import { seeded, StillClock } from '../sandbox/cloud-bench.ts';

const definitionOf = ({ plural, group }: Pick<Resource<KubeObject>, 'plural' | 'group'>): object =>
  parse(readFileSync(new URL(`../../config/crd/${plural}.${group}.yaml`, import.meta.url), 'utf8')) as object;

export const CRD: Resource<KubeObject> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

const NAMESPACE = 'default';
const VPC = 'vpc-1';

export interface OperatingOptions {
  /** Over the configuration. */
  readonly config?: object;
  /** EipPolicies that are there from the beginning, by name. @default the kind is not installed */
  readonly policies?: Readonly<Record<string, EipPolicySpec>>;
  /** EIPs that the account may have. */
  readonly quota?: number;
}

export interface PodParts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly isGated?: boolean;
  /** Whether its containers are. */
  readonly isReady?: boolean;
}

/** A cluster, a cloud and the whole controller as production composes it, watches and queue included, in virtual time. */
export class Operating {
  readonly clock = new StillClock();
  readonly cloud: EmbeddedCloud;
  readonly kube: Kube;
  readonly events: (EventNote & { readonly about: Regarding })[] = [];
  /** What the watch of Knative Services said. */
  readonly said: string[] = [];
  readonly metrics = createMetrics({ version: '0', nodeVersion: '0' });
  readonly #transport;
  readonly #work = new AbortController();
  readonly #random = seeded(3);
  #drained: Promise<void> = Promise.resolve();
  #addresses = 0;

  private constructor({ quota }: OperatingOptions) {
    const { clock } = this;
    this.cloud = createCloud({ clock, random: seeded(4), ...(quota !== undefined && { quota }) });
    this.#transport = inProcess(createApiServer({ clock, random: seeded(5) }));
    this.kube = createKube({ transport: this.#transport, clock, qps: 0 });
  }

  static async create(options: OperatingOptions = {}): Promise<Operating> {
    const world = new Operating(options);
    await world.kube.create(CRD, definitionOf(PODEIP));
    if (options.policies) await world.installPolicies(options.policies);
    await world.kube.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } });
    world.cloud.world.addNetworkInterface({
      networkInterfaceId: 'eni-1',
      vpcId: VPC,
      instanceId: 'i-1',
      primaryIp: '10.0.0.1',
    });
    await world.#start(options.config ?? {});
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

  async #start(over: object): Promise<void> {
    const { clock, kube, cloud } = this;
    const { config } = loadConfig({
      base: { clusterID: 'cluster', regionID: 'cn-hangzhou', vpcID: VPC, sweeper: { mode: 'off' }, ...over },
      env: {},
    });
    const sent = callApi(cloud);
    const assembled = assembleCloud({
      clock,
      region: config.regionID,
      callApi: (params, request) => sent(params, request, {}),
      onCall: ({ action, outcome, durationMs }) =>
        this.metrics.cloudCalled(action, outcome === 'success' ? 'ok' : outcome, durationMs / 1_000),
    });
    await assembled.warmUp();
    const shared = { clock, random: this.#random, log: silentLog };
    const log: Log = { ...silentLog, info: (_, message) => void this.said.push(message), child: () => silentLog };
    this.#drained = operate({
      ...shared,
      config,
      kube,
      caches: createCaches({ ...shared, transport: this.#transport, onTrouble: () => undefined }),
      services: createServiceCache({ ...shared, log, transport: this.#transport }),
      policies: createPolicyCache({ ...shared, transport: this.#transport }),
      metrics: this.metrics,
      election: undefined,
      record: (about, event) => void this.events.push({ ...event, about }),
      assemble: () => assembled,
      work: this.#work.signal,
    }).drained;
    await this.pass(1_000);
  }

  /** A pod that runs on the node with an address of its own, as scheduler and kubelet leave it. */
  async runPod(
    name: string,
    annotations: Readonly<Record<string, string>>,
    { labels = {}, isGated = false, isReady = true }: PodParts = {},
  ): Promise<void> {
    this.#addresses += 1;
    const podIP = `10.0.${Math.floor(this.#addresses / 200) + 1}.${(this.#addresses % 200) + 1}`;
    this.cloud.world.addPrivateIp('eni-1', podIP);
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

  /** The pod's containers have ended, and its object goes. */
  async endPod(name: string): Promise<void> {
    const ref = { namespace: NAMESPACE, name };
    const body = { status: { phase: 'Succeeded' } };
    const { metadata } = await this.kube.patch(POD, ref, { type: 'strategic', subresource: 'status', body });
    await this.kube.delete(POD, ref, { uid: metadata.uid });
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
      await this.clock.pass(Math.min(100, ms - passed));
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
