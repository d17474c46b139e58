import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { timestamp } from './decode.ts';
import {
  arrayOf,
  isObject,
  objectOf,
  omit,
  stringOf,
  type ApiObject,
  type JsonObject,
  type Meta,
} from './json-values.ts';
import { forbiddenValue, invalidValue, requiredValue, type FieldError } from './failure-status.ts';

const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const LONGEST_GENERATED = 63;

/** Source: apiserver pkg/storage/names. */
const generatedName = (base: string, random: Random): string => {
  const suffix = Array.from(
    { length: SUFFIX_LENGTH },
    () => SUFFIX_LETTERS[Math.floor(random.next() * SUFFIX_LETTERS.length)],
  );
  return base.slice(0, LONGEST_GENERATED - SUFFIX_LENGTH) + suffix.join('');
};

const stringMap = (value: unknown): Record<string, string> | undefined => {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

const list = (value: unknown): unknown[] | undefined => {
  const items = arrayOf(value);
  return items.length === 0 ? undefined : [...items];
};

/** The parts of ObjectMeta that a client decides, without empty ones. */
const clientMeta = (value: JsonObject): Partial<Meta> => {
  const generateName = stringOf(value['generateName']);
  const labels = stringMap(value['labels']);
  const annotations = stringMap(value['annotations']);
  const finalizers = list(value['finalizers']) as string[] | undefined;
  const ownerReferences = list(value['ownerReferences']) as JsonObject[] | undefined;
  return {
    ...(generateName === '' ? {} : { generateName }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
    ...(finalizers === undefined ? {} : { finalizers }),
  };
};

/** The metadata of a new object. The name may still be empty. */
export const newMeta = (
  value: unknown,
  namespace: string | undefined,
  hasGeneration: boolean,
  { clock, random }: { clock: Clock; random: Random },
): Meta => {
  const given = objectOf(value);
  const { generateName, ...rest } = clientMeta(given);
  const name = stringOf(given['name']) || (generateName === undefined ? '' : generatedName(generateName, random));
  return {
    name,
    ...(generateName === undefined ? {} : { generateName }),
    ...(namespace === undefined ? {} : { namespace }),
    uid: random.uuid(),
    resourceVersion: '',
    ...(hasGeneration ? { generation: 1 } : {}),
    creationTimestamp: timestamp(clock.now()),
    ...rest,
  };
};

/** The metadata after an update: what the client may change from `value`, everything else as it was. */
export const changedMeta = (value: unknown, current: Meta): Meta => {
  const fixed = omit(current, 'labels', 'annotations', 'finalizers', 'ownerReferences');
  return { ...fixed, ...omit(clientMeta(objectOf(value)), 'generateName') } as Meta;
};

const LABEL_VALUE = /^(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/u;
const LABEL_NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/u;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/u;
const LONGEST_ANNOTATIONS = 256 * 1024;

const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const qualifiedNameErrors = (key: string, field: string): FieldError[] => {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? parts[0] : undefined;
  const good =
    parts.length <= 2 && name.length <= 63 && LABEL_NAME.test(name) && (prefix === undefined || SUBDOMAIN.test(prefix));
  return good ? [] : [invalidValue(field, key, NAME_RULE)];
};

/** Source: apimachinery pkg/api/validation/objectmeta.go. */
export const metaErrors = (meta: Meta): FieldError[] => {
  const errors: FieldError[] = [];
  if (meta.name === '') return [requiredValue('metadata.name', 'name or generateName is required')];
  if (meta.name.length > 253)
    errors.push(invalidValue('metadata.name', meta.name, 'must be no more than 253 characters'));
  else if (!SUBDOMAIN.test(meta.name)) errors.push(invalidValue('metadata.name', meta.name, SUBDOMAIN_RULE));
  for (const [key, value] of Object.entries(meta.labels ?? {})) {
    errors.push(...qualifiedNameErrors(key, 'metadata.labels'));
    if (value.length > 63) errors.push(invalidValue('metadata.labels', value, 'must be no more than 63 characters'));
    else if (!LABEL_VALUE.test(value)) errors.push(invalidValue('metadata.labels', value, LABEL_RULE));
  }
  let size = 0;
  for (const [key, value] of Object.entries(meta.annotations ?? {})) {
    errors.push(...qualifiedNameErrors(key.toLowerCase(), 'metadata.annotations'));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > LONGEST_ANNOTATIONS)
    errors.push({
      reason: 'FieldValueInvalid',
      field: 'metadata.annotations',
      message: 'Too long: must have at most 262144 bytes',
    });
  for (const finalizer of meta.finalizers ?? []) errors.push(...qualifiedNameErrors(finalizer, 'metadata.finalizers'));
  (meta.ownerReferences ?? []).forEach((reference, index) => {
    for (const key of ['apiVersion', 'kind', 'name', 'uid'])
      if (stringOf(reference[key]) === '')
        errors.push(invalidValue(`metadata.ownerReferences[${index}].${key}`, '', `${key} must not be empty`));
  });
  return errors;
};

/** What may not change: the UID ever, and the finalizers may only become fewer while the object is being deleted. */
export const metaUpdateErrors = (given: JsonObject, next: ApiObject, current: ApiObject): FieldError[] => {
  const errors: FieldError[] = [];
  const uid = stringOf(given['uid']);
  if (uid !== '' && uid !== current.metadata.uid) errors.push(invalidValue('metadata.uid', uid, 'field is immutable'));
  const added = (next.metadata.finalizers ?? []).filter((one) => !(current.metadata.finalizers ?? []).includes(one));
  if (current.metadata.deletionTimestamp !== undefined && added.length > 0)
    errors.push(
      forbiddenValue(
        'metadata.finalizers',
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(', ')}}`,
      ),
    );
  return errors;
};

/** Whether nothing holds an object any more that is being deleted: neither finalizers nor a grace period. */
export const goesNow = ({ metadata }: ApiObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  (metadata.finalizers ?? []).length === 0 &&
  (metadata.deletionGracePeriodSeconds ?? 0) === 0;
