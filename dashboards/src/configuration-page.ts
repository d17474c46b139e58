import { configSchema } from '../../src/config/schema.ts';

/** What is read of a schema. */
interface Schema {
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

const code = (text: string): string => `\`${text}\``;

/** The kind of a value, for a reader; a list of what is allowed where that is closed. */
const typeOf = ({ enum: values, type = 'any', items }: Schema): string => {
  if (values) return values.map(code).join(', ');
  if (typeof type !== 'string') return type.filter((each) => each !== 'null').join(' or ');
  return type === 'array' ? `list of ${items ? typeOf(items) : 'values'}` : type;
};

/** In a cell of a table, a bar would end it. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** Rows of a table: one for each key, those inside others by their path. */
export const keyTable = (schema: Schema, path = ''): readonly string[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, key]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const isRequired = schema.required?.includes(name) === true && key.default === undefined;
    const fallback = key.properties || key.default === undefined ? '' : code(JSON.stringify(key.default));
    const row = [
      code(at),
      key.properties ? '' : typeOf(key),
      isRequired ? '**required**' : fallback,
      key.description ?? '',
    ];
    return [`| ${row.map(cell).join(' | ')} |`, ...keyTable(key, at)];
  });

/** docs/configuration.md. */
export const configurationPage = (): string =>
  [
    '# Configuration',
    '',
    '<!-- Made by npm run docs. -->',
    '',
    'Every key of the configuration file (`config/manager/config.yaml`), its type, its default and what it is for. Keys that are also',
    'among the Helm values of ack-extend-network-controller have the same name and meaning. `knative-eip config -c FILE --origin` says',
    'where each value comes from, and `config/config.schema.json` is for editors.',
    '',
    '| Key | Type | Default | What it is for |',
    '| --- | --- | --- | --- |',
    ...keyTable(configSchema()),
    '',
  ].join('\n');
