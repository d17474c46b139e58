import { parse } from 'yaml';
import { isObject, type JsonObject } from './json-values.ts';
import { badRequest, unsupportedMediaType } from './failure-status.ts';

const ACCEPTED = ['application/json', 'application/yaml'];

/** The media type of a Content-Type header, without parameters. */
export const mediaType = (header: string | undefined): string =>
  (header ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/** A JSON or YAML document, by the Content-Type; JSON where there is none. Throws 400 and 415. */
export const decodeBody = (body: string, contentType: string | undefined): unknown => {
  const type = mediaType(contentType);
  try {
    // YAML 1.1 as in the API server, where `y`, `yes` and `on` are true.
    if (type === 'application/yaml' || type === 'application/apply-patch+yaml')
      return parse(body, { version: '1.1' }) as unknown;
    if (type === '' || type === 'application/json' || type.endsWith('+json')) return JSON.parse(body) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(`the object provided is unrecognized: couldn't get version/kind; json parse error: ${why}`);
  }
  throw unsupportedMediaType(ACCEPTED);
};

const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:\d{2})$/u;
const MICRO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}(?:Z|[+-]\d{2}:\d{2})$/u;

/** Fields of type metav1.MicroTime in the kinds that are served. Go parses them with exactly six digits. */
const MICRO_TIMES = new Set(['acquireTime', 'renewTime', 'eventTime', 'lastObservedTime']);

/** Fields of type metav1.Time in built-in kinds. Go keeps whole seconds, in UTC. */
const isTimeField = (key: string): boolean => /(?:Time|Timestamp)$/u.test(key) && !MICRO_TIMES.has(key);

/**
 * What decoding into Go's types does to a built-in object: times lose their fractions, malformed MicroTimes are a 400,
 * and nulls are as good as absent.
 */
export const normaliseBuiltIn = (value: unknown, kind: string, path: readonly string[] = []): unknown => {
  if (Array.isArray(value)) return value.map((item) => normaliseBuiltIn(item, kind, path));
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === null) continue;
    const free = ['data', 'stringData', 'labels', 'annotations', 'matchLabels', 'nodeSelector'].includes(key);
    if (!free && typeof item === 'string' && MICRO_TIMES.has(key)) {
      if (!MICRO_TIME.test(item))
        throw badRequest(
          `${kind} cannot be handled: ${[...path, key].join('.')}: parsing time "${item}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "${item}" as ".000000"`,
        );
      result[key] = item;
    } else if (!free && typeof item === 'string' && isTimeField(key)) {
      const match = RFC3339.exec(item);
      if (match === null)
        throw badRequest(
          `${kind} cannot be handled: ${[...path, key].join('.')}: parsing time "${item}" as "2006-01-02T15:04:05Z07:00": cannot parse`,
        );
      result[key] = match[2] === 'Z' ? `${match[1]}Z` : timestamp(Date.parse(item));
    } else result[key] = normaliseBuiltIn(item, kind, [...path, key]);
  }
  return result;
};

/** metav1.Time on the wire: RFC 3339 in whole seconds. */
export const timestamp = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
