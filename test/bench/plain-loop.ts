import type { SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { ManualClock } from '../harness/clock.ts';
import { adapterOn } from '../harness/cluster.ts';
import { waitDuring } from '../harness/during.ts';
import { seeded } from '../harness/random.ts';
import { VPC } from '../harness/settings.ts';
import { lateBy, TRANSITIONS } from './bed.ts';

/** As many pods of a node ask for an EIP. */
const PODS_PER_NODE = 10;
/** Slept after AssociateEipAddress, before the first look; milliseconds (Terway v1.6.4, pkg/aliyun/eip.go). */
const SLEEP_MS = 3_000;

/**
 * What the bench is held against: EIPs as the CNI plugin Terway has made them until version 1.6.4, one pod of a node
 * after the other: look at the network interface and at what is bound to it, buy, bind, sleep three seconds, look. On
 * the same cloud as the product and through its adapter, which never calls more often than the account may; nothing is
 * written anywhere.
 *
 * Resolves to how long each pod waited for its address, in order, milliseconds.
 */
export const plainLoop = async (pods: number): Promise<readonly number[]> => {
  const clock = new ManualClock();
  const sandbox = createSandboxCloud({ clock, random: seeded(4), quota: 100_000, transitions: TRANSITIONS });
  const sent = lateBy(clock)(callApi(sandbox) as SdkCallApi);
  const { cloud } = adapterOn(sandbox, clock, { callApi: (params, request) => sent(params, request, {}) });
  const times: number[] = [];

  const work = async (node: number): Promise<void> => {
    const networkInterfaceId = `eni-${node}`;
    const network = `10.${Math.floor(node / 250)}.${node % 250}`;
    sandbox.world.addNetworkInterface({
      networkInterfaceId,
      vpcId: VPC,
      instanceId: `i-${node}`,
      primaryIp: `${network}.1`,
    });
    const mine = Math.min(PODS_PER_NODE, pods - node * PODS_PER_NODE);
    for (let index = 0; index < mine; index += 1) {
      const privateIpAddress = `${network}.${index + 2}`;
      sandbox.world.addPrivateIp(networkInterfaceId, privateIpAddress);
      await cloud.findNetworkInterfaces({ vpcId: VPC, privateIpAddress });
      await cloud.findEipsByAddress(['203.0.113.254']);
      const { allocationId } = await cloud.allocateEip({
        clientToken: `${node}-${index}`,
        bandwidthMbps: 5,
        internetChargeType: 'PayByTraffic',
        isp: 'BGP',
        tags: [],
      });
      await cloud.associateEip({ clientToken: `${node}-${index}`, allocationId, networkInterfaceId, privateIpAddress });
      await clock.sleep(SLEEP_MS);
      while ((await cloud.describeEip(allocationId))?.status !== 'InUse') await clock.sleep(SLEEP_MS);
      times.push(clock.mono());
    }
  };

  const nodes = Array.from({ length: Math.ceil(pods / PODS_PER_NODE) }, (_, node) => work(node));
  await waitDuring(clock, Promise.all(nodes), 20);
  return times.sort((a, b) => a - b);
};
