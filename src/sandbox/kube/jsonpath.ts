import { arrayOf, isObject, objectOf } from './json-values.ts';

type Step = (values: readonly unknown[]) => unknown[];

const TOKEN =
  /\.([A-Za-z_$][-\w$]*)|\['((?:[^'\\]|\\.)*)'\]|\[(-?\d+|\*)\]|\[\?\(@((?:\.[-\w]+)+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|(true|false|-?\d+))\)\]/uy;

const field =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isObject(value) && value[name] !== undefined ? [value[name]] : []));

const element =
  (index: string): Step =>
  (values) =>
    values.flatMap((value) => {
      const items = arrayOf(value);
      if (index === '*') return items;
      const item = items.at(Number(index));
      return item === undefined ? [] : [item];
    });

const filter =
  (path: string, operator: string, literal: string): Step =>
  (values) =>
    values.flatMap((value) =>
      arrayOf(value).filter((item) => {
        let found: unknown = item;
        for (const key of path.split('.').slice(1)) found = objectOf(found)[key];
        const text = ['string', 'boolean', 'number'].includes(typeof found) ? String(found) : undefined;
        return (text === literal) === (operator === '==');
      }),
    );

/**
 * The first value at a path in the form of a CustomResourceDefinition's printer columns, for example
 * `.status.conditions[?(@.type=="Ready")].status`. Undefined where there is none; throws for anything but fields,
 * indexes and comparisons with a literal. Source of the grammar: client-go util/jsonpath.
 */
export const jsonPathReader = (path: string): ((value: unknown) => unknown) => {
  const steps: Step[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < path.length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(path);
    if (match === null) throw new Error(`the JSON path ${path} has something at ${start} that is not supported`);
    const [, name, quoted, index, filtered, operator = '==', double, single, bare] = match;
    if (name !== undefined) steps.push(field(name));
    else if (quoted !== undefined) steps.push(field(quoted.replaceAll(/\\(.)/gu, '$1')));
    else if (index !== undefined) steps.push(element(index));
    else if (filtered !== undefined) steps.push(filter(filtered, operator, double ?? single ?? bare ?? ''));
  }
  return (value) => {
    let values: unknown[] = [value];
    for (const step of steps) values = step(values);
    return values[0];
  };
};
