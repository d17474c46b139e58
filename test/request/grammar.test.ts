import test from 'ava';
import * as fc from 'fast-check';
import { KEYS, type Setting } from '../../src/api/annotations.ts';
import { sentence } from '../../src/api/finding.ts';
import { parseAnnotations } from '../../src/request/parse.ts';
import { parseRequest, writeRequest } from '../../src/request/request.ts';
import { DEFAULTS as defaults } from '../harness/settings.ts';

const read = (annotations: Readonly<Record<string, string>>) => parseAnnotations(annotations, defaults);
const allKeys = Object.values(KEYS).flat();

/** Texts that are right, nearly right, and anything at all. */
const text = fc.oneof(
  fc.constantFrom('true', 'false', 'True', '5', '5M', '0', '501', 'BGP', 'BGP_PRO', 'PayByTraffic', 'PayByBandwidth'),
  fc.constantFrom(
    'PostPaid',
    'PrePaid',
    'eip-1',
    'cbwp-1',
    'rg-1',
    'pippool-1',
    'Follow',
    'Never',
    '10m',
    '1h30m',
    '0s',
  ),
  fc.constantFrom('{"team":"web"}', '{}', '[]', 'AntiDDoS_Enhanced', '__proto__', 'constructor'),
  fc.string({ unit: 'binary' }),
);
const annotations = fc.dictionary(fc.constantFrom(...allKeys), text, { maxKeys: 8 });

test('every set of annotations gets an answer: a request, or a finding that refuses it', (t) => {
  fc.assert(
    fc.property(annotations, (given) => {
      const { wanted, request, findings, release } = read(given);
      const isRefused = findings.some(({ severity }) => severity === 'refuse');
      if (!wanted) t.deepEqual([request, release.strategy], [undefined, 'Follow']);
      else t.is(request === undefined, isRefused);
      for (const finding of findings) {
        t.true(finding.keys.every((key) => Object.hasOwn(given, key)));
        t.true(finding.problem !== '' && finding.remedy !== '' && sentence(finding).length < 2_000);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('a request is the same after it was written down and read again', (t) => {
  fc.assert(
    fc.property(annotations, (given) => {
      const { request } = read(given);
      if (!request) return;
      const written = writeRequest(request);
      const again = parseRequest(written);
      t.truthy(again);
      t.is(again && writeRequest(again), written);
    }),
    { numRuns: 3_000 },
  );
});

test('all spellings of a key mean the same', (t) => {
  const settings = Object.keys(KEYS) as Setting[];
  fc.assert(
    fc.property(fc.constantFrom(...settings), text, (setting, value) => {
      const readings = KEYS[setting].map((key) => {
        const { findings, ...parsed } = read({ [KEYS.withEip[0]]: 'true', [key]: value });
        return JSON.stringify([parsed, findings.map(({ id, severity }) => [id, severity])]);
      });
      // The key that asks for an EIP may stand twice, and then disagree with itself.
      if (setting === 'withEip') return;
      t.is(new Set(readings).size, 1, `${setting}: ${value}`);
    }),
    { numRuns: 2_000 },
  );
});

test('annotations of others change nothing', (t) => {
  const others = fc.dictionary(fc.stringMatching(/^[a-z]{1,12}\.example\.com\/[a-z]{1,12}$/), text, { maxKeys: 3 });
  fc.assert(
    fc.property(annotations, others, (given, foreign) => {
      t.deepEqual(read({ ...given, ...foreign }), read(given));
    }),
    { numRuns: 1_000 },
  );
});
