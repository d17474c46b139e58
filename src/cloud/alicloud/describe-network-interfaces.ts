import { CloudFault } from '../fault.ts';
import { MOST_ADDRESSES, type NetworkInterface } from '../port.ts';
import { inconsistent, refuse } from './answer-checks.ts';
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

/** What of an answer counts. */
interface Wanted {
  readonly fits: (eni: NetworkInterface) => boolean;
  /** Whether these are all that can be there, if no full page says otherwise. @default one is */
  readonly areAll?: (found: Iterable<NetworkInterface>) => boolean;
}

/** The reads of network interfaces: by address, by many addresses, and by instance. */
export const networkInterfaceQueries = ({ clients, call, nextPage }: ApiContext) => {
  /** All pages of the network interfaces that this asks for and that are wanted. */
  const describeInterfaces = async (
    where: Readonly<Record<string, string>>,
    { fits, areAll = () => true }: Wanted,
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> => {
    const action = 'DescribeNetworkInterfaces';
    const found = new Map<string, NetworkInterface>();
    let token: string | undefined;
    let emptyPages = 0;
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
      const { nextToken, networkInterfaces } = read;
      const { length } = networkInterfaces;
      emptyPages = length === 0 ? emptyPages + 1 : 0;
      // A token may come with the last page too: what is found on a short page is all there is (Terway ends there), and
      // so it is where nothing comes any more.
      const isWhole = length < INTERFACE_PAGE_SIZE && found.size > 0 && areAll(found.values());
      const isLast = isWhole || emptyPages > 1 || nextToken === token;
      if (nextToken === undefined || isLast) return [...found.values()];
      token = nextToken;
    }
    throw inconsistent(action, `more than ${MOST_INTERFACE_PAGES} pages of interfaces for what has one each`);
  };

  const findNetworkInterfaces = async (
    { vpcId, privateIpAddress }: { vpcId: string; privateIpAddress: string },
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> => {
    const fits = (eni: NetworkInterface): boolean =>
      eni.vpcId === vpcId && eni.privateIpAddresses.includes(privateIpAddress);
    // The VPC always: addresses repeat across VPCs.
    const found = await describeInterfaces({ VpcId: vpcId, 'PrivateIpAddress.1': privateIpAddress }, { fits }, signal);
    if (found.length > 0) return found;
    // By the text of the ECS API reference PrivateIpAddress.N knows secondary addresses only; Terway finds all by it.
    await nextPage?.('DescribeNetworkInterfaces', signal);
    return describeInterfaces({ VpcId: vpcId, PrimaryIpAddress: privateIpAddress }, { fits }, signal);
  };

  const findNetworkInterfacesOfMany = async (
    { vpcId, privateIpAddresses }: { vpcId: string; privateIpAddresses: readonly string[] },
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly NetworkInterface[]>> => {
    const action = 'DescribeNetworkInterfaces';
    const wanted = [...new Set(privateIpAddresses)];
    if (wanted.length > MOST_ADDRESSES)
      throw refuse(action, `${wanted.length} addresses in one call, which takes ${MOST_ADDRESSES}`);
    const found = new Map<string, NetworkInterface[]>(wanted.map((address) => [address, []]));
    if (wanted.length === 0) return found;
    const isWanted = (address: string): boolean => found.has(address);
    const fits = (eni: NetworkInterface): boolean => eni.vpcId === vpcId && eni.privateIpAddresses.some(isWanted);
    const areAll = (some: Iterable<NetworkInterface>): boolean => {
      const held = new Set([...some].flatMap(({ privateIpAddresses: its }) => its));
      return wanted.every((address) => held.has(address));
    };
    const filters = wanted.map((address, index) => [`PrivateIpAddress.${index + 1}`, address] as const);
    const where = { VpcId: vpcId, ...Object.fromEntries(filters) };
    for (const eni of await describeInterfaces(where, { fits, areAll }, signal))
      for (const address of new Set(eni.privateIpAddresses)) found.get(address)?.push(eni);
    // See above; this filter takes one address.
    for (const [address, interfaces] of found) {
      if (interfaces.length > 0) continue;
      await nextPage?.(action, signal);
      const holds = (eni: NetworkInterface) => eni.vpcId === vpcId && eni.privateIpAddresses.includes(address);
      interfaces.push(
        ...(await describeInterfaces({ VpcId: vpcId, PrimaryIpAddress: address }, { fits: holds }, signal)),
      );
    }
    return found;
  };

  const networkInterfacesOf = async (
    instanceId: string,
    signal?: AbortSignal,
  ): Promise<readonly NetworkInterface[]> => {
    try {
      const fits = (eni: NetworkInterface) => eni.instanceId === instanceId;
      return await describeInterfaces({ InstanceId: instanceId }, { fits }, signal);
    } catch (error) {
      if (error instanceof CloudFault && NO_SUCH_INSTANCE.some((code) => error.code.startsWith(code))) return [];
      throw error;
    }
  };

  return { findNetworkInterfaces, findNetworkInterfacesOfMany, networkInterfacesOf };
};
