/** The part of every Kubernetes object that this product reads. Times are RFC 3339 strings, as on the wire. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
}

export interface KubeObject {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: ObjectMeta;
}

/** Where a kind lives in the API, and which type it has here. `group` is empty for the core group. */
export interface Resource<T extends KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Only there to bind the type. */
  readonly of?: T | undefined;
  /**
   * Gives an object the parts that its type has and that an older schema, or none, did not ask for. Called with
   * whatever the API server has, before anybody else sees it.
   */
  whole?(object: T): T;
}

/** `namespace` is undefined for cluster-scoped objects. */
export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

/**
 * An array is a JSON patch (RFC 6902); an object is a JSON merge patch (RFC 7386), or a strategic one where named so.
 */
export interface Patch {
  readonly type: 'json' | 'merge' | 'strategic';
  readonly body: unknown;
  readonly subresource?: 'status' | undefined;
  /** Under which name `metadata.managedFields` says when this was written. @default that of the client */
  readonly fieldManager?: string | undefined;
}

/** The DELETE goes through only if the object is still this one. Otherwise the API server answers 409. */
interface Preconditions {
  readonly uid: string;
  readonly resourceVersion?: string | undefined;
}

/**
 * Single-object calls to the Kubernetes API, each a quorum read or a write. Rejects with {@link KubeFault} and nothing
 * else, except with the signal's reason when `signal` aborts.
 */
export interface Kube {
  /** The object as etcd has it, or undefined where there is none. */
  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, signal?: AbortSignal): Promise<T | undefined>;
  /** All pages, from a quorum read. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions, signal?: AbortSignal): Promise<readonly T[]>;
  create<T extends KubeObject>(resource: Resource<T>, object: unknown, signal?: AbortSignal): Promise<T>;
  replace<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    object: unknown,
    signal?: AbortSignal,
  ): Promise<T>;
  patch<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, patch: Patch, signal?: AbortSignal): Promise<T>;
  /** Resolves also where the object is only marked for deletion. 404 is a fault of kind `notFound`. */
  delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    preconditions: Preconditions,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** One HTTP exchange with the API server. The seam where production, sandbox and simulation differ. */
export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, for example `/api/v1/pods?limit=500`. */
  readonly path: string;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface KubeResponse {
  readonly status: number;
  header(name: string): string | undefined;
  text(): Promise<string>;
  /**
   * The body line by line as it comes, for watches. Ends when the server ends it; throws when the connection breaks.
   */
  lines(): AsyncIterable<string>;
}

export type KubeTransport = (request: KubeRequest) => Promise<KubeResponse>;
