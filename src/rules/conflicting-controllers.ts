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

/** A process of Terway goes on by the configuration that it read when it started. As people read it. */
export const OLD_TERWAY = 'Terway from before its EIP pool was switched off';

/** All that are known, by the names that people read. */
export const OTHER_CONTROLLERS: readonly string[] = [ACK_EXTEND, TERWAY_EIP_POOL, OLD_TERWAY];

/** Those of which a pod on a virtual node would get an EIP as well: Terway is on ECS nodes only. */
export const servingOn = (names: readonly string[], place: 'ecs' | 'eci' | 'acs' | 'unknown'): readonly string[] =>
  place === 'eci' ? names.filter((name) => name === ACK_EXTEND) : names;

/** What ends the work of one of them. */
export const remedyFor = (name: string): string =>
  name === OLD_TERWAY
    ? 'restart Terway (kubectl -n kube-system rollout restart daemonset -l app=terway-eniip, or app=terway-eni), and delete a Node that is away with an old pod of it once its machine is off; when the last of its old pods is gone this goes on by itself; where Terway is not in the cluster any more, delete the ConfigMap kube-system/eni-config'
    : `turn the EIP part of ${name} off, or uninstall it`;

/** Whether this Deployment makes EIPs. One without replicas makes none. */
export const isAckExtend = ({ name, replicas }: { readonly name: string; readonly replicas: number | undefined }) =>
  name === ACK_EXTEND && replicas !== 0;

/** Whether this ConfigMap of Terway's has it make EIPs. */
export const hasEipPool = (data: Readonly<Record<string, string>> | undefined): boolean =>
  Object.values(data ?? {}).some((text) => text.length <= LARGEST && TERWAY_POOL.test(text));
