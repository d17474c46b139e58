/** How an address stands, in the one word that the page filters by. */
export type Standing = 'inUse' | 'waiting' | 'attention' | 'kept' | 'goingBack';

/** One address: a PodEIP, as the watch knows it. Texts are as users and the cloud wrote them: untrusted. */
export interface ShownAddress {
  /** `namespace/name` of the pod, which is that of its PodEIP. */
  readonly key: string;
  readonly namespace: string;
  readonly pod: string;
  readonly standing: Standing;
  /** The reason and message of the condition Ready, and since when it has had its status (RFC 3339). */
  readonly reason: string;
  readonly message: string;
  readonly since: string | undefined;
  readonly ipAddress: string | undefined;
  readonly allocationId: string | undefined;
  /** The VPC API's EIP state. */
  readonly state: string | undefined;
  readonly privateIpAddress: string | undefined;
  readonly networkInterfaceId: string | undefined;
  /** Knative's, where the pod is one of a Knative Service. */
  readonly service: string | undefined;
  readonly revision: string | undefined;
  /** `Controller` or `ECI`. */
  readonly managedBy: string | undefined;
  /** `Auto`: bought and given back by the controller. `Static`: the user's. */
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
  /** The sentence that the Service's Events carry. */
  readonly summary: string;
}

/** Something that is wrong, or worth saying. */
export interface ShownFinding {
  /** `attention`: somebody must act. `warn`: it goes on all the same. */
  readonly severity: 'attention' | 'warn';
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
  readonly text: string;
  readonly since: string | undefined;
}

/** The budget of one action of the cloud's API. */
export interface ShownBudget {
  readonly action: string;
  /** Calls that this cluster may make in a minute, as much as throttling leaves of it. */
  readonly perMinute: number;
  /** Calls of the last 60 s; how many of these were throttled, and how many failed otherwise. */
  readonly called: number;
  readonly throttled: number;
  readonly failed: number;
  /** Calls that wait for their turn. */
  readonly waiting: number;
}

/** Everything on the page but the addresses. */
export interface Overview {
  readonly cluster: string;
  readonly region: string;
  readonly version: string;
  /** When this process began, which is when its history begins (RFC 3339). */
  readonly started: string;
  /** Whether the first lists are complete: before that, what is missing says nothing. */
  readonly isComplete: boolean;
  /**
   * Whether this replica works, or waits. Only the one that works has Events, findings about pods and calls
   * to the cloud.
   */
  readonly isLeader: boolean;
  /** The leader, as far as this replica knows. */
  readonly leader: string | undefined;
  readonly counts: Readonly<Record<Standing, number>>;
  readonly services: readonly ShownService[];
  readonly findings: readonly ShownFinding[];
  readonly budget: readonly ShownBudget[];
}

/** Something that happened to an address. */
export interface ShownEntry {
  /** RFC 3339, of the latest time. */
  readonly at: string;
  readonly count: number;
  /** `State`: seen by the watch of PodEIPs. The others are Events. */
  readonly type: 'Normal' | 'Warning' | 'State';
  readonly reason: string;
  readonly note: string;
}

/** Where the status page has its data from: all of it is what the process knows already, nothing is asked for. */
export interface Status {
  overview(): Overview;
  addresses(): Iterable<ShownAddress>;
  address(key: string): ShownAddress | undefined;
  /** What happened to one address, the latest last. */
  history(key: string): readonly ShownEntry[];
  /** Calls back with the key of each address as it changes. Returns how to stop it. */
  subscribe(changed: (key: string) => void): () => void;
}
