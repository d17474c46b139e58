import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parse } from 'yaml';
import { chartFiles, valuesSchema } from '../../charts/src/chart-files.ts';
import { OWN_VALUES, OWN_VALUES_IN, type ValueSchema } from '../../charts/src/chart-values.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const VALUES = parse(read('charts/knative-eip/values.yaml')) as Record<string, unknown>;

test('the files of the chart are what npm run docs makes, and nothing else is among its copies', (t) => {
  const made = chartFiles();
  for (const [path, content] of made) t.true(read(path) === content, `${path} is out of date: npm run docs`);
  const copies = globSync('charts/knative-eip/files/**/*.*', { cwd: ROOT });
  t.true(copies.length > 40);
  t.deepEqual(
    copies.filter((path) => !made.has(path)),
    [],
  );
});

test('the chart has the version of the product', (t) => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  t.like(parse(read('charts/knative-eip/Chart.yaml')), { version, appVersion: version, kubeVersion: '>=1.30.0-0' });
});

/** Paths of keys that values.yaml has and the schema does not. */
const strangers = (values: unknown, schema: ValueSchema | undefined, path: string): string[] => {
  if (!schema) return [path];
  if (typeof values !== 'object' || values === null || Array.isArray(values) || !schema.properties) return [];
  return Object.entries(values).flatMap(([key, inner]) => strangers(inner, schema.properties?.[key], `${path}.${key}`));
};
/** Paths of the chart's own values that values.yaml does not show. */
const hidden = (own: Readonly<Record<string, ValueSchema>>, values: unknown, path: string): string[] =>
  Object.entries(own).flatMap(([key, schema]) => {
    const at = `${path}.${key}`;
    if (key === 'global') return [];
    if (typeof values !== 'object' || values === null || !Object.hasOwn(values, key)) return [at];
    return hidden(schema.properties ?? {}, (values as Record<string, unknown>)[key], at);
  });

test('values.yaml shows every value that is the chart’s own, and none that the schema does not know', (t) => {
  t.deepEqual(strangers(VALUES, valuesSchema(), ''), []);
  t.deepEqual(hidden(OWN_VALUES, VALUES, ''), []);
  for (const [mapping, own] of Object.entries(OWN_VALUES_IN)) t.deepEqual(hidden(own, VALUES[mapping], mapping), []);
  t.deepEqual(strangers({ image: { repo: 'x' } }, valuesSchema(), ''), ['.image.repo']);
});

test('every value is described, and no value of the chart has the name of a key of the configuration', (t) => {
  const config = JSON.parse(read('config/config.schema.json')) as { properties: Record<string, ValueSchema> };
  for (const key of Object.keys(OWN_VALUES)) t.false(Object.hasOwn(config.properties, key), key);
  for (const [mapping, own] of Object.entries(OWN_VALUES_IN))
    for (const key of Object.keys(own)) t.false(Object.hasOwn(config.properties[mapping]?.properties ?? {}, key), key);
  const rows = read('charts/knative-eip/README.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  t.true(rows.length > 150, `${rows.length} values`);
  for (const row of rows) t.regex(row, /\| [A-Za-z`][^|]*[.)] \|$/u, row);
  for (const row of ['| `clusterID` | string | `""` |', '| `networkController.vpcid` | string |', '| `replicas` |'])
    t.true(
      rows.some((each) => each.startsWith(row)),
      row,
    );
});

test('the patterns of the schema are ones that Helm, which is written in Go, can read', (t) => {
  const patterns = [...read('charts/knative-eip/values.schema.json').matchAll(/"pattern": "(.*)"/gu)];
  t.true(patterns.length > 20);
  for (const [, pattern = ''] of patterns) t.notRegex(pattern, /\(\?[=!<]|\\[1-9]/u);
});
