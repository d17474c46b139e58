import type { KubeRequest, KubeResponse, KubeTransport } from '../../src/kube/port.ts';

type Json = Record<string, unknown> & { metadata: Record<string, unknown> };

/**
 * Objects in memory behind the Kubernetes wire protocol: create, get, replace with its conflicts, merge patch, delete.
 */
export class MemoryApi {
  readonly objects = new Map<string, Json>();
  readonly requests: KubeRequest[] = [];
  #version = 0;

  /** Called before each request takes effect; may answer in the place of the API, wait, or throw. */
  before: (request: KubeRequest) => Promise<KubeResponse | undefined> | KubeResponse | undefined = () => undefined;

  readonly transport: KubeTransport = async (request) => {
    request.signal?.throwIfAborted();
    this.requests.push(request);
    const instead = await this.before(request);
    return instead ?? this.#serve(request);
  };

  /** As somebody else would, with kubectl. */
  edit(path: string, change: (object: Json) => void): void {
    const object = structuredClone(this.objects.get(path));
    if (object === undefined) throw new Error(`There is nothing at ${path}.`);
    change(object);
    this.#store(path, object);
  }

  #serve({ method, path, body }: KubeRequest): KubeResponse {
    const sent = body === undefined ? undefined : (JSON.parse(body) as Json);
    if (method === 'POST') {
      const at = `${path}/${String(sent!.metadata['name'])}`;
      if (this.objects.has(at)) return status(409, 'AlreadyExists', at);
      return answer(201, this.#store(at, sent!));
    }
    const stored = this.objects.get(path);
    if (stored === undefined) return status(404, 'NotFound', path);
    if (method === 'GET') return answer(200, stored);
    if (method === 'PUT') {
      const version = sent!.metadata['resourceVersion'];
      if (version !== undefined && version !== stored.metadata['resourceVersion']) return status(409, 'Conflict', path);
      return answer(200, this.#store(path, sent!));
    }
    if (method === 'PATCH') return answer(200, this.#store(path, { ...stored, ...sent, metadata: stored.metadata }));
    this.objects.delete(path);
    return answer(200, stored);
  }

  #store(path: string, object: Json): Json {
    this.#version += 1;
    const uid = object.metadata['uid'] ?? `uid-${this.#version}`;
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(this.#version) } };
    this.objects.set(path, stored);
    return stored;
  }
}

export const answer = (code: number, body: unknown): KubeResponse => ({
  status: code,
  header: () => undefined,
  text: () => Promise.resolve(JSON.stringify(body)),
  lines: () => {
    throw new Error('This answer is no stream.');
  },
});

export const status = (code: number, reason: string, path: string): KubeResponse =>
  answer(code, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    code,
    reason,
    message: `${path}: ${reason}`,
    details: { name: path.split('/').pop() },
  });
