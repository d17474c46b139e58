import { CloudFault } from '../fault.ts';
import type { NetworkInterface } from '../port.ts';
import { inconsistent } from './answer-checks.ts';
import { readNetworkInterfaces } from './answers.ts';
import type { ApiContext } from './api-context.ts';

/**
 * What ECS says of an instance that it does not know. Sources: ECS API reference, DescribeNetworkInterfaces; the
 * Terraform provider's service_alicloud_ecs.go.
 */
const NO_SUCH_INSTANCE = ['InvalidInstanceId', 'InvalidEcsId', 'InvalidEniId'] as const;

/** ECS API reference, DescribeNetworkInterfaces: MaxResults, 10–500. One address has one interface. */
const INTERFACE_PAGE_SIZE = 100;
/** More pages than this for one address mean that the filter was ignored. */
const MOST_INTERFACE_PAGES = 10;

/** The reads of network interfaces: by address, and by instance. */
export const networkInterfaceQueries = ({ clients, call, nextPage }: ApiContext) => {
  /** All pages of the network interfaces that this asks for and that `fits` agrees to. */
  const describeInterfaces = async (
    where: Readonly<Record<string, string>>,
    fits: (eni: NetworkInterface) => boolean,
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> => {
    const action = 'DescribeNetworkInterfaces';
    const found = new Map<string, NetworkInterface>();
    let token: string | undefined;
    for (let pages = 1; pages <= MOST_INTERFACE_PAGES; pages += 1) {
      if (pages > 1) await nextPage?.(action, signal);
      const query: Record<string, string> = {
        RegionId: clients.region,
        ...where,
        MaxResults: String(INTERFACE_PAGE_SIZE),
        ...(token === undefined ? {} : { NextToken: token }),
      };
      const read = await call({ action, signal }, clients.ecs, async (ecs) =>
        readNetworkInterfaces(await ecs(action, query)),
      );
      for (const eni of read.networkInterfaces) if (fits(eni)) found.set(eni.networkInterfaceId, eni);
      if (read.nextToken === undefined) return [...found.values()];
      token = read.nextToken;
    }
    throw inconsistent(action, `more than ${MOST_INTERFACE_PAGES} pages of interfaces for one address or instance`);
  };

  const findNetworkInterfaces = (
    { vpcId, privateIpAddress }: { vpcId: string; privateIpAddress: string },
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> =>
    describeInterfaces(
      // The VPC always: addresses repeat across VPCs.
      { VpcId: vpcId, 'PrivateIpAddress.1': privateIpAddress },
      (eni) => eni.vpcId === vpcId && eni.privateIpAddresses.includes(privateIpAddress),
      signal,
    );

  const networkInterfacesOf = async (
    instanceId: string,
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> => {
    try {
      return await describeInterfaces({ InstanceId: instanceId }, (eni) => eni.instanceId === instanceId, signal);
    } catch (error) {
      if (error instanceof CloudFault && NO_SUCH_INSTANCE.some((code) => error.code.startsWith(code))) return [];
      throw error;
    }
  };

  return { findNetworkInterfaces, networkInterfacesOf };
};
