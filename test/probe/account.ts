import { createClients, type SdkCallApi } from '../../src/cloud/alicloud/clients.ts';
import { namedCalls } from '../../src/cloud/alicloud/named-calls.ts';
import type { CloudReading } from '../../src/cloud/readings.ts';
import { markOfRun } from '../../src/probe/run-mark.ts';
import type { ProbePorts, Site } from '../../src/probe/port.ts';
import { createSandboxCloud, type EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { callApi } from '../../src/sandbox/cloud/sdk-transport.ts';
import { ManualClock } from '../harness/clock.ts';
import { seeded } from '../harness/random.ts';

export const RUN = '0123456789';
export const mark = markOfRun(RUN);

/** Where a pod of the cluster has its address. */
const POD_ADDRESS = '10.0.0.2';

/** An interface of Terway's trunk mode; in no prefix of the node's. */
const TRUNK = {
  networkInterfaceId: 'eni-trunk',
  type: 'Trunk',
  vpcId: 'vpc-1',
  instanceId: 'i-node',
  primaryIp: '10.0.0.17',
};

export const site: Site = {
  region: 'cn-hangzhou',
  vSwitchId: 'vsw-1',
  securityGroupId: 'sg-1',
  packageId: 'cbwp-1',
  withEci: true,
  image: 'busybox',
  podAddress: POD_ADDRESS,
  networkInterfaceId: TRUNK.networkInterfaceId,
  isLong: true,
  hosts: { vpc: ['vpc-vpc.cn-hangzhou.aliyuncs.com', 'vpc.cn-hangzhou.aliyuncs.com'] },
};

/** A clock on which one waits in no time: a sleeper moves it. */
class QuickClock extends ManualClock {
  override sleep(ms: number): Promise<void> {
    return this.advance(ms);
  }
}

/** An account with what other people have in it, some of it with names that are nearly the run's. */
export const account = (
  readings: readonly CloudReading[],
  seed = 1,
  { epoch, tokenLifetimeMs }: { readonly epoch?: number; readonly tokenLifetimeMs?: number } = {},
) => {
  const clock = new QuickClock(epoch);
  const cloud = createSandboxCloud({
    clock,
    random: seeded(seed),
    readings,
    ...(tokenLifetimeMs !== undefined && { tokenLifetimeMs }),
    transitions: {
      associate: { minMs: 500, maxMs: 1_500 },
      unassociate: { minMs: 500, maxMs: 1_500 },
      bandwidthPackage: { minMs: 300, maxMs: 900 },
      schedule: { minMs: 2_000, maxMs: 5_000 },
      containerStart: { minMs: 10_000, maxMs: 20_000 },
      containerStop: { minMs: 1_000, maxMs: 5_000 },
    },
  });
  const { world } = cloud;
  world.addVSwitch({ vSwitchId: 'vsw-1', vpcId: 'vpc-1', cidrBlock: '10.1.0.0/16' });
  world.addBandwidthPackage('cbwp-1');
  const node = { networkInterfaceId: 'eni-node', vpcId: 'vpc-1', instanceId: 'i-node', primaryIp: '10.0.0.1' };
  world.addNetworkInterface({ ...node, privateIps: [POD_ADDRESS] });
  world.addNetworkInterface({ ...TRUNK, privateIps: ['10.0.0.3'] });
  world.addEip({ name: 'mine' });
  world.addEip({ name: `knative-eip-probe/${RUN}0:1`, tags: { 'knative-eip-probe': `${RUN}0` } });
  world.addEip({ name: `knative-eip-probe-${RUN}0-1` });
  const eni = world.addNetworkInterface({ vpcId: 'vpc-1', instanceId: 'eci-other', primaryIp: '10.0.9.1' });
  world.addContainerGroup({ containerGroupName: 'knative-eip-probe-other', eniInstanceId: eni.networkInterfaceId });
  return { clock, cloud };
};

/** Everything in the account, but for what other people would not miss. */
export const stateOf = (cloud: EmbeddedCloud) => ({
  eips: cloud.eips(),
  groups: cloud.containerGroups(),
  interfaces: cloud.interfaces(),
});

/** What RAM says to whom everything is denied, as the SDK rejects with it. */
const refusing: SdkCallApi = ({ action }) => {
  const AccessDeniedDetail = { AuthAction: `vpc:${action}`, NoPermissionType: 'ExplicitDeny' };
  const data = { Code: 'Forbidden.RAM', Message: 'User not authorized.', RequestId: 'REQ-1', AccessDeniedDetail };
  return Promise.reject(Object.assign(new Error('no'), { code: 'Forbidden.RAM', statusCode: 403, data }));
};

/** The ports of one process; `through` stands between it and the cloud. */
export const portsTo = (
  { clock, cloud }: ReturnType<typeof account>,
  through: (call: SdkCallApi) => SdkCallApi = (call) => call,
): ProbePorts & { readonly said: string[] } => {
  const inProcess = callApi(cloud);
  const clients = createClients({
    region: site.region,
    callApi: through((params, request) => inProcess(params, request, {})),
  });
  const said: string[] = [];
  return {
    api: namedCalls({ clock, clients }),
    denied: namedCalls({ clock, clients: createClients({ region: site.region, callApi: refusing }) }),
    renew: () => Promise.resolve(undefined),
    clock,
    reaches: (host) => Promise.resolve(host.startsWith('vpc-vpc')),
    say: (line) => void said.push(line),
    said,
  };
};
