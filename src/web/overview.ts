/** The state of an address in one word. `attention`: it will not come by itself, somebody has to act. */
export type Phase = 'inUse' | 'waiting' | 'attention' | 'kept' | 'goingBack';

/** One address: a PodEIP as it is in the cache. Texts come from users and from the cloud and are not trusted. */
export interface ShownAddress {
  /** `namespace/name` of the pod. Its PodEIP has the same. */
  readonly key: string;
  readonly namespace: string;
  readonly pod: string;
  readonly standing: Phase;
  /** Reason and message of the condition Ready, and since when it has had its status (RFC 3339). */
  readonly reason: string;
  readonly message: string;
  readonly since: string | undefined;
  readonly ipAddress: string | undefined;
  readonly allocationId: string | undefined;
  /** The EIP's status in the VPC API. */
  readonly state: string | undefined;
  readonly privateIpAddress: string | undefined;
  readonly networkInterfaceId: string | undefined;
  /** The Knative Service and Revision of the pod, if it has one. */
  readonly service: string | undefined;
  readonly revision: string | undefined;
  /** `Controller` or `ECI`. */
  readonly managedBy: string | undefined;
  /** `Auto`: bought and released by the controller. `Static`: the user's. */
  readonly owner: string;
  readonly releaseStrategy: string;
  /** Mbit/s. */
  readonly bandwidth: string | undefined;
  readonly internetChargeType: string | undefined;
  readonly isp: string | undefined;
  readonly bandwidthPackageId: string | undefined;
  readonly created: string | undefined;
}

/** The addresses of one Knative Service. */
export interface ShownService {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly asked: number;
  readonly inUse: number;
  /** The sentence of the Service's Events. */
  readonly summary: string;
}

/** An error or a warning about an object. */
export interface ShownFinding {
  /** `attention`: somebody has to act. `warn`: the address works all the same. */
  readonly severity: 'attention' | 'warn';
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
  readonly text: string;
  readonly since: string | undefined;
  /** Where the reason is explained (http or https); undefined where the documents are not published. */
  readonly docs: string | undefined;
}

/** The rate limit of one action of the cloud's APIs. */
export interface ShownBudget {
  readonly action: string;
  /** Calls per minute that this cluster may make at the moment; throttled answers lower it. */
  readonly perMinute: number;
  /**
   * Calls of the last 60 s; the next three are those of them that were to be tried again later, as happens while an
   * EIP changes, that were throttled, and that failed for another reason.
   */
  readonly called: number;
  readonly later: number;
  readonly throttled: number;
  readonly failed: number;
  /** Calls that are queued. */
  readonly waiting: number;
}

/** The host of one of the cloud's APIs. */
export interface ShownEndpoint {
  /** vpc, ecs, eci or sts. */
  readonly product: string;
  readonly host: string;
  /** `unreached`: no host of the API answered, and this one is tried all the same. */
  readonly is: 'configured' | 'reached' | 'unreached';
}

/** What the page shows beside lists. Its size does not depend on how much there is. */
export interface Summary {
  readonly cluster: string;
  readonly region: string;
  readonly version: string;
  /** When this process started, and with it its history (RFC 3339). */
  readonly started: string;
  /** Whether the first lists are complete. Until then, an object that is missing here may exist. */
  readonly isComplete: boolean;
  /** Whether this replica leads. Only the leader has Events, findings about pods and calls to the cloud. */
  readonly isLeader: boolean;
  /** The leader, as far as this replica knows. */
  readonly leader: string | undefined;
  readonly counts: Readonly<Record<Phase, number>>;
  readonly budget: readonly ShownBudget[];
  readonly endpoints: readonly ShownEndpoint[];
  /** Whether this process has seen that AllocateEipAddress drops the tags of an EIP. */
  readonly areTagsDropped: boolean;
  /** EIPs that the account has in the region, and may have; undefined while that is not known, and on followers. */
  readonly quota: { readonly used: number; readonly limit: number } | undefined;
}

/** Everything on the page except the addresses. */
export interface Overview extends Summary {
  /** By key. */
  readonly services: readonly ShownService[];
  /** What somebody has to act on first; then by object. */
  readonly findings: readonly ShownFinding[];
}

/** What of the summary has another value than the page was told last; null is what is not known any more. */
export type SummaryNews = { readonly [K in keyof Summary]?: Exclude<Summary[K], undefined> | null };

/** What is different in the overview since the page was last told. */
export type OverviewNews = SummaryNews & {
  readonly services?: { readonly changed: readonly ShownService[]; readonly gone: readonly string[] };
  /** All findings of each object that has others than before: by kind, namespace and name, with slashes between. */
  readonly findings?: Readonly<Record<string, readonly ShownFinding[]>>;
};

/** One entry of an address's history. */
export interface ShownEntry {
  /** The latest occurrence, RFC 3339. */
  readonly at: string;
  readonly count: number;
  /** `State`: a change that the watch of PodEIPs saw. The others are Events. */
  readonly type: 'Normal' | 'Warning' | 'State';
  readonly reason: string;
  readonly note: string;
}

/** An address or a Knative Service, each with its key, or the findings about one object, with kind and key. */
export type Changed = 'address' | 'service' | 'findings';

/** The data source of the status page. It only returns what the process knows already: nothing is requested for it. */
export interface Status {
  summary(): Summary;
  overview(): Overview;
  addresses(): Iterable<ShownAddress>;
  address(key: string): ShownAddress | undefined;
  service(key: string): ShownService | undefined;
  findingsAbout(object: string): readonly ShownFinding[];
  /** The history of one address, in chronological order. */
  history(key: string): readonly ShownEntry[];
  /** Calls back with each thing that changes. Returns a function that ends the subscription. */
  subscribe(changed: (what: Changed, key: string) => void): () => void;
}
