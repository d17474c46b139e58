import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { Admission, Validation } from './admission.ts';
import type { ApiObject, JsonObject } from './json-values.ts';
import { groupVersionOf, type Kind, type Registry } from './served-kinds.ts';
import type { Storage } from './storage.ts';

/** What the verbs work on. */
export interface Backend {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: Admission | undefined;
  readonly validation: Validation | undefined;
  /** Adds a warning to the answer of the request that is being answered. */
  readonly warn: (text: string) => void;
}

/**
 * What a request is about. `name` is undefined for collections, `namespace` for cluster scope and for all namespaces.
 */
export interface RequestTarget {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** The object in the form of a kind's group and version. */
export const onTheWire = (kind: Kind, object: ApiObject): ApiObject => {
  if (kind.view !== undefined) return kind.view.toWire(object);
  const apiVersion = groupVersionOf(kind);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
};

/** A client's object in the form that is stored. */
export const fromTheWire = (kind: Kind, object: JsonObject): JsonObject => kind.view?.fromWire(object) ?? object;
