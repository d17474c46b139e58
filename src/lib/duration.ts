/** Nanoseconds in each unit of Go's durations. µ is U+00B5, μ is U+03BC; Go takes both. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

/** Longest text that is looked at. Go has no limit; no sensible duration comes near this one. */
const LONGEST = 128;
/** The longest duration that Go can hold is 2^63-1 ns, the longest negative one 2^63 ns. */
const MOST = 2n ** 63n - 1n;
const NUMBER = /^(\d*)(?:\.(\d*))?/u;
const UNIT = /^[^\d.]+/u;

/**
 * Reads a duration as Go's time.ParseDuration does: a sign, then decimal numbers each with a unit, such as
 * "1h15m30.5s", ".5s" or "0". Nanoseconds; undefined where Go would return an error. Source: golang/go
 * src/time/format.go.
 */
export const parseDuration = (text: string): bigint | undefined => {
  if (text.length > LONGEST) return undefined;
  const isNegative = text.startsWith('-');
  let rest = isNegative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return 0n;
  if (rest === '') return undefined;
  let total = 0n;
  while (rest !== '') {
    const [number = '', whole = '', fraction = ''] = NUMBER.exec(rest) ?? [];
    if (whole === '' && fraction === '') return undefined;
    rest = rest.slice(number.length);
    const [unit = ''] = UNIT.exec(rest) ?? [];
    rest = rest.slice(unit.length);
    const scale = UNITS.get(unit);
    if (scale === undefined) return undefined;
    total += BigInt(whole === '' ? '0' : whole) * scale + fractionOf(fraction, scale);
    if (total > MOST + 1n) return undefined;
  }
  if (isNegative) return -total;
  return total > MOST ? undefined : total;
};

/**
 * The digits after the point: whole nanoseconds, the rest cut off. Go computes in floating point: a nanosecond
 * apart at most.
 */
const fractionOf = (digits: string, scale: bigint): bigint =>
  digits === '' ? 0n : (BigInt(digits) * scale) / 10n ** BigInt(digits.length);

/** Nanoseconds as whole milliseconds, rounded up: a positive duration never becomes none. */
export const toMs = (nanoseconds: bigint): number => Number((nanoseconds + 999_999n) / 1_000_000n);

/** Milliseconds as Go's Duration.String writes them: "1h15m30.5s", "10m0s", "0s". */
export const formatDuration = (ms: number): string => {
  if (ms < 1_000) return ms === 0 ? '0s' : `${ms}ms`;
  const seconds = (ms % 60_000) / 1_000;
  const minutes = Math.floor(ms / 60_000) % 60;
  const hours = Math.floor(ms / 3_600_000);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
};
