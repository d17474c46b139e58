import { ALLOCATED_ADDRESS } from '../../src/api/annotations.ts';
import { WORKLOAD_POD, type WorkloadPod } from '../../src/virtualnode/workload-pod.ts';
import { VPC } from '../harness/settings.ts';
import { Bed } from './bed.ts';

const NODE_NAME = 'virtual-1';
const WITH_EIP = { 'k8s.aliyun.com/eci-with-eip': 'true' };
/** How it is metered cannot be said to ECI, so the EIP is bought first. */
const EIP_FIRST = { ...WITH_EIP, 'k8s.aliyun.com/eip-internet-charge-type': 'PayByBandwidth' };

/** How long each pod waited, in order; milliseconds. */
export interface Times {
  readonly address: readonly number[];
  readonly ready: readonly number[];
}

/** What happened to a pod, and when; virtual milliseconds. */
interface Milestones {
  address?: number;
  ready?: number;
  gone?: number;
}

/** The virtual node, as production composes it with the controller, in virtual time. */
export class NodeBed {
  readonly bed: Bed;
  readonly #reached = new Map<string, Milestones>();
  #pods = 0;

  private constructor(bed: Bed) {
    this.bed = bed;
    const { clock, server } = bed.world;
    server.onWrite(({ type, object }) => {
      if (object['kind'] !== WORKLOAD_POD.kind) return;
      const { metadata, status } = object as unknown as WorkloadPod;
      const reached = this.#reached.get(metadata.name);
      if (!reached) return;
      const now = clock.mono();
      if (type === 'DELETED') reached.gone ??= now;
      if (metadata.annotations?.[ALLOCATED_ADDRESS] !== undefined) reached.address ??= now;
      if (status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True')) reached.ready ??= now;
    });
  }

  /** @param config over the default configuration; of `virtualNode`, too */
  static async create({ virtualNode, ...config }: { readonly virtualNode?: object } = {}): Promise<NodeBed> {
    const bed = await Bed.create({
      ...config,
      virtualNode: {
        enabled: true,
        nodeName: NODE_NAME,
        vSwitchIDs: ['vsw-1'],
        securityGroupID: 'sg-1',
        ...virtualNode,
      },
    });
    bed.world.cloud.world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: VPC, cidrBlock: '10.192.0.0/16' });
    return new NodeBed(bed);
  }

  /** So many pods come to the node at once. */
  async run(count: number, { isEipFirst = false }: { readonly isEipFirst?: boolean } = {}): Promise<Times> {
    const { clock, kube } = this.bed.world;
    const began = clock.mono();
    const all: Milestones[] = [];
    for (let made = 0; made < count; made += 1) {
      const name = `pod-${(this.#pods += 1)}`;
      const reached: Milestones = {};
      all.push(reached);
      this.#reached.set(name, reached);
      await kube.create(WORKLOAD_POD, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', annotations: isEipFirst ? EIP_FIRST : WITH_EIP },
        spec: { nodeName: NODE_NAME, containers: [{ name: 'main', image: 'nginx' }] },
      });
    }
    await this.bed.until(() => all.every(({ address, ready }) => address !== undefined && ready !== undefined));
    const since = (times: readonly (number | undefined)[]) => inOrder(times.map((at) => (at ?? Infinity) - began));
    return { address: since(all.map(({ address }) => address)), ready: since(all.map(({ ready }) => ready)) };
  }

  /** All pods are deleted at once. Resolves to how long the object of each was still there, in order, milliseconds. */
  async end(): Promise<readonly number[]> {
    const { clock, kube } = this.bed.world;
    const began = clock.mono();
    for (const { metadata } of await kube.list(WORKLOAD_POD, { namespace: 'default' }))
      await kube.delete(WORKLOAD_POD, metadata, { uid: metadata.uid });
    const all = [...this.#reached.values()];
    await this.bed.until(() => all.every(({ gone }) => gone !== undefined));
    this.#reached.clear();
    return inOrder(all.map(({ gone }) => (gone ?? Infinity) - began));
  }

  stop(): Promise<void> {
    return this.bed.stop();
  }
}

const inOrder = (times: readonly number[]): readonly number[] => times.toSorted((a, b) => a - b);
