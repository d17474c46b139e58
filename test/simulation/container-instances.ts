import type { EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { VPC } from '../harness/settings.ts';

/** The container instances that pods are: each has an interface of its own, which goes with it. */
export class ContainerInstances {
  readonly #cloud: EmbeddedCloud;
  /** The latest last; `uid` is the pod's. */
  readonly #instances: { readonly uid: string; readonly networkInterfaceId: string; isGone?: boolean }[] = [];

  constructor(cloud: EmbeddedCloud) {
    this.#cloud = cloud;
  }

  bring(uid: string, primaryIp: string): void {
    const number = (this.#instances.length + 1).toString();
    const networkInterfaceId = `eni-eci-${number}`;
    this.#instances.push({ uid, networkInterfaceId });
    this.#cloud.world.addNetworkInterface({ networkInterfaceId, vpcId: VPC, instanceId: `eci-${number}`, primaryIp });
  }

  end(uid: string): void {
    for (const instance of this.#instances)
      if (instance.uid === uid && !instance.isGone) {
        instance.isGone = true;
        this.#cloud.world.removeNetworkInterface(instance.networkInterfaceId);
      }
  }
}
