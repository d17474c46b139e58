const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const QUANTITY = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|[MGTPE]|[KMGTPE]i))?$/;

/**
 * The longest text that is parsed. Kubernetes has no limit, but no quantity that it stores is nearly as long (2^63-1
 * has 19 digits).
 */
const LONGEST = 64;

/**
 * Parses a Kubernetes quantity: "250m" is 0.25, "1Gi" is 1073741824. Undefined for anything else. Source: apimachinery
 * pkg/api/resource.
 */
export const parseQuantity = (text: string | number): number | undefined => {
  if (typeof text === 'number') return Number.isFinite(text) ? text : undefined;
  if (text.length > LONGEST) return undefined;
  const match = QUANTITY.exec(text.trim());
  if (!match) return undefined;
  const [, digits = '', exponent = '', suffix = ''] = match;
  const value = Number(`${digits}${exponent}`) * (SUFFIXES[suffix] ?? 1);
  return Number.isFinite(value) ? value : undefined;
};

/**
 * The value in units of a divisor, rounded up, as for a resourceFieldRef (kubernetes pkg/api/v1/resource/helpers.go).
 */
export const inUnits = (value: number, divisor: string | number | undefined): number => {
  const unit = parseQuantity(divisor ?? '1');
  // A divisor of "0" is the default, 1.
  return Math.ceil(value / (unit === undefined || unit === 0 ? 1 : unit) - 1e-9);
};
