import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './panel.ts';

/** The series of the chosen clusters. One Prometheus with one cluster has no such label, which `.*` matches too. */
const CLUSTERS = 'cluster=~"$cluster"';
const SPACES = 'k8s_namespace_name=~"$namespace"';
/** Of the chosen clusters, as the chosen jobs and instances of Prometheus have scraped them. */
export const FLEET = `${CLUSTERS}, job=~"$job", instance=~"$instance"`;
/** The same in the chosen namespaces. */
export const SPACE = `${FLEET}, ${SPACES}`;
/** The same of the chosen Knative Services. */
export const SERVICE = `${SPACE}, kn_service_name=~"$service"`;
/** Narrows series that every Node process or exporter may have to those of the product's own processes. */
export const OURS = `and on (cluster, job, instance) knative_eip_build_info{${FLEET}}`;
/** Series of the chosen Services that Knative's own jobs have. */
export const KNATIVES = `${CLUSTERS}, ${SPACES}, kn_service_name=~"$service"`;

/** The share `q` of a histogram's observations took at most so long, by the labels `by`. */
export const quantile = (q: number, histogram: string, selector: string, ...by: string[]): string =>
  `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (rate(${histogram}_bucket{${selector}}[$__rate_interval])))`;

/** Increase per second of a counter, by the labels `by`. */
export const rate = (counter: string, selector: string, ...by: string[]): string =>
  `sum by (${by.join(', ')}) (rate(${counter}{${selector}}[$__rate_interval]))`;

/** How often in the last hour, by the labels `by`. */
export const inTheHour = (counter: string, selector: string, ...by: string[]): string =>
  `sum by (${by.join(', ')}) (increase(${counter}{${selector}}[1h]))`;

/** A row of panels with its heading. */
export interface Row {
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}

/**
 * `.+` where every series has the label, so that all of them means those that were scraped; the others may be missing,
 * and `.*` matches that, too.
 */
const ALL: Readonly<Record<string, string>> = { job: '.+', instance: '.+' };

const variable = (name: string, label: string, query: string) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ qryType: 1, query, refId: 'PrometheusVariableQueryEditor-VariableQuery' })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(ALL[name] ?? '.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] });

/** Tag of all of them, by which they link to each other. */
const TAG = 'knative-eip';

/** What may be chosen above a dashboard; each is offered where the panels, or a later one, ask for it. */
const VARIABLES = [
  { name: 'cluster', label: 'Cluster', query: 'label_values(knative_eip_build_info, cluster)' },
  { name: 'job', label: 'Job', query: `label_values(knative_eip_build_info{${CLUSTERS}}, job)` },
  {
    name: 'instance',
    label: 'Instance',
    query: `label_values(knative_eip_build_info{${CLUSTERS}, job=~"$job"}, instance)`,
  },
  {
    name: 'namespace',
    label: 'Namespace',
    query: `label_values(knative_eip_revision_eips{${FLEET}}, k8s_namespace_name)`,
  },
  { name: 'service', label: 'Service', query: `label_values(knative_eip_revision_eips{${SPACE}}, kn_service_name)` },
] as const;

/** Those that a text asks for: a list to choose from that changes nothing misleads. */
const variablesIn = (text: string) => VARIABLES.filter(({ name }) => text.includes(`$${name}`));

/** How long a change is marked for: at least two scrapes, or it could fall between them. */
const MARK = '2m';

/** What is marked in every panel, because it explains what happens beside it. */
const MARKS = [
  {
    name: 'Leader changes',
    color: 'orange',
    expr: `knative_eip_leader{${FLEET}} == 1 unless (knative_eip_leader{${FLEET}} offset ${MARK} == 1)`,
    title: 'Another replica leads',
    text: '{{instance}} {{cluster}}',
  },
  {
    name: 'Deployments',
    color: 'blue',
    expr: `knative_eip_build_info{${FLEET}} unless on (cluster, job, instance, version) (knative_eip_build_info{${FLEET}} offset ${MARK})`,
    title: 'A replica of {{version}} is there',
    text: '{{instance}} {{cluster}}',
  },
] as const;

const annotation = ({ name, color, expr, title, text }: (typeof MARKS)[number]) =>
  new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(color)
    .expr(expr)
    .step('60s')
    .titleFormat(title)
    .textFormat(text);

/** A dashboard with the variables that its panels ask for; `name` is its UID and the name of its file. */
export const board = (name: string, title: string, description: string, rows: readonly Row[]): Dashboard => {
  const builder = new DashboardBuilder(`Knative Serving - EIP ${title}`)
    .uid(`knative-eip-${name}`)
    .description(description)
    .tags([TAG, 'knative', 'alibabacloud'])
    .time({ from: 'now-6h', to: 'now' })
    .refresh('1m')
    .timezone('browser')
    // What is changed in Grafana would be lost with the next version of the file.
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('EIP dashboards')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  const asked = JSON.stringify(rows.flatMap(({ panels }) => panels.map((panel) => panel.build())));
  for (const mark of MARKS) builder.annotation(annotation(mark));
  for (const { name, label, query } of variablesIn(asked)) builder.withVariable(variable(name, label, query));
  for (const { title, panels } of rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  const made = builder.build();
  // Grafana tells panels apart by number; the builder leaves them to it, and links to one panel would move.
  const numbered = made.panels?.map((panel, index) => ({ ...panel, id: index + 1 })) as Dashboard['panels'];
  return { ...made, panels: numbered ?? [] };
};
