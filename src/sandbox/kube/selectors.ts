import { at, stringOf, type ApiObject } from './json-values.ts';
import { badRequest } from './failure-status.ts';

export type Selector = (object: ApiObject) => boolean;

/** Selectable fields beside metadata.name and metadata.namespace: the label and what it reads. */
export type SelectableFields = Readonly<Record<string, (object: ApiObject) => string>>;

/** Fields by their own paths, as strings; absent ones are empty. */
export const fieldsAt = (...paths: readonly string[]): SelectableFields =>
  Object.fromEntries(
    paths.map((path) => [
      path,
      (object: ApiObject) => {
        const value = at(object, ...path.split('.'));
        return typeof value === 'boolean' || typeof value === 'number' ? String(value) : stringOf(value);
      },
    ]),
  );

type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

const KEY = String.raw`[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?`;
const SET = new RegExp(String.raw`^(${KEY})\s+(in|notin)\s*\(([^)]*)\)$`, 'u');
const EQUALITY = new RegExp(String.raw`^(${KEY})\s*(==|!=|=|>|<)\s*([-A-Za-z0-9_.]*)$`, 'u');
const EXISTENCE = new RegExp(String.raw`^(!?)\s*(${KEY})$`, 'u');

/** Splits at commas that are not within parentheses. */
const terms = (text: string): string[] => {
  const found: string[] = [];
  let depth = 0;
  let term = '';
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) {
      found.push(term);
      term = '';
    } else term += character;
  }
  return [...found, term].map((one) => one.trim());
};

const requirement = (term: string): Requirement => {
  const set = SET.exec(term);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return operator === 'in'
      ? (labels) => labels[key] !== undefined && values.includes(labels[key])
      : (labels) => labels[key] === undefined || !values.includes(labels[key]);
  }
  const equality = EQUALITY.exec(term);
  if (equality !== null) {
    const [, key = '', operator, value = ''] = equality;
    if (operator === '!=') return (labels) => labels[key] !== value;
    if (operator === '>') return (labels) => Number(labels[key]) > Number(value);
    if (operator === '<') return (labels) => Number(labels[key]) < Number(value);
    return (labels) => labels[key] === value;
  }
  const existence = EXISTENCE.exec(term);
  if (existence !== null) {
    const [, not, key = ''] = existence;
    return (labels) => (labels[key] !== undefined) === (not === '');
  }
  throw badRequest(`unable to parse requirement: ${JSON.stringify(term)} is not a requirement on a label`);
};

/** A label selector as in the query `labelSelector`. Grammar: apimachinery pkg/labels. */
export const labelSelector = (text: string): Selector => {
  if (text.trim() === '') return () => true;
  const requirements = terms(text).map((term) => requirement(term));
  return ({ metadata }) => requirements.every((holds) => holds(metadata.labels ?? {}));
};

/**
 * A field selector as in the query `fieldSelector`. Grammar: apimachinery pkg/fields; `\` escapes a comma or equals.
 */
export const fieldSelector = (text: string, fields: SelectableFields): Selector => {
  const readers: SelectableFields = { ...fieldsAt('metadata.name', 'metadata.namespace'), ...fields };
  const checks = (text.match(/(?:\\.|[^,\\])+/gu) ?? []).map((term): Selector => {
    const match = /^((?:\\.|[^=!\\])+)(==|!=|=)(.*)$/u.exec(term.trim());
    if (match === null) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
    const [, label = '', operator, escaped = ''] = match;
    const read = Object.hasOwn(readers, label) ? readers[label] : undefined;
    if (read === undefined) throw badRequest(`field label not supported: ${label}`);
    const value = escaped.replaceAll(/\\(.)/gu, '$1');
    return (object) => (read(object) === value) === (operator !== '!=');
  });
  return (object) => checks.every((holds) => holds(object));
};
