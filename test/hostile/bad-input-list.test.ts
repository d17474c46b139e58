import { readFileSync } from 'node:fs';
import test from 'ava';

/* The list of 150 bad inputs: each number has its case, in the test of the part that reads the input. */

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

const GUARD = 'test/rules/bad-input.test.ts';
const REVIEWS = 'test/webhook/server.test.ts';
const CONFIG = 'test/config/load.test.ts';
const DECIDE = 'test/controllers/podeip/decide.test.ts';

/** Whose cases are rows with the number. */
const BY_NUMBER = [
  'test/controllers/podeip/bad-podeips.test.ts',
  'test/controllers/podeip/forged-podeips.test.ts',
  'test/cloud/bad-answers.test.ts',
  'test/cloud/odd-answers.test.ts',
  'test/cloud/odd-eips.test.ts',
  'test/webhook/bad-requests.test.ts',
];

/** Where all other numbers have their cases, and a text that only the case has. */
const ELSEWHERE: Readonly<Record<number, readonly [file: string, text: string]>> = {
  1: [GUARD, "['True', 'TRUE', '1', '', ' true', 'yes'"],
  2: [GUARD, "'TRUE', '1', ''"],
  3: [GUARD, "'TRUE', '1', ''"],
  4: [GUARD, "'1', '', ' true'"],
  5: [GUARD, "'', ' true', 'yes'"],
  6: [GUARD, "' true', 'yes'"],
  7: [GUARD, "['0', '-5', '5.5'"],
  8: [GUARD, "'-5', '5.5'"],
  9: [GUARD, "['bandwidth 5M'"],
  10: [GUARD, "'5.5', '0x10'"],
  11: [GUARD, "'0x10', '1e3'"],
  12: [GUARD, "'1e3', '٥'"],
  13: [GUARD, "'٥', '201'"],
  14: [GUARD, "'201', '501'"],
  15: [GUARD, "'501', '99999999999999999999'"],
  16: [GUARD, "'99999999999999999999'"],
  17: [GUARD, "'5 ', ''"],
  18: [GUARD, "['bandwidth alone'"],
  19: [GUARD, "['with-eip false and an ID'"],
  20: [GUARD, "['with-eip true and an ID'"],
  21: [GUARD, "    'eip-',\n"],
  22: [GUARD, "'EIP-bp1'"],
  23: [GUARD, "'eip-bp1,eip-bp2'"],
  24: [GUARD, String.raw`'eip-bp1\n'`],
  25: [GUARD, "'../../x'"],
  26: [GUARD, "'x'.repeat(10_000)}`"],
  33: [GUARD, "'two IDs under two prefixes'"],
  34: [GUARD, "['an alias that disagrees'"],
  35: [GUARD, "['line type bgp'"],
  37: [GUARD, "['a single line by traffic'"],
  38: [GUARD, "['charge type PayBytraffic'"],
  39: [GUARD, "['PrePaid', asks("],
  41: [GUARD, "'a package paid by bandwidth'"],
  44: [GUARD, "'129 characters of name'"],
  45: [GUARD, "'a name that is a URL'"],
  46: [GUARD, "'a name with an emoji and invisible characters'"],
  47: [GUARD, "'a lone surrogate'"],
  48: [GUARD, "'257 characters of description'"],
  49: [GUARD, String.raw`['\u0000', '\u001b[31m', 'a\r\nb']`],
  50: [GUARD, "'two protections'"],
  51: [GUARD, "'a=b',"],
  52: [GUARD, "'[]',\n    'null'"],
  53: [GUARD, "'null',\n    '{\"a\":{"],
  54: [GUARD, `'{"a":{"b":"c"}}'`],
  55: [GUARD, `'{"a":1}'`],
  56: [GUARD, 'many(21)'],
  57: [GUARD, `'{"":"x"}'`],
  58: [GUARD, "'k'.repeat(129)"],
  59: [GUARD, `'{"acs:x":"v"}'`],
  60: [GUARD, 'knative-eip/podeip-uid'],
  61: [GUARD, "['tags __proto__'"],
  62: [GUARD, "['tags constructor'"],
  63: [GUARD, "['the same tag twice'"],
  64: [GUARD, '256 * 1024'],
  65: [GUARD, "'}'.repeat(100_000)"],
  66: [GUARD, "['an empty value of a tag'"],
  67: [GUARD, "['follow', '5', '-5m'"],
  68: [GUARD, "'5', '-5m'"],
  69: [GUARD, "'-5m', '0s'"],
  70: [GUARD, "'0s', '1ns'"],
  71: [GUARD, "'1ns', '9999999999h'"],
  72: [GUARD, "'9999999999h', ''"],
  73: [GUARD, "'strategy 1h1h"],
  74: [GUARD, "'20000000µs', '20000000μs'"],
  75: [GUARD, "'Never on a Deployment'"],
  76: [GUARD, "['on the Service itself'"],
  77: ['test/webhook/validate.test.ts', 'annotations that come to a pod which ECI runs already'],
  78: [DECIDE, 'a pod that wants no address any more loses it'],
  79: [GUARD, "['hostNetwork'"],
  81: [DECIDE, 'a pod whose address has changed is followed'],
  82: [GUARD, "['on Container Compute Service'"],
  83: [GUARD, "['a name of 253 characters'"],
  85: [GUARD, "['a key with one slash too many'"],
  100: [GUARD, "['undefined', undefined]"],
  101: [REVIEWS, "['{', {}, 400"],
  102: [GUARD, "['an array', []]"],
  103: [GUARD, "['{}', {}]"],
  104: [GUARD, "['request null', review(null)]"],
  105: [GUARD, "['uid of 10 kB'"],
  106: [GUARD, "['v1beta1'"],
  107: [GUARD, "['CREATE with object null'"],
  108: [GUARD, "['UPDATE without the object before'"],
  109: [GUARD, "['DELETE with both null'"],
  110: [GUARD, "['metadata null'"],
  111: [GUARD, "{ 'k8s.aliyun.com/eip-bandwidth': 5 }]"],
  112: [GUARD, "['namespace empty'"],
  113: [GUARD, "['status', 'ephemeralcontainers', 'eviction', 'scale']"],
  114: [GUARD, "'generateName, no name'"],
  118: [GUARD, "'100,000 keys'"],
  119: [GUARD, "'numbers that JSON cannot hold'"],
  120: [GUARD, "'a user who says that he is the master'"],
  121: [CONFIG, 'a file that is missing, a directory, too large or no text'],
};

test('every number of the list has its case', (t) => {
  const here = new Set(
    BY_NUMBER.flatMap((file) => [...read(file).matchAll(/^row\(\s*(\d+),/gmu)].map(([, number]) => Number(number))),
  );
  const missing = Array.from({ length: 150 }, (_, index) => index + 1).filter((number) => {
    const [file, text] = ELSEWHERE[number] ?? [];
    if (file === undefined || text === undefined) return !here.has(number);
    return here.has(number) || !read(file).includes(text);
  });
  t.deepEqual(missing, [], 'numbers without a case, with two places, or whose text is not in the file');
});
