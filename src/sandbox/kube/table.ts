import { omit, type ApiObject, type JsonObject } from './json-values.ts';
import { groupVersionOf, isCustom, type Kind } from './served-kinds.ts';
import { ApiError } from './failure-status.ts';

/** The form of an answer, from the Accept header. `version` is that of meta.k8s.io. */
export interface Representation {
  readonly as: 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
  readonly version: string;
  readonly yaml: boolean;
}

const PLAIN: Representation = { as: 'object', version: 'v1', yaml: false };

const representationOf = (item: string): Representation | undefined => {
  const [type = '', ...parameters] = item.split(';').map((part) => part.trim());
  const given = new Map(parameters.map((one) => one.split('=') as [string, string]));
  if (!['application/json', 'application/yaml', 'application/*', '*/*'].includes(type)) return undefined;
  const yaml = type === 'application/yaml';
  const as = given.get('as');
  if (as === undefined) return { ...PLAIN, yaml };
  const version = given.get('v') ?? '';
  if (given.get('g') !== 'meta.k8s.io' || !['v1', 'v1beta1'].includes(version)) return undefined;
  return as === 'Table' || as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList'
    ? { as, version, yaml }
    : undefined;
};

/** The first form of the Accept header that can be given. Throws 406 where there is none. */
export const negotiate = (accept: string | undefined): Representation => {
  if (accept === undefined || accept.trim() === '') return PLAIN;
  for (const item of accept.split(',')) {
    const found = representationOf(item);
    if (found !== undefined) return found;
  }
  throw new ApiError(406, 'NotAcceptable', '406: Not Acceptable', {});
};

const partial = (object: ApiObject, version: string): JsonObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});

/** One form is of objects and the other of lists. Source: apiserver pkg/endpoints/handlers/response.go. */
const notThat = (as: string, is: string): ApiError =>
  new ApiError(406, 'NotAcceptable', `you requested ${as}, but the requested object is ${is}`, {});

/** How the rows of a Table carry their objects: query `includeObject`. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

const definitions = (kind: Kind): JsonObject[] =>
  kind.columns.map(({ name, type, format = '', priority = 0, description = '' }) => ({
    name,
    type,
    format,
    description: description === '' ? `Custom resource definition column (in JSONPath format)` : description,
    priority,
  }));

interface Listed {
  readonly items: readonly ApiObject[];
  readonly metadata: JsonObject;
}

/** Turns objects of a kind, as they are on the wire, into what the client asked for. */
export class Presenter {
  readonly #kind: Kind;
  readonly #form: Representation;
  readonly #include: IncludeObject;
  readonly #now: () => number;
  #headerSent = false;

  constructor(kind: Kind, form: Representation, include: IncludeObject, now: () => number) {
    this.#kind = kind;
    this.#form = form;
    this.#include = include;
    this.#now = now;
  }

  #table(items: readonly ApiObject[], metadata: JsonObject): JsonObject {
    const now = this.#now();
    const columnDefinitions = this.#headerSent ? null : definitions(this.#kind);
    const rows = items.map((object) => ({
      cells: this.#kind.columns.map((column) => column.cell(object, now)),
      object:
        this.#include === 'None' ? null : this.#include === 'Object' ? object : partial(object, this.#form.version),
    }));
    return { kind: 'Table', apiVersion: `meta.k8s.io/${this.#form.version}`, metadata, columnDefinitions, rows };
  }

  object(object: ApiObject): JsonObject {
    if (this.#form.as === 'Table') return this.#table([object], { resourceVersion: object.metadata.resourceVersion });
    if (this.#form.as === 'PartialObjectMetadataList') throw notThat(this.#form.as, `not a list (${this.#kind.kind})`);
    return this.#form.as === 'PartialObjectMetadata' ? partial(object, this.#form.version) : object;
  }

  list({ items, metadata }: Listed): JsonObject {
    if (this.#form.as === 'Table') return this.#table(items, metadata);
    if (this.#form.as === 'PartialObjectMetadata') throw notThat(this.#form.as, `a list (${this.#kind.listKind})`);
    if (this.#form.as === 'PartialObjectMetadataList')
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: `meta.k8s.io/${this.#form.version}`,
        metadata,
        items: items.map((object) => partial(object, this.#form.version)),
      };
    return {
      kind: this.#kind.listKind,
      apiVersion: groupVersionOf(this.#kind),
      metadata,
      // Go's typed lists leave the type out of their items; lists of custom resources do not.
      items: isCustom(this.#kind) ? items : items.map((object) => omit(object, 'apiVersion', 'kind')),
    };
  }

  /** The same for one event of a watch: of a Table, only the first has the column definitions. */
  event(object: ApiObject): JsonObject {
    const presented = this.object(object);
    this.#headerSent = true;
    return presented;
  }

  /** A bookmark has no object, only the resourceVersion up to which the client has seen everything. */
  bookmark(resourceVersion: string, annotations?: Readonly<Record<string, string>>): JsonObject {
    const { as, version } = this.#form;
    if (as === 'Table') return this.#table([], { resourceVersion });
    const metadata = { resourceVersion, ...(annotations && { annotations }) };
    if (as === 'PartialObjectMetadata') return { kind: as, apiVersion: `meta.k8s.io/${version}`, metadata };
    return { kind: this.#kind.kind, apiVersion: groupVersionOf(this.#kind), metadata };
  }
}
