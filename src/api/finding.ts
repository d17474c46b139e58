/**
 * Something that is wrong, or worth saying, about what was asked for. `id` is stable: it is the reason of Events and
 * conditions and a metric label. `problem` says what was found, `remedy` what to write instead; both are whole sentences
 * without a full stop.
 */
export interface Finding {
  readonly id: FindingId;
  /** `refuse`: nothing is bought. `warn`: it goes on, and the user is told. */
  readonly severity: 'refuse' | 'warn';
  /** The annotation keys concerned. */
  readonly keys: readonly string[];
  readonly problem: string;
  readonly remedy: string;
}

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
  /** On the Knative Service instead of its template. */
  | 'AnnotationOnService'
  /** The pod has no address of its own. */
  | 'HostNetwork'
  /** An EipPolicy does not let the namespace name this. */
  | 'NotAllowedByPolicy'
  /** The namespace holds what an EipPolicy lets it hold. */
  | 'QuotaOfNamespaceExceeded';

/** One line for an Event or a condition: what is wrong, then what to do. */
export const sentence = (finding: Finding): string => `${finding.problem}; ${finding.remedy}`;
