import { createSandboxCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import type { CloudOptions, EmbeddedCloud } from '../../src/sandbox/cloud/sandbox-cloud.ts';
import { ConnectionDropped, Parameters } from '../../src/sandbox/cloud/rpc-wire.ts';
import { ManualClock } from '../harness/clock.ts';
import { seeded } from '../harness/random.ts';

const versions: Readonly<Record<string, string>> = {
  DescribeNetworkInterfaces: '2014-05-26',
  CreateContainerGroup: '2018-08-08',
  DeleteContainerGroup: '2018-08-08',
  DescribeContainerGroups: '2018-08-08',
  DescribeContainerGroupStatus: '2018-08-08',
  DescribeContainerLog: '2018-08-08',
  DescribeMultiContainerGroupMetric: '2018-08-08',
};

/** What came of a call: the body, or of an error its code and status. */
export interface Answered {
  readonly status: number;
  readonly code: string | undefined;
  readonly body: Record<string, unknown>;
  readonly retryAfter: string | undefined;
}

export interface Bench {
  readonly cloud: EmbeddedCloud;
  readonly clock: ManualClock;
  /**
   * Calls an action with `RegionId`, unless the parameters name another. Dropped connections have the code `Dropped`.
   */
  readonly call: (action: string, parameters?: Readonly<Record<string, string>>) => Promise<Answered>;
  /** Allocates an EIP and returns its ID. */
  readonly allocate: (parameters?: Readonly<Record<string, string>>) => Promise<string>;
  /** The EIP as DescribeEipAddresses shows it. */
  readonly describe: (allocationId: string) => Promise<Record<string, unknown> | undefined>;
}

/** A cloud on a still clock with one network interface, `eni-1` in `vpc-1`, holding 10.0.0.1 (primary), .2 and .3. */
export const bench = (options: Partial<CloudOptions> = {}): Bench => {
  const clock = new ManualClock();
  const cloud = createSandboxCloud({ clock, random: seeded(1), ...options });
  cloud.world.addNetworkInterface({
    networkInterfaceId: 'eni-1',
    vpcId: 'vpc-1',
    instanceId: 'i-1',
    primaryIp: '10.0.0.1',
    privateIps: ['10.0.0.2', '10.0.0.3'],
  });
  const call: Bench['call'] = async (action, parameters = {}) => {
    const all = { RegionId: options.regionId ?? 'cn-hangzhou', ...parameters };
    try {
      const response = await cloud.invoke({
        version: versions[action] ?? '2016-04-28',
        action,
        caller: 'test',
        parameters: new Parameters(Object.entries(all)),
      });
      const body = JSON.parse(response.body) as Record<string, unknown>;
      return {
        status: response.status,
        code: body['Code'] as string | undefined,
        body,
        retryAfter: response.headers['x-acs-retry-after'],
      };
    } catch (error) {
      if (!(error instanceof ConnectionDropped)) throw error;
      return { status: 0, code: 'Dropped', body: {}, retryAfter: undefined };
    }
  };
  return {
    cloud,
    clock,
    call,
    allocate: async (parameters = {}) => {
      const answered = await call('AllocateEipAddress', { InternetChargeType: 'PayByTraffic', ...parameters });
      return String(answered.body['AllocationId']);
    },
    describe: async (allocationId) => {
      const answered = await call('DescribeEipAddresses', { AllocationId: allocationId });
      const listed = answered.body['EipAddresses'] as { EipAddress: Record<string, unknown>[] };
      return listed.EipAddress[0];
    },
  };
};
