import { arrayOf, clone, equal, isObject, objectOf, stringOf, type JsonObject } from './json-values.ts';
import {
  invalidValue,
  notSupported,
  requiredValue,
  tooLong,
  tooMany,
  wrongType,
  type FieldError,
} from './failure-status.ts';

/** A structural schema as in a CustomResourceDefinition (apiextensions.k8s.io/v1 JSONSchemaProps). */
export type StructuralSchema = JsonObject;

const propertiesOf = (schema: StructuralSchema): JsonObject => objectOf(schema['properties']);

/**
 * Drops what the schema does not know, as the API server does with custom resources. Fields that every object has are
 * kept at the top and in embedded resources.
 */
export const prune = (value: unknown, schema: StructuralSchema, isResource = true): unknown => {
  if (Array.isArray(value)) return value.map((item) => prune(item, objectOf(schema['items']), false));
  if (!isObject(value)) return value;
  const properties = propertiesOf(schema);
  const additional = schema['additionalProperties'];
  const preserve = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const resource = isResource || schema['x-kubernetes-embedded-resource'] === true;
  const result: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (resource && ['apiVersion', 'kind', 'metadata'].includes(key)) result[key] = item;
    else if (isObject(properties[key])) result[key] = prune(item, properties[key], false);
    else if (isObject(additional)) result[key] = prune(item, additional, false);
    else if (preserve || additional === true) result[key] = item;
  }
  return result;
};

/**
 * Sets defaults where a field is absent, or null and not nullable. Source: apiextensions-apiserver, schema/defaulting.
 */
export const setDefaults = (value: unknown, schema: StructuralSchema): void => {
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) setDefaults(item, objectOf(schema['items']));
    return;
  }
  if (!isObject(value)) return;
  const properties = propertiesOf(schema);
  for (const [key, property] of Object.entries(properties)) {
    const propertySchema = objectOf(property);
    if (value[key] === null && propertySchema['nullable'] !== true && propertySchema['default'] !== undefined)
      delete value[key];
    if (value[key] === undefined && propertySchema['default'] !== undefined)
      value[key] = clone(propertySchema['default']);
    setDefaults(value[key], propertySchema);
  }
  if (isObject(schema['additionalProperties']))
    for (const [key, item] of Object.entries(value))
      if (properties[key] === undefined) setDefaults(item, schema['additionalProperties']);
};

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
};

const hasType = (value: unknown, schema: StructuralSchema): boolean => {
  const actual = typeOf(value);
  if (schema['x-kubernetes-int-or-string'] === true) return actual === 'integer' || actual === 'string';
  const wanted = schema['type'];
  return wanted === undefined || wanted === actual || (wanted === 'number' && actual === 'integer');
};

const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/u;

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': (text) => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d{2}-\d{2}$/u.test(text) && !Number.isNaN(Date.parse(text)),
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/u.test(text),
};

const stringErrors = (value: string, schema: StructuralSchema, field: string): FieldError[] => {
  const { format, pattern, minLength, maxLength } = schema as {
    format?: string;
    pattern?: string;
    minLength?: number;
    maxLength?: number;
  };
  const length = Array.from(value).length;
  const errors: FieldError[] = [];
  if (maxLength !== undefined && length > maxLength) errors.push(tooLong(field, maxLength));
  if (minLength !== undefined && length < minLength)
    errors.push(invalidValue(field, value, `${field} in body should be at least ${minLength} chars long`));
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value))
    errors.push(invalidValue(field, value, `${field} in body should match '${pattern}'`));
  if (format !== undefined && FORMATS[format]?.(value) === false)
    errors.push(invalidValue(field, value, `${field} in body must be of type ${format}: ${JSON.stringify(value)}`));
  return errors;
};

const numberErrors = (value: number, schema: StructuralSchema, field: string): FieldError[] => {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema as {
    minimum?: number;
    maximum?: number;
    exclusiveMinimum?: boolean;
    exclusiveMaximum?: boolean;
  };
  const errors: FieldError[] = [];
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    errors.push(
      invalidValue(
        field,
        value,
        `${field} in body should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`,
      ),
    );
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    errors.push(
      invalidValue(
        field,
        value,
        `${field} in body should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`,
      ),
    );
  return errors;
};

const arrayErrors = (value: readonly unknown[], schema: StructuralSchema, field: string): FieldError[] => {
  const { minItems, maxItems } = schema as { minItems?: number; maxItems?: number };
  const errors: FieldError[] = [];
  if (maxItems !== undefined && value.length > maxItems) errors.push(tooMany(field, value.length, maxItems));
  if (minItems !== undefined && value.length < minItems)
    errors.push(invalidValue(field, value.length, `${field} in body should have at least ${minItems} items`));
  return [
    ...value.flatMap((item, index) => validateSchema(item, objectOf(schema['items']), `${field}[${index}]`)),
    ...errors,
  ];
};

const objectErrors = (value: JsonObject, schema: StructuralSchema, field: string): FieldError[] => {
  const properties = propertiesOf(schema);
  const { minProperties } = schema as { minProperties?: number };
  const below = (key: string) => (field === '' ? key : `${field}.${key}`);
  const count = Object.keys(value).length;
  return [
    ...(minProperties !== undefined && count < minProperties
      ? [invalidValue(field, count, `${field} in body should have at least ${minProperties} properties`)]
      : []),
    ...Object.entries(value).flatMap(([key, item]) => {
      const known = properties[key] ?? schema['additionalProperties'];
      return isObject(known) ? validateSchema(item, known, below(key)) : [];
    }),
    ...arrayOf(schema['required']).flatMap((key) =>
      typeof key === 'string' && value[key] === undefined ? [requiredValue(below(key))] : [],
    ),
  ];
};

/**
 * What is wrong with a value by the schema, in the server’s words: those of kube-openapi, or of its own field errors.
 */
export const validateSchema = (value: unknown, schema: StructuralSchema, field = ''): FieldError[] => {
  if (value === null && schema['nullable'] === true) return [];
  if (!hasType(value, schema))
    return [
      wrongType(
        field,
        typeOf(value),
        `${field} in body must be of type ${stringOf(schema['type']) || 'int-or-string'}: "${typeOf(value)}"`,
      ),
    ];
  const errors: FieldError[] = [];
  if (Array.isArray(schema['enum']) && !schema['enum'].some((one) => equal(one, value)))
    errors.push(notSupported(field, value, schema['enum']));
  if (typeof value === 'string') errors.push(...stringErrors(value, schema, field));
  if (typeof value === 'number') errors.push(...numberErrors(value, schema, field));
  if (Array.isArray(value)) errors.push(...arrayErrors(value, schema, field));
  if (isObject(value)) errors.push(...objectErrors(value, schema, field));
  return errors;
};

/** Items that have the same keys in a list of type map, or are the same in one of type set. Paths have indexes. */
export const duplicates = (value: unknown, schema: StructuralSchema, field = ''): FieldError[] => {
  if (isObject(value))
    return Object.entries(value).flatMap(([key, item]) => {
      const known = propertiesOf(schema)[key] ?? schema['additionalProperties'];
      return isObject(known) ? duplicates(item, known, field === '' ? key : `${field}.${key}`) : [];
    });
  if (!Array.isArray(value)) return [];
  const type = schema['x-kubernetes-list-type'];
  const keys = arrayOf(schema['x-kubernetes-list-map-keys']) as string[];
  const identity = (item: unknown): unknown =>
    type === 'map' ? Object.fromEntries(keys.map((key) => [key, objectOf(item)[key]])) : item;
  return (value as unknown[]).flatMap((item, index) => {
    const own = duplicates(item, objectOf(schema['items']), `${field}[${index}]`);
    const repeated = value.slice(0, index).some((earlier) => equal(identity(earlier), identity(item)));
    if (!repeated || (type !== 'map' && type !== 'set')) return own;
    const message = `Duplicate value: ${JSON.stringify(identity(item))}`;
    return [{ reason: 'FieldValueDuplicate', field: `${field}[${index}]`, message } as const, ...own];
  });
};
