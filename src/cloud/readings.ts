/**
 * A reading: one way in which the real cloud may be, where its documentation leaves the question open or public
 * evidence contradicts itself. The embedded cloud takes each one on, and `knative-eip probe` asks a real account.
 */
interface ReadingText {
  /** What the cloud does under it, in one sentence. */
  readonly means: string;
  /** What it does where the reading is off. */
  readonly otherwise: string;
  /** Where it comes from. */
  readonly source: string;
}

/** Every reading, in the order of {@link ReadingText}'s table in docs/cloud-readings.md. */
export const READINGS = {
  tagsIgnored: {
    means: 'AllocateEipAddress takes Tag.N and drops it: the EIP has no tags before TagResources',
    otherwise: 'the EIP has the tags that AllocateEipAddress was sent',
    source:
      'terraform-provider-alicloud and AlibabaCloud-EIP-Operator tag after they allocate; vpc20160428 has Tag since 6.12.3',
  },
  tokensRememberRefusals: {
    means: 'a ClientToken whose call was refused gets the same refusal again for as long as the token is remembered',
    otherwise: 'a refused call leaves its token free',
    source: 'terraform-provider-alicloud 90a5c4079 and d79cd9400; IdempotentFailed in bosh-alicloud-cpi 105 and Terway',
  },
  eciSpelling: {
    means: "an EIP at an ECI instance's interface is described, and to be unbound, as EcsInstance and eci-…",
    otherwise: 'it is described as NetworkInterface and eni-…',
    source: 'terraform-provider-alicloud 3228: AssociateEipAddress takes eci-… as an instance',
  },
  asynchronousRelease: {
    means: 'ReleaseEipAddress answers at once, and the EIP is listed as Releasing for one to three seconds more',
    otherwise: 'a released EIP is gone at once',
    source: 'VPC API reference, DescribeEipAddresses, Status: Releasing; Terraform waits for the end of it',
  },
  tagFilterLag: {
    means: 'DescribeEipAddresses by Tag and ListTagResources know what was five seconds ago, queries by ID what is',
    otherwise: 'a query by tag knows what a query by ID knows',
    source: 'none: tags are a service of their own (Tag Management), and nothing promises how soon it knows',
  },
  readLag: {
    means:
      'DescribeEipAddresses, DescribeContainerGroups and DescribeContainerGroupStatus show a state of up to three ' +
      'seconds ago, and a later answer may show an older state',
    otherwise: 'reads lag for as long as the settings of the embedded cloud say, and never go back in time',
    source: 'Terway, pkg/aliyun/eip.go: it waits three seconds after a change before it reads',
  },
  lateInstanceAddress: {
    means: 'InternetIp of an ECI instance is empty for ten to thirty seconds after the instance is Running',
    otherwise: 'an instance that has a place shows its public address',
    source: 'a deployment script in production waits for up to 30 s (EIP_ATTACH_GRACE_SECONDS)',
  },
  goneCodes: {
    means:
      'IDs that are not there are refused: DescribeContainerGroups, DeleteContainerGroup and DescribeContainerLog with ' +
      'InvalidParameter.NotFound, DescribeNetworkInterfaces by InstanceId with InvalidEcsId.NotFound',
    otherwise: 'DescribeContainerGroups and DescribeNetworkInterfaces answer with an empty list',
    source: 'terraform-provider-alicloud, service_alicloud_eci.go:64 and service_alicloud_ecs.go:957',
  },
  primaryFilterOnly: {
    means:
      'DescribeNetworkInterfaces finds a primary address by PrimaryIpAddress only, PrivateIpAddress.N finds the others',
    otherwise: 'PrivateIpAddress.N finds primary addresses too',
    source: 'ECS API reference, DescribeNetworkInterfaces, PrivateIpAddress.N: "secondary private IP address"',
  },
  noInterface: {
    means:
      'the addresses of pods on nodes are those of an overlay network (Flannel): no interface of the VPC holds one',
    otherwise: "a pod's address is found at an interface of the VPC",
    source: 'ACK: pods of clusters with Flannel have addresses outside of the VPC',
  },
  prefixMode: {
    means:
      "the addresses of a node's pods come out of prefixes: they are in Ipv4PrefixSets and not in PrivateIpSets, and no " +
      'EIP can be bound to one (UnsupportedFeature.EipBindPrefixIp)',
    otherwise: 'they are secondary private addresses of the interface',
    source: 'Terway, docs/ip-prefix.md; VPC API reference, AssociateEipAddress, error codes',
  },
} as const satisfies Readonly<Record<string, ReadingText>>;

export type CloudReading = keyof typeof READINGS;

export const CLOUD_READINGS = Object.keys(READINGS) as readonly CloudReading[];

export const isCloudReading = (name: string): name is CloudReading => Object.hasOwn(READINGS, name);
