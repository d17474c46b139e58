import test from 'ava';
import * as fc from 'fast-check';
import { formatDuration, parseDuration, toMs } from '../../src/lib/duration.ts';

const NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Go's own cases (golang/go src/time/time_test.go, parseDurationTests), in nanoseconds. */
const good: readonly (readonly [string, bigint])[] = [
  ['0', 0n],
  ['5s', 5_000_000_000n],
  ['30s', 30_000_000_000n],
  ['1478s', 1_478_000_000_000n],
  ['-5s', -5_000_000_000n],
  ['+5s', 5_000_000_000n],
  ['-0', 0n],
  ['+0', 0n],
  ['5.0s', 5_000_000_000n],
  ['5.6s', 5_600_000_000n],
  ['5.s', 5_000_000_000n],
  ['.5s', 500_000_000n],
  ['1.0s', 1_000_000_000n],
  ['1.004s', 1_004_000_000n],
  ['1.0040s', 1_004_000_000n],
  ['100.00100s', 100_001_000_000n],
  ['10ns', 10n],
  ['11us', 11_000n],
  ['12µs', 12_000n],
  ['12μs', 12_000n],
  ['13ms', 13_000_000n],
  ['14s', 14_000_000_000n],
  ['15m', 900_000_000_000n],
  ['16h', 57_600_000_000_000n],
  ['3h30m', 12_600_000_000_000n],
  ['10.5s4m', 250_500_000_000n],
  ['-2m3.4s', -123_400_000_000n],
  ['1h2m3s4ms5us6ns', 3_723_004_005_006n],
  ['39h9m14.425s', 140_954_425_000_000n],
  ['52763797000ns', 52_763_797_000n],
  ['0.3333333333333333333h', 1_200_000_000_000n - 1n],
  ['9007199254740993ns', 9_007_199_254_740_993n],
  ['9223372036854775807ns', 2n ** 63n - 1n],
  ['9223372036854775.807us', 2n ** 63n - 1n],
  ['-9223372036854775808ns', -(2n ** 63n)],
  ['0.100000000000000000000h', 360_000_000_000n],
];

const bad = [
  '',
  '3',
  '-',
  's',
  '.',
  '-.',
  '.s',
  '+.s',
  '1d',
  '\x85\x85',
  '\xffff',
  'hello \xffff world',
  '9223372036854775810ns',
  '9223372036854775808ns',
  '-9223372036854775809ns',
  '9223372036854776us',
  '3000000h',
  '9223372036854775.808us',
  ' 1s',
  '1s ',
  '1 s',
  '1e3s',
  '１s',
  '--1s',
  '1h-5m',
];

test('what Go reads is read, and means the same', (t) => {
  // Go computes fractions in floating point and may differ in the last nanosecond.
  for (const [text, nanoseconds] of good) {
    const read = parseDuration(text);
    t.true(read !== undefined && read - nanoseconds <= 1n && nanoseconds - read <= 1n, `${text}: ${read}`);
  }
});

test('what Go refuses is refused', (t) => {
  for (const text of bad) t.is(parseDuration(text), undefined, JSON.stringify(text));
});

test('every text of the grammar means the sum of its parts', (t) => {
  const part = fc.tuple(fc.nat(9_999), fc.option(fc.nat(999), { nil: undefined }), fc.constantFrom(...Object.keys(NS)));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), fc.constantFrom('', '+', '-'), (parts, sign) => {
      const text = parts.map(([whole, f, unit]) => `${whole}${f === undefined ? '' : `.${f}`}${unit}`).join('');
      const sum = parts.reduce((total, [whole, f, unit]) => {
        const scale = NS[unit] ?? 0n;
        const digits = f === undefined ? '' : String(f);
        return total + BigInt(whole) * scale + (BigInt(digits || '0') * scale) / 10n ** BigInt(digits.length);
      }, 0n);
      t.is(parseDuration(`${sign}${text}`), sign === '-' ? -sum : sum, text);
    }),
    { numRuns: 1_000 },
  );
});

test('any text at all gets an answer, also a long one', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('0', '9', '.', '-', '+', 'h', 'm', 's', 'n', 'µ', ' ', 'x') }),
      (text) => {
        const read = parseDuration(text);
        return read === undefined || typeof read === 'bigint';
      },
    ),
    { numRuns: 5_000 },
  );
  t.is(parseDuration('1'.repeat(262_144)), undefined);
  t.is(parseDuration('1s'.repeat(131_072)), undefined);
});

test('what is written is read again', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 43 }), (ms) => {
      const read = parseDuration(formatDuration(ms));
      t.is(read === undefined ? undefined : toMs(read), ms, formatDuration(ms));
    }),
  );
  t.is(formatDuration(4_530_500), '1h15m30.5s');
  t.is(formatDuration(600_000), '10m0s');
  t.is(toMs(1n), 1, 'a positive duration never becomes none');
});
