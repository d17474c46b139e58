/**
 * Other software that makes EIPs for the same annotations. Its source is not public, or it is a setting of the
 * cluster's network plugin: both are told by what an installation of them leaves in the cluster.
 */

/**
 * Installed by its Helm chart as a Deployment of this name. Source: ACK documentation, ack-extend-network-controller.
 */
export const ACK_EXTEND = 'ack-extend-network-controller';

/** Terway's configuration, in kube-system. Source: AliyunContainerService/terway, deploy and types/daemon/config.go. */
export const TERWAY_CONFIG = 'eni-config';
/** `EnableEIPPool`, a string in Terway's JSON; older configurations have a boolean. */
const TERWAY_POOL = /"enable_eip_pool"\s*:\s*"?true"?/;

/** Characters of a text that is looked at: Terway's has some hundreds, and a ConfigMap may hold a megabyte. */
const LARGEST = 16 * 1024;

/** As people read them. */
export const TERWAY_EIP_POOL = 'the EIP pool of Terway';

/** All that are known, by the names that people read. */
export const OTHER_CONTROLLERS: readonly string[] = [ACK_EXTEND, TERWAY_EIP_POOL];

/** Whether this Deployment makes EIPs. One without replicas makes none. */
export const isAckExtend = ({ name, replicas }: { readonly name: string; readonly replicas: number | undefined }) =>
  name === ACK_EXTEND && replicas !== 0;

/** Whether this ConfigMap of Terway's has it make EIPs. */
export const hasEipPool = (data: Readonly<Record<string, string>> | undefined): boolean =>
  Object.values(data ?? {}).some((text) => text.length <= LARGEST && TERWAY_POOL.test(text));
