import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ALLOCATED_ADDRESS, KEYS, READINESS_GATE } from '../../src/api/annotations.ts';
import type { Pod } from '../../src/api/core.ts';
import { EIP_HOLDER } from '../../src/api/eipholder.ts';
import { EIP_POLICY, EIP_USAGE } from '../../src/api/eippolicy.ts';
import { FINALIZER, PODEIP } from '../../src/api/podeip.ts';
import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { ApiServer } from '../../src/sandbox/kube/kube-server.ts';
import { annotationsOf } from './asking.ts';
import { ContainerInstances } from './container-instances.ts';
import { LEASE_NAMESPACE, configuration } from './product-process.ts';
import { Knative } from './knative.ts';
import { legacyEip, type Ask, type Deed, type Ending, type Legacy, type Script, type Which } from './script.ts';
import type { ManualClock } from '../harness/clock.ts';
import { VPC } from '../harness/settings.ts';

const definition = (name: string): string =>
  JSON.stringify(parse(readFileSync(new URL(`../../config/crd/${name}.yaml`, import.meta.url), 'utf8')));

const CRD = definition('podeips.alibabacloud.com');
const HOLDER_CRD = definition(`${EIP_HOLDER.plural}.${EIP_HOLDER.group}`);
const POLICY_CRDS = [EIP_POLICY, EIP_USAGE].map(({ plural, group }) => definition(`${plural}.${group}`));
const POLICIES = `/apis/${EIP_POLICY.group}/${EIP_POLICY.version}/${EIP_POLICY.plural}`;

export const NAMESPACE = 'default';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const PODEIPS = `/apis/alibabacloud.com/v1beta1/namespaces/${NAMESPACE}/podeips`;

/** Few, so that they are soon used again. */
const ADDRESSES_PER_NODE = 3;
/** How long a container that found no address waits. */
const AGAIN_MS = 2_000;

interface Node {
  name: string;
  networkInterfaceId: string;
  readonly prefix: string;
  generation: number;
}

/**
 * Everybody else: users, StatefulSets, kubelets, network plug-ins, and humans at the console. Nothing goes
 * wrong for them.
 */
export class Cluster {
  readonly #server: ApiServer;
  readonly #cloud: EmbeddedCloud;
  readonly #time: ManualClock;
  readonly #frees: boolean;
  readonly #areInstances: boolean;
  readonly #nodes: Node[] = [];
  readonly #knative: Knative;
  /** Which pod holds a private address, by address; values are UIDs. */
  readonly #held = new Map<string, string>();
  readonly #instances: ContainerInstances;
  readonly #trace: (what: string) => void;
  /** EIPs that a human has changed. */
  readonly touched = new Set<string>();

  constructor(
    server: ApiServer,
    cloud: EmbeddedCloud,
    time: ManualClock,
    { freesAddresses, readings = [] }: Pick<Script, 'freesAddresses' | 'readings'>,
    trace: (what: string) => void,
  ) {
    this.#server = server;
    this.#cloud = cloud;
    this.#instances = new ContainerInstances(cloud);
    this.#time = time;
    this.#frees = freesAddresses;
    this.#areInstances = readings.includes('eciSpelling');
    this.#trace = trace;
    this.#knative = new Knative(server, time, {
      send: (method, path, body, patch) => this.#send(method, path, body, patch),
      create: (pod, labels) => this.#create({ do: 'create', ...pod }, labels),
      end: (pod, ending) => this.#delete(pod, ending),
    });
  }

  installKnative(): Promise<void> {
    return this.#knative.install();
  }

  async build(): Promise<void> {
    for (const crd of [CRD, HOLDER_CRD])
      await this.#send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
    for (const number of [1, 2]) {
      const node: Node = { name: '', networkInterfaceId: '', prefix: `10.0.${number}`, generation: 0 };
      this.#nodes.push(node);
      await this.#bring(node);
    }
  }

  /** An operator says how many EIPs each namespace may hold. */
  async limit(eips: number): Promise<void> {
    for (const crd of POLICY_CRDS)
      await this.#send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
    const { group, version, kind } = EIP_POLICY;
    const policy = { apiVersion: `${group}/${version}`, kind, metadata: { name: 'few' }, spec: { limits: { eips } } };
    await this.#send('POST', POLICIES, JSON.stringify(policy));
  }

  /** What ack-extend-network-controller has left: a PodEIP, its EIP, and perhaps the pod that uses it. */
  async leaveBehind(legacy: Legacy): Promise<void> {
    const { pod: name, type, hasPod } = legacy;
    const node = this.#nodes[0]!;
    const allocationID = legacyEip(legacy);
    if (type === 'Auto')
      this.#cloud.world.addEip({ allocationId: allocationID, name: 'ack-extend-network-controller' });
    const ask: Ask =
      type === 'Auto' ? { for: 'new', inPackage: false } : { for: 'existing', allocationId: allocationID };
    await this.#create({ do: 'create', pod: name, ask, gated: true, node: 0, startMs: 1e9 });
    const pod = await this.#pod(name);
    if (!pod) throw new Error(`there is no pod ${name}`);
    await this.#run(name, pod.metadata.uid, node);
    const { status } = (await this.#pod(name)) ?? {};
    const { networkInterfaceId } = node;
    this.#cloud.world.human.associate(allocationID, networkInterfaceId, status?.podIP ?? '');
    const metadata = { name, namespace: NAMESPACE, finalizers: [FINALIZER] };
    const spec = { allocationID, allocationType: { type, releaseStrategy: 'Follow' } };
    const { group, version, kind } = PODEIP;
    await this.#send('POST', PODEIPS, JSON.stringify({ apiVersion: `${group}/${version}`, kind, metadata, spec }));
    const said = {
      status: 'InUse',
      eipAddress: this.#cloud.eips().find((eip) => eip.allocationId === allocationID)?.ipAddress,
      networkInterfaceID: networkInterfaceId,
      privateIPAddress: status?.podIP,
    };
    await this.#send('PATCH', `${PODEIPS}/${name}/status`, JSON.stringify({ status: said }), 'merge');
    if (!hasPod) await this.#force(name, 0);
  }

  async #bring(node: Node): Promise<void> {
    node.generation += 1;
    const id = `${node.prefix.at(-1)}-${node.generation}`;
    node.name = `node-${id}`;
    node.networkInterfaceId = `eni-${id}`;
    const all = Array.from({ length: ADDRESSES_PER_NODE }, (_, index) => `${node.prefix}.${index + 2}`);
    this.#cloud.world.addNetworkInterface({
      networkInterfaceId: node.networkInterfaceId,
      vpcId: VPC,
      instanceId: `i-${id}`,
      primaryIp: `${node.prefix}.1`,
      privateIps: this.#frees || this.#areInstances ? [] : all,
    });
    const object = { apiVersion: 'v1', kind: 'Node', metadata: { name: node.name } };
    await this.#send('POST', '/api/v1/nodes', JSON.stringify(object));
  }

  /** Does what a script says; what has no object any more is skipped. */
  async perform(deed: Deed): Promise<void> {
    switch (deed.do) {
      case 'create':
        return this.#create(deed, deed.revision === undefined ? {} : this.#knative.labelsOf(deed.revision));
      case 'delete':
        return this.#delete(deed.pod, deed);
      case 'apply':
        return this.#knative.apply(deed);
      case 'route':
        return this.#knative.route(deed.to);
      case 'scale':
        return this.#knative.scale(deed.pods);
      case 'unserve':
        return this.#knative.unserve();
      case 'force':
        return this.#force(deed.pod, deed.lingerMs);
      case 'finish': {
        const pod = await this.#pod(deed.pod);
        if (!pod?.status?.podIP) return;
        await this.#patchStatus(deed.pod, { phase: deed.phase });
        return this.#free(pod.metadata.uid);
      }
      case 'annotate': {
        const gone = Object.fromEntries(Object.values(KEYS).flatMap((keys) => keys.map((key) => [key, null])));
        const annotations = { ...gone, ...annotationsOf(deed.ask) };
        await this.#send('PATCH', `${PODS}/${deed.pod}`, JSON.stringify({ metadata: { annotations } }), 'merge');
        return;
      }
      case 'move': {
        const pod = await this.#pod(deed.pod);
        if (!pod?.status?.podIP || pod.status.phase !== 'Running') return;
        this.#free(pod.metadata.uid);
        return this.#run(deed.pod, pod.metadata.uid, this.#nodeOf(pod));
      }
      case 'lie': {
        const annotations = { [ALLOCATED_ADDRESS]: '192.0.2.1' };
        await this.#send('PATCH', `${PODS}/${deed.pod}`, JSON.stringify({ metadata: { annotations } }), 'merge');
        return;
      }
      case 'deletePodEip':
        await this.#send('DELETE', `${PODEIPS}/${deed.pod}`);
        return;
      case 'declare':
        return this.#edit(deed.pod, { spec: { allocationType: { type: 'Static' } } });
      case 'strip':
        return this.#edit(deed.pod, { metadata: { finalizers: [] } });
      case 'detach':
      case 'rebind':
      case 'release':
        return this.#human(deed.do, deed.which);
      case 'quota':
        return this.#cloud.setQuota(deed.eips);
      case 'limit':
        await this.#send(
          'PATCH',
          `${POLICIES}/few`,
          JSON.stringify({ spec: { limits: { eips: deed.eips } } }),
          'merge',
        );
        return;
      case 'loseNode':
        return this.#loseNode(deed.node);
      case 'compact':
        return this.#server.compact();
      case 'deleteLease': {
        const { name } = configuration({ election: true, sweeper: false }).leaderElection;
        await this.#send('DELETE', `/apis/coordination.k8s.io/v1/namespaces/${LEASE_NAMESPACE}/leases/${name}`);
        return;
      }
    }
  }

  async #edit(name: string, body: object): Promise<void> {
    await this.#send('PATCH', `${PODEIPS}/${name}`, JSON.stringify(body), 'merge');
  }

  async #create(deed: Extract<Deed, { do: 'create' }>, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const node = this.#nodes[deed.node]!;
    const answer = await this.#send(
      'POST',
      PODS,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: deed.pod,
          namespace: NAMESPACE,
          annotations: annotationsOf(deed.ask),
          labels,
          ...(deed.owner && {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: deed.owner, name: 'set', uid: 'uid-of-the-set', controller: true },
            ],
          }),
        },
        spec: {
          nodeName: node.name,
          containers: [{ name: 'main', image: 'nginx' }],
          ...(deed.gated && { readinessGates: [{ conditionType: READINESS_GATE }] }),
        },
      }),
    );
    if (answer.status === 201) {
      const { uid } = (answer.body as Pod).metadata;
      this.#time.timer(deed.startMs, () => void this.#run(deed.pod, uid, node));
    }
  }

  /** The network plug-in gives the pod an address, the kubelet says so. */
  async #run(name: string, uid: string, node: Node | undefined): Promise<void> {
    const pod = await this.#pod(name);
    if (!node || pod?.metadata.uid !== uid || pod.metadata.deletionTimestamp !== undefined) return;
    const free = Array.from({ length: ADDRESSES_PER_NODE }, (_, index) => `${node.prefix}.${index + 2}`).find(
      (address) => !this.#held.has(address),
    );
    if (free === undefined) {
      this.#time.timer(AGAIN_MS, () => void this.#run(name, uid, node));
      return;
    }
    this.#held.set(free, uid);
    if (this.#areInstances) this.#instances.bring(uid, free);
    else if (this.#frees) this.#cloud.world.addPrivateIp(node.networkInterfaceId, free);
    await this.#patchStatus(name, {
      phase: 'Running',
      podIP: free,
      podIPs: [{ ip: free }],
      conditions: [{ type: 'ContainersReady', status: 'True' }],
    });
  }

  async #delete(name: string, { graceMs, phase = 'Failed', objectMs = 0, freesFirst }: Ending): Promise<void> {
    const pod = await this.#pod(name);
    if (!pod || pod.metadata.deletionTimestamp !== undefined) return;
    const { uid } = pod.metadata;
    await this.#send('DELETE', `${PODS}/${name}`, JSON.stringify({ preconditions: { uid } }));
    const end = async (): Promise<void> => {
      if (freesFirst) this.#free(uid);
      if ((await this.#pod(name))?.metadata.uid === uid) await this.#patchStatus(name, { phase });
      if (objectMs > 0) this.#time.timer(objectMs, () => void go());
      else await go();
    };
    const go = async (): Promise<void> => {
      await this.#remove(name, uid);
      this.#free(uid);
    };
    this.#time.timer(graceMs, () => void end());
  }

  async #force(name: string, lingerMs: number): Promise<void> {
    const pod = await this.#pod(name);
    if (!pod) return;
    await this.#remove(name, pod.metadata.uid);
    this.#time.timer(lingerMs, () => this.#free(pod.metadata.uid));
  }

  async #remove(name: string, uid: string): Promise<void> {
    const body = JSON.stringify({ gracePeriodSeconds: 0, preconditions: { uid } });
    await this.#send('DELETE', `${PODS}/${name}`, body);
  }

  /** The private address of a pod that has ended goes back to the plug-in. */
  #free(uid: string): void {
    for (const [address, holder] of this.#held) {
      if (holder !== uid) continue;
      this.#held.delete(address);
      const node = this.#nodes.find(({ prefix }) => address.startsWith(`${prefix}.`));
      if (this.#areInstances) this.#instances.end(uid);
      else if (this.#frees && node) this.#cloud.world.removePrivateIp(node.networkInterfaceId, address);
    }
  }

  async #loseNode(index: number): Promise<void> {
    const node = this.#nodes[index]!;
    const { body } = await this.#send('GET', PODS);
    const pods = (body as { items: Pod[] }).items.filter(({ spec }) => spec.nodeName === node.name);
    this.#cloud.world.removeNetworkInterface(node.networkInterfaceId);
    await this.#send('DELETE', `/api/v1/nodes/${node.name}`);
    for (const { metadata } of pods) await this.#remove(metadata.name, metadata.uid);
    // Also those of pods whose objects went before.
    for (const [address, holder] of this.#held) {
      if (!address.startsWith(`${node.prefix}.`)) continue;
      this.#held.delete(address);
      this.#instances.end(holder);
    }
    await this.#bring(node);
  }

  #nodeOf({ spec }: Pod): Node | undefined {
    return this.#nodes.find(({ name }) => name === spec.nodeName);
  }

  #human(what: 'detach' | 'rebind' | 'release', which: Which): void {
    const tag = 'ofPod' in which ? `${NAMESPACE}/${which.ofPod}` : '';
    const eip = this.#cloud
      .eips()
      .find((it) => ('eip' in which ? it.allocationId === which.eip : it.tags.get('knative-eip/pod') === tag));
    if (!eip) return;
    const { allocationId } = eip;
    const { human } = this.#cloud.world;
    this.touched.add(allocationId);
    this.#trace(`a human does ${what} ${allocationId}`);
    if (what === 'release') human.release(allocationId);
    else if (what === 'detach') {
      if (eip.binding) human.unassociate(allocationId);
    } else {
      const node = this.#nodes[0]!;
      const address = `${node.prefix}.1`;
      if (!this.#cloud.eips().some(({ binding }) => binding?.privateIpAddress === address))
        human.associate(allocationId, node.networkInterfaceId, address);
    }
  }

  async #pod(name: string): Promise<Pod | undefined> {
    const { status, body } = await this.#send('GET', `${PODS}/${name}`);
    return status === 200 ? (body as Pod) : undefined;
  }

  async #patchStatus(name: string, status: object): Promise<void> {
    await this.#send('PATCH', `${PODS}/${name}/status`, JSON.stringify({ status }), 'strategic-merge');
  }

  async #send(
    method: string,
    path: string,
    body?: string,
    patch?: 'merge' | 'strategic-merge',
  ): Promise<{ status: number; body: unknown }> {
    const headers = { 'content-type': patch ? `application/${patch}-patch+json` : 'application/json' };
    if (method !== 'GET') this.#trace(`cluster: ${method} ${path} ${path.endsWith('definitions') ? '' : (body ?? '')}`);
    const answer = await this.#server.handle({ method, path, headers, body });
    if (answer.status >= 400 && answer.status !== 404 && answer.status !== 409)
      throw new Error(`${method} ${path}: ${answer.body as string}`);
    return { status: answer.status, body: JSON.parse(answer.body as string) as unknown };
  }
}
