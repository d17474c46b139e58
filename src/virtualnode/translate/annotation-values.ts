import { itemsOf } from '../../request/instance-choices.ts';
import { parseQuantity } from './quantity.ts';

/* Parsers of the values of annotations. Each returns undefined for a text that it cannot parse. */

export const oneOf =
  <T extends string>(...values: readonly T[]) =>
  (text: string): T | undefined =>
    values.find((each) => each === text);

/** A number with at most three decimals, or none. */
export const number =
  (least: number, most: number, isWhole = true) =>
  (text: string): number | undefined => {
    const value = /^\d{1,9}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most && (!isWhole || Number.isInteger(value)) ? value : undefined;
  };

/** A list with commas. */
export const list =
  (pattern: RegExp, most: number) =>
  (text: string): readonly string[] | undefined => {
    const items = itemsOf(text);
    return items.length <= most && items.every((each) => pattern.test(each)) ? items : undefined;
  };

export const word = (text: string): string | undefined => (/^[\w.@-]{1,128}$/.test(text) ? text : undefined);

/** A quantity of bits per second. */
export const bandwidth = (text: string): number | undefined => {
  const bits = parseQuantity(text) ?? 0;
  return bits >= 1 ? Math.ceil(bits) : undefined;
};

export const bool = (text: string): boolean | undefined =>
  text === 'true' ? true : text === 'false' ? false : undefined;
