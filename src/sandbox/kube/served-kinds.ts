import type { ApiObject, JsonObject } from './json-values.ts';
import type { StructuralSchema } from './crd-schema.ts';
import type { SelectableFields } from './selectors.ts';
import type { FieldError, Named } from './failure-status.ts';

/** A column of Table output. `cell` gets the object as it is on the wire and the time, in milliseconds. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string | undefined;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority?: number | undefined;
  readonly description?: string | undefined;
  cell(object: ApiObject, now: number): unknown;
}

/** Paths of a scale subresource, without the leading dot. */
export interface ScalePaths {
  readonly specReplicas: string;
  readonly statusReplicas: string;
  /** Where the selector is as a string; built-in kinds have a LabelSelector at spec.selector instead. */
  readonly selector?: string | undefined;
}

/**
 * What a write through /status changes. `custom`: status only. `spec`: all but the spec. `labels`: all but spec and
 * labels. `pod`: all but spec and owners.
 */
type StatusRule = 'custom' | 'spec' | 'labels' | 'pod';

/** A kind in one version: where it is served, and how it differs from the others. */
export interface Kind extends Named {
  readonly version: string;
  readonly singular: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** The store of its objects. Versions of one kind share it, as do the two groups of events. */
  readonly store: string;
  /** Undefined where there is no /status: then the status is written with everything else. */
  readonly status: StatusRule | undefined;
  /** The status given at creation is kept, although there is a /status (nodes). */
  readonly keepsStatusOnCreate: boolean;
  readonly scale: ScalePaths | undefined;
  readonly hasGeneration: boolean;
  /** Set for custom resources: their schema. Built-in kinds have a Go type instead. */
  readonly schema: StructuralSchema | undefined;
  readonly fields: SelectableFields;
  readonly columns: readonly Column[];
  /** PUT may leave the resourceVersion out. */
  readonly unconditionalUpdate: boolean;
  /** PUT creates what is not there. */
  readonly createOnUpdate: boolean;
  /** DELETE answers with the object, not with a Status. */
  readonly returnsDeleted: boolean;
  readonly deleteCollection: boolean;
  /** Sets defaults, before validation; of a new object, or of one that changes. */
  readonly prepare?: ((object: ApiObject, current: ApiObject | undefined) => void) | undefined;
  readonly errors?: ((object: ApiObject, current: ApiObject | undefined) => readonly FieldError[]) | undefined;
  /** Where the stored form is another than that on the wire. */
  readonly view?: { toWire(object: ApiObject): ApiObject; fromWire(object: JsonObject): JsonObject } | undefined;
}

export const isCustom = (kind: Kind): kind is Kind & { schema: StructuralSchema } => kind.schema !== undefined;

export const groupVersionOf = ({ group, version }: Pick<Kind, 'group' | 'version'>): string =>
  group === '' ? version : `${group}/${version}`;

/** Verbs of a resource as discovery lists them. */
export const verbsOf = (kind: Kind): readonly string[] => [
  'create',
  'delete',
  ...(kind.deleteCollection ? ['deletecollection'] : []),
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

/** The kinds that are served now. */
export class Registry {
  readonly #kinds = new Map<string, Kind>();

  constructor(kinds: readonly Kind[]) {
    for (const kind of kinds) this.add(kind);
  }

  add(kind: Kind): void {
    this.#kinds.set(`${kind.group}/${kind.version}/${kind.plural}`, kind);
  }

  /** Stops serving every version of a kind. */
  remove(group: string, plural: string): void {
    for (const [key, kind] of this.#kinds) if (kind.group === group && kind.plural === plural) this.#kinds.delete(key);
  }

  find(group: string, version: string, plural: string): Kind | undefined {
    return this.#kinds.get(`${group}/${version}/${plural}`);
  }

  /** All kinds, or those of one group, or of one version of it. */
  list(group?: string, version?: string): Kind[] {
    return [...this.#kinds.values()].filter(
      (kind) => (group === undefined || kind.group === group) && (version === undefined || kind.version === version),
    );
  }

  /** One kind for each store, so that nothing is visited twice. */
  stores(): Kind[] {
    return [
      ...new Map(
        this.list()
          .toReversed()
          .map((kind) => [kind.store, kind]),
      ).values(),
    ].toReversed();
  }
}
