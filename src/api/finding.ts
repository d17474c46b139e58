/**
 * Something that is wrong, or worth saying, about what was asked for. `id` is stable: it is the reason of Events and
 * conditions and a metric label. `problem` says what was found, `remedy` what to write instead; both are whole
 * sentences without a full stop.
 */
export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** The annotation keys concerned. */
  readonly keys: readonly string[];
  readonly problem: string;
  readonly remedy: string;
}

/**
 * `refuse`: nothing is bought. `warn`: it goes on, and the user is told. `note`: worth knowing, and nothing is wrong.
 */
export type Severity = 'refuse' | 'warn' | 'note';

export type FindingId =
  /** The same setting is made twice with different values. */
  | 'AnnotationsDisagree'
  /** A boolean that is neither "true" nor "false". */
  | 'InvalidBoolean'
  /** A new EIP and an existing one are asked for at once. */
  | 'ExistingAndNew'
  /** Settings for a new EIP beside the ID of an existing one. */
  | 'CreationSettingsIgnored'
  | 'InvalidBandwidth'
  /** "5M", the form of Terway's old documentation. */
  | 'LegacyBandwidth'
  | 'InvalidChargeType'
  | 'InvalidInstanceChargeType'
  | 'InvalidIsp'
  | 'InvalidId'
  | 'InvalidName'
  | 'InvalidDescription'
  | 'InvalidProtectionType'
  | 'InvalidTags'
  | 'InvalidHandover'
  /** A way of hand-over beside a new EIP, which is each pod's own. */
  | 'HandoverIgnored'
  | 'InvalidReleaseStrategy'
  /** A release strategy beside the ID of an existing EIP, which is never released. */
  | 'ReleaseStrategyIgnored'
  /** A kept EIP would find no pod again: the pods of a stateless owner have a new name each time. */
  | 'StatelessOwner'
  /** The virtual node makes the EIP and does not know this setting. */
  | 'NotHonouredByEci'
  /** On the object itself instead of its template. */
  | 'AnnotationOnService'
  /** A label, where only annotations are read. */
  | 'AnnotationAsLabel'
  /** The pod has no address of its own. */
  | 'HostNetwork'
  /** An EipPolicy does not let the namespace name this. */
  | 'NotAllowedByPolicy'
  /** No policy lets pods of the namespace choose this of the account for their instances. */
  | 'NotAllowedOnVirtualNode'
  /** An elastic container instance cannot do what the pod says, and our virtual node will not run it. */
  | 'UnsupportedByECI'
  /** Our virtual node runs the pod, with small differences from what is written. */
  | 'ChangedForECI'
  /** The namespace holds what an EipPolicy lets it hold. */
  | 'QuotaOfNamespaceExceeded'
  /** It holds so much that the pods of a rollout, which come beside the old ones, have no room. */
  | 'NoRoomForRollout'
  /** Neither "true" nor "false" where a Knative Service says whether requests wait for the EIP. */
  | 'BeforeTrafficIgnored'
  /** Settings for an EIP, and nothing that asks for one. */
  | 'SettingsWithoutRequest'
  /** A key that nobody reads, near to one that is read. */
  | 'UnknownKey'
  /** A key that has a newer spelling. */
  | 'LegacyKey'
  /** Written on a pod that ECI runs already. */
  | 'TooLateForEci'
  /** The bandwidth of an EIP in a package is the package's, and would be paid for twice. */
  | 'PackagePaidByBandwidth'
  /** A line type that is not documented for the region. */
  | 'IspNotInRegion'
  /** BGP_FinanceCloud outside of the finance cloud, or another line type inside. */
  | 'FinanceCloudIsp'
  /** A line of a single carrier, which an account has to be allowed. */
  | 'SingleLineIsp'
  /** A line of a single carrier is sold by bandwidth. */
  | 'SingleLineByTraffic'
  /** One existing EIP, and nothing that holds the number of pods at one. */
  | 'ExistingEipMayScale'
  /** One existing EIP, and more than one pod for certain. */
  | 'ExistingEipForMany'
  /** One existing EIP and a readiness gate, on a Deployment that keeps the old pod until the new one is Ready. */
  | 'ExistingEipBlocksRollout'
  /** The same without the gate: the new pod serves for a while, and has no EIP. */
  | 'ExistingEipLateInRollout'
  /** Something else in the cluster names the same EIP. */
  | 'EipWantedTwice'
  /** A pod that is reserved while the Service is at zero has an EIP too. */
  | 'ReservedInstanceKeepsEip'
  | 'ExistingEipInTwoRevisions'
  /** A Service routes to a Revision that may name the same EIP: nobody here can see it. */
  | 'RevisionNotKnown'
  /** The virtual node would act on its own key before the controller can. */
  | 'EciKeyWithVirtualNode'
  /** Another controller would make an EIP for the same pod. */
  | 'OtherEipController'
  /** The namespace is limited, and the virtual node would make the EIP without being asked whether there is room. */
  | 'UncountedOnEci'
  /** Whether the namespace may name this EIP is known only when the EIP is looked at. */
  | 'GrantNeeded'
  /** The same, and the virtual node would bind the EIP before anybody looks. */
  | 'GrantUnknownToEci';

/** One line for an Event or a condition: what is wrong, then what to do. */
export const sentence = (finding: Finding): string => `${finding.problem}; ${finding.remedy}`;
