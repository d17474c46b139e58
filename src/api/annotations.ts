/**
 * The annotations of the product, as ack-extend-network-controller, Terway and the ECI virtual node spell them. Source:
 * ACK documentation, "Attach an independent EIP to a pod"; ECI documentation, "Enable Internet access for a pod".
 */

const NETWORK = 'network.alibabacloud.com/';
const K8S = 'k8s.aliyun.com/';

/**
 * Each setting with every key that means it, the one that wins first. Where two of them are present with different
 * values the request is refused: the documentation gives no precedence, and guessing spends somebody's money.
 */
export const KEYS = {
  withEip: [`${NETWORK}pod-with-eip`, `${K8S}pod-with-eip`, `${K8S}eci-with-eip`],
  instanceId: [`${NETWORK}pod-eip-instanceid`, `${K8S}pod-eip-instanceid`, `${K8S}eci-eip-instanceid`],
  bandwidth: [`${NETWORK}eip-bandwidth`, `${K8S}eip-bandwidth`],
  internetChargeType: [
    `${NETWORK}eip-internet-charge-type`,
    `${K8S}eip-internet-charge-type`,
    `${NETWORK}eip-charge-type`,
    `${K8S}eip-charge-type`,
  ],
  instanceChargeType: [`${NETWORK}eip-instance-charge-type`, `${K8S}eip-instance-charge-type`],
  bandwidthPackageId: [
    `${NETWORK}eip-common-bandwidth-package-id`,
    `${K8S}eip-common-bandwidth-package-id`,
    // As several pages of the ECI documentation spell it.
    `${NETWORK}eip-common-bandwith-package-id`,
    `${K8S}eip-common-bandwith-package-id`,
  ],
  isp: [`${NETWORK}eip-isp`, `${K8S}eip-isp`],
  publicIpAddressPoolId: [`${NETWORK}eip-public-ip-address-pool-id`, `${K8S}eip-public-ip-address-pool-id`],
  resourceGroupId: [`${NETWORK}eip-resource-group-id`, `${K8S}eip-resource-group-id`],
  name: [`${NETWORK}eip-name`, `${K8S}eip-name`],
  description: [`${NETWORK}eip-description`, `${K8S}eip-description`],
  securityProtectionTypes: [`${NETWORK}eip-security-protection-types`, `${K8S}eip-security-protection-types`],
  tags: [`${NETWORK}eip-tags`, `${K8S}eip-tags`],
  /** When an existing EIP goes from an older pod of the same Knative Service to this one. */
  handover: [`${NETWORK}eip-handover`, `${K8S}eip-handover`],
  releaseStrategy: [`${NETWORK}pod-eip-release-strategy`, `${K8S}pod-eip-release-strategy`],
} as const satisfies Record<string, readonly string[]>;

/** A setting that annotations can make. */
export type Setting = keyof typeof KEYS;

/**
 * The key of each setting that the ECI virtual node reads; it reads no other spelling and no other setting.
 * Source: ECI documentation, "Enable Internet access for a pod".
 */
export const ECI_KEYS = {
  withEip: `${K8S}eci-with-eip`,
  instanceId: `${K8S}eci-eip-instanceid`,
  bandwidth: `${K8S}eip-bandwidth`,
  internetChargeType: `${K8S}eip-internet-charge-type`,
  bandwidthPackageId: `${K8S}eip-common-bandwidth-package-id`,
  isp: `${K8S}eip-isp`,
  publicIpAddressPoolId: `${K8S}eip-public-ip-address-pool-id`,
} as const satisfies Partial<Record<Setting, string>>;

/** Settings that say how a new EIP is made; they mean nothing for an EIP that exists. */
export const CREATION_SETTINGS = [
  'bandwidth',
  'internetChargeType',
  'instanceChargeType',
  'bandwidthPackageId',
  'isp',
  'publicIpAddressPoolId',
  'resourceGroupId',
  'name',
  'description',
  'securityProtectionTypes',
  'tags',
] as const satisfies readonly Setting[];

/** On a Knative Service's template: `"true"` keeps every request away from a pod until its address is there. */
export const EIP_BEFORE_TRAFFIC = `${K8S}eip-before-traffic`;

/** Written on the pod once its EIP is in use. */
export const ALLOCATED_ADDRESS = `${K8S}allocated-eipAddress`;
/**
 * The same under the other prefix, where those look for it who write that prefix. Source: ACK documentation, "Attach an
 * independent EIP to a pod"; ACS documentation of pods with EIPs.
 */
export const ALLOCATED_ADDRESS_NETWORK = `${NETWORK}allocated-eipAddress`;

/**
 * What external-dns reads of a pod: under which name the pod is to be found, and at which address if not its node's.
 * Each prefix has both. Source: external-dns documentation, "Annotations"; the second prefix is the default since
 * v0.22.
 */
export const EXTERNAL_DNS = ['external-dns.alpha.kubernetes.io/', 'external-dns.kubernetes.io/'].map((prefix) => ({
  hostname: `${prefix}hostname`,
  target: `${prefix}target`,
}));

/** Whether a key is written with the prefix of which some users know no other spelling. */
export const isNetworkKey = (key: string): boolean => key.startsWith(NETWORK);

/** Written on pods by the ECI virtual node: the allocation ID of the EIP that it made or attached. */
export const ALLOCATED_INSTANCE_ID = `${K8S}allocated-eipInstanceId`;

/**
 * The condition type that a pod may name in `spec.readinessGates`, and the reason that its readers
 * expect, spaces included.
 */
export const READINESS_GATE = `${K8S}eip`;
export const READINESS_REASON = 'Associate eip succeed';
/** The reason of the same condition, still True, on a pod whose EIP went to another pod of its Knative Service. */
export const HANDED_OVER = 'HandedOver';

/**
 * The reason in the status of a pod that our own virtual node could run at once, if only its EIP were there. Before it
 * is written, the pod may turn out to be one that ECI cannot express, for which no EIP should be bought.
 */
export const EIP_PENDING = 'EipPending';

/** On a pod: the virtual node runs it, and this is its container group. Written by the ECI virtual node. */
export const ECI_INSTANCE_ID = `${K8S}eci-instance-id`;
/**
 * On a pod of our own virtual node: the container group that came with an EIP of its own. Written at once with the
 * pod's address; without an address it is a copy that a template carries, and proves nothing.
 */
export const EIP_MADE_WITH = 'podeip-controller.alibabacloud.com/eip-made-with';
/**
 * On a pod of our own virtual node: the number of the attempt at its container group, part of the idempotency token. It
 * is counted up where the cloud has refused the attempt before for sure, and may say so for as long as it remembers the
 * token.
 */
export const ECI_ATTEMPT = 'podeip-controller.alibabacloud.com/eci-attempt';
/**
 * On a pod of our own virtual node whose author wants it (`k8s.aliyun.com/eci-spot-fallback`): its UID, and with
 * which code the cloud has refused a spot instance, in place of which a pay-as-you-go instance is asked for.
 */
export const ECI_PAY_AS_YOU_GO = 'podeip-controller.alibabacloud.com/eci-pay-as-you-go';
/**
 * On a pod of our own virtual node with a volume that one instance may have at a time: whether an instance may have
 * been asked for, as pods on other nodes have to know; see src/virtualnode/claim-turn.ts.
 */
export const CLAIM_TURN = 'podeip-controller.alibabacloud.com/claim-turn';
/** On a pod of our own virtual node: up to where the events of its container group were told. */
export const ECI_EVENTS_TOLD = 'podeip-controller.alibabacloud.com/eci-events-told';
/**
 * On a pod: which selectors of the ConfigMap kube-system/eci-profile have added what to it, when it was made. Such a
 * pod is not looked at again, so that it stays what it was made as.
 */
export const ECI_PROFILE = 'podeip-controller.alibabacloud.com/eci-profile';
/**
 * On a pod: which of these selectors were left out when it was made, because the labels of its namespace could not be
 * read.
 */
export const ECI_PROFILE_LEFT_OUT = 'podeip-controller.alibabacloud.com/eci-profile-left-out';
/** The ConfigMap of the managed add-on. */
export const PROFILE = { namespace: 'kube-system', name: 'eci-profile' } as const;
/** As it is told of. */
export const PROFILE_NAME = `${PROFILE.namespace}/${PROFILE.name}`;
/**
 * On the Node of our own virtual node: so many container groups without a pod may be deleted at once. Taken off when it
 * is done.
 */
export const DELETE_ORPHANS = 'podeip-controller.alibabacloud.com/delete-orphans';
/** Label on a pod: it was scheduled to a virtual node (ECI or ACS). */
export const ON_VIRTUAL_NODE = 'serverless.alibabacloud.com/virtual-node';

/**
 * On a pod: the instance that runs it, where it is of ACS, and then begins with {@link ACS_INSTANCE_PREFIX}.
 * Source: ACS documentation of pods with EIPs.
 */
export const ACS_INSTANCE_ID = 'alibabacloud.com/instance-id';
export const ACS_INSTANCE_PREFIX = 'acs-';
/**
 * Labels that send a pod to ECI or to ACS, on the pod or its namespace. Source: ACK documentation, virtual nodes; ACS.
 */
export const WANTS_ECI = 'alibabacloud.com/eci';
/** The older spelling of {@link WANTS_ECI}. */
export const WANTS_ECI_LEGACY = 'eci';
export const WANTS_ACS = 'alibabacloud.com/acs';
export const ACS_COMPUTE_CLASS = 'alibabacloud.com/compute-class';
/**
 * On a namespace, as a label with the value `enabled`: its pods are given the affinity and toleration of virtual nodes.
 */
export const AFFINITY_INJECTION = 'virtual-node-affinity-injection';
/** Label and taint of the nodes that are virtual. Source: ACK documentation of virtual nodes; self-managed VNode. */
export const NODE_TYPE = 'type';
export const VIRTUAL_KUBELET = 'virtual-kubelet';
export const VNODE = `${K8S}vnode`;
export const VIRTUAL_NODE_TAINT = 'virtual-kubelet.io/provider';
export const VIRTUAL_NODE_TAINT_VALUE = 'alibabacloud';

export const OURS = 'podeip-controller.alibabacloud.com/';

/** Label of a node, with the value `true`: this product's own virtual-node provider runs it. */
export const OUR_VIRTUAL_NODE = `${OURS}virtual-node`;

/** Condition of our Node: whether its requests are made with a certificate of its own. */
export const NODE_CERTIFICATE = `${OURS}node-certificate`;

/** On a PodEIP: which software looks after it. ack-extend-network-controller writes its own name here. */
export const CONTROLLER = `${K8S}eip-controller`;
export const CONTROLLER_NAME = 'knative-eip';
/** The same on a PodEIP that only records what the virtual node did. */
export const EXTERNAL_CONTROLLER = 'eci-virtual-node';
/** On a PodEIP: UID of the pod that it was made for. The name alone identifies nobody. */
export const POD_UID = `${OURS}pod-uid`;
/** On a PodEIP that keeps its EIP: UID of the pod that had it. Its object may still be there, in its final phase. */
export const FORMER_POD_UID = `${OURS}former-pod-uid`;
/** On a PodEIP: the request as it was read when the PodEIP was made, JSON. Never read again from the pod. */
export const REQUEST = `${OURS}request`;
/** On a PodEIP: number of the allocation attempt, part of the idempotency token. */
export const GENERATION = `${OURS}allocation-generation`;
/** On a PodEIP: the region in which its EIP is. Seen from any other it would look as if it had been released. */
export const REGION = `${OURS}region`;
/** On a PodEIP: every network interface and private address that the EIP was ever sent to, JSON, the latest last. */
export const BINDINGS = `${OURS}bindings`;

/**
 * On a PodEIP that keeps its EIP for the next pod of the name: since when the pod has been gone, RFC 3339. The release
 * strategy counts from it.
 */
export const GONE_SINCE = `${OURS}pod-gone-since`;
/**
 * On a PodEIP that gives its EIP back or keeps it: since when nothing has been sent to the cloud for it, by the API
 * server's clock, signed; or that something is being sent.
 */
export const QUIET_SINCE = `${OURS}quiet-since`;
/** On a PodEIP whose pod is gone: its EIP is detached, and the next pod of the same Knative Service may have it. */
export const REUSABLE = `${OURS}offered`;
/** On such a PodEIP: UID of the PodEIP that its EIP goes to. */
export const SUCCESSOR_UID = `${OURS}bequeathed-to`;
/**
 * On a PodEIP that another controller wrote and this one took over: the EIP may get our tags, if it carries none yet.
 */
export const ADOPTED = `${OURS}adopted-from`;

/**
 * On Terway's ConfigMap: when `knative-eip migrate` switched its EIP pool off, RFC 3339; any other text where it died
 * before it knew. While it stands, the controller buys nothing beside a Terway that is older.
 */
export const POOL_OFF_SINCE = `${OURS}eip-pool-off-since`;
/** The same, once a roll-back has switched it on again. */
export const POOL_WAS_OFF_SINCE = `${OURS}eip-pool-was-off-since`;

/**
 * On a namespace, as a label: its pods may take an existing EIP from what it is bound to, where
 * the configuration allows it.
 */
export const ALLOW_EIP_ROB = `${K8S}allow-eip-rob`;

/** Keys of the tags that an allocated EIP carries from its first moment. They prove whose it is. */
export const TAG_PREFIX = 'knative-eip/';
export const TAG_CLUSTER_UID = `${TAG_PREFIX}cluster-uid`;
export const TAG_CLUSTER_ID = `${TAG_PREFIX}cluster-id`;
export const TAG_PODEIP_UID = `${TAG_PREFIX}podeip-uid`;
/** What a person writes there of an EIP that is to stay: it was bought for nothing that anybody looks after. */
export const UID_TO_KEEP = 'keep';
export const TAG_POD = `${TAG_PREFIX}pod`;
/** How many of the 20 tags that an EIP may carry are ours. */
export const OWN_TAGS = 4;
/** On an EIP of the user's: the namespaces that may name it, separated by spaces; `*` for all. */
export const TAG_ALLOW_NAMESPACES = `${TAG_PREFIX}allow-namespaces`;
