import { stringify } from 'yaml';
import { accessReview } from './answer-access-reviews.ts';
import type { Backend, RequestTarget } from './backend.ts';
import { deleteCollection, deleteOne, deleteOptions, deletionAnswer } from './delete.ts';
import { discovery } from './discovery.ts';
import type { ApiObject, JsonObject } from './json-values.ts';
import { openApiV2, openApiV3 } from './openapi.ts';
import { get, listObjects } from './read.ts';
import type { ApiRequest, ApiResponse } from './exchange.ts';
import { badRequest, invalid, methodNotAllowed, noSuchResource, notEmulated, notSupported } from './failure-status.ts';
import { podLog } from './pod-log.ts';
import { usageMetrics } from './usage-metrics.ts';
import { bindPod, readScale, writeScale } from './subresources.ts';
import { negotiate, Presenter, type IncludeObject, type Representation } from './table.ts';
import { CLUSTER_VERSION } from '../cluster-version.ts';
import { serveWatch } from './serve-watch.ts';
import { createObject, patch, replace, type WriteOptions, type Written } from './write-objects.ts';

/** Bodies beyond this are refused. Source: MaxRequestBodyBytes of the API server. */
const LARGEST_BODY = 3 * 1024 * 1024;

/** What the sandbox says at /version: the release whose behaviour it follows, and that it is not that release. */
const VERSION = {
  major: '1',
  minor: '36',
  gitVersion: CLUSTER_VERSION,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'node',
};

const answer = (status: number, body: JsonObject, form?: Representation): ApiResponse => ({
  status,
  headers: { 'content-type': form?.yaml ? 'application/yaml' : 'application/json' },
  body: form?.yaml ? stringify(body) : `${JSON.stringify(body)}\n`,
});

const text = (status: number, body: string): ApiResponse => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body,
});

const PAGE_NOT_FOUND = text(404, '404 page not found\n');

/** What a path below /api or /apis names, or undefined where nothing is served there. */
const targetOf = ({ registry }: Backend, [root, ...path]: readonly string[]): RequestTarget | undefined => {
  const [group, version, ...rest] = root === 'api' ? ['', ...path] : path;
  if (group === undefined || version === undefined) return undefined;
  // /namespaces/x and its subresources are of the namespace itself; anything longer is in it.
  const inNamespace = rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2] ?? '');
  const namespace = inNamespace ? rest[1] : undefined;
  const [plural = '', name, subresource, more] = inNamespace ? rest.slice(2) : rest;
  const kind = registry.find(group, version, plural);
  if (kind === undefined || more !== undefined) return undefined;
  if (kind.namespaced ? name !== undefined && namespace === undefined : namespace !== undefined) return undefined;
  return { kind, namespace, name, subresource };
};

const writeOptions = (method: string, query: URLSearchParams): WriteOptions => {
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((one) => one !== 'All')) {
    const options = { POST: 'CreateOptions', PUT: 'UpdateOptions', PATCH: 'PatchOptions' }[method] ?? 'DeleteOptions';
    throw invalid('meta.k8s.io', options, '', [notSupported('dryRun', dryRun, ['All'])]);
  }
  return { dryRun: dryRun.length > 0, fieldManager: query.get('fieldManager') ?? undefined };
};

interface Call {
  readonly backend: Backend;
  readonly target: RequestTarget;
  readonly request: ApiRequest;
  readonly query: URLSearchParams;
  readonly form: Representation;
  readonly presenter: Presenter;
  readonly options: WriteOptions;
}

const bodyOf = ({ body = '' }: ApiRequest): string => {
  if (body === '') throw badRequest('the request has no body');
  return body;
};

const onCollection = async ({
  backend,
  target,
  request,
  query,
  form,
  presenter,
  options,
}: Call): Promise<ApiResponse> => {
  const { kind, namespace } = target;
  const contentType = request.headers['content-type'];
  switch (request.method) {
    case 'GET':
      if (['true', '1'].includes(query.get('watch') ?? ''))
        return {
          status: 200,
          headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
          // An event has no list in it, and the API server ends the watch without a word.
          body:
            form.as === 'PartialObjectMetadataList'
              ? ''
              : serveWatch(backend, target, { query, signal: request.signal }, presenter),
        };
      return answer(200, presenter.list(listObjects(backend, target, query)), form);
    case 'POST': {
      if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
      const { object } = await createObject(backend, target, { text: bodyOf(request), contentType }, options);
      return answer(201, presenter.object(object), form);
    }
    case 'DELETE': {
      if (!kind.deleteCollection || (kind.namespaced && namespace === undefined)) throw methodNotAllowed();
      const wanted = { ...deleteOptions(request.body, contentType, query) };
      return answer(200, presenter.list(await deleteCollection(backend, target, query, wanted)), form);
    }
    default:
      throw methodNotAllowed();
  }
};

const NEEDS_CONTAINERS = ['exec', 'attach', 'portforward', 'ephemeralcontainers', 'proxy'];
const NO_CONTAINERS = 'pods of the sandbox have an address and a status, but no containers';

const onSubresource = async (call: Call): Promise<ApiResponse | undefined> => {
  const { backend, target, request, query, options } = call;
  const { kind, subresource } = target;
  const contentType = request.headers['content-type'];
  if (kind.store === '/pods' && subresource === 'log' && request.method === 'GET')
    return { ...text(200, ''), body: podLog(backend, target, query, request.signal) };
  if (kind.store === '/pods' && NEEDS_CONTAINERS.includes(subresource ?? '')) {
    get(backend, target);
    throw notEmulated(`${subresource ?? ''} is not emulated: ${NO_CONTAINERS}`);
  }
  if (subresource === 'binding' && kind.store === '/pods' && request.method === 'POST')
    return answer(201, bindPod(backend, target, bodyOf(request), contentType));
  if (subresource === 'scale' && kind.scale !== undefined) {
    if (request.method === 'GET') return answer(200, readScale(backend, target, kind.scale));
    if (request.method !== 'PUT' && request.method !== 'PATCH') throw methodNotAllowed();
    const body = { text: bodyOf(request), contentType };
    const written = await writeScale(backend, target, kind.scale, { method: request.method, body, options });
    return answer(200, written);
  }
  return undefined;
};

const onObject = async ({ backend, target, request, query, form, presenter, options }: Call): Promise<ApiResponse> => {
  const contentType = request.headers['content-type'];
  const written = ({ object, created }: Written) => answer(created ? 201 : 200, presenter.object(object), form);
  switch (request.method) {
    case 'GET':
      return answer(200, presenter.object(get(backend, target)), form);
    case 'PUT':
      return written(await replace(backend, target, { text: bodyOf(request), contentType }, options));
    case 'PATCH':
      return written(await patch(backend, target, { text: bodyOf(request), contentType }, options));
    case 'DELETE': {
      if (target.subresource !== undefined) throw methodNotAllowed();
      const wanted = deleteOptions(request.body, contentType, query);
      const deleted = await deleteOne(backend, target, wanted);
      const body = deletionAnswer(target.kind, deleted);
      return answer(200, 'uid' in (body['metadata'] as JsonObject) ? presenter.object(body as ApiObject) : body, form);
    }
    default:
      throw methodNotAllowed();
  }
};

const onResource = async (call: Call): Promise<ApiResponse> => {
  const { target } = call;
  if (target.name === undefined) return onCollection(call);
  if (target.subresource === undefined) return onObject(call);
  const special = await onSubresource(call);
  if (special !== undefined) return special;
  if (target.subresource === 'status' && target.kind.status !== undefined && call.request.method !== 'DELETE')
    return onObject(call);
  throw noSuchResource();
};

const openApi = ({ registry }: Backend, [version, ...path]: readonly string[], request: ApiRequest): ApiResponse => {
  if (version === 'v3') {
    const document = openApiV3(registry, path);
    return document === undefined ? PAGE_NOT_FOUND : answer(200, document);
  }
  // An empty message is a document without definitions, which is what clients that ask for protobuf get.
  const type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
  if ((request.headers['accept'] ?? '').includes('protobuf'))
    return { status: 200, headers: { 'content-type': type }, body: '' };
  return answer(200, openApiV2);
};

const parsed = (path: string): { path: string[]; query: URLSearchParams } => {
  const [before = '', after = ''] = path.split(/\?(.*)/su);
  try {
    return {
      path: before
        .split('/')
        .filter((part) => part !== '')
        .map(decodeURIComponent),
      query: new URLSearchParams(after),
    };
  } catch {
    throw badRequest(`the path ${JSON.stringify(before)} is not encoded as a URL`);
  }
};

/** The answer to what asks for no object that is stored. */
const besideObjects = (
  backend: Backend,
  path: readonly string[],
  query: URLSearchParams,
  request: ApiRequest,
): ApiResponse | Promise<ApiResponse> | undefined => {
  const [root = '', ...rest] = path;
  if (['healthz', 'readyz', 'livez'].includes(root)) return text(200, 'ok');
  if (root === 'version') return answer(200, VERSION);
  if (root === 'openapi') return openApi(backend, rest, request);
  if (root === '')
    return answer(200, {
      paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
    });
  const usage = usageMetrics(backend, path, query, request.method);
  if (usage !== undefined) return answer(200, usage);
  const review = accessReview(path, request);
  return review && answer(201, review);
};

/** Answers one request. Throws ApiError where the answer is a failure. */
export const route = async (backend: Backend, request: ApiRequest): Promise<ApiResponse> => {
  const { path, query } = parsed(request.path);
  const [root = '', ...rest] = path;
  if (Buffer.byteLength(request.body ?? '') > LARGEST_BODY)
    return text(413, `the request is larger than ${LARGEST_BODY} bytes\n`);
  const aside = besideObjects(backend, path, query, request);
  if (aside !== undefined) return aside;
  if (root !== 'api' && root !== 'apis') return PAGE_NOT_FOUND;
  if (path.length < 2 || (root === 'apis' && path.length < 4) || (root === 'api' && path.length === 2)) {
    const document = discovery(backend.registry, path);
    return document === undefined ? PAGE_NOT_FOUND : answer(200, document);
  }
  const target = targetOf(backend, path);
  if (target === undefined) {
    if (root === 'api' && rest[0] === 'v1') throw noSuchResource();
    return PAGE_NOT_FOUND;
  }
  const form = negotiate(request.headers['accept']);
  const presenter = new Presenter(target.kind, form, (query.get('includeObject') ?? 'Metadata') as IncludeObject, () =>
    backend.clock.now(),
  );
  const options = writeOptions(request.method, query);
  return onResource({ backend, target, request, query, form, presenter, options });
};
