import type { Node } from '../../api/core.ts';
import type { NetworkInterface } from '../../cloud/port.ts';
import { contains } from '../../lib/cidr.ts';
import { CONTAINER_INSTANCE, type NicBinding } from './record.ts';
import type { PodEipSituation } from './situation.ts';
import { fail, POLL_MS, stepFirst, valueOf, wait, type Outcome, type Step } from './step.ts';

/**
 * How long an interface may take to show an address that the network plugin has just assigned; milliseconds. People are
 * told within a minute: the rest of it is for the next look, the interfaces of the node and the turns of these calls.
 */
const PATIENCE_MS = 50_000;
/** Interval between reads of the interface after that. */
const LOOK_MS = 30_000;

/** The network interface that holds the address of the pod, or the step that has to come before it is known. */
export const locateInterface = (it: PodEipSituation, privateIpAddress: string): Outcome<NicBinding> => {
  const { seen, record } = it;
  if (!seen.interfaces) return stepFirst({ do: 'ReadInterfaces', privateIpAddress });
  const [one, ...others] = seen.interfaces;
  if (!one) return stepFirst(noInterface(it, privateIpAddress));
  const { networkInterfaceId, status, primaryIpAddress, instanceId } = one;
  if (others.length > 0)
    return stepFirst(
      fail(
        'AmbiguousInterface',
        `${privateIpAddress} is held by ${seen.interfaces.length} network interfaces (${seen.interfaces.map((each) => each.networkInterfaceId).join(', ')}); check vpcID in the configuration`,
      ),
    );
  if (status !== 'InUse')
    return stepFirst(wait('NoInterfaceYet', `network interface ${networkInterfaceId} is ${status}`, 2 * POLL_MS));
  const elsewhere = ofAnotherNode(one, it, privateIpAddress);
  if (elsewhere) return stepFirst(elsewhere);
  const isPrimary = primaryIpAddress === privateIpAddress;
  return valueOf({
    networkInterfaceId,
    privateIpAddress,
    isPrimary,
    podUid: record.podUid,
    ...(instanceId?.startsWith(CONTAINER_INSTANCE) && { instanceId }),
  });
};

/**
 * The address is another machine's, so that it is not the pod's: whoever may write the status of pods in a namespace
 * may write the address of anybody's pod there, which would be reached from the internet. Undefined where it is not
 * known which ECS instance the node is, or what the interface is attached to.
 */
const ofAnotherNode = (
  { networkInterfaceId, instanceId }: NetworkInterface,
  { seen: { node } }: PodEipSituation,
  address: string,
): Step | undefined => {
  const own = node ? instanceOf(node) : undefined;
  if (own === undefined || instanceId?.startsWith(ECS_INSTANCE) !== true || instanceId === own) return undefined;
  return fail(
    'NoInterface',
    `${address} is held by ${networkInterfaceId} of ${instanceId}, and the node of the pod is ${own}: it is not the pod’s address, and nothing is bound to it; find out who wrote it into status.podIP`,
    LOOK_MS,
  );
};

/** No interface holds the address: the step waits for one, and says after a while why there is none. */
const noInterface = ({ seen, settings }: PodEipSituation, address: string): Step => {
  const { memory, node, nodeInterfaces } = seen;
  const missing = `no network interface of the VPC${settings.vpcId === undefined ? '' : ` ${settings.vpcId}`} holds ${address}`;
  if ((memory.noInterfaceMs ?? 0) < PATIENCE_MS) return wait('NoInterfaceYet', `${missing} yet`, 2 * POLL_MS);
  const instanceId = node ? instanceOf(node) : undefined;
  if (nodeInterfaces === undefined && instanceId !== undefined) return { do: 'ReadNodeInterfaces', instanceId };
  const why = whyNoInterface({ address, node, nodeInterfaces: nodeInterfaces ?? [], vpcId: settings.vpcId });
  return fail('NoInterface', `${missing}: ${why}`, LOOK_MS);
};

/** The ECS instance that the node is; its provider ID is `REGION.INSTANCE`. */
const instanceOf = ({ spec }: Node): string | undefined => {
  const [, instanceId] = (spec?.providerID ?? '').split('.');
  return instanceId?.startsWith(ECS_INSTANCE) === true ? instanceId : undefined;
};

/** How the IDs of ECS instances begin. */
const ECS_INSTANCE = 'i-';

/**
 * Why no network interface holds the address of a pod, and what to do about it. Source: Terway, docs/ip-prefix.md
 * (addresses out of a prefix are not among the private addresses of the interface); VPC API reference, error code
 * UnsupportedFeature.EipBindPrefixIp.
 */
const whyNoInterface = ({
  address,
  node,
  nodeInterfaces,
  vpcId,
}: {
  readonly address: string;
  readonly node: Node | null;
  readonly nodeInterfaces: readonly NetworkInterface[];
  readonly vpcId: string | undefined;
}): string => {
  const holder = nodeInterfaces.find(({ prefixes = [] }) => prefixes.some((prefix) => contains(prefix, address)));
  if (holder)
    return `it comes out of a prefix of ${holder.networkInterfaceId} (prefix mode of the network plugin), and an EIP cannot be bound to such an address; turn prefix mode off for the nodes of pods that want an EIP`;
  const other = nodeInterfaces.find((each) => vpcId !== undefined && each.vpcId !== vpcId);
  if (other) return `the node is in the VPC ${other.vpcId}; correct vpcID in the configuration`;
  const podCIDR = node?.spec?.podCIDR ?? '';
  if (contains(podCIDR, address))
    return `it is of the pod network ${podCIDR} of its node, outside of the VPC (an overlay network such as Flannel), where no EIP can be bound; use Terway`;
  return 'either the pod network is not of the VPC (an overlay network such as Flannel), where no EIP can be bound, or vpcID in the configuration is not the VPC of the nodes';
};
