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

/**
 * A limit in bytes per second, as ECI reads it: 40M are 320 Mbit/s. Beside Kubernetes' quantities the units of its
 * documents: TB, T, GB, G, MB, M, KB, K, B. Source: ECI documentation, "Limit the inbound and outbound bandwidth of
 * pods".
 */
export const bandwidth = (text: string): number | undefined => {
  const unit = /^(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)B?$/.exec(text);
  const bytes = parseQuantity(unit ? `${unit[1]}${unit[2] === 'K' ? 'k' : unit[2]}` : text) ?? 0;
  return bytes >= 1 ? Math.ceil(bytes) : undefined;
};

export const bool = (text: string): boolean | undefined =>
  text === 'true' ? true : text === 'false' ? false : undefined;
