/** Reading of answers that may have any shape: what is not there is empty. */

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is at the path, or undefined. */
export const fieldAt = (body: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isRecord(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined), body);

/** The objects of the list at the path. */
export const listAt = (body: unknown, ...path: readonly string[]): readonly Json[] => {
  const list = fieldAt(body, ...path);
  return Array.isArray(list) ? list.filter(isRecord) : [];
};

/** Text or number at the path as text, '' where there is neither. */
export const textAt = (body: unknown, ...path: readonly string[]): string => {
  const value = fieldAt(body, ...path);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
};

/** The tags of an object: `Key` and `Value` in the VPC and ECI APIs, `TagKey` and `TagValue` in that of ECS. */
export const tagsIn = (list: readonly Json[]): ReadonlyMap<string, string> =>
  new Map(
    list.map((tag) => [textAt(tag, 'Key') || textAt(tag, 'TagKey'), textAt(tag, 'Value') || textAt(tag, 'TagValue')]),
  );
