import type { FindingId, Severity } from '../api/finding.ts';

/** What people read about a finding before they have one. */
interface CatalogueEntry {
  readonly severity: Severity;
  /** What is wrong, in one sentence. */
  readonly what: string;
  /** What to write instead, in one sentence. */
  readonly remedy: string;
}

const entry = (severity: Severity, what: string, remedy: string): CatalogueEntry => ({ severity, what, remedy });

/** Every finding that there is. IDs never change their meaning, and severities only with a release that says so. */
export const CATALOGUE: Readonly<Record<FindingId, CatalogueEntry>> = {
  AnnotationsDisagree: entry(
    'refuse',
    'Two spellings of the same setting are there with different values, and no documentation says which one counts.',
    'Keep one of the two.',
  ),
  InvalidBoolean: entry('refuse', 'A yes-or-no annotation is neither "true" nor "false".', 'Write "true" or "false".'),
  ExistingAndNew: entry(
    'refuse',
    'One annotation asks for a new EIP, or for none, and another names an existing one.',
    'Keep the one that you mean: pod-with-eip for a new EIP, pod-eip-instanceid for an existing one.',
  ),
  CreationSettingsIgnored: entry(
    'warn',
    'Settings for a new EIP stand beside the ID of an existing one, which is never changed.',
    'Remove them, or change the EIP itself in the console.',
  ),
  InvalidBandwidth: entry(
    'refuse',
    'The bandwidth is not a whole number of Mbit/s in the range of its charge type.',
    'Write 1 to 200 with PayByTraffic, or 1 to 500 with PayByBandwidth.',
  ),
  LegacyBandwidth: entry(
    'warn',
    'The bandwidth has a unit ("5M"), the form of Terway’s first documentation; it is taken as Mbit/s.',
    'Write the number alone, such as "5".',
  ),
  InvalidChargeType: entry(
    'refuse',
    'Unknown metering method (internet charge type) of the EIP.',
    'Write "PayByTraffic" or "PayByBandwidth".',
  ),
  InvalidInstanceChargeType: entry(
    'refuse',
    'The EIP would be a subscription (PrePaid), which cannot be given back with the pod.',
    'Write "PostPaid", or remove the annotation.',
  ),
  InvalidIsp: entry(
    'refuse',
    'Unknown line type; upper and lower case matter.',
    'Write one of the line types of the EIP documentation, such as "BGP" or "BGP_PRO".',
  ),
  InvalidId: entry(
    'refuse',
    'The ID of an EIP, bandwidth package, address pool or resource group does not have the form of one.',
    'Write the one ID that the console shows, such as "eip-bp1…" or "cbwp-bp1…".',
  ),
  InvalidName: entry(
    'refuse',
    'The name is not allowed for an EIP.',
    'Write 1 to 128 characters without control characters that do not begin with http:// or https://.',
  ),
  InvalidDescription: entry(
    'refuse',
    'The description is not allowed for an EIP.',
    'Write 1 to 256 characters without control characters that do not begin with http:// or https://.',
  ),
  InvalidProtectionType: entry(
    'refuse',
    'Unknown security protection, or more than one.',
    'Write "AntiDDoS_Enhanced", or remove the annotation.',
  ),
  InvalidTags: entry(
    'refuse',
    'The tags are not a JSON object of strings, or are too many, too long, or have a reserved prefix.',
    'Write a JSON object such as {"team":"web"}: keys and values of at most 128 characters, no aliyun, acs: or http:// in front.',
  ),
  InvalidHandover: entry('refuse', 'Unknown way of handing over an existing EIP.', 'Write "ready" or "wait".'),
  HandoverIgnored: entry(
    'warn',
    'A way of hand-over stands beside a new EIP, of which each pod has its own.',
    'Remove the annotation.',
  ),
  InvalidReleaseStrategy: entry(
    'refuse',
    'The release strategy is neither Follow nor Never nor a duration from 10 seconds to a year.',
    'Write "Follow", "Never", or a duration with a unit such as "10m".',
  ),
  ReleaseStrategyIgnored: entry(
    'warn',
    'A release strategy stands beside an existing EIP, which is never released.',
    'Remove the annotation.',
  ),
  StatelessOwner: entry(
    'refuse',
    'The EIP is to be kept for the next pod of the same name, and the pods of this owner have a new name each time.',
    'Write "Follow", or use a StatefulSet.',
  ),
  NotHonouredByEci: entry(
    'warn',
    'The pod runs on ECI, whose virtual node makes the EIP and does not know this setting.',
    'Remove the setting, or make an EIP with it and name that one in k8s.aliyun.com/eci-eip-instanceid.',
  ),
  AnnotationOnService: entry(
    'warn',
    'Annotations about EIPs are on the object itself, and its pods get those of its template only.',
    'Write them into spec.template.metadata.annotations; in a CronJob into spec.jobTemplate.spec.template.metadata.annotations.',
  ),
  AnnotationAsLabel: entry(
    'warn',
    'A key of an annotation about EIPs is among the labels, where nothing reads it.',
    'Write it into metadata.annotations of the pod, or into spec.template.metadata.annotations of what makes the pods (in a CronJob below spec.jobTemplate).',
  ),
  HostNetwork: entry(
    'refuse',
    'The pod uses the network of its node, so that its EIP would be the whole node’s.',
    'Remove hostNetwork, or the annotation that asks for an EIP.',
  ),
  UnknownKey: entry(
    'warn',
    'An annotation looks like one about EIPs, and nothing reads it.',
    'Write the key that is suggested, or remove it.',
  ),
  BeforeTrafficIgnored: entry(
    'warn',
    'The annotation that makes requests wait for the EIP has no effect: it is neither "true" nor "false", or the Service was written while the webhook that adds a startup probe was away.',
    'Write "true" or "false"; or write a startupProbe, or change the Service while the webhook works.',
  ),
  SettingsWithoutRequest: entry(
    'warn',
    'Annotations say what an EIP is to be like, and none asks for one, so that there will be none.',
    'Write pod-with-eip: "true" beside them, or remove them.',
  ),
  LegacyKey: entry(
    'note',
    'An annotation has an old spelling, which still works.',
    'Write the spelling of today’s documentation.',
  ),
  TooLateForEci: entry(
    'warn',
    'Annotations were changed on a pod that ECI runs already: ECI reads them when it makes the instance, and never again.',
    'Change them in the template, so that a new pod is made.',
  ),
  PackagePaidByBandwidth: entry(
    'warn',
    'The EIP joins a bandwidth package and is to be paid by its own bandwidth, which counts for nothing in a package.',
    'Write "PayByTraffic" beside a bandwidth package.',
  ),
  IspNotInRegion: entry(
    'warn',
    'The line type BGP_PRO is not documented for the region of the cluster, and the cloud will probably refuse it.',
    'Write "BGP", or ask Alibaba Cloud for BGP_PRO in the region.',
  ),
  FinanceCloudIsp: entry(
    'refuse',
    'BGP_FinanceCloud is asked for outside of the finance cloud, or another line type inside.',
    'Write "BGP_FinanceCloud" in cn-hangzhou-finance, and another line type everywhere else.',
  ),
  SingleLineIsp: entry(
    'note',
    'Lines of a single carrier are only sold to accounts that Alibaba Cloud has allowed them.',
    'Make sure that the account is allowed, or write "BGP".',
  ),
  SingleLineByTraffic: entry(
    'warn',
    'Lines of a single carrier are sold by bandwidth, and the EIP is to be paid by traffic.',
    'Write "PayByBandwidth" beside a line of a single carrier.',
  ),
  ExistingEipMayScale: entry(
    'warn',
    'One existing EIP can serve one pod, and nothing keeps the number of pods at one.',
    'Write autoscaling.knative.dev/max-scale: "1" into spec.template.metadata.annotations.',
  ),
  ExistingEipForMany: entry(
    'refuse',
    'One existing EIP can serve one pod, and there are to be more of them at once.',
    'Run one pod, or ask for new EIPs with pod-with-eip: "true".',
  ),
  ExistingEipBlocksRollout: entry(
    'warn',
    'A Deployment with one existing EIP and the readiness gate can never be rolled out: the old pod, which has the EIP, is kept until the new one is Ready, and that one is not Ready without the EIP.',
    'Write strategy: { type: Recreate } into the spec of the Deployment, or leave the readiness gate out.',
  ),
  ExistingEipLateInRollout: entry(
    'note',
    'In a rollout of a Deployment with one existing EIP the new pod serves without it until the old pod has ended.',
    'Write strategy: { type: Recreate } into the spec of the Deployment, if that matters.',
  ),
  EipWantedTwice: entry(
    'refuse',
    'Something else in the namespace names the same existing EIP.',
    'Name another EIP, or take this one from the other first.',
  ),
  ReservedInstanceKeepsEip: entry(
    'warn',
    'While the Service is at zero its reserved instance goes on running, with the same annotations, and its EIP is paid for.',
    'Remove knative.aliyun.com/reserve-instance, or keep in mind that one EIP stays.',
  ),
  ExistingEipInTwoRevisions: entry(
    'warn',
    'Requests are routed to two Revisions that name the same existing EIP: it is with the pod of one of them, and the other serves without it.',
    'Name another EIP in spec.template.metadata.annotations, or route to one of the two only.',
  ),
  RevisionNotKnown: entry(
    'note',
    'Requests are routed also to a Revision that is not known here, and may name the same existing EIP.',
    'Make sure that it does not, or give the Revision to knative-eip explain together with the Service.',
  ),
  EciKeyWithVirtualNode: entry(
    'warn',
    'With enableVirtualNode the controller serves pods on ECI, and a key of ECI’s own makes the virtual node do it instead.',
    'Write pod-with-eip or pod-eip-instanceid instead of the key that begins with eci-.',
  ),
  OtherEipController: entry(
    'refuse',
    'Another controller in the cluster makes EIPs for the same annotations, so that the pod would get two.',
    'Turn the EIP part of the other controller off, or uninstall it; restart a Terway whose EIP pool was switched off.',
  ),
  GrantNeeded: entry(
    'note',
    'The configuration, or an EipPolicy, lets the namespace name this existing EIP only if the EIP itself grants it.',
    'Have an operator put the tag knative-eip/allow-namespaces on the EIP, or the namespace into existingEipNamespaces.',
  ),
  GrantUnknownToEci: entry(
    'refuse',
    'Only the EIP’s own tag could grant the namespace this existing EIP, and the ECI virtual node binds it without looking.',
    'Have an operator name the EIP in an EipPolicy, or the namespace in existingEipNamespaces, or set enableVirtualNode.',
  ),
  NotAllowedByPolicy: entry(
    'refuse',
    'An EipPolicy does not let the namespace name this package, pool or resource group.',
    'Write one that the policy names, or ask who keeps it.',
  ),
  NotAllowedOnVirtualNode: entry(
    'refuse',
    'The pod is to run on our virtual node and chooses a RAM role, a network, a disk, an instance type or something else of the account that neither the configuration nor an EipPolicy lets its namespace choose.',
    'Leave it out, or write what the message offers, or have an operator write it under virtualNode of an EipPolicy.',
  ),
  UnsupportedByECI: entry(
    'refuse',
    'The pod is to run on our virtual node, and says something that an elastic container instance cannot do; the virtual node would hold it as Pending. The webhook only warns, because what becomes of a template is seen when the pod is there.',
    'Write what the message offers, or run the pod on a node.',
  ),
  ChangedForECI: entry(
    'note',
    'The pod is to run on our virtual node, which runs it with a small difference from what is written, because an elastic container instance cannot do exactly that.',
    'Nothing has to be done where the difference does not matter.',
  ),
  QuotaOfNamespaceExceeded: entry(
    'refuse',
    'The namespace holds as many EIPs, or as much bandwidth, as an EipPolicy or namespaceLimits of the configuration lets it hold, or its share of an account that is nearly full.',
    'Wait until another pod of the namespace gives its EIP back, ask for less, or ask who keeps the policy.',
  ),
  NoRoomForRollout: entry(
    'warn',
    'A limit of the namespace has room for the pods of the workload, and not for those beside them that a rollout begins with: they wait for their EIPs, are not Ready without, and the old ones stay until they are.',
    'Ask who keeps the policy for a limit that has room for a rollout.',
  ),
  UncountedOnEci: entry(
    'refuse',
    'An EipPolicy limits the namespace, and the virtual node of ECI would make the EIP without asking whether there is room for it.',
    'Set enableVirtualNode: true in the configuration and write pod-with-eip instead of ECI’s own key, or ask who keeps the policy to leave the namespace out of its limits.',
  ),
};

/** All IDs, in the order of the page. */
export const FINDING_IDS = Object.keys(CATALOGUE) as readonly FindingId[];
