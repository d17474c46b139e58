import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** What is read of a schema. */
interface Schema {
  readonly description?: string;
  readonly type?: string;
  readonly format?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly kind: string; readonly plural: string; readonly shortNames?: readonly string[] };
    readonly versions: readonly {
      readonly name: string;
      readonly additionalPrinterColumns: readonly {
        readonly name: string;
        readonly jsonPath: string;
        readonly priority?: number;
      }[];
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

const FILES = [
  'podeips.alibabacloud.com',
  'eippolicies.podeip-controller.alibabacloud.com',
  'eipholders.podeip-controller.alibabacloud.com',
  'eipusages.podeip-controller.alibabacloud.com',
];

const definitionOf = (name: string): Definition =>
  parse(readFileSync(new URL(`../../config/crd/${name}.yaml`, import.meta.url), 'utf8')) as Definition;

const code = (text: string): string => `\`${text}\``;
/** In a cell of a table, a bar would end it. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The kind of a value, and what is allowed. */
const typeOf = (schema: Schema): string => {
  const { enum: values, type = 'any', format, items, additionalProperties, minimum, maximum } = schema;
  if (values) return values.map(code).join(', ');
  if (items) return `list of ${items.properties ? 'objects' : typeOf(items)}`;
  if (additionalProperties) return 'map of strings';
  if (format === 'date-time') return 'time, RFC 3339';
  if (minimum !== undefined && maximum !== undefined) return `${type}, ${minimum} to ${maximum}`;
  return minimum === undefined ? type : `${type}, ${minimum} or more`;
};

/** Those that every object has. */
const OF_ALL = ['apiVersion', 'kind', 'metadata'];

const rowsOf = (schema: Schema, path = ''): readonly string[] =>
  Object.entries(schema.properties ?? {})
    .filter(([name]) => path !== '' || !OF_ALL.includes(name))
    .flatMap(([name, field]) => {
      const at = path === '' ? name : `${path}.${name}`;
      const isRequired = schema.required?.includes(name) === true ? ' (required)' : '';
      const pattern = (field.items ?? field).pattern;
      const says = [
        field.description ?? '',
        field.default === undefined ? '' : `Default ${code(JSON.stringify(field.default))}.`,
        pattern === undefined || at.includes('conditions') ? '' : `Pattern ${code(pattern)}.`,
      ];
      const row = [code(at), `${typeOf(field)}${isRequired}`, says.filter((each) => each !== '').join(' ')];
      const inside = field.items?.properties ? rowsOf(field.items, `${at}[]`) : rowsOf(field, at);
      return [`| ${row.map(cell).join(' | ')} |`, ...inside];
    });

const sectionOf = (name: string): readonly string[] => {
  const { group, scope, names, versions } = definitionOf(name).spec;
  return versions.flatMap(
    ({ name: version, additionalPrinterColumns: columns, schema: { openAPIV3Schema: schema } }) => [
      `## ${names.kind}`,
      '',
      schema.description ?? '',
      '',
      `${code(`${group}/${version}`)}, ${scope === 'Cluster' ? 'cluster-scoped' : 'in a namespace'}; ${code(
        `kubectl get ${names.shortNames?.[0] ?? names.plural}`,
      )} shows ${columns.map(({ name: title, priority }) => `${title.toUpperCase()}${priority ? '¹' : ''}`).join(', ')}.`,
      '',
      '| Field | Type | What it is |',
      '| --- | --- | --- |',
      ...rowsOf(schema),
      '',
    ],
  );
};

/** docs/kinds.md: the fields of the product's own kinds, from their definitions. */
export const kindsPage = (): string =>
  [
    '# Kinds',
    '',
    '<!-- Made by npm run docs. -->',
    '',
    'Every field of the four kinds, as `config/crd` defines them and `kubectl explain` says them. People write EipPolicies;',
    'the others are the controller’s. `config/samples/policy.yaml` is an example. ¹ with `-o wide` only.',
    '',
    ...FILES.flatMap((name) => sectionOf(name)),
  ].join('\n');
