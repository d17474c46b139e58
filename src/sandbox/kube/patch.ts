import { clone, equal, isObject, objectOf, type JsonObject } from './json-values.ts';
import { badRequest, patchRejected } from './failure-status.ts';

/** JSON merge patch, RFC 7386. */
export const mergePatch = (target: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return clone(patch);
  const result: JsonObject = { ...objectOf(target) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
};

const tokensOf = (pointer: unknown): string[] => {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) throw patchRejected();
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
};

const indexIn = (array: readonly unknown[], token: string, last: number): number => {
  const index = /^(?:0|[1-9]\d*)$/u.test(token) ? Number(token) : -1;
  if (index < 0 || index > last) throw patchRejected();
  return index;
};

const child = (parent: unknown, token: string): unknown => {
  if (Array.isArray(parent)) return (parent as unknown[])[indexIn(parent, token, parent.length - 1)];
  if (isObject(parent) && Object.hasOwn(parent, token)) return parent[token];
  throw patchRejected();
};

const valueAt = (document: unknown, tokens: readonly string[]): unknown => tokens.reduce(child, document);

const put = (document: unknown, tokens: readonly string[], value: unknown, insert: boolean): unknown => {
  const last = tokens.at(-1);
  if (last === undefined) return value;
  const parent = valueAt(document, tokens.slice(0, -1));
  if (Array.isArray(parent)) {
    if (insert) parent.splice(last === '-' ? parent.length : indexIn(parent, last, parent.length), 0, value);
    else parent[indexIn(parent, last, parent.length - 1)] = value;
  } else if (isObject(parent)) parent[last] = value;
  else throw patchRejected();
  return document;
};

const take = (document: unknown, tokens: readonly string[]): unknown => {
  const last = tokens.at(-1);
  if (last === undefined) throw patchRejected();
  const value = valueAt(document, tokens);
  const parent = valueAt(document, tokens.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete (parent as JsonObject)[last];
  return value;
};

const testHolds = (document: unknown, tokens: readonly string[], value: unknown): boolean => {
  // The API server's library takes a test for null on an absent member as passed.
  if (value === null && !isObject(document)) return false;
  try {
    return equal(valueAt(document, tokens), value);
  } catch {
    return value === null;
  }
};

/** JSON patch, RFC 6902. Throws 422 where it does not apply, 400 where it is not an array of operations. */
export const jsonPatch = (target: unknown, patch: unknown): unknown => {
  if (!Array.isArray(patch)) throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  let document = clone(target);
  for (const operation of patch as unknown[]) {
    const { op, path, from, value } = objectOf(operation);
    const tokens = tokensOf(path);
    switch (op) {
      case 'add':
        document = put(document, tokens, clone(value), true);
        break;
      case 'replace':
        valueAt(document, tokens);
        document = put(document, tokens, clone(value), false);
        break;
      case 'remove':
        take(document, tokens);
        break;
      case 'move':
        document = put(document, tokens, take(document, tokensOf(from)), true);
        break;
      case 'copy':
        document = put(document, tokens, clone(valueAt(document, tokensOf(from))), true);
        break;
      case 'test':
        if (!testHolds(document, tokens, value)) throw patchRejected();
        break;
      default:
        throw patchRejected();
    }
  }
  return document;
};
