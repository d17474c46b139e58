import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { keyTable } from '../../dashboards/src/configuration-page.ts';
import { configSchema } from '../../src/config/schema.ts';
import { OWN_VALUES, OWN_VALUES_IN, type ValueSchema } from './chart-values.ts';

const ROOT = join(import.meta.dirname, '../..');
const CHART = 'charts/knative-eip';
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Folders of config/ whose manifests the chart has in it; what values change in them, its templates say. */
const FOLDERS = [
  'admission',
  'announce-on-pods',
  'cert-manager',
  'cloudevents',
  'crd',
  'manager',
  'metrics',
  'network-policy',
  'prometheus',
  'rbac',
  'service-condition',
  'virtual-node',
  'virtual-node-eci-profile',
  'virtual-node-image-caches',
  'virtual-node-service-account',
  'webhook',
];
/** The release says what the namespace is, and the values what the configuration is. */
const NOT_IN_THE_CHART = new Set(['kustomization.yaml', 'namespace.yaml', 'config.yaml']);

const manifests = (): (readonly [string, string])[] => [
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, 'config', folder))
      .filter((name) => !NOT_IN_THE_CHART.has(name))
      .map((name) => [`${CHART}/files/${folder}/${name}`, read(`config/${folder}/${name}`)] as const),
  ),
  ...readdirSync(join(ROOT, 'dashboards'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => [`${CHART}/files/dashboards/${name}`, read(`dashboards/${name}`)] as const),
];

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** With the defaults that values.yaml has, of which no mapping has one itself. */
const withDefaults = (schema: ValueSchema, values: unknown): ValueSchema => {
  if (!isMapping(values) || !schema.properties)
    return values === undefined || values === null ? schema : { ...schema, default: values };
  const { default: _, ...rest } = schema;
  return {
    ...rest,
    properties: Object.fromEntries(
      Object.entries(schema.properties).map(([key, inner]) => [key, withDefaults(inner, values[key])]),
    ),
  };
};

/** A text that may be left empty: templates say then what to write, in words. */
const mayBeEmpty = ({ pattern, ...schema }: ValueSchema): ValueSchema => ({
  ...schema,
  ...(pattern !== undefined && { pattern: `^$|${pattern}` }),
});

/**
 * The JSON Schema of the values: that of the configuration and the chart's own. Draft 7, which every Helm knows that
 * reads schemas.
 */
export const valuesSchema = (): ValueSchema & Readonly<Record<string, unknown>> => {
  const { required: _, ...config } = configSchema() as ValueSchema & Record<string, unknown>;
  const keys = Object.fromEntries(
    Object.entries(config.properties ?? {}).map(([key, schema]) => {
      const own = OWN_VALUES_IN[key];
      return [key, own ? { ...schema, properties: { ...schema.properties, ...own } } : schema];
    }),
  );
  for (const key of ['clusterID', 'regionID', 'vpcID']) keys[key] = mayBeEmpty(keys[key] ?? {});
  const properties = { ...keys, ...OWN_VALUES };
  return {
    ...withDefaults({ ...config, properties }, parse(read(`${CHART}/values.yaml`))),
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart knative-eip',
  };
};

/** Mappings that templates look into: `image:` with nothing after it takes the default away. */
const MAPPINGS = [
  ...Object.entries(OWN_VALUES).flatMap(([key, { properties }]) => (properties ? [key] : [])),
  'webhook',
  'cloudEvents',
  'virtualNode',
];

const chartYaml = (): string => {
  const { version, description } = JSON.parse(read('package.json')) as { version: string; description: string };
  return `# Made by npm run docs.\n${stringify({
    apiVersion: 'v2',
    name: 'knative-eip',
    description,
    type: 'application',
    version,
    appVersion: version,
    kubeVersion: '>=1.30.0-0',
    keywords: ['knative', 'eip', 'alibaba-cloud', 'ack', 'eci'],
    annotations: { 'artifacthub.io/license': 'Apache-2.0' },
  })}`;
};

const page = (): string =>
  [
    '# Helm chart of knative-eip',
    '',
    '<!-- Made by npm run docs. -->',
    '',
    'There is no published chart yet: install it from a clone of the repository. `values.yaml` of your own has at least',
    '`clusterID`, `regionID` and `vpcID`; one of ack-extend-network-controller can be taken as it is.',
    '',
    '```sh',
    'helm install knative-eip charts/knative-eip -n knative-eip-system --create-namespace -f values.yaml',
    '```',
    '',
    'One release in a cluster: its objects have the names that `config/` has. `files/` is a copy of `config/` and `dashboards/`',
    'that `npm run docs` makes; the templates say what values change in it. Before `helm uninstall`, drain: `docs/uninstalling.md`.',
    '',
    '| Key | Type | Default | What it is for |',
    '| --- | --- | --- | --- |',
    ...keyTable(valuesSchema()),
    '',
  ].join('\n');

/** Everything of the chart that is made from other files: path in the repository → content. */
export const chartFiles = (): ReadonlyMap<string, string> =>
  new Map([
    [`${CHART}/Chart.yaml`, chartYaml()],
    [`${CHART}/values.schema.json`, `${JSON.stringify({ ...valuesSchema(), required: MAPPINGS }, null, 2)}\n`],
    [`${CHART}/README.md`, page()],
    [`${CHART}/templates/_own-values.tpl`, ownValues()],
    ...manifests(),
  ]);

/** What of the values is no configuration, for the template that writes that. */
const ownValues = (): string => {
  const lines = [
    ...Object.keys(OWN_VALUES).map((key) => `{{- $_ := unset $config ${JSON.stringify(key)} }}`),
    ...Object.entries(OWN_VALUES_IN).flatMap(([mapping, own]) =>
      Object.keys(own).map(
        (key) => `{{- if $config.${mapping} }}{{ $_ := unset $config.${mapping} ${JSON.stringify(key)} }}{{ end }}`,
      ),
    ),
  ];
  return [
    '{{- /* Made by npm run docs. The values without those that only the chart knows: the configuration. */ -}}',
    '{{- define "knative-eip.withoutOwnValues" -}}',
    '{{- $config := deepCopy .Values }}',
    ...lines,
    '{{- toYaml $config }}',
    '{{- end }}',
    '',
  ].join('\n');
};
