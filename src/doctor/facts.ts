import type { DefinedName } from './defined-kinds.ts';

/** What became of one question: its answer, or why there is none. */
export type Answer<T> = { readonly known: true; readonly value: T } | Unknown;

interface Unknown {
  readonly known: false;
  readonly why: string;
  /** Nobody answered; otherwise somebody did, and it was no answer to the question. */
  readonly isSilent?: true;
}

/** Of the configuration: what checks read. No secret is in it. */
export interface ConfigurationFact {
  /** Where it was read: a path, or a ConfigMap. */
  readonly from: string;
  /** What is wrong with it; the rest is undefined then. */
  readonly problem?: string | undefined;
  readonly settings?: SettingsFact | undefined;
}

export interface SettingsFact {
  readonly clusterID: string;
  readonly regionID: string;
  readonly vpcID: string;
  readonly leaseNamespace: string;
  readonly leaseName: string;
  readonly hasElection: boolean;
  readonly hasWebhooks: boolean;
  readonly refusesConflicts: boolean;
  readonly webhookConfiguration: string;
  /** The controller makes the certificate of the webhooks itself. */
  readonly makesCertificate: boolean;
  readonly hasVirtualNode: boolean;
  /** virtualNode.eciProfile */
  readonly honoursProfile: boolean;
  readonly nodeName: string;
  /** What the configuration gives the Node; a whole number. */
  readonly podCapacity: string;
  readonly takesOthersForGranted: boolean;
  /** EIPs of the account, where the operator has written them. */
  readonly eipQuota?: number | undefined;
  /** EIPs that a namespace may hold without a policy; 0: any number. */
  readonly namespaceEips: number;
  /** API, and the host that is written for it. */
  readonly endpoints: Readonly<Record<string, string>>;
}

export interface ApiServerFact {
  /** Such as v1.36.0. */
  readonly version: string;
  /** By how much its clock is ahead of ours, milliseconds; undefined where the answer does not say. */
  readonly aheadMs?: number | undefined;
}

export interface DefinitionFact {
  readonly name: DefinedName;
  readonly isThere: boolean;
  /** Helm owns it, by its label. */
  readonly isByHelm?: boolean | undefined;
  /** Paths that this version writes and the definition does not have. */
  readonly lacking: readonly string[];
}

export interface DeploymentFact {
  readonly namespace: string;
  readonly name: string;
  readonly isVirtualNode: boolean;
  readonly wanted: number;
  readonly ready: number;
  readonly images: readonly string[];
}

export interface LeaseFact {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  /** Since it was renewed, milliseconds by the API server's clock; undefined where it does not say. */
  readonly ageMs?: number | undefined;
  readonly durationMs: number;
}

export interface RightsFact {
  readonly user: string;
  /** Such as "list pods". */
  readonly missing: readonly string[];
}

export interface WebhookFact {
  readonly kind: string;
  readonly name: string;
  readonly failurePolicy: string;
  /** Of the certificates in its caBundle. */
  readonly authorities: readonly CertificateFact[];
  /** Why the caBundle cannot be read. */
  readonly problem?: string | undefined;
}

export interface CertificateFact {
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

/** The certificates of the Secret that the replicas share. */
export interface WebhookSecretFact {
  readonly fingerprints: readonly string[];
}

/** What became of a pod that contradicts itself, in a dry run. */
export interface WebhookAnswerFact {
  readonly outcome: 'refused' | 'warned' | 'letIn' | 'failed';
  readonly message: string;
}

export interface VirtualNodeFact {
  /** Whether the Node is there, and ours. */
  readonly standing: 'ours' | 'absent' | 'another';
  readonly isReady: boolean;
  readonly version: string;
  /** Since its Lease was renewed, milliseconds; undefined without one. */
  readonly beatAgeMs?: number | undefined;
  /** What the Node says about its client certificate, where it has none. */
  readonly certificateProblem?: string | undefined;
  readonly podCapacity: number;
  readonly pods: number;
}

/** The ConfigMap kube-system/eci-profile. */
export interface EciProfileFact {
  readonly selectors: number;
  /** Why its selectors cannot be used. */
  readonly problems: readonly string[];
  /** Where its other keys say something else than our configuration. */
  readonly differences: readonly string[];
}

/** The kind ImageCache, where the virtual node is to make caches of it. */
export interface ImageCachesFact {
  /** Whether the kind is served; undefined where only the rights could be asked for. */
  readonly isServed: boolean | undefined;
  /** Of whoever runs the virtual node; undefined where nobody can tell who that is. */
  readonly rights: RightsFact | undefined;
  /** Names of those of which another controller has made the cache. */
  readonly ofOthers: readonly string[];
}

export interface NodeRequestFact {
  readonly name: string;
  /** Who made it; the API server says so. */
  readonly user: string;
  readonly signer: string;
  /** Made by the Node or by the service account of the virtual node, for a certificate of a kubelet. */
  readonly isGenuine: boolean;
}

/** Knative Serving; undefined version where it does not say. */
export interface KnativeFact {
  readonly version?: string | undefined;
  readonly features: Readonly<Record<string, string>>;
}

export interface PolicyFact {
  readonly name: string;
  readonly reason: string;
  readonly message: string;
  readonly bandwidthPackages: readonly string[];
}

export interface PodEipFact {
  readonly namespace: string;
  readonly name: string;
  readonly allocationId: string;
  readonly isAuto: boolean;
  readonly reason: string;
  readonly message: string;
  /** The RAM action for which the controller was refused what it last tried, by the message. @default none */
  readonly refusedAction?: string | undefined;
  /** Somebody must act. */
  readonly isStuck: boolean;
  /** It is being deleted. */
  readonly isLeaving: boolean;
  /** Since it is as it is, milliseconds. */
  readonly ageMs: number;
}

export interface NamespaceFact {
  readonly name: string;
  readonly eips: number;
  /** Of the policies that mean it; undefined where they say nothing. */
  readonly limit?: number | undefined;
  readonly policies: readonly string[];
}

export interface EndpointFact {
  readonly product: string;
  readonly host: string;
  readonly isReached: boolean;
  /** Whether the host is inside the VPC, public, or written in the configuration. */
  readonly kind: 'inside' | 'public' | 'configured';
  /** By how much its clock is ahead of ours, milliseconds; undefined where it did not say. */
  readonly aheadMs?: number | undefined;
}

export interface CredentialsFact {
  readonly source: string;
  /** Why they cannot be had or used. */
  readonly problem?: string | undefined;
}

export type CallOutcome = 'allowed' | 'denied' | 'throttled' | 'untimely' | 'refusedKey' | 'silent' | 'other';

/** One question to the cloud, by the action that asked. */
export interface CallFact {
  readonly action: string;
  /** Such as `vpc:DescribeEipAddresses`. */
  readonly ramAction: string;
  readonly outcome: CallOutcome;
  readonly code: string;
  readonly message: string;
  /** The product works without it: only doctor asks. */
  readonly isExtra: boolean;
}

export interface PackageFact {
  readonly id: string;
  readonly businessStatus: string;
}

export interface NatFact {
  /** NAT gateways of the VPC, and how many of them have an SNAT entry. */
  readonly gateways: number;
  readonly withSnat: number;
}

/** All that is asked, and the shape of each answer. */
export interface Questions {
  readonly configuration: ConfigurationFact | undefined;
  readonly apiServer: ApiServerFact;
  readonly clusterUid: string;
  readonly definitions: readonly DefinitionFact[];
  readonly deployments: readonly DeploymentFact[];
  readonly leases: readonly LeaseFact[];
  readonly rights: RightsFact | undefined;
  readonly webhooks: readonly WebhookFact[];
  readonly webhookSecret: WebhookSecretFact | undefined;
  readonly webhookAnswer: WebhookAnswerFact | undefined;
  readonly virtualNode: VirtualNodeFact | undefined;
  readonly imageCaches: ImageCachesFact | undefined;
  /** Certificate requests of the Node that nobody has answered. */
  readonly nodeRequests: readonly NodeRequestFact[];
  /** The end of the Node's client certificate, milliseconds since 1970. */
  readonly nodeCertificate: number | undefined;
  /** Undefined where there is none, or no virtual node of ours that could honour it. */
  readonly eciProfile: EciProfileFact | undefined;
  readonly knative: KnativeFact | undefined;
  /** Other controllers of EIPs, by their names for people. */
  readonly otherControllers: readonly string[];
  /** Nodes of ACK's own ECI add-on. */
  readonly addOnNodes: readonly string[];
  readonly policies: readonly PolicyFact[];
  readonly podEips: readonly PodEipFact[];
  readonly namespaces: readonly NamespaceFact[];
  readonly endpoints: readonly EndpointFact[];
  readonly credentials: CredentialsFact;
  readonly calls: readonly CallFact[];
  /** What is wrong with account, region or VPC. */
  readonly account: string | undefined;
  /** EIPs of the region, of any origin. */
  readonly eipsInAccount: number;
  readonly packages: readonly PackageFact[];
  readonly nat: NatFact | undefined;
  /** UIDs of other clusters whose EIPs have the same cluster ID. */
  readonly otherClusters: readonly string[];
  /** Of the EIPs in use by PodEIPs that were looked for, those that the account does not have. */
  readonly missingEips: { readonly asked: number; readonly missing: readonly string[] };
}

export type QuestionName = keyof Questions;

export interface Facts {
  /** When they were read, milliseconds since 1970. */
  readonly at: number;
  readonly version: string;
  /** Where the product is installed. */
  readonly namespace: string;
  readonly isInPod: boolean;
  readonly answers: { readonly [Name in QuestionName]: Answer<Questions[Name]> };
}

export const knownAs = <T>(value: T): Answer<T> => ({ known: true, value });
export const couldNotBeRead = (why: string, isSilent = false): Unknown => ({
  known: false,
  why,
  ...(isSilent && { isSilent }),
});

/** What each question is about, for people: "could not be asked: …". */
export const QUESTIONS: Readonly<Record<QuestionName, string>> = {
  configuration: 'the configuration',
  apiServer: 'the version and the clock of the API server',
  clusterUid: 'the UID of the namespace kube-system',
  definitions: 'the CustomResourceDefinitions',
  deployments: 'the Deployments of knative-eip',
  leases: 'the Leases of knative-eip',
  rights: 'the rights of the controller’s service account',
  webhooks: 'the webhook configurations',
  webhookSecret: 'the authority of the webhooks’ certificate',
  webhookAnswer: 'whether the webhooks answer (by a dry run)',
  virtualNode: 'the virtual node',
  imageCaches: 'the ImageCaches',
  nodeRequests: 'the certificate requests of the virtual node',
  nodeCertificate: 'the certificate of the virtual node',
  eciProfile: 'the ConfigMap kube-system/eci-profile',
  knative: 'Knative Serving',
  otherControllers: 'other controllers of EIPs',
  addOnNodes: 'the nodes',
  policies: 'the EipPolicies',
  podEips: 'the PodEIPs',
  namespaces: 'what namespaces hold',
  endpoints: 'the endpoints of the cloud',
  credentials: 'the credentials',
  calls: 'what the RAM policy allows',
  account: 'whether the account is the cluster’s',
  eipsInAccount: 'the number of EIPs in the account',
  packages: 'the bandwidth packages',
  nat: 'the NAT gateways of the VPC',
  otherClusters: 'whose EIPs have this cluster ID',
  missingEips: 'whether the account has the EIPs of the PodEIPs',
};
